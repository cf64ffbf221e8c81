'use strict';

const { randomBytes } = require('node:crypto');
const fs = require('node:fs');
const os = require('node:os');
const path = require('node:path');
const { makeArchive } = require('./archive.js');
const { Broker } = require('./broker.js');
const { ALL_LISTENERS, LOOPBACK, PLAIN_LISTENERS, USERS, serverProperties } = require('./config.js');
const { fetchJars } = require('./jars.js');
const { checkJava, javaArgs } = require('./java.js');
const { releasePorts, reserve, reservePorts } = require('./ports.js');
const { makeTls, tlsPaths } = require('./tls.js');

/**
 * @typedef {object} Options
 * @property {number} [nodes] 1 (the default) or 3
 * @property {string} [dir] where the cluster lives; by default a fresh folder that `stop` removes. A folder that holds a
 *   stopped or killed cluster is started again as it was, with the options given now in place of the former ones
 * @property {boolean} [security] adds TLS, mutual TLS, SASL, and SASL over TLS listeners
 * @property {boolean} [acls] denies what no ACL allows; the plaintext listener's user is a super user
 * @property {boolean} [autoCreateTopics] default true
 * @property {Record<string, string>} [config] server.properties that win over ours
 * @property {import('./java.js').Heap} [heap] 'test' (the default) or 'bench'
 * @property {number | number[]} [port] of the first node's plaintext listener, where the other nodes take the next ones; or of each node's.
 *   Default: any free
 * @property {string} [host] an IPv4 address of this machine, or a name of one, under which other machines find the brokers: they listen on all
 *   addresses then. Default: on 127.0.0.1 alone
 * @property {boolean} [detached] the brokers outlive this process; by default they die with it, however it dies
 */

/**
 * The state that the folder of a cluster remembers, in cluster.json.
 *
 * @typedef {object} State
 * @property {string} clusterId
 * @property {import('./config.js').Ports[]} ports of each node
 * @property {boolean} security
 * @property {boolean} acls
 * @property {boolean} autoCreateTopics
 * @property {Record<string, string>} config
 * @property {import('./java.js').Heap} heap
 * @property {string} host
 */

/** The clusters that end with this process. @type {Set<KafkaCluster>} */
const mortal = new Set();

/** Apache Kafka on this machine: one node or three. */
class KafkaCluster {
  /**
   * @param {string} dir
   * @param {State} state
   * @param {{ detached: boolean, temporary: boolean }} life
   */
  constructor(dir, state, { detached, temporary }) {
    this.dir = dir;
    this.state = state;
    this.temporary = temporary;
    this.nodes = state.ports.map(
      (ports, i) =>
        new Broker({
          id: i + 1,
          dir: path.join(dir, `node-${i + 1}`),
          clusterId: state.clusterId,
          host: state.host,
          ports,
          alone: state.ports.length === 1,
          jvm: javaArgs(state.heap),
          detached,
          wipe: temporary ? dir : '',
        }),
    );
    /** Users that can log in over SASL. */
    this.users = USERS;
    /** PEM files for the TLS listeners; undefined without `security`. */
    this.tls = state.security ? tlsPaths(path.join(dir, 'tls')) : undefined;
  }

  /**
   * Starts a cluster and waits until every broker accepts on all its listeners and knows all the others.
   *
   * @param {Options} [options]
   */
  static async start(options = {}) {
    await Promise.all([checkJava(), fetchJars()]);
    await makeArchive();
    const { detached = false, dir: given } = options;
    const dir = given === undefined ? fs.mkdtempSync(path.join(os.tmpdir(), 'kafka-native-')) : path.resolve(given);
    const temporary = given === undefined;
    try {
      const cluster = new KafkaCluster(dir, await prepare(dir, options), { detached, temporary });
      if (!detached) mortal.add(cluster);
      await cluster.#start();
      return cluster;
    } catch (error) {
      if (temporary) fs.rmSync(dir, { recursive: true, force: true });
      throw error;
    }
  }

  /**
   * The cluster in a folder as it is, running or not; undefined if there is none.
   *
   * @param {string} dir
   */
  static open(dir) {
    const state = readState(path.resolve(dir));
    return state && new KafkaCluster(path.resolve(dir), state, { detached: true, temporary: false });
  }

  async #start() {
    const { clusterId, ports, ...settings } = this.state;
    const tlsDir = path.join(this.dir, 'tls');
    if (settings.security && !fs.existsSync(tlsDir)) await makeTls(tlsDir);

    const down = this.nodes.filter((node) => !node.pid);
    try {
      await Promise.all(
        down.map((node) => {
          fs.mkdirSync(node.dir, { recursive: true });
          const dataDir = path.join(node.dir, 'data');
          fs.writeFileSync(node.properties, serverProperties({ id: node.id, ports, dataDir, tlsDir, ...settings }));
          return node.format();
        }),
      );
      for (const node of down) node.launch();
      await this.ready();
    } catch (error) {
      await Promise.all(down.map((node) => node.kill()));
      mortal.delete(this);
      throw error;
    }
  }

  /**
   * Waits until every broker accepts on all its listeners and knows all the others.
   *
   * @param {number} [timeout] in milliseconds
   */
  async ready(timeout) {
    const peers = this.nodes.map(({ id }) => id);
    await Promise.all(this.nodes.map((node) => node.ready({ peers, timeout })));
  }

  /** The bootstrap list of the plaintext listeners: '127.0.0.1:p1,127.0.0.1:p2'. */
  get brokers() {
    return this.listeners.plaintext;
  }

  /** The bootstrap list of each kind of listener. */
  get listeners() {
    const kinds = this.state.security ? ALL_LISTENERS : PLAIN_LISTENERS;
    return /** @type {{ plaintext: string } & Partial<Record<import('./config.js').Listener, string>>} */ (
      Object.fromEntries(kinds.map((kind) => [kind, this.nodes.map((node) => node.listeners[kind]).join()]))
    );
  }

  /** The cluster as a client needs to know it, as plain data. */
  describe() {
    const { brokers, listeners, tls, users } = this;
    return { brokers, listeners, tls, users, nodes: this.nodes.map(({ id, pid, listeners: own }) => ({ id, pid, listeners: own })) };
  }

  /** The same for a child process's environment. */
  get env() {
    return { KAFKA_BROKER: this.brokers, KAFKA_CLUSTER_JSON: JSON.stringify(this.describe()) };
  }

  /** Which nodes run, and which of those answer. */
  async status() {
    const nodes = this.nodes.map(async (node) => ({
      id: node.id,
      pid: node.pid,
      ready: node.pid !== undefined && (await node.isReady()),
      address: node.listeners.plaintext,
      log: node.log,
    }));
    return { dir: this.dir, brokers: this.brokers, listeners: this.listeners, nodes: await Promise.all(nodes) };
  }

  /**
   * Stops every broker. By default a cluster in a fresh folder is wiped, one in a folder of the caller's is kept.
   *
   * @param {{ wipe?: boolean }} [options] wipe: kill the brokers, then remove the folder and give the ports back
   */
  async stop({ wipe = this.temporary } = {}) {
    await Promise.all(this.nodes.map((node) => (wipe ? node.kill() : node.stop())));
    mortal.delete(this);
    if (wipe) this.#remove();
  }

  /** All that can be done while the process exits. */
  killNow() {
    for (const node of this.nodes) node.killNow();
    if (this.temporary) this.#remove();
  }

  #remove() {
    // A killed broker may be in the middle of making its last file.
    fs.rmSync(this.dir, { recursive: true, force: true, maxRetries: 10, retryDelay: 20 });
    releasePorts(this.state.ports.flatMap((ports) => Object.values(ports)));
  }
}

// Ends that Node does not run this for, such as by SIGKILL, are for the brokers' guards.
process.on('exit', () => {
  for (const cluster of mortal) cluster.killNow();
});

/**
 * Makes or updates the cluster.json of the cluster in `dir`.
 *
 * @param {string} dir
 * @param {Options} options
 * @returns {Promise<State>}
 */
async function prepare(dir, options) {
  const former = readState(dir);
  const { nodes = former?.ports.length ?? 1, security = former?.security ?? false } = options;
  if (nodes !== 1 && nodes !== 3) throw new Error(`a cluster has 1 node or 3, not ${nodes}`);
  if (former && (nodes !== former.ports.length || security !== former.security)) {
    const has = `${former.ports.length} node(s) ${former.security ? 'with' : 'without'} security`;
    throw new Error(`the cluster in ${dir} has ${has}: wipe it to change that`);
  }
  const wanted = portsOf(nodes, options.port);
  if (former && wanted.length > 0 && former.ports.some(({ plaintext }, i) => plaintext !== wanted[i])) {
    throw new Error(`the cluster in ${dir} has port ${former.ports.map(({ plaintext }) => plaintext).join()}: wipe it to change that`);
  }

  const state = {
    clusterId: former?.clusterId ?? randomBytes(16).toString('base64url'),
    ports: former?.ports ?? (await choosePorts(dir, nodes, security, wanted)),
    security,
    acls: options.acls ?? former?.acls ?? false,
    autoCreateTopics: options.autoCreateTopics ?? former?.autoCreateTopics ?? true,
    config: options.config ?? former?.config ?? {},
    heap: options.heap ?? former?.heap ?? 'test',
    host: options.host ?? former?.host ?? LOOPBACK,
  };
  const file = path.join(dir, 'cluster.json');
  fs.writeFileSync(`${file}.new`, JSON.stringify(state, null, 2));
  fs.renameSync(`${file}.new`, file);
  return state;
}

/**
 * @param {string} dir
 * @returns {State | undefined}
 */
function readState(dir) {
  const file = path.join(dir, 'cluster.json');
  // A cluster of an earlier version had no choice.
  return fs.existsSync(file) ? { host: LOOPBACK, ...JSON.parse(fs.readFileSync(file, 'utf8')) } : undefined;
}

/**
 * The plaintext ports that are asked for; none: any.
 *
 * @param {number} nodes
 * @param {Options['port']} port
 */
function portsOf(nodes, port) {
  if (port === undefined) return [];
  const ports = Array.isArray(port) ? port : Array.from({ length: nodes }, (_, i) => port + i);
  if (ports.length !== nodes || new Set(ports).size !== nodes) throw new Error(`a cluster of ${nodes} needs ${nodes} different ports, not ${ports.join()}`);
  return ports;
}

/**
 * @param {string} dir
 * @param {number} nodes
 * @param {boolean} security
 * @param {number[]} wanted the nodes' plaintext ports; none: any
 * @returns {Promise<import('./config.js').Ports[]>}
 */
async function choosePorts(dir, nodes, security, wanted) {
  fs.mkdirSync(dir, { recursive: true });
  const kinds = ['controller', ...(security ? ALL_LISTENERS : PLAIN_LISTENERS)];
  /** @type {number[]} */
  const fixed = [];
  for (const port of wanted) {
    if (!(await reserve(dir, port))) {
      releasePorts(fixed);
      if (fs.readdirSync(dir).length === 0) fs.rmdirSync(dir);
      throw new Error(`port ${port} is taken`);
    }
    fixed.push(port);
  }
  const free = await reservePorts(dir, nodes * kinds.length - fixed.length);
  return Array.from({ length: nodes }, (_, i) => {
    const own = kinds.map((kind) => [kind, kind === 'plaintext' && fixed.length > 0 ? fixed[i] : free.pop()]);
    return /** @type {import('./config.js').Ports} */ (Object.fromEntries(own));
  });
}

module.exports = { KafkaCluster };
