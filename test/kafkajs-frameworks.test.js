'use strict';
// Programs and packages that require KafkaJS, with kafka-native-kafkajs in its place, on a real Kafka.

const assert = require('node:assert/strict');
const { after, before, describe, test } = require('node:test');
const { aliased } = require('./support/alias.js');
const { real, topicName } = require('./support/clusters.js');

describe('in the place of KafkaJS', () => {
  let cluster;
  before(async () => (cluster = await real()));
  after(() => cluster?.close());
  const brokers = () => cluster.options().broker.split(',');

  /** The program's message at its end. */
  async function outcome(t, program, options) {
    const child = aliased(t, program, { brokers: brokers(), ...options });
    const done = await child.says('done');
    await child.exits();
    return done;
  }

  test('NestJS asks, answers and tells: two services share the work, the client has its replies when it is connected', async (t) => {
    const names = { sum: await cluster.topic(4), seen: await cluster.topic(4), group: topicName('nest') };
    const { assigned, answers, events, said } = await outcome(t, 'nestjs.js', { names, questions: 200 });
    assert.deepEqual(assigned, [`${names.sum}.reply`]);
    assert.deepEqual(
      answers.map(({ sum }) => sum),
      Array.from({ length: 200 }, (_, i) => i + 1),
    );
    assert.deepEqual([...new Set(answers.map(({ by }) => by))].sort(), ['a', 'b']);
    assert.deepEqual(events.map(({ value }) => value).sort(), [...Array.from({ length: 200 }, (_, i) => i), 'last'].map(String).sort());
    assert.deepEqual([...new Set(events.map(({ by }) => by))].sort(), ['a', 'b']);
    assert.equal(said.filter((line) => line.includes('partitionAssigners')).length, 2, 'a client of NestJS has an assigner of its own');
  });

  test("OpenTelemetry's instrumentation sees sends, transactions and handlers, one trace from the send to its handler", async (t) => {
    const topic = await cluster.topic(1);
    const { values, spans } = await outcome(t, 'opentelemetry.js', { topic, groupId: topicName('otel'), transactionalId: topicName('otel') });
    assert.deepEqual(values, ['one', 'two', 'three']);
    const handlers = spans.filter(({ name }) => name === `process ${topic}`);
    const sends = spans.filter(({ name }) => name === `send ${topic}`);
    assert.deepEqual([handlers.length, sends.length], [3, 3]);
    assert.deepEqual(
      handlers.map(({ parent }) => parent),
      sends.map(({ id }) => id),
    );
    assert.equal(spans.filter(({ name }) => name === 'transaction').length, 1);
  });
});
