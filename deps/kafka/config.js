'use strict';

const { tlsPaths } = require('./tls.js');

/**
 * A listener: its key in `cluster.listeners`, and what the broker calls it.
 *
 * @typedef {'plaintext' | 'ssl' | 'sslExpired' | 'sslWrongHost' | 'mtls' | 'saslPlaintext' | 'saslSsl'} Listener
 * @typedef {Record<'controller', number> & Partial<Record<Listener, number>>} Ports of one node
 */

/** @type {Record<Listener | 'controller', { name: string, protocol: string }>} */
const NAMES = {
  plaintext: { name: 'PLAINTEXT', protocol: 'PLAINTEXT' },
  controller: { name: 'CONTROLLER', protocol: 'PLAINTEXT' },
  ssl: { name: 'SSL', protocol: 'SSL' },
  sslExpired: { name: 'SSL_EXPIRED', protocol: 'SSL' },
  sslWrongHost: { name: 'SSL_WRONG_HOST', protocol: 'SSL' },
  mtls: { name: 'MTLS', protocol: 'SSL' },
  saslPlaintext: { name: 'SASL_PLAINTEXT', protocol: 'SASL_PLAINTEXT' },
  saslSsl: { name: 'SASL_SSL', protocol: 'SASL_SSL' },
};

const LOOPBACK = '127.0.0.1';

/** The listeners that a client can use, in the order of `cluster.listeners`. */
const PLAIN_LISTENERS = /** @type {Listener[]} */ (['plaintext']);
const ALL_LISTENERS = /** @type {Listener[]} */ (Object.keys(NAMES).filter((key) => key !== 'controller'));

/** Users that can log in over SASL: alice with PLAIN, bob with SCRAM-SHA-256 and SCRAM-SHA-512. */
const USERS = {
  alice: { mechanism: 'PLAIN', username: 'alice', password: 'alice-secret' },
  bob: { mechanism: 'SCRAM-SHA-256', username: 'bob', password: 'bob-secret' },
};

/** Arguments that `format` needs for bob to exist. */
const SCRAM_ARGS = ['SCRAM-SHA-256', 'SCRAM-SHA-512'].flatMap((mechanism) => [
  '--add-scram',
  `${mechanism}=[name=${USERS.bob.username},password=${USERS.bob.password}]`,
]);

/**
 * The content of a node's server.properties.
 *
 * @param {object} node
 * @param {number} node.id
 * @param {Ports[]} node.ports of every node of the cluster; `ports[id - 1]` are this node's
 * @param {string} node.host where others find it
 * @param {string} node.dataDir
 * @param {string} node.tlsDir
 * @param {boolean} node.security
 * @param {boolean} node.acls
 * @param {boolean} node.autoCreateTopics
 * @param {Record<string, string>} node.config overrides
 * @returns {string}
 */
function serverProperties({ id, ports, host, dataDir, tlsDir, security, acls, autoCreateTopics, config }) {
  const properties = {
    ...identity(id, ports, host, dataDir),
    ...timing,
    ...replication(id, ports.length),
    ...(security ? { ...ssl(tlsDir), ...sasl() } : {}),
    ...(acls ? { 'authorizer.class.name': 'org.apache.kafka.metadata.authorizer.StandardAuthorizer', 'super.users': 'User:ANONYMOUS' } : {}),
    'auto.create.topics.enable': String(autoCreateTopics),
    'num.partitions': '4',
    // The default of 128 MiB kills small heaps.
    'log.cleaner.dedupe.buffer.size': '2097152',
    ...config,
  };
  return Object.entries(properties)
    .map(([key, value]) => `${key}=${value.replaceAll('\\', '\\\\')}\n`)
    .join('');
}

/**
 * @param {number} id
 * @param {Ports[]} ports
 * @param {string} host
 * @param {string} dataDir
 * @returns {Record<string, string>}
 */
function identity(id, ports, host, dataDir) {
  const own = /** @type {[Listener | 'controller', number][]} */ (Object.entries(ports[id - 1]));
  // Controllers are all on this machine. And on this machine all find a broker on the loopback, whether it is ready for instance.
  const bound = (/** @type {Listener | 'controller'} */ key) => (key === 'controller' || host === LOOPBACK ? LOOPBACK : '0.0.0.0');
  const controllers = ports.map(({ controller }) => `${LOOPBACK}:${controller}`);
  return {
    'process.roles': 'broker,controller',
    'node.id': String(id),
    ...(ports.length === 1
      ? { 'controller.quorum.bootstrap.servers': controllers[0] }
      : { 'controller.quorum.voters': controllers.map((address, i) => `${i + 1}@${address}`).join() }),
    'controller.listener.names': 'CONTROLLER',
    'inter.broker.listener.name': 'PLAINTEXT',
    listeners: own.map(([key, port]) => `${NAMES[key].name}://${bound(key)}:${port}`).join(),
    'advertised.listeners': own
      .filter(([key]) => key !== 'controller')
      .map(([key, port]) => `${NAMES[key].name}://${host}:${port}`)
      .join(),
    'listener.security.protocol.map': own.map(([key]) => `${NAMES[key].name}:${NAMES[key].protocol}`).join(),
    'log.dirs': dataDir,
  };
}

/** Tests do not wait: short sessions, no rebalance delay, small internal topics. */
const timing = {
  'offsets.topic.num.partitions': '4',
  'transaction.state.log.num.partitions': '4',
  'share.coordinator.state.topic.num.partitions': '4',
  'group.initial.rebalance.delay.ms': '0',
  'group.min.session.timeout.ms': '1000',
  'group.consumer.min.session.timeout.ms': '3000',
  'group.consumer.session.timeout.ms': '6000',
  'group.consumer.min.heartbeat.interval.ms': '500',
  'group.consumer.heartbeat.interval.ms': '1000',
  'transaction.abort.timed.out.transaction.cleanup.interval.ms': '1000',
  'log.segment.delete.delay.ms': '1000',
  'broker.heartbeat.interval.ms': '500',
  'broker.session.timeout.ms': '3000',
};

/**
 * @param {number} id
 * @param {number} nodes
 * @returns {Record<string, string>}
 */
function replication(id, nodes) {
  const inSync = String(Math.min(nodes, 2));
  return {
    'offsets.topic.replication.factor': String(nodes),
    'transaction.state.log.replication.factor': String(nodes),
    'transaction.state.log.min.isr': inSync,
    'share.coordinator.state.topic.replication.factor': String(nodes),
    'share.coordinator.state.topic.min.isr': inSync,
    ...(nodes === 1
      ? {}
      : {
          'default.replication.factor': String(nodes),
          'min.insync.replicas': inSync,
          'broker.rack': `rack-${id}`,
          'controller.quorum.election.timeout.ms': '500',
          'controller.quorum.fetch.timeout.ms': '1000',
        }),
  };
}

/**
 * @param {string} tlsDir
 * @returns {Record<string, string>}
 */
function ssl(tlsDir) {
  const tls = tlsPaths(tlsDir);
  return {
    'ssl.keystore.type': 'PEM',
    'ssl.keystore.location': tls.server,
    'ssl.truststore.type': 'PEM',
    'ssl.truststore.location': tls.ca,
    'listener.name.mtls.ssl.client.auth': 'required',
    'listener.name.ssl_expired.ssl.keystore.type': 'PEM',
    'listener.name.ssl_expired.ssl.keystore.location': tls.expiredServer,
    'listener.name.ssl_wrong_host.ssl.keystore.type': 'PEM',
    'listener.name.ssl_wrong_host.ssl.keystore.location': tls.wrongHostServer,
  };
}

/** @returns {Record<string, string>} */
function sasl() {
  const security = 'org.apache.kafka.common.security';
  const plain = `${security}.plain.PlainLoginModule required user_${USERS.alice.username}="${USERS.alice.password}";`;
  const scram = `${security}.scram.ScramLoginModule required;`;
  /** @type {Record<string, string>} */
  const properties = { 'sasl.enabled.mechanisms': 'PLAIN,SCRAM-SHA-256,SCRAM-SHA-512,OAUTHBEARER' };
  for (const listener of ['sasl_plaintext', 'sasl_ssl']) {
    properties[`listener.name.${listener}.plain.sasl.jaas.config`] = plain;
    properties[`listener.name.${listener}.scram-sha-256.sasl.jaas.config`] = scram;
    properties[`listener.name.${listener}.scram-sha-512.sasl.jaas.config`] = scram;
    // Takes unsigned tokens: whoever the token says it is.
    properties[`listener.name.${listener}.oauthbearer.sasl.jaas.config`] = `${security}.oauthbearer.OAuthBearerLoginModule required;`;
  }
  return properties;
}

module.exports = { ALL_LISTENERS, LOOPBACK, PLAIN_LISTENERS, SCRAM_ARGS, USERS, serverProperties };
