'use strict';
// Commits that meet a rebalance, on a real Kafka: they wait until the group is settled, and no handler sees one fail.
const assert = require('node:assert/strict');
const { after, before, describe, test } = require('node:test');
const { cleanup } = require('./support/cleanup.js');
const { real, topicName } = require('./support/clusters.js');
const { producer } = require('./support/flow.js');
const { Got, event, member } = require('./support/groups.js');

const PROTOCOLS = {
  'cooperative-sticky': {},
  'round robin': { partitionAssigners: ['roundRobin'] },
  KIP_848: { groupProtocol: 'consumer' },
};

/** How programs commit while they process. */
const WAYS = {
  'autoCommitThreshold: 1': (consumer, got) => ({ autoCommitThreshold: 1, eachMessage: got.each }),
  'autoCommitInterval: 1': (consumer, got) => ({ autoCommitInterval: 1, eachMessage: got.each }),
  'commitOffsetsIfNecessary in eachBatch': (consumer, got) => ({
    autoCommitThreshold: 1,
    eachBatchAutoResolve: false, // else what it leaves is taken for processed, as in KafkaJS
    eachBatch: async ({ batch, resolveOffset, commitOffsetsIfNecessary, isRunning, isStale }) => {
      for (const message of batch.messages) {
        if (!isRunning() || isStale()) return;
        await got.each({ topic: batch.topic, partition: batch.partition, message });
        resolveOffset(message.offset);
        await commitOffsetsIfNecessary();
      }
    },
  }),
  'commitOffsets in eachMessage': (consumer, got) => ({
    autoCommit: false,
    eachMessage: async ({ topic, partition, message }) => {
      await got.each({ topic, partition, message });
      await consumer.commitOffsets([{ topic, partition, offset: String(Number(message.offset) + 1) }]);
    },
  }),
};

// At once: each waits for rebalances.
describe('commits in a rebalance', { concurrency: 4 }, () => {
  let cluster;
  before(async () => (cluster = await real()));
  after(() => cluster?.close());

  for (const [protocol, config] of Object.entries(PROTOCOLS)) {
    for (const [way, run] of Object.entries(WAYS)) {
      test(`${protocol}: ${way} survives members that come, and repeats nothing`, async (t) => {
        const topic = await cluster.topic(6);
        const groupId = topicName('group');
        const got = new Got();
        const crashes = [];
        const join = async (options) => {
          const consumer = await member(t, cluster, { groupId, ...config, ...options });
          consumer.on(consumer.events.CRASH, ({ payload }) => crashes.push(payload.error));
          await consumer.subscribe({ topic, fromBeginning: true });
          const joined = event(consumer, 'GROUP_JOIN', ({ memberAssignment }) => memberAssignment[topic]?.length > 0);
          await consumer.run(run(consumer, got));
          return { consumer, joined };
        };
        const sender = producer(t, cluster);
        let next = 0;
        // No more than is read: a commit a message is slow on a machine that is.
        const timer = setInterval(() => {
          for (let i = 0; i < 3 && next < got.messages.length + 300; i++, next++) sender.send(topic, next % 6, [String(next)]);
        }, 5);
        cleanup(t, () => clearInterval(timer));
        // The second hears of the third late, so the first stays for a while between two generations.
        await (await join()).joined;
        await (await join(protocol === 'KIP_848' ? {} : { heartbeatInterval: 2000 })).joined;
        await got.until(500);
        await (await join()).joined;
        await got.until(got.messages.length + 500);
        clearInterval(timer);
        await sender.stop();
        await got.until(next);
        assert.deepEqual(crashes, []);
        assert.equal(new Set(got.values()).size, next);
        assert.equal(got.messages.length, next, `${got.messages.length - next} messages were repeated`);
      });
    }
  }
});
