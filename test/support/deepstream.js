'use strict';
// Servers of deepstream that behave as one over Kafka, their clients, and cluster nodes without a server.

const fs = require('node:fs');
const net = require('node:net');
const { once } = require('node:events');
const { randomBytes } = require('node:crypto');
const { Deepstream } = require('@deepstream/server');
const { LocalCache } = require('@deepstream/server/dist/src/services/cache/local-cache');
const { DeepstreamClient } = require('@deepstream/client');
const { ClusterNode } = require('deepstream.io-msg-kafka');
const { cleanup } = require('./cleanup.js');
const { PATIENCE, within } = require('./flow.js');
const { kafkajs, oracle } = require('./kafkajs.js');
const { Calls, eventually } = require('./watch.js');

const { ConfigResourceTypes, ConfigSource } = kafkajs;

/** A name for the topic of one test. */
const newTopic = () => `ds-${process.pid}-${randomBytes(4).toString('hex')}`;

const brokersOf = (cluster) => cluster.options().broker;

/** deepstream's logger, which remembers its lines as [level, event, message]. */
function witness() {
  const lines = new Calls();
  /** @type {any} */
  const logger = {
    setLogLevel() {},
    shouldLog: () => true,
    getNameSpace: () => logger,
    whenReady: async () => {},
    close: async () => {},
    description: 'witness',
  };
  for (const level of ['debug', 'info', 'warn', 'error', 'fatal']) logger[level] = (event, message) => lines.take(level, event, message);
  return { lines, logger };
}

/** A cluster node without a server; `heard` has [message, from] of the topics in `topics`. */
class Node {
  heard = new Calls();

  constructor(cluster, { serverName = `server-${randomBytes(4).toString('hex')}`, topics = [4], ...options }) {
    const { lines, logger } = witness();
    this.lines = lines;
    this.serverName = serverName;
    this.node = new ClusterNode({ connectionString: brokersOf(cluster), ...options }, { logger }, { serverName });
    for (const topic of topics) this.node.subscribe(topic, (message, from) => this.heard.take(message, from));
  }

  /** @returns {Promise<'ready' | 'refused'>} what comes of it */
  outcome() {
    return new Promise((resolve) => {
      const look = () => this.lines.all.some(([level]) => level === 'fatal') && resolve('refused');
      this.lines.on('call', look);
      look();
      this.node.whenReady().then(() => resolve('ready'));
    });
  }

  fatal() {
    return this.lines.until(([level]) => level === 'fatal', PATIENCE, 'a fatal error');
  }

  /** A message of EVENT. */
  emit(name, more = {}) {
    this.node.send({ topic: 4, action: 0, name, ...more });
  }

  hears(name) {
    return this.heard.until(([message]) => message.name === name, PATIENCE, name);
  }

  names() {
    return this.heard.all.map(([{ name }]) => name);
  }
}

/** Nodes of one topic that are ready; they are closed with the test. */
async function startNodes(t, cluster, { count = 2, topic = newTopic(), ...options } = {}) {
  const nodes = Array.from({ length: count }, () => new Node(cluster, { topic, ...options }));
  cleanup(t, () => Promise.all(nodes.map(({ node }) => node.close())));
  await within(PATIENCE, 'the nodes are ready', () => Promise.all(nodes.map(({ node }) => node.whenReady())));
  return nodes;
}

/** A port that nobody has now. */
async function freePort() {
  const server = net.createServer().listen(0, '127.0.0.1');
  await once(server, 'listening');
  const { port } = /** @type {net.AddressInfo} */ (server.address());
  server.close();
  await once(server, 'close');
  return port;
}

/** The configuration of a server, but for its logger and its cluster node. */
const serverConfig = (serverName, port, more = {}) =>
  /** @type {any} */ ({
    serverName,
    showLogo: false,
    telemetry: { type: 'deepstreamIO', options: { enabled: false } },
    auth: [{ type: 'none', options: {} }],
    permission: { type: 'none', options: {} },
    httpServer: { type: 'default', options: { host: '127.0.0.1', port, healthCheckPath: '/health-check', allowAllOrigins: true } },
    connectionEndpoints: [{ type: 'ws-binary', options: { urlPath: '/deepstream' } }],
    ...more,
  });

/** A client that is logged in, of a server on this port. */
async function clientOf(port, username) {
  const client = new DeepstreamClient(`ws://127.0.0.1:${port}/deepstream`, { maxReconnectAttempts: 0, recordDiscardTimeout: 50 });
  client.on('error', () => {});
  await within(PATIENCE, `${username} is logged in`, () => client.login({ username }));
  return client;
}

/** A server of deepstream in this process. */
class Peer {
  clients = [];

  /** @param {object} config more of deepstream's configuration; where it has no clusterNode, `how` sets one */
  constructor(serverName, port, config, how) {
    const { lines, logger } = witness();
    this.lines = lines;
    this.name = serverName;
    this.port = port;
    this.server = new Deepstream(serverConfig(serverName, port, config));
    this.server.set('logger', logger);
    // Otherwise a server that was stopped leaves timers behind, and the process does not end.
    this.server.set('subscriptions.options.subscriptionsSanityTimer', 0);
    how?.(this.server);
  }

  async start() {
    const started = new Promise((resolve) => this.server.once('started', () => resolve(undefined)));
    this.server.start();
    await within(
      PATIENCE,
      () => `${this.name} has started; it said ${JSON.stringify(this.lines.all.slice(-5))}`,
      () => started,
    );
    return this;
  }

  /** Resolves when this server knows of the others. */
  async knows(...names) {
    for (const name of names) await this.lines.until(([, event, message]) => event === 'CLUSTER_JOIN' && message === name, PATIENCE, `${name} joins`);
  }

  async client(username) {
    const client = await clientOf(this.port, username);
    this.clients.push(client);
    return client;
  }

  async close() {
    await Promise.all(this.clients.map((client) => client.close()));
    if (!this.server.isRunning()) return;
    const stopped = new Promise((resolve) => this.server.once('stopped', () => resolve(undefined)));
    this.server.stop();
    await within(PATIENCE, `${this.name} stops`, () => stopped);
  }
}

/** Servers that know each other; `clusterNode` makes of options what deepstream's configuration has, `config` is more of it. */
async function startPeers(
  t,
  cluster,
  { names = ['one', 'two'], topic = newTopic(), clusterNode = (options) => ({ path: 'deepstream.io-msg-kafka', options }), ...config } = {},
) {
  const peers = [];
  // Servers of a cluster have one store of records.
  const cache = new LocalCache();
  const share = (server) => server.set('cache', cache);
  for (const name of names) {
    const node = clusterNode({ connectionString: brokersOf(cluster), topic });
    peers.push(new Peer(name, await freePort(), { clusterNode: node, ...config }, share));
  }
  cleanup(t, () => Promise.all(peers.map((peer) => peer.close())));
  await Promise.all(peers.map((peer) => peer.start()));
  await Promise.all(peers.map((peer) => peer.knows(...names)));
  return peers;
}

/** Every server knows that so many have the name: subscribe to it, provide it, listen to it. (Clients gather that for 100 ms.) */
const known = (peers, name, count = 1) =>
  eventually(PATIENCE, `${name} is known`, () =>
    peers.every(({ server }) =>
      [...server.getServices().clusterStates.getStateRegistries().values()].some((states) => states.getAllServers(name).length === count),
    ),
  );

/** A topic as Kafka has it: its partitions, their replicas, and what was configured for it. */
async function topicOf(t, cluster, topic) {
  const admin = oracle(cluster).admin();
  cleanup(t, () => admin.disconnect());
  await admin.connect();
  const [{ partitions }] = (await admin.fetchTopicMetadata({ topics: [topic] })).topics;
  const { resources } = await admin.describeConfigs({ includeSynonyms: false, resources: [{ type: ConfigResourceTypes.TOPIC, name: topic }] });
  const configs = resources[0].configEntries.filter(({ configSource }) => configSource === ConfigSource.TOPIC_CONFIG);
  return {
    replicas: partitions.map(({ replicas }) => replicas.length),
    configs: Object.fromEntries(configs.map(({ configName, configValue }) => [configName, configValue])),
  };
}

/** How many of kafka-native's clients a process has now: each has a thread of its name. Linux only. @param {number} pid */
function kafkaClients(pid) {
  const threads = fs.readdirSync(`/proc/${pid}/task`).map((thread) => {
    try {
      return fs.readFileSync(`/proc/${pid}/task/${thread}/comm`, 'utf8').trim();
    } catch {
      return 'has ended meanwhile';
    }
  });
  const count = (name) => threads.filter((thread) => thread === name).length;
  return { producers: count('kafka-producer'), consumers: count('kafka-group'), admins: count('kafka-admin') };
}

module.exports = { Node, Peer, brokersOf, clientOf, freePort, kafkaClients, known, newTopic, serverConfig, startNodes, startPeers, topicOf, witness };
