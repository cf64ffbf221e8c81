'use strict';
// One of the deepstream servers. Kafka carries what they tell one another, and keeps the records.

const { Deepstream } = require('@deepstream/server');
const { Kafka, logLevel } = require('kafka-native/kafkajs');
const { ClusterNode } = require('deepstream.io-msg-kafka');
const { RecordsInKafka } = require('./records.js');

const [name, port] = process.argv.slice(2);
const brokers = (process.env.KAFKA_BROKER ?? 'localhost:9092').split(',');

async function main() {
  const records = await RecordsInKafka.open(new Kafka({ brokers, logLevel: logLevel.WARN }), 'deepstream-example-records');
  const server = new Deepstream({
    serverName: name,
    logLevel: 2, // warnings and worse
    exitOnFatalError: true,
    // A Kafka that was started a moment ago takes longer than the 2 s that deepstream waits.
    dependencyInitializationTimeout: 30_000,
    // A server that is killed is forgotten after 2 s: before it is back.
    clusterRegistry: { type: 'default', options: { keepAliveInterval: 500, activeCheckInterval: 500, nodeInactiveTimeout: 2000 } },
    httpServer: { type: 'default', options: { host: '127.0.0.1', port: Number(port) } },
    connectionEndpoints: [{ type: 'ws-binary', options: { urlPath: '/deepstream' } }],
    permission: { type: 'none' },
    auth: [{ type: 'none' }],
  });
  server.set('clusterNode', new ClusterNode({ brokers, topic: 'deepstream-example' }, server.getServices(), server.getConfig()));
  server.set('cache', records);
  server.once('started', () => process.send?.('started'));
  server.once('stopped', () => process.disconnect?.());
  server.start();

  const stop = () => server.isRunning() && server.stop();
  process.on('SIGTERM', stop);
  process.on('SIGINT', () => {}); // the starter, which Ctrl-C ends too, says it with SIGTERM
}

process.on('disconnect', () => process.exit()); // the starter is gone, or this server is through

main().catch((error) => {
  console.error(`${name}: ${error.message}`);
  process.exit(1);
});
