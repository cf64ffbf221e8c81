'use strict';
const net = require('node:net');
const { once } = require('node:events');
const { Deepstream } = require('@deepstream/server');
const { DeepstreamClient } = require('@deepstream/client');
const { MockCluster } = require('kafka-native');

async function freePort() {
  const server = net.createServer().listen(0, '127.0.0.1');
  await once(server, 'listening');
  const { port } = server.address();
  server.close();
  await once(server, 'close');
  return port;
}

/** An event from a client of one server to a client of another, over the embedded cluster. `forms` are the servers' `clusterNode`, without options. */
exports.acrossServers = async function acrossServers(forms) {
  const cluster = new MockCluster();
  cluster.createTopic('deepstream');
  const { broker, driver_options: properties } = cluster.options;
  const clients = [];
  for (const [i, form] of forms.entries()) {
    const port = await freePort();
    const server = new Deepstream({
      serverName: `server-${i}`,
      showLogo: false,
      dependencyInitializationTimeout: 30_000,
      telemetry: { type: 'deepstreamIO', options: { enabled: false } },
      auth: [{ type: 'none', options: {} }],
      permission: { type: 'none', options: {} },
      httpServer: { type: 'default', options: { host: '127.0.0.1', port, healthCheckPath: '/health-check', allowAllOrigins: true } },
      connectionEndpoints: [{ type: 'ws-binary', options: { urlPath: '/deepstream' } }],
      clusterNode: { ...form, options: { connectionString: broker, properties } },
    });
    const started = once(server, 'started');
    server.start();
    await started;
    const client = new DeepstreamClient(`ws://127.0.0.1:${port}/deepstream`);
    await client.login({});
    clients.push(client);
  }
  const heard = new Promise((resolve) => clients[1].event.subscribe('hello', resolve));
  // The other server learns of the subscription by and by.
  const again = setInterval(() => clients[0].event.emit('hello', 'from another server'), 100);
  console.log(await heard);
  clearInterval(again);
  // deepstream's servers leave timers behind.
  process.exit();
};
