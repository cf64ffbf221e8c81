'use strict';
// Where it is asked for, JavaScript runs first where it and the clients' threads want the same processor.
// Alone: it asserts who gets the processor.

const assert = require('node:assert/strict');
const { execFileSync } = require('node:child_process');
const { join } = require('node:path');
const { test } = require('node:test');

/** Makes a producer and a member of a group, and writes the niceness of each thread once the clients' threads run. */
const PROGRAM = `
  const { readdirSync, readFileSync } = require('node:fs');
  const { Kafka, Producer } = require('kafka-native');
  const producer = new Producer({ broker: '127.0.0.1:1', error_callback() {} });
  const consumer = new Kafka({ brokers: ['127.0.0.1:1'], logLevel: 0 }).consumer({ groupId: 'g' });
  consumer.connect().catch(() => {});
  const read = (thread, file) => readFileSync('/proc/self/task/' + thread + '/' + file, 'utf8');
  const look = () => {
    const threads = readdirSync('/proc/self/task').map((thread) => ({
      main: Number(thread) === process.pid,
      name: read(thread, 'comm').trim(),
      // The fields of stat behind the name in parentheses begin with the third.
      niceness: Number(read(thread, 'stat').replace(/^.*\\) /, '').split(' ')[19 - 3]),
    }));
    const ours = threads.filter(({ name }) => /^(kafka-|rdk:)/.test(name));
    const begun = ['kafka-producer', 'kafka-group', 'rdk:main', 'rdk:broker'].every((begin) => ours.some(({ name }) => name.startsWith(begin)));
    if (!begun || new Set(ours.map(({ niceness }) => niceness)).size > 1) return setImmediate(look);
    console.log(JSON.stringify({ ours: ours[0].niceness, others: [...new Set(threads.filter((each) => !ours.includes(each)).map(({ niceness }) => niceness))] }));
    process.exit();
  };
  look();
`;

function niceness(env) {
  const options = { cwd: join(__dirname, '..'), encoding: 'utf8', timeout: 30_000, env: { ...process.env, ...env } };
  return JSON.parse(execFileSync(process.execPath, ['-e', PROGRAM], options));
}

const own = Number(execFileSync('nice', { encoding: 'utf8' }));

const skip = process.platform !== 'linux' && 'threads have no niceness of their own';

test("KAFKA_NATIVE_NICENESS is the niceness of every thread of the clients, librdkafka's too, and of no other", { skip }, () => {
  const wanted = Math.max(10, own);
  assert.deepEqual(niceness({ KAFKA_NATIVE_NICENESS: '10' }), { ours: wanted, others: [own] });
});

test('without it, or with what is no number, the threads are as the process is', { skip }, () => {
  assert.deepEqual(niceness({}), { ours: own, others: [own] });
  assert.deepEqual(niceness({ KAFKA_NATIVE_NICENESS: 'very' }), { ours: own, others: [own] });
});
