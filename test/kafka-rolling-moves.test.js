'use strict';
// Groups whose members are replaced one by one: by those of another library, another assigner, another protocol.
const assert = require('node:assert/strict');
const { after, before, describe, test } = require('node:test');
const { cleanup } = require('./support/cleanup.js');
const { kafkajs } = require('./support/kafkajs.js');
const { real, topicName } = require('./support/clusters.js');
const { producer } = require('./support/flow.js');
const { Got, event, member } = require('./support/groups.js');

/** The assigner of KafkaJS under librdkafka's name, as docs/migrating-from-kafkajs.md has it. */
const roundrobin = (config) => {
  const assigner = kafkajs.PartitionAssigners.roundRobin(config);
  return { ...assigner, name: 'roundrobin', protocol: (subscription) => ({ ...assigner.protocol(subscription), name: 'roundrobin' }) };
};

const KAFKAJS = { library: kafkajs };
const KAFKAJS_PREPARED = { library: kafkajs, partitionAssigners: [kafkajs.PartitionAssigners.roundRobin, roundrobin] };
const ROUND_ROBIN = { partitionAssigners: ['roundRobin'] };
const RANGE_AND_ROUND_ROBIN = { partitionAssigners: ['range', 'roundRobin'] };
const COOPERATIVE = {};
const KIP_848 = { groupProtocol: 'consumer' };

describe('rolling moves', () => {
  let cluster;
  before(async () => (cluster = await real()));
  after(() => cluster?.close());

  /** A group of one member, of the first kind, with messages on their way. */
  async function group(t, kind) {
    const topic = await cluster.topic(4);
    const groupId = topicName('group');
    const got = new Got();
    const by = new Map();
    const join = async (name, config, joined = ({ memberAssignment }) => memberAssignment[topic]?.length > 0) => {
      const logged = [];
      const logger = { error: (message) => logged.push(message), warn() {}, info() {}, debug() {} };
      const consumer = await member(t, cluster, { groupId, ...config, client: config.library ? {} : { logger } });
      const crashes = [];
      consumer.on(consumer.events.CRASH, ({ payload }) => crashes.push(payload));
      await consumer.subscribe({ topic, fromBeginning: true });
      const has = event(consumer, 'GROUP_JOIN', joined);
      await consumer.run({
        eachMessage: async (payload) => {
          by.set(name, (by.get(name) ?? 0) + 1);
          await got.each(payload);
        },
      });
      return { consumer, crashes, has, logged };
    };
    const sender = producer(t, cluster);
    let next = 0;
    const timer = setInterval(() => {
      for (let i = 0; i < 4; i++, next++) sender.send(topic, i, [String(next)]);
    }, 10);
    cleanup(t, () => clearInterval(timer));
    const ended = async () => {
      clearInterval(timer);
      await sender.stop();
      await got.until(next);
      assert.equal(new Set(got.values()).size, next);
      assert.equal(got.messages.length, next, `${got.messages.length - next} messages were repeated`);
    };
    const first = await join('first', kind);
    await first.has;
    await got.until(100);
    return { topic, got, by, join, first, ended };
  }

  for (const [name, from, to] of [
    ['from KafkaJS to the protocol of KIP-848', KAFKAJS, KIP_848],
    ['from the protocol of KIP-848 to KafkaJS', KIP_848, KAFKAJS],
    ['from KafkaJS that knows roundrobin, too, to round robin', KAFKAJS_PREPARED, ROUND_ROBIN],
    ['from round robin to KafkaJS that knows roundrobin, too', ROUND_ROBIN, KAFKAJS_PREPARED],
    ['from round robin to range by way of both', ROUND_ROBIN, RANGE_AND_ROUND_ROBIN],
    ['from cooperative-sticky to the protocol of KIP-848', COOPERATIVE, KIP_848],
  ]) {
    test(`${name}: both kinds share the work, and nothing is lost or repeated`, async (t) => {
      const { got, by, join, first, ended } = await group(t, from);
      const second = await join('second', to);
      await second.has;
      await got.until(() => by.get('second') > 50);
      await first.consumer.disconnect();
      await got.until(got.messages.length + 200);
      await ended();
      assert.deepEqual([first.crashes, second.crashes], [[], []]);
    });
  }

  for (const [name, from, to] of [
    ['KafkaJS', KAFKAJS, ROUND_ROBIN],
    ['another assigner', ROUND_ROBIN, COOPERATIVE],
  ]) {
    test(`a member that meets a group of ${name} says once what to do, keeps trying, and takes over when the last of them has left`, async (t) => {
      const { topic, got, by, join, first, ended } = await group(t, from);
      const second = await join('second', to); // run resolves
      const before = by.get('first');
      await got.until(() => by.get('first') > before + 500); // several seconds, each with a try to join
      assert.equal(by.get('second'), undefined);
      await first.consumer.disconnect();
      assert.equal((await second.has).memberAssignment[topic].length, 4);
      await got.until(() => by.get('second') > 50);
      await ended();
      assert.deepEqual(
        second.crashes.map(({ error, restart }) => [error.type, restart]),
        [['INCONSISTENT_GROUP_PROTOCOL', true]],
      );
      assert.match(second.crashes[0].error.message, /partitionAssigners in common/);
      assert.equal(second.logged.length, 1, second.logged.join('\n'));
    });
  }
});
