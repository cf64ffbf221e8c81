'use strict';
// A proxy with one client in a group, until it is killed. It says what the client is told, and with `ack` it acknowledges it.

const { options, say } = require('../support/child.js');
const { Client, stage } = require('../support/proxy-groups.js');

const { brokers, wish, ack } = options();

new Client(stage(brokers).groups, wish, {
  on: ({ type, topic, partition, records, ...more }, client) => {
    say(type, { partition, ...(records && { offsets: records.map(({ offset }) => offset) }), ...more });
    if (type !== 'batch' || !ack) return;
    setImmediate(() => {
      if (!client.has.has(`${topic}/${partition}`)) return;
      const { offset } = records.at(-1);
      say('acks', { partition, offset });
      client.ack({ topic, partition, offset });
    });
  },
});
