'use strict';
// A kafka-proxy. Says its port; asked for figures, it collects garbage and says them.

const { Kafka, logLevel } = require('kafka-native');
const KafkaProxy = require('kafka-proxy');

const { brokers, ...options } = JSON.parse(process.argv[2]);
const log = [];
const logger = Object.fromEntries(['error', 'warn', 'info', 'debug'].map((level) => [level, (line) => level !== 'debug' && log.push(`${level} ${line}`)]));

async function main() {
  const proxy = new KafkaProxy({ port: 0, kafka: new Kafka({ brokers: brokers.split(','), logger, logLevel: logLevel.WARN }), logger, ...options });
  const { port } = await proxy.listen();
  process.send({ type: 'listening', port });
  process.on('message', async (what) => {
    if (what === 'close') {
      await proxy.close();
      return process.disconnect();
    }
    for (let i = 0; i < 5; i++) {
      global.gc?.();
      await new Promise((resolve) => setImmediate(resolve));
    }
    const { heapUsed, arrayBuffers, external } = process.memoryUsage();
    process.send({ type: 'figures', heapUsed, external: external + arrayBuffers, resources: process.getActiveResourcesInfo(), log: log.splice(0) });
  });
}
main();
