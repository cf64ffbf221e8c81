'use strict';
const { MockCluster } = require('kafka-native');
const { Server } = require('socket.io');
const { io: connect } = require('socket.io-client');

/** A message from one server to a client of another, over the embedded cluster. */
exports.acrossServers = async function acrossServers({ createAdapter }) {
  const cluster = new MockCluster();
  for (const topic of ['socket.io', 'socket.io-replies']) cluster.createTopic(topic);
  const { broker, driver_options: properties } = cluster.options;
  const servers = [0, 1].map(() => new Server(0, { adapter: createAdapter({ brokers: [broker], properties }) }));
  await Promise.all(servers.map((io) => io.of('/').adapter.init()));
  const client = connect(`http://127.0.0.1:${servers[1].httpServer.address().port}`, { transports: ['websocket'] });
  const heard = new Promise((resolve) => client.once('hello', resolve));
  client.once('connect', () => servers[0].emit('hello', 'from another server'));
  console.log(await heard);
  client.close();
  await Promise.all(servers.map((io) => io.close()));
  cluster.close();
};
