'use strict';
// A message connector that publishes to topics, and reads them, until it is killed; it says when it has heard of each.

const { MessageConnector } = require('deepstream.io-msg-kafka');
const { options, say } = require('../support/child.js');

const { connectionString, topics } = options();
const connector = new MessageConnector({ connectionString });
connector.on('error', (text) => void say('trouble', { text }));

async function main() {
  const heard = new Set();
  for (const topic of topics) {
    await connector.subscribe(topic, () => heard.add(topic).size === topics.length && say('heard'));
    connector.publish(topic, 'here');
  }
  await say('reading');
}
main();
