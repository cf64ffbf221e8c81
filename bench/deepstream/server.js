'use strict';
// One of the deepstream servers of bench/deepstream.js, which starts it with the row to measure.

const { once } = require('node:events');
const { createServer } = require('node:net');
const { Deepstream } = require('@deepstream/server');

/**
 * @typedef {object} Task
 * @property {'kafka' | 'redis' | undefined} cluster what carries messages to the others
 * @property {string} address of the brokers or of Redis
 * @property {string} key of the topic
 * @property {object} options of the cluster node
 */

/** @param {Task} task @param {[any, any]} given the server's services and configuration */
function clusterNodeOf({ cluster, address, key, options }, given) {
  if (cluster === 'kafka') return new (require('deepstream.io-msg-kafka').ClusterNode)({ connectionString: address, topic: key, ...options }, ...given);
  const { hostname, port } = new URL(address);
  // A module of two exports: ES modules' default, as deepstream takes it.
  const { default: RedisClusterNode } = /** @type {any} */ (require('@deepstream/clusternode-redis'));
  return new RedisClusterNode({ host: hostname, port: Number(port), ...options }, ...given);
}

async function freePort() {
  const server = createServer().listen(0, '127.0.0.1');
  await once(server, 'listening');
  const { port } = /** @type {import('node:net').AddressInfo} */ (server.address());
  await once(server.close(), 'close');
  return port;
}

async function main() {
  /** @type {Task} */
  const task = JSON.parse(process.argv[2]);
  const port = await freePort();
  const server = new Deepstream({
    serverName: `server-${process.pid}`,
    logLevel: 3, // errors and worse
    exitOnFatalError: true,
    dependencyInitializationTimeout: 30_000,
    httpServer: { type: 'default', options: { host: '127.0.0.1', port } },
    connectionEndpoints: [{ type: 'ws-binary', options: { urlPath: '/deepstream' } }],
    permission: { type: 'none' },
    auth: [{ type: 'none' }],
  });
  if (task.cluster) server.set('clusterNode', clusterNodeOf(task, [server.getServices(), server.getConfig()]));
  server.start();
  await once(server, 'started');

  process.on('message', (/** @type {{ usage?: true, end?: true }} */ { usage, end }) => {
    if (usage) {
      const { user, system } = process.cpuUsage();
      process.send?.({ usage: { cpu: user + system, rss: process.memoryUsage.rss() } });
    }
    if (end) process.exit();
  });
  process.once('disconnect', () => process.exit());
  process.send?.({ port });
}

main().catch((error) => process.send?.({ error: error.message }, () => process.exit(1)));
