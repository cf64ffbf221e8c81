'use strict';
// The shapes of work that are measured.

const { EVERYONE, OURS } = require('./contenders.js');
const { SIZE } = require('./usual.js');

/**
 * @typedef {object} Shape
 * @property {string} title
 * @property {string[]} contenders unless chosen by hand
 * @property {Record<string, string>} [not] who does not do it, and why
 * @property {boolean} quick whether `--quick` has it: what a bar of the project is about
 * @property {Backlog} [backlog] the topic, if it is made and filled once, before the rounds; equal ones are shared
 * @property {Task} task what a contender is told; `work.js` and the C loop read it
 *
 * @typedef {{ messages: number, partitions: number, size: number, codec: string, headers: boolean, json?: boolean }} Backlog
 * @typedef {{ work: string, partitions: number, size: number, count?: number, seconds?: number, [setting: string]: unknown }} Task
 *
 * @typedef {Record<string, number>} Report what a contender measured in a round
 * @typedef {Record<string, { median: number, min?: number, max?: number }>} Figures
 * @typedef {{ rounds: Report[], errors: string[], figures: Figures }} Entry of a contender in a shape
 *
 * @typedef {object} Results
 * @property {string} date
 * @property {object} machine
 * @property {object} versions
 * @property {object} settings
 * @property {object} contenders
 * @property {Record<string, Omit<Shape, 'contenders'> & { contenders: Record<string, Entry> }>} shapes
 * @property {import('./bars.js').Bar[]} bars
 */

const MILLION = 1_000_000;

/** Bytes of a message that the topics take: values of 1 MiB, and what is around them. */
const LARGEST = 2 << 20;

/** Of every producer. */
const SENDING = { acks: -1, idempotent: false, strings: true, codec: 'none', largest: MILLION };

/**
 * Shapes where throughput counts end after so many seconds even if `count` was not reached. Consuming has more: a client that
 * first fetches all there is into its memory would be judged by that alone.
 */
const SECONDS = { consume: 6, produce: 2 };

/** @param {string} title @param {{ messages?: number, partitions?: number, size?: number, codec?: string, headers?: boolean, json?: boolean, count?: number, seconds?: number, pause?: number, each?: string, commit?: boolean, clients?: number, tls?: boolean }} [task] */
const consume = (
  title,
  { messages = MILLION, count = messages, partitions = 4, size = 100, codec = 'none', headers = false, json = false, ...task } = {},
  contenders = OURS,
) => ({
  title,
  contenders,
  quick: false,
  backlog: { messages, partitions, size, codec, headers, json },
  task: { work: 'consume', count, partitions, size, headers, json, seconds: SECONDS.consume, commit: false, ...task },
});

const produce = (title, task = {}, contenders = OURS) => ({
  title,
  contenders,
  quick: false,
  task: {
    ...{ work: 'produce', count: MILLION, partitions: 4, size: 100, seconds: SECONDS.produce, batch: 1000, inFlight: 100_000 },
    // librdkafka's own 5 ms would throttle whoever awaits; every contender that has the setting gets the same.
    ...{ ...SENDING, linger: 0.5, headers: false, json: false, ...task },
  },
});

/** Values of so many bytes, some 50 MB of them in flight. */
const produceLarge = (title, size, task) => produce(title, { size, inFlight: Math.floor((50 << 20) / size), ...task });

/** So many partitions. A broker takes milliseconds for the first message of each: not what is measured. */
const produceWide = (partitions) => ({
  ...produce(`Produce: ${partitions} partitions`, { partitions }),
  backlog: { messages: partitions, partitions, size: 1, codec: 'none', headers: false },
});

/** Consumers of one process that divide the partitions of a topic. */
const clients = (count) => consume(`Consume: ${count} client(s) that divide 200 partitions`, { partitions: 200, clients: count });

const UNAWAITED = { classic: 'its `send` does not tell when a message was acknowledged' };
const awaited = (shape) => ({ ...shape, not: UNAWAITED });

/** The usual program: see `usual.js`. It commits, and parses every value. */
const usual = (title, each) => ({
  ...consume(title, { size: SIZE, headers: true, json: true, each, commit: true }, EVERYONE),
  not: { classic: 'it has no groups: its program is that of `consume-headers`' },
});

const latency = (title, rate, seconds, linger) => ({
  title,
  contenders: EVERYONE,
  quick: false,
  task: {
    work: 'latency',
    rate,
    count: rate * seconds,
    partitions: 1,
    size: 100,
    linger,
    commit: false,
    inFlight: MILLION,
    ...SENDING,
  },
});

const start = (title, task, backlog, not = {}) => ({
  title,
  contenders: EVERYONE,
  not: { 'c-loop': 'it has no start of its own', ...not },
  quick: false,
  backlog,
  task: { work: 'start', partitions: 4, size: 100, commit: true, linger: 0.5, inFlight: 1000, ...SENDING, ...task },
});

const quick = (shape) => ({ ...shape, quick: true });
const common = consume('').backlog;

/** @type {Record<string, Shape>} */
const SHAPES = {
  consume: quick(consume('Consume a backlog: 100 B values, 4 partitions', {}, EVERYONE)),
  produce: quick(produce('Produce: batches of 1000 strings of 100 B, 100 000 in flight, acks=all', {}, EVERYONE)),
  'awaited-batches': quick(awaited(produce('Produce: awaited batches of 100, 10 in flight, acks=all', { batch: 100, inFlight: 1000 }, EVERYONE))),
  'awaited-singles': quick(awaited(produce('Produce: awaited single sends, 1000 in flight, acks=all', { batch: 1, inFlight: 1000 }, EVERYONE))),
  'latency-100': quick(latency('End-to-end latency, 100 messages a second', 100, 3, 0)),
  'start-fresh': quick(start('Start: first message without recorded offsets', { recorded: false }, common)),
  'start-recorded': quick(
    start('Start: first message with recorded offsets', { recorded: true }, common, {
      'kafka-crab-js': 'it does not leave its group when it disconnects, so the next start waits until the session of 45 s is over',
    }),
  ),
  'start-producer': quick(start('Start: first acknowledgement of a producer', { client: 'producer' }, undefined, UNAWAITED)),

  'usual-each-message': quick(usual('The usual program: JSON with a key and three headers, a call a message', 'message')),
  'usual-each-batch': quick(usual('The usual program, a call a batch', 'batch')),
  'usual-produce': quick(
    awaited(
      produce(
        'The usual program: awaited sends of one message with a key and three headers, 200 in flight',
        { batch: 1, inFlight: 200, json: true, size: SIZE },
        EVERYONE,
      ),
    ),
  ),

  'consume-10B': consume('Consume: 10 B values', { size: 10 }, EVERYONE),
  'consume-1KiB': consume('Consume: 1 KiB values', { size: 1024, messages: MILLION / 2 }, EVERYONE),
  'consume-100KiB': consume('Consume: 100 KiB values', { size: 102_400, messages: MILLION / 200 }, EVERYONE),
  'consume-1MiB': consume('Consume: 1 MiB values', { size: 1 << 20, messages: MILLION / 1000 }),
  'consume-headers': consume('Consume: 100 B values with keys and headers, all read', { headers: true }),
  'consume-lz4': consume('Consume: lz4', { codec: 'lz4' }),
  'consume-zstd': consume('Consume: zstd', { codec: 'zstd' }),
  'consume-tls': consume('Consume: TLS', { tls: true }),
  'consume-1-partition': consume('Consume: 1 partition', { partitions: 1 }),
  'consume-100-partitions': consume('Consume: 100 partitions', { partitions: 100 }),
  'consume-2000-partitions': consume('Consume: 2000 partitions', { partitions: 2000 }),
  'consume-1-client': clients(1),
  'consume-20-clients': clients(20),
  'consume-200-clients': clients(200),
  'consume-10K': consume('Consume: the first 10 K messages', { count: MILLION / 100 }),
  'consume-100K': consume('Consume: the first 100 K messages', { count: MILLION / 10 }),
  'consume-10M': consume('Consume: 10 M messages', { messages: 10 * MILLION, seconds: 30 }),
  'slow-consumer': {
    ...consume('Slow consumer: 1 KiB values, each call of the handler takes 50 ms, 5 seconds', { size: 1024, messages: MILLION / 2, seconds: 5, pause: 50 }),
    not: { 'c-loop': 'it has no handler' },
  },

  'produce-1': produce('Produce: one message a call', { batch: 1 }),
  'produce-100': produce('Produce: batches of 100', { batch: 100 }),
  'produce-headers': quick(produce('Produce: batches of 1000 with keys and two headers', { headers: true }, EVERYONE)),
  'produce-headers-10': quick(produce('Produce: batches of 10 with keys and two headers', { headers: true, batch: 10 }, EVERYONE)),
  'produce-buffers': produce('Produce: batches of 1000 Buffers', { strings: false }),
  'produce-acks-1': produce('Produce: acks=1', { acks: 1 }),
  'produce-idempotent': produce('Produce: idempotent', { idempotent: true }),
  'produce-1KiB': produceLarge('Produce: 1 KiB values', 1024, { batch: 1000 }),
  'produce-100KiB': produceLarge('Produce: 100 KiB values', 102_400, { batch: 10, count: MILLION / 200 }),
  'produce-1MiB': produceLarge('Produce: 1 MiB values', 1 << 20, { batch: 1, count: MILLION / 1000, largest: LARGEST }),
  'produce-lz4': produce('Produce: lz4', { codec: 'lz4' }),
  'produce-zstd': produce('Produce: zstd', { codec: 'zstd' }),
  'produce-tls': produce('Produce: TLS', { tls: true }),
  'produce-1-partition': produce('Produce: 1 partition', { partitions: 1 }),
  'produce-100-partitions': produceWide(100),
  'produce-2000-partitions': produceWide(2000),
  'produce-10K': produce('Produce: 10 K messages', { count: MILLION / 100 }),
  'produce-10M': produce('Produce: 10 M messages', { count: 10 * MILLION, seconds: 30 }),
  'serial-sends': awaited(produce('Produce: serial awaited sends of one message', { count: 2000, batch: 1, inFlight: 1 })),
  'latency-10K': latency('End-to-end latency, 10 000 messages a second', 10_000, 3, 0.5),
};

/**
 * The shape with every number of messages multiplied.
 *
 * @param {Shape} shape
 * @param {number} factor
 * @returns {Shape}
 */
function scaled({ backlog, task, ...shape }, factor) {
  // A whole batch at least, and as many messages as partitions.
  const times = (messages) => Math.max(Math.ceil((messages * factor) / 1000) * 1000, task.partitions);
  return {
    ...shape,
    ...(backlog && { backlog: { ...backlog, messages: times(backlog.messages) } }),
    task: { ...task, ...(task.count && { count: task.work === 'latency' ? Math.ceil(task.count * factor) : times(task.count) }) },
  };
}

module.exports = { LARGEST, SHAPES, scaled };
