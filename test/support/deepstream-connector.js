'use strict';
// Message connectors of deepstream on a cluster, and what they hear.

const { MessageConnector } = require('deepstream.io-msg-kafka');
const { cleanup } = require('./cleanup.js');
const { Calls } = require('./watch.js');

/** A connector that keeps its errors in `errors`; it is closed when the test is over. */
function connect(t, cluster, options = {}) {
  const connector = new MessageConnector({ connectionString: cluster.options().broker, logger: silent, ...options });
  const errors = new Calls();
  connector.on('error', (text, error) => errors.take({ text, error }));
  cleanup(t, () => connector.close());
  return Object.assign(connector, { errors });
}

/** The same, that is ready. */
async function ready(t, cluster, options) {
  const connector = connect(t, cluster, options);
  await isReady(connector);
  return connector;
}

/** `events.once` would reject at an `error`, of which a connector may have many before. */
async function isReady(connector) {
  if (!connector.isReady) await new Promise((resolve) => connector.once('ready', resolve));
}

/** Subscribes, and resolves with what is heard from then on. */
async function hear(connector, topic) {
  const heard = new Calls();
  await connector.subscribe(topic, heard.take);
  return heard;
}

const silent = { error() {}, warn() {}, info() {}, debug() {} };

module.exports = { connect, hear, isReady, ready };
