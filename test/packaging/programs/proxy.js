'use strict';
const { MockCluster } = require('kafka-native');
const WebSocket = require('ws');

/** A message through a proxy, from one client to another, over the embedded cluster. */
exports.throughProxy = async function throughProxy({ KafkaProxy }, { KafkaProxyClient }) {
  const cluster = new MockCluster();
  cluster.createTopic('greetings');
  const { broker, driver_options: properties } = cluster.options;
  const proxy = new KafkaProxy({ port: 0, kafka: { brokers: [broker], properties } });
  const { port } = await proxy.listen();
  const clients = [0, 1].map(() => new KafkaProxyClient(`ws://127.0.0.1:${port}`, { WebSocket }));
  await Promise.all(clients.map((client) => client.connect()));
  const messages = clients[0].subscribe({ topics: ['greetings'], from: 'earliest' });
  await clients[1].produce('greetings', [{ value: 'through a proxy' }]);
  for await (const { value } of messages) {
    console.log(value);
    break;
  }
  const page = await (await fetch(`http://127.0.0.1:${port}/ui/`)).text();
  const scripts = [...page.matchAll(/src="([^"]+)"/g)].map(([, src]) => new URL(src, `http://127.0.0.1:${port}/ui/`));
  const answers = await Promise.all(scripts.map((url) => fetch(url)));
  console.log(answers.length > 0 && answers.every(({ ok }) => ok) ? 'and its page' : `no page: ${page}`);
  for (const client of clients) client.close();
  await proxy.close();
  cluster.close();
};
