'use strict';
// The classic API: payloads are strings that are made before `receive_callback` runs; `send` answers at once and delivers later.
const { setImmediate: nextTurn, setTimeout: sleep } = require('node:timers/promises');
const { Consumer, Producer } = require('kafka-native');

exports.payload = (message) => message.payload;

const tls = ({ ca }) => (ca ? { 'security.protocol': 'ssl', 'ssl.ca.location': ca } : {});

exports.consume = async ({ broker, topic, state, client, clients = 1, ...task }, receive) => {
  const consumer = new Consumer({
    broker,
    topic,
    offset_directory: state,
    num_workers: clients,
    worker_slot: client ?? 0,
    driver_options: tls(task),
    receive_callback: ({ messages }) => receive(messages),
  });
  await consumer.start();
  return { stop: () => consumer.stop() };
};

exports.producer = async ({ broker, topic, partitions, inFlight, linger, acks, idempotent, codec, largest, ...task }) => {
  let failed;
  const producer = new Producer({
    broker,
    queue_buffering_max_ms: linger,
    driver_options: { 'enable.idempotence': idempotent, 'compression.codec': codec, 'message.max.bytes': largest, ...tls(task) },
    topic_options: { acks },
    delivery_report_callback: ({ rdkafka_errinfo }) => (failed ??= rdkafka_errinfo[0].errstr),
  });
  // Nothing tells when the first message arrived; this tells that it can.
  await producer.partition_count(topic);
  let partition = 0;
  const room = async (wanted) => {
    do await sleep(1);
    while (producer.send(topic, partition, []).send_queue_length + wanted > inFlight);
  };
  return {
    /** Resolves with the next turn of the event loop while there is room for more, else when a look every millisecond finds it. */
    send(messages) {
      // Bare values take less than objects.
      const values = messages[0].key === undefined ? messages.map(({ value }) => value) : messages;
      const { enqueued, send_queue_length } = producer.send(topic, partition, values);
      if (enqueued !== values.length) throw new Error(`only ${enqueued} of ${values.length} were enqueued`);
      partition = (partition + 1) % partitions;
      return send_queue_length + values.length > inFlight ? room(values.length) : nextTurn();
    },
    /** One loop fills the queue; more would only fill it beyond `inFlight`. */
    loops: 1,
    /** Resolves when all is delivered; nothing can be sent afterwards. */
    async flush() {
      await producer.stop({ timeout: 60_000 });
      if (failed) throw new Error(failed);
    },
    stop: () => producer.stop(),
  };
};
