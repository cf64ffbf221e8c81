'use strict';
// Sends, receives and stops; or leaves its producer as it is. Never calls process.exit().
//
// { client, topic, directory, leave: 'stopped' | 'producer', expect }

const { Consumer, Producer } = require('kafka-native');
const { options, say } = require('../support/child.js');
const { Inbox, silent } = require('../support/flow.js');

const { client, topic, directory, leave, expect = 2 } = options();

async function main() {
  const producer = new Producer({ ...client, logger: silent, queue_buffering_max_ms: 1 });
  producer.send(topic, 0, ['one', 'two']);
  if (leave === 'producer') return;

  const inbox = new Inbox();
  const consumer = new Consumer({ ...client, topic, offset_directory: directory, logger: silent, receive_callback: inbox.receive });
  await consumer.start();
  await inbox.until(expect);
  await consumer.stop();
  await producer.stop();
  // The channel to the parent and the output pipes are not of the clients.
  say('last', { kept: process.getActiveResourcesInfo().filter((kind) => !/Pipe|TTY|Immediate/.test(kind)) });
}

main().then(
  () => process.disconnect(),
  (error) => {
    console.error(error);
    process.exit(2);
  },
);
