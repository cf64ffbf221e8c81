'use strict';
// Consumers of `Kafka` in flows: they are disconnected when the test is over, and what they get is collected.

const { EventEmitter, once } = require('node:events');
const { Kafka } = require('kafka-native');
const { cleanup } = require('./cleanup.js');
const { PATIENCE, silent, within } = require('./flow.js');
const { topicName } = require('./clusters.js');
const { kafkajs, oracle } = require('./kafkajs.js');

/** A `Kafka` of ours, or, with `library` kafkajs, of KafkaJS. */
function client(cluster, /** @type {{ library?: unknown, [option: string]: unknown }} */ { library, ...options } = {}) {
  if (library === kafkajs) return oracle(cluster, options);
  return new Kafka({ brokers: cluster.options().broker.split(','), logger: silent, ...options });
}

/** A connected consumer. Short times, so that a rebalance takes a moment; but no member is taken for dead on a slow machine. */
async function member(t, cluster, /** @type {Record<string, any>} */ { library, client: of = {}, ...config } = {}) {
  const times = config.groupProtocol === 'consumer' ? {} : { sessionTimeout: 30_000, heartbeatInterval: 200 };
  const made = client(cluster, { library, ...of }).consumer({
    groupId: topicName('group'),
    rebalanceTimeout: 10_000,
    maxWaitTimeInMs: 100,
    ...times,
    ...config,
  });
  cleanup(t, () => made.disconnect());
  await made.connect();
  return made;
}

/** Collects what handlers get. */
class Got extends EventEmitter {
  messages = [];

  constructor() {
    super();
    this.setMaxListeners(0);
  }

  /** For eachMessage. */
  each = async ({ topic, partition, message }) => {
    this.messages.push({ topic, partition, offset: Number(message.offset), value: message.value === null ? null : String(message.value) });
    this.emit('message');
  };

  values() {
    return this.messages.map(({ value }) => value);
  }

  /** Rejects after `ms` with how far it came. */
  async until(fits, ms = PATIENCE) {
    const enough = typeof fits === 'number' ? () => this.messages.length >= fits : () => fits(this.messages);
    await within(
      ms,
      () => `${fits}: ${this.messages.length} messages came, the last ${JSON.stringify(this.messages.slice(-3))}`,
      async () => {
        while (!enough()) await once(this, 'message');
      },
    );
    return this.messages;
  }
}

/** Resolves with the payload of the next event of that name which fits. @param {(payload: any) => unknown} [fits] */
function event(consumer, name, fits = () => true, ms = PATIENCE) {
  let remove = () => {};
  return within(
    ms,
    `the event ${name}`,
    () =>
      new Promise((resolve) => {
        remove = consumer.on(consumer.events[name], ({ payload }) => fits(payload) && resolve(payload));
      }),
  ).finally(() => remove());
}

/** KafkaJS's admin and producer, to look from outside, and to make what the classic producer cannot. */
async function kafkaJs(t, cluster, producerOptions) {
  const kafka = client(cluster, { library: kafkajs });
  const admin = kafka.admin();
  const producer = kafka.producer({ createPartitioner: kafkajs.Partitioners.DefaultPartitioner, ...producerOptions });
  await Promise.all([admin.connect(), producer.connect()]);
  cleanup(t, () => Promise.all([admin.disconnect(), producer.disconnect()]));
  return { admin, producer, kafka };
}

/** Offsets that a group has committed of a topic: { partition: offset }. */
async function committed(admin, groupId, topic) {
  const [{ partitions }] = await admin.fetchOffsets({ groupId, topics: [topic] });
  return Object.fromEntries(partitions.filter(({ offset }) => offset !== '-1').map(({ partition, offset }) => [partition, Number(offset)]));
}

module.exports = { Got, client, committed, event, kafkaJs, member };
