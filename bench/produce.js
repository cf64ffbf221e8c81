'use strict';
// produce BROKER TOPIC PARTITIONS COUNT: `send` of arrays of 1000 strings of 100 bytes until all are delivered.
const { Producer } = require('kafka-native');
const { cpu, now, report } = require('./measure.js');

const [broker, topic, partitions, count] = [process.argv[2], process.argv[3], Number(process.argv[4]), Number(process.argv[5])];
const BATCH = 1000;
const IN_FLIGHT = 100_000;

(async () => {
  const cpuBegin = cpu();
  const begin = now();
  const producer = new Producer({ broker, queue_buffering_max_ms: 0.5, delivery_report_callback: fail });
  const values = Array.from({ length: BATCH }, (_, i) => String(i).padStart(100, 'v'));
  for (let sent = 0, partition = 0; sent < count; sent += BATCH, partition = (partition + 1) % partitions) {
    const { enqueued, send_queue_length } = producer.send(topic, partition, values);
    if (enqueued !== BATCH) throw new Error(`only ${enqueued} of ${BATCH} were enqueued`);
    // A plain user's flow control: the queue is full, come back in a moment.
    if (send_queue_length >= IN_FLIGHT) await new Promise((resolve) => setTimeout(resolve, 1));
  }
  await producer.stop();
  report('produce', { messages: count, seconds: now() - begin, cpu: cpu() - cpuBegin });
})();

function fail(failures) {
  throw new Error(JSON.stringify(failures));
}
