'use strict';
// A process of clients that may be killed at any moment, and started again with the next `life`. Clients note what they hear and what they
// process; on the message 'stop' they end in order, and the process by itself.
//
// { brokers, ledgers, offsets, name, life, roles }: each role is the name of one below, and what it is given

const { Consumer, Kafka, Producer } = require('kafka-native');
const { setTimeout: delay } = require('node:timers/promises');
const { Ledger } = require('./ledger.js');

const { brokers, ledgers, offsets, name, life, roles: given } = JSON.parse(process.argv[2]);
const say = (type, text = '') => void (process.connected && process.send({ type, text }));
/** A client's end for good is a finding, unless it was asked to end. */
const dies = (text) => say(stopping ? 'failed' : 'dead', `${name}, ${text}`);
const logger = { error: (line) => console.error(line), warn: (line) => console.error(line), info() {}, debug() {} };
const kafka = new Kafka({ brokers: brokers.split(','), logger, clientId: name });

/** So many messages are sent at once, so often, in milliseconds: what two processors can read six times over. */
const SIZE = 10;
const PACE = 50;
/** The exit code of a client of transactions that can go on no more (an id that is fenced): it is started again. */
const GAVE_UP = 9;

let stopping = false;
/** Functions that end a client in order. */
const ends = [];

/** Tries until it works: the first broker may be down at this moment. */
async function persistently(what, work) {
  while (!stopping) {
    try {
      return await work();
    } catch (error) {
      say('failed', `${what}: ${error.message}`);
      await delay(200);
    }
  }
}

const batchOf = (session, from) => Array.from({ length: SIZE }, (_, i) => ({ key: String((from + i) % 16), value: `${session}/${from + i}` }));

function watched(consumer, role) {
  consumer.on(consumer.events.CRASH, ({ payload: { error, restart } }) => (restart ? say('failed', `${name}, ${role}: ${error.message}`) : dies(`${role}: ${error.message}`)));
  ends.push(() => consumer.disconnect());
  return consumer;
}

const roles = {
  /** A producer of `Kafka`, several sends at a time. */
  async producer({ role, topic, config }) {
    const ledger = new Ledger(ledgers, `sent.${role}.${life}`);
    for (let made = 0; !stopping; made++) {
      const producer = kafka.producer(config);
      await persistently(`${role} connects`, () => producer.connect());
      const session = `${role}-${life}.${made}`;
      const underWay = new Set();
      let failures = 0;
      // One that goes on failing (a fatal error) is replaced.
      for (let from = 0; !stopping && failures < 20; from += SIZE) {
        const sent = producer.send({ topic, messages: batchOf(session, from) }).then(
          () => {
            failures = 0;
            ledger.acknowledged(topic, session, from, from + SIZE);
          },
          (error) => {
            failures++;
            say('failed', `${role} sends: ${error.message}`);
          },
        ).finally(() => underWay.delete(sent));
        underWay.add(sent);
        if (underWay.size >= 4) await Promise.race(underWay);
        await delay(PACE);
      }
      await Promise.all(underWay);
      await producer.disconnect();
    }
  },

  /** A classic producer: what no failure names when `stop` resolves is acknowledged. */
  async classicProducer({ role, topic, driver_options }) {
    const ledger = new Ledger(ledgers, `sent.${role}.${life}`);
    for (let made = 0; !stopping; made++) {
      const session = `${role}-${life}.${made}`;
      let failures = 0;
      const producer = new Producer({
        broker: brokers, logger, driver_options, queue_buffering_max_ms: 5,
        delivery_report_callback: ({ errors }) => (failures += errors),
      });
      let from = 0;
      for (; from < 100 * SIZE && !stopping; from += SIZE) {
        if (producer.send(topic, -1, batchOf(session, from)).enqueued < SIZE) failures++;
        await delay(PACE);
      }
      await producer.stop({ timeout: 120_000 }).catch(() => failures++);
      if (failures === 0) ledger.acknowledged(topic, session, 0, from);
      else say('failed', `${role}: ${failures} failures in ${session}`);
    }
  },

  /** Reads, answers and commits what it has read in one transaction. */
  async transactions({ role, groupId, input, output }) {
    const producer = kafka.producer({ transactionalId: role, idempotent: true, transactionTimeout: 30_000 });
    await persistently(`${role} connects`, () => producer.connect());
    await persistently(`${role} begins`, async () => (await producer.transaction()).abort()); // ends what the last life left
    const consumer = watched(kafka.consumer({ groupId, sessionTimeout: 6000, heartbeatInterval: 500 }), role);
    await persistently(`${role} joins`, () => consumer.connect());
    await consumer.subscribe({ topic: input, fromBeginning: true });
    await consumer.run({
      autoCommit: false,
      eachBatch: async ({ batch, resolveOffset, isRunning, isStale }) => {
        const { topic, partition } = batch;
        for (let at = 0; at < batch.messages.length && isRunning() && !isStale(); at += 200) {
          const messages = batch.messages.slice(at, at + 200);
          const { offset } = messages.at(-1);
          const transaction = await producer.transaction();
          try {
            transaction.send({ topic: output, messages: messages.map(({ value }) => ({ value: `${value}!`, partition })) }).catch(() => {});
            const groupMetadata = await consumer.groupMetadata();
            await transaction.sendOffsets({ groupMetadata, topics: [{ topic, partitions: [{ partition, offset: `${Number(offset) + 1}` }] }] });
            await transaction.commit();
          } catch (error) {
            say('failed', `${role}: ${error.message}`);
            try {
              if (transaction.isActive()) await transaction.abort();
            } catch (fatal) {
              console.error(`${role} gives up: ${fatal.stack}`);
              process.exit(GAVE_UP);
            }
            throw error;
          }
          resolveOffset(offset);
        }
      },
    });
    ends.push(() => producer.disconnect());
  },

  /** A member of a group; `reads` is how it reads. */
  async member({ role, topics, config, reads = 'eachBatch' }) {
    const ledger = new Ledger(ledgers, `read.${role}.${name}.${life}`);
    const consumer = watched(kafka.consumer({ groupId: role, rebalanceTimeout: 20_000, ...config }), role);
    await persistently(`${role} joins`, () => consumer.connect());
    await consumer.subscribe({ topics, fromBeginning: true });
    if (reads === 'messages') {
      void (async () => {
        for await (const message of consumer.messages()) ledger.processed(message.topic, message.partition, [message]);
      })().catch((error) => dies(`${role}: ${error.message}`));
      return;
    }
    await consumer.run(
      reads === 'eachMessage'
        ? { eachMessage: async ({ topic, partition, message }) => ledger.processed(topic, partition, [message]) }
        : { eachBatch: async ({ batch }) => ledger.processed(batch.topic, batch.partition, batch.messages) },
    );
  },

  /** Partitions of its own choice, with offsets in files. */
  async assigned({ role, topic, partitions }) {
    const ledger = new Ledger(ledgers, `read.${role}.${name}.${life}`);
    const consumer = watched(kafka.consumer({ groupId: null, offsetDirectory: `${offsets}/${role}` }), role);
    await persistently(`${role} connects`, () => consumer.connect());
    await persistently(`${role} assigns`, () => consumer.assign(Array.from({ length: partitions }, (_, partition) => ({ topic, partition, offset: 'committed' }))));
    await consumer.run({ eachMessage: async ({ topic, partition, message }) => ledger.processed(topic, partition, [message]) });
  },

  /** A worker of the classic consumer. */
  async classicConsumer({ role, topic, worker_slot, num_workers }) {
    const ledger = new Ledger(ledgers, `read.${role}.${name}.${life}`);
    await persistently(`${role} starts`, async () => {
      const consumer = new Consumer({
        broker: brokers, topic, logger, worker_slot, num_workers, offset_directory: `${offsets}/${role}`,
        receive_callback: ({ messages, misses, repeats }) => {
          if (misses + repeats > 0) say('dead', `${name}, ${role}: ${misses} misses, ${repeats} repeats`);
          for (const message of messages) ledger.processed(topic, message.partition, [{ offset: message.offset, value: message.payload }]);
        },
      });
      try {
        await consumer.start();
      } catch (error) {
        await consumer.stop();
        throw error;
      }
      ends.push(() => consumer.stop());
    });
  },

  /** Asks this and that. */
  async admin({ role, topics }) {
    const admin = kafka.admin();
    await persistently(`${role} connects`, () => admin.connect());
    const asks = [
      () => admin.fetchTopicMetadata({ topics }),
      () => admin.listGroups(),
      () => admin.fetchTopicOffsets(topics[0]),
      () => admin.describeCluster(),
      () => admin.createTopics({ topics: [{ topic: `${role}-${life}-${Date.now()}`, numPartitions: 1, replicationFactor: 3 }] }),
    ];
    for (let n = 0; !stopping; n++) {
      await asks[n % asks.length]().then(() => say('asked'), (error) => say('failed', `${role}: ${error.message}`));
      await delay(500);
    }
    await admin.disconnect();
  },
};

process.on('message', async (what) => {
  if (what !== 'stop' || stopping) return;
  stopping = true;
  const ended = await Promise.allSettled([...working, ...ends.map((end) => end())]);
  for (const { reason } of ended.filter(({ status }) => status === 'rejected')) say('dead', `${name} at its end: ${reason?.stack ?? reason}`);
  process.disconnect();
});
process.on('disconnect', () => stopping || process.exit(1)); // the run is over, whatever the reason

const working = given.map(({ kind, ...role }) => roles[kind](role).catch((error) => dies(`${role.role}: ${error.stack}`)));
