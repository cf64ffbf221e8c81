'use strict';
// Credentials, certificates and rights: what is wrong is said at once, with its own code, by whatever waits; what is right works.

const assert = require('node:assert/strict');
const { describe, test, before, after } = require('node:test');
const { Consumer, KafkaError, Producer } = require('kafka-native');
const { cleanup } = require('./support/cleanup.js');
const { real } = require('./support/clusters.js');
const { Inbox, PATIENCE, SOON, folder, silent, within } = require('./support/flow.js');
const { Calls, witness } = require('./support/watch.js');
const { runTool } = require('../deps/kafka/java.js');

/** @type {any} */ let cluster;
/** @type {KafkaCluster} */ let kafka;
before(async () => {
  cluster = await real({ own: true, security: true, acls: true });
  kafka = cluster.kafka;
});
after(() => cluster?.close());

const sasl = (user, change = {}) => ({
  broker: kafka.listeners.saslPlaintext,
  driver_options: {
    'security.protocol': 'sasl_plaintext',
    'sasl.mechanism': user.mechanism,
    'sasl.username': user.username,
    'sasl.password': user.password,
    ...change,
  },
});
const tls = (listener, change = {}) => ({
  broker: kafka.listeners[listener],
  driver_options: { 'security.protocol': 'ssl', 'ssl.ca.location': kafka.tls.ca, ...change },
});

async function allow(user, ...what) {
  await runTool('org.apache.kafka.tools.AclCommand', ['--bootstrap-server', kafka.brokers, '--add', '--allow-principal', `User:${user}`, ...what]);
}

async function clients(t, options, topic) {
  const [errors, log] = [new Calls(), witness()];
  const common = { ...options, logger: log.logger, error_callback: errors.take };
  const sender = new Producer({ ...common, queue_buffering_max_ms: 1 });
  const inbox = new Inbox();
  const receiver = new Consumer({ ...common, topic, offset_directory: folder(t), receive_callback: inbox.receive });
  cleanup(t, () => Promise.all([sender.stop({ timeout: 500 }).catch(() => {}), receiver.stop()]));
  return { sender, receiver, inbox, errors, lines: log.lines };
}

describe('what is refused', () => {
  const refusals = [
    ['a wrong password', '_AUTHENTICATION', () => sasl(kafka.users.alice, { 'sasl.password': 'wrong-secret' })],
    ['a wrong password for SCRAM', '_AUTHENTICATION', () => sasl(kafka.users.bob, { 'sasl.password': 'wrong-secret' })],
    ['an unknown user', '_AUTHENTICATION', () => sasl({ mechanism: 'PLAIN', username: 'mallory', password: 'wrong-secret' })],
    [
      'a certificate of an unknown authority',
      '_SSL',
      () => tls('ssl', { 'ssl.ca.location': undefined, 'ssl.ca.pem': require('node:fs').readFileSync(kafka.tls.clientCert, 'utf8') }),
    ],
    ['an expired certificate', '_SSL', () => tls('sslExpired')],
    ['a certificate of another host', '_SSL', () => tls('sslWrongHost')],
  ];
  for (const [what, code, options] of refusals) {
    test(`${what}: start, partition_count and error_callback say so at once`, async (t) => {
      const { sender, receiver, errors, lines } = await clients(t, options(), 'any');
      const [counted, started] = await within(SOON, 'the calls', () =>
        Promise.all([sender.partition_count('any').catch((e) => e), receiver.start().catch((e) => e)]),
      );
      for (const error of [counted, started]) {
        assert.ok(error instanceof KafkaError, String(error));
        assert.equal(error.code, code, error.message);
      }
      await within(SOON, 'error_callback', () => errors.until(() => errors.all.filter((error) => error.code === code).length === 2));
      assert.ok(
        errors.all.every((error) => error.broker?.includes('127.0.0.1') || error.code === '_ALL_BROKERS_DOWN'),
        errors.all.map((e) => e.message).join(),
      );
      // Another call is told as well, and no secret is.
      await within(SOON, 'another call', () => assert.rejects(sender.partition_count('other'), { code }));
      const told = [...lines.all.map(([, line]) => line), ...errors.all.map((error) => error.message), counted.message, started.message].join('\n');
      assert.ok(!told.includes('wrong-secret'), told);
    });
  }

  test('a topic without rights: the calls and the delivery report say so, for that topic alone', async (t) => {
    const [denied, granted] = [await cluster.topic(1), await cluster.topic(1)];
    await allow('alice', '--operation', 'Write', '--operation', 'Describe', '--topic', granted);
    const { sender, receiver } = await clients(t, sasl(kafka.users.alice), denied);
    await within(SOON, 'partition_count', () =>
      assert.rejects(sender.partition_count(denied), { name: 'KafkaError', code: 'TOPIC_AUTHORIZATION_FAILED', errno: 29, topic: denied }),
    );
    assert.equal(await within(SOON, 'the other topic', () => sender.partition_count(granted)), 1);
    await within(SOON, 'start', () => assert.rejects(receiver.start(), { name: 'KafkaError', code: 'TOPIC_AUTHORIZATION_FAILED' }));
    // The right comes later: the same consumer starts.
    await allow('alice', '--operation', 'Read', '--topic', denied);
    const partitions = await within(PATIENCE, 'start', async () => {
      for (;;) {
        const started = await receiver.start().catch((error) => error);
        if (Array.isArray(started)) return started;
        assert.equal(started.code, 'TOPIC_AUTHORIZATION_FAILED');
      }
    });
    assert.deepEqual(partitions, [0]);
  });

  test('writing without the right to: the delivery report says so', async (t) => {
    const topic = await cluster.topic(1);
    const reports = new Calls();
    const sender = new Producer({
      ...sasl(kafka.users.alice),
      logger: silent,
      error_callback() {},
      delivery_report_callback: reports.take,
      queue_buffering_max_ms: 1,
    });
    cleanup(t, () => sender.stop({ timeout: 100 }).catch(() => {}));
    sender.send(topic, 0, ['a', 'b']);
    const { errors, rdkafka_errinfo } = await reports.until();
    assert.equal(errors, 2);
    assert.deepEqual(
      rdkafka_errinfo.map(({ errcode, count, topic, partition }) => ({ errcode, count, topic, partition })),
      [{ errcode: 29, count: 2, topic, partition: 0 }],
    );
  });
});

describe('what is right works', () => {
  const ways = [
    ['PLAIN', 'alice', () => sasl(kafka.users.alice)],
    ['SCRAM-SHA-256', 'bob', () => sasl(kafka.users.bob)],
    [
      'SCRAM-SHA-512 over TLS',
      'bob',
      () => ({
        broker: kafka.listeners.saslSsl,
        driver_options: {
          ...sasl(kafka.users.bob).driver_options,
          'security.protocol': 'sasl_ssl',
          'sasl.mechanism': 'SCRAM-SHA-512',
          'ssl.ca.location': kafka.tls.ca,
        },
      }),
    ],
    ['TLS', 'ANONYMOUS', () => tls('ssl')],
  ];
  for (const [way, user, options] of ways) {
    test(`${way}: messages go and come, and a group that may not be used is nobody's concern`, async (t) => {
      const topic = await cluster.topic(1);
      if (user !== 'ANONYMOUS') await allow(user, '--operation', 'Write', '--operation', 'Read', '--topic', topic);
      const { sender, receiver, inbox, errors, lines } = await clients(t, options(), topic);
      assert.equal(await sender.partition_count(topic), 1);
      sender.send(topic, 0, ['secret']);
      assert.deepEqual(await receiver.start(), [0]);
      assert.equal((await inbox.until(1))[0].payload, 'secret');
      await sender.stop();
      assert.deepEqual(errors.all.map(String), []);
      assert.deepEqual(
        lines.all.filter(([level]) => level === 'error' || level === 'warn'),
        [],
      );
    });
  }
});
