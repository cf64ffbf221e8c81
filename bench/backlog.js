'use strict';
// The topics that contenders read.

const { setTimeout: sleep } = require('node:timers/promises');
const { Producer } = require('kafka-native');
const { LARGEST } = require('./shapes.js');
const { values } = require('./text.js');
const { usual } = require('./usual.js');

/**
 * Makes a topic and waits until the broker knows it: some milliseconds, but half a minute where it still deletes the thousand
 * partitions of the topic before.
 */
async function makeTopic(broker, admin, topic, partitions) {
  // The broker makes a partition's index with the first entry, which takes 12 ms each: 24 s for 2000 partitions.
  await admin.createTopic(topic, {
    partitions,
    replication: 1,
    config: { 'index.interval.bytes': '2147483647', 'max.message.bytes': String(LARGEST) },
  });
  const producer = new Producer({ broker });
  await producer.partition_count(topic, { max_tries: 1200, interval: 50 });
  await producer.stop();
}

/**
 * @param {string} broker
 * @param {string} topic there already
 * @param {import('./shapes.js').Backlog} backlog of values of `size` ASCII characters, spread evenly over the partitions; `headers`: with a
 *   key and two headers each; `json`: the messages of the usual program
 */
async function fill(broker, topic, { messages, partitions, size, codec, headers, json }) {
  const text = values(size);
  let failed;
  const producer = new Producer({
    broker,
    queue_buffering_max_ms: 5,
    driver_options: { 'compression.codec': codec, 'message.max.bytes': LARGEST },
    delivery_report_callback: ({ rdkafka_errinfo }) => (failed ??= rdkafka_errinfo[0].errstr),
  });
  const batch = Math.max(1, Math.min(1000, Math.floor(messages / partitions), Math.floor((1 << 20) / size)));
  const message = (i) => {
    if (json) return usual(i);
    const value = text(i);
    return headers ? { key: `key-${i % 1000}`, value, headers: { trace: `00-${i}`, source: 'bench' } } : value;
  };
  for (let i = 0, partition = 0; i < messages; partition = (partition + 1) % partitions) {
    const several = Array.from({ length: Math.min(batch, messages - i) }, (_, k) => message(i + k));
    let { send_queue_length, errors } = producer.send(topic, partition, several);
    if (errors) throw new Error(`the backlog cannot be written: ${errors[0].message}`);
    i += several.length;
    // At most some 100 MB under way.
    while (send_queue_length * size >= 100e6 || send_queue_length >= 100_000) {
      await sleep(1);
      ({ send_queue_length } = producer.send(topic, partition, []));
    }
  }
  // A broker is slow at the first messages of many partitions.
  await producer.stop({ timeout: 120_000 });
  if (failed) throw new Error(`the backlog cannot be written: ${failed}`);
}

module.exports = { fill, makeTopic };
