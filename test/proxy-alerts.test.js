'use strict';
// A proxy's alerts: when they are told, to whom, how often; on a real lag of a real group, and against addresses that behave badly.

const assert = require('node:assert/strict');
const { spawn } = require('node:child_process');
const http = require('node:http');
const { once } = require('node:events');
const { after, before, describe, test } = require('node:test');
const { Kafka } = require('kafka-native');
const { KafkaProxy } = require('kafka-proxy');
const { Alerts } = require('../js/kafka-proxy/dist/figures/alerts.js');
const { Figures } = require('../js/kafka-proxy/dist/figures/figures.js');
const { post } = require('../js/kafka-proxy/dist/figures/webhook.js');
const { cleanup } = require('./support/cleanup.js');
const { real, topicName } = require('./support/clusters.js');
const { PATIENCE, silent, within } = require('./support/flow.js');
const { knock, listening, NOBODY } = require('./support/proxy.js');
const { random, seed } = require('./support/random.js');
const { Calls, eventually, witness } = require('./support/watch.js');

const MINUTE = 60_000;
const turn = () => new Promise(setImmediate);

/** Alerts of one lag that a test sets; undefined: Kafka does not say it. */
function watched(options, channel, log = silent) {
  const state = { lag: /** @type {number | undefined} */ (0) };
  const samples = { lag: () => (state.lag === undefined ? undefined : { lag: state.lag, topics: {} }) };
  const alerts = new Alerts(
    { alerts: [{ lag: { group: 'g', above: 10 }, ...options }], hook: undefined, webhook: undefined, ...channel },
    /** @type {any} */ (samples),
    new Figures(),
    log,
  );
  return Object.assign(state, { alerts, look: (now) => (alerts.tick(now), alerts.states[0]) });
}

describe('what is told', () => {
  test('at most one call a minute; firing and recovery alternate; the last one told is what is so', async (t) => {
    t.diagnostic(`SEED=${seed}`);
    const next = random(seed);
    const below = (n) => Math.floor(next() * n);
    for (let round = 0; round < 100; round++) {
      const held = 1000 * [0, 0, 1, 30, 90][below(5)];
      let now = 0;
      let told = 'ok';
      let called = Number.NEGATIVE_INFINITY;
      let waiting = [];
      let failing = 3;
      const faults = [];
      const hook = ({ state }) => {
        // An error thrown here is the hook's failure, which the proxy gets over.
        if (now - called < MINUTE) faults.push(`${now - called} ms between two calls`);
        if (state === told) faults.push(`${state} is told twice`);
        called = now;
        const taken = () => {
          told = state;
        };
        if (below(10) < failing) throw new Error('the other side is away');
        if (below(3) > 0) return taken();
        return new Promise((resolve) => waiting.push(() => resolve(taken())));
      };
      const watch = watched({ for: held / 1000 }, { hook });
      let since;
      const step = async (ms) => {
        now += ms;
        const { state } = watch.look(now);
        if (watch.lag === undefined) assert.equal(state, 'unknown');
        else {
          since = watch.lag > 10 ? (since ?? now) : undefined;
          assert.equal(state, since !== undefined && now - since >= held ? 'firing' : 'ok');
        }
        await turn();
      };
      const answer = () => {
        for (const each of waiting) each();
        waiting = [];
      };
      for (let i = 0; i < 200; i++) {
        if (below(4) === 0) watch.lag = [0, 5, 11, 1000, undefined][below(5)];
        if (below(3) === 0) answer();
        await step(1 + below([10, 1000, 30_000, 200_000][below(4)]));
      }
      watch.lag = 10 + below(2);
      failing = 0;
      for (let i = 0; i < 250; i++) {
        answer();
        await step(1000);
      }
      assert.deepEqual(faults, []);
      assert.equal(told, watch.lag > 10 ? 'firing' : 'ok');
      watch.alerts.close();
    }
  });

  test('an alarm has its name, state, since, value, threshold and a sentence; a Kafka that does not answer is no recovery', async () => {
    const told = new Calls();
    const state = watched({ name: 'billing is late' }, { hook: told.take });
    state.look(0);
    state.lag = 12;
    assert.equal(state.look(1000).state, 'firing');
    const { since, ...alarm } = await told.until();
    assert.ok(Math.abs(Date.now() - since) < 10_000);
    assert.deepEqual(alarm, {
      name: 'billing is late',
      state: 'firing',
      value: 12,
      threshold: 10,
      message: 'The group g is 12 messages behind: more than 10.',
    });
    state.lag = undefined;
    assert.deepEqual({ ...state.look(2 * MINUTE), since: 0 }, { name: 'billing is late', state: 'unknown', since: 0, message: 'Kafka does not say it now.' });
    assert.equal(state.alerts.all[0].firing, true);
    state.lag = 13;
    assert.equal(state.look(3 * MINUTE).since, since, 'it has fired all the time');
    await turn();
    assert.equal(told.all.length, 1);
    state.lag = 10;
    state.look(4 * MINUTE);
    assert.equal((await told.count(2))[1].state, 'ok');
  });

  test('an alert with a place of its own is told there alone; a hook that throws is logged without anything else', async () => {
    const told = new Calls();
    const { lines, logger } = witness();
    const own = watched({ hook: told.take }, { hook: () => assert.fail('the general hook') });
    own.lag = 11;
    own.look(0);
    await told.until();
    const bad = watched(
      {},
      {
        hook: () => {
          throw new Error('no');
        },
      },
      logger,
    );
    bad.lag = 11;
    bad.look(0);
    const [level, line] = await lines.until();
    assert.deepEqual([level, line], ['warn', 'The hook of the alert "lag of g above 10" failed, and is tried again in a minute: no']);
  });
});

describe('a webhook', () => {
  const alarm = /** @type {const} */ ({ name: 'n', state: 'firing', since: 1, value: 2, threshold: 1, message: 'm' });
  const quick = { patience: 300, pauses: [5, 5] };

  /** A server that answers each request by the next of these. */
  async function server(t, ...answers) {
    const got = [];
    const made = http.createServer((request, response) => {
      let body = '';
      request
        .setEncoding('utf8')
        .on('data', (text) => (body += text))
        .on('end', () => {
          got.push({ method: request.method, headers: request.headers, url: request.url, body });
          answers[Math.min(got.length, answers.length) - 1](response);
        });
    });
    made.listen(0, '127.0.0.1');
    await once(made, 'listening');
    cleanup(t, () => {
      made.close();
      made.closeAllConnections();
    });
    return { got, url: `http://127.0.0.1:${/** @type {any} */ (made.address()).port}` };
  }
  const says =
    (status, headers = {}) =>
    (response) =>
      response.writeHead(status, headers).end('x');
  const { signal } = new AbortController();

  test('is POSTed JSON with the given headers, and tried again a few times', async (t) => {
    const { got, url } = await server(t, says(500), (response) => response.destroy(), says(204));
    await post({ url: `${url}/hooks?token=4711`, headers: { authorization: 'Bearer 4711' } }, alarm, signal, quick);
    assert.equal(got.length, 3);
    for (const { method, headers, url: path, body } of got) {
      assert.deepEqual([method, path, headers.authorization, headers['content-type']], ['POST', '/hooks?token=4711', 'Bearer 4711', 'application/json']);
      assert.deepEqual(JSON.parse(body), alarm);
    }
  });

  test('that redirects, says no, says nothing, or never ends, fails in a bounded time, and the error has nothing secret', async (t) => {
    const elsewhere = await server(t, says(200));
    const cases = [
      [/the answer was 307/, says(307, { location: elsewhere.url })],
      [/the answer was 404/, says(404)],
      [/no answer in 300 ms/, () => {}],
    ];
    for (const [message, answer] of /** @type {[RegExp, (response: any) => void][]} */ (cases)) {
      const { got, url } = await server(t, answer);
      await assert.rejects(post({ url: `${url.replace('//', '//ali:4711@')}/4711?4711`, headers: { x: '4711' } }, alarm, signal, quick), (error) => {
        assert.match(error.message, message);
        assert.doesNotMatch(`${error.stack}`, /4711/);
        return true;
      });
      assert.equal(got.length, 3);
    }
    assert.equal(elsewhere.got.length, 0);
    await assert.rejects(post(`http://${NOBODY}/4711`, alarm, signal, quick), { message: 'ECONNREFUSED' });
    const endless = await server(t, (response) => {
      response.writeHead(200);
      const more = setInterval(() => response.write('x'.repeat(65_536)), 1);
      response.on('close', () => clearInterval(more));
    });
    await post(endless.url, alarm, signal, quick);
  });

  test('is left alone when the proxy ends', async (t) => {
    const { url } = await server(t, () => {});
    const ending = new AbortController();
    const posted = post(url, alarm, ending.signal, { patience: 60_000, pauses: [60_000] });
    setImmediate(() => ending.abort());
    await assert.rejects(posted);
  });
});

test('a hook that hangs keeps no process alive when the proxy has ended', async () => {
  const program = `
    const { KafkaProxy } = require('kafka-proxy');
    let asking;
    const hook = () => {
      clearInterval(asking);
      setImmediate(() => proxy.close().then(() => console.log(process.getActiveResourcesInfo().filter((each) => each === 'Timeout').length)));
      return new Promise(() => {});
    };
    const silent = { error() {}, warn() {}, info() {}, debug() {} };
    const proxy = new KafkaProxy({ port: 0, brokers: '${NOBODY}', auth: 'open-sesame', logger: silent, alerts: [{ refused: { above: 0, seconds: 60 }, hook }] });
    proxy.listen().then(({ port }) => {
      asking = setInterval(() => fetch('http://127.0.0.1:' + port + '/topics').then((answer) => answer.text()).catch(() => {}), 200);
    });`;
  const child = spawn(process.execPath, ['-e', program], { cwd: __dirname, stdio: ['ignore', 'pipe', 'inherit'] });
  let said = '';
  child.stdout.on('data', (data) => (said += data));
  const [code] = await within(PATIENCE, 'its end', () => once(child, 'close'));
  assert.deepEqual([code, said.trim()], [0, '0']);
});

test('a wrong alert throws an error that names it, and shows no secret', () => {
  const lag = { group: 'g', above: 1 };
  const table = [
    [/alerts must be an array/, { alerts: {} }],
    [/alerts\.0 must be an object/, { alerts: [1] }],
    [/alerts\.0 must have one of lag, noConsumer, silent, refused/, { alerts: [{}] }],
    [/alerts\.0 must have one of/, { alerts: [{ lag, noConsumer: { group: 'g' } }] }],
    [/there is no option alerts\.0\.webhooks/, { alerts: [{ lag, webhooks: 'http://4711' }] }],
    [/there is no option alerts\.1\.lag\.below/, { alerts: [{ silent: { topic: 't', seconds: 1 } }, { lag: { ...lag, below: 1 } }] }],
    [/alerts\.0\.lag\.above must be a whole number from 0/, { alerts: [{ lag: { group: 'g' } }] }],
    [/alerts\.0\.lag\.group must not be empty/, { alerts: [{ lag: { group: '', above: 1 } }] }],
    [/alerts\.0\.lag must be an object/, { alerts: [{ lag: 'g' }] }],
    [/alerts\.0\.silent\.seconds must be a whole number from 1 to 86400/, { alerts: [{ silent: { topic: 't', seconds: 0 } }] }],
    [/alerts\.0\.refused\.seconds must be a whole number from 1 to 3600/, { alerts: [{ refused: { above: 1, seconds: 3601 } }] }],
    [/alerts\.0\.for must be a whole number/, { alerts: [{ lag, for: '5m' }] }],
    [/alerts\.0\.hook must be a function/, { alerts: [{ lag, hook: 'x' }] }],
    [/alerts\.1\.name must be another/, { alerts: [{ lag }, { lag }] }],
    [/alertHook must be a function/, { alertHook: 1 }],
    ...[
      '4711',
      'ftp://4711',
      { url: 'http://x', header: { a: '4711' } },
      { url: 'http://x', headers: { 'a b': '4711' } },
      { url: 'http://x', headers: { a: '4711\n' } },
      { url: 'http://x', headers: { a: 4711 } },
    ].flatMap((webhook) => [
      [/^kafka-proxy: alertWebhook must be a URL of http or https/, { alertWebhook: webhook }],
      [/^kafka-proxy: alerts\.0\.webhook must be a URL of http or https/, { alerts: [{ lag, webhook }] }],
    ]),
  ];
  for (const [message, options] of table) {
    assert.throws(
      () => new KafkaProxy(/** @type {any} */ ({ port: 0, brokers: NOBODY, ...options })),
      (error) => {
        assert.match(error.message, /** @type {RegExp} */ (message));
        assert.doesNotMatch(error.message, /4711/);
        return true;
      },
    );
  }
});

describe('on a real Kafka', () => {
  let cluster;
  let kafka;
  let admin;
  let producer;
  before(async () => {
    cluster = await real({ own: true });
    kafka = new Kafka({ brokers: cluster.options().broker.split(','), logger: silent });
    admin = kafka.admin();
    producer = kafka.producer();
    await Promise.all([admin.connect(), producer.connect()]);
  });
  after(async () => {
    await Promise.all([admin.disconnect(), producer.disconnect()]);
    await cluster.close();
  });

  /** Milliseconds that the proxy's clocks are ahead: so no test waits for a minute. */
  let ahead = 0;
  const clock = performance.now.bind(performance);
  performance.now = () => clock() + ahead;
  after(() => {
    performance.now = clock;
  });

  test('a lag, a group without members, a silent topic and refused sockets are told to a webhook, and so is their end; a frozen broker makes neither', async (t) => {
    const [topic, quiet] = await Promise.all([cluster.topic(2), cluster.topic(1)]);
    const group = topicName('group');
    const told = new Calls();
    const webhook = http.createServer(async (request, response) => {
      const parts = [];
      for await (const part of request) parts.push(part);
      told.take(JSON.parse(String(Buffer.concat(parts))));
      response.writeHead(200).end();
    });
    webhook.listen(0, '127.0.0.1');
    await once(webhook, 'listening');
    cleanup(t, () => webhook.close());
    const { port } = await listening(t, {
      brokers: cluster.options().broker,
      alerts: [
        { name: 'lag', lag: { group, topic, above: 99 } },
        { name: 'everywhere', lag: { group, above: 99 } },
        { name: 'nobody', noConsumer: { group } },
        { name: 'silence', silent: { topic: quiet, seconds: 2 } },
        { name: 'refused', refused: { above: 2, seconds: 5 } },
        { name: 'no topic', silent: { topic: 'no-such-topic', seconds: 1 } },
      ],
      alertWebhook: { url: `http://127.0.0.1:${/** @type {any} */ (webhook.address()).port}/4711`, headers: { 'x-token': '4711' } },
    });
    const states = async () => {
      const answer = await (await fetch(`http://127.0.0.1:${port}/alerts`)).text();
      assert.doesNotMatch(answer, /4711/);
      return Object.fromEntries(JSON.parse(answer).alerts.map(({ name, state }) => [name, state]));
    };
    const fires = (name, state) => told.until((alarm) => alarm.name === name && alarm.state === state, 60_000, `${name} is ${state}`);

    // It has committed the begin, and 100 messages come.
    await admin.setOffsets({ groupId: group, topic, partitions: [0, 1].map((partition) => ({ partition, offset: '0' })) });
    await eventually(PATIENCE, 'no lag', async () => (await states()).lag === 'ok');
    await producer.send({ topic, messages: Array.from({ length: 100 }, (_, i) => ({ value: String(i), partition: i % 2 })) });
    const alarm = await fires('lag', 'firing');
    assert.deepEqual([alarm.value, alarm.threshold, alarm.message], [100, 99, `The group ${group} is 100 messages behind in ${topic}: more than 99.`]);
    assert.equal((await fires('everywhere', 'firing')).value, 100);
    assert.equal((await fires('nobody', 'firing')).value, 0);
    assert.ok((await fires('silence', 'firing')).value >= 2);
    for (let i = 0; i < 3; i++) assert.equal((await knock(port, { headers: { origin: 'https://evil.example' } })).status, 403);
    assert.equal((await fires('refused', 'firing')).value, 3);
    assert.equal((await states())['no topic'], 'unknown');

    cluster.kafka.nodes[0].pause();
    try {
      ahead += MINUTE;
      await eventually(PATIENCE, 'nobody knows', async () => {
        const { lag, nobody, silence } = await states();
        return [lag, nobody, silence].every((state) => state === 'unknown');
      });
    } finally {
      cluster.kafka.nodes[0].resume();
    }
    await eventually(PATIENCE, 'it fires as before', async () => (await states()).lag === 'firing');
    assert.deepEqual(
      told.all.filter(({ name }) => name !== 'refused').map(({ state }) => state),
      Array(4).fill('firing'),
    );

    const consumer = kafka.consumer({ groupId: group, sessionTimeout: 6000 });
    cleanup(t, () => consumer.disconnect());
    await consumer.connect();
    await consumer.subscribe({ topics: [topic] });
    await consumer.run({ autoCommitInterval: 100, eachMessage: async () => {} });
    ahead += MINUTE;
    // It never gets silent while it is looked at.
    const beat = setInterval(() => void producer.send({ topic: quiet, messages: [{ value: 'x' }] }).catch(() => {}), 200);
    cleanup(t, () => clearInterval(beat));
    for (const name of ['lag', 'everywhere', 'nobody', 'silence', 'refused']) await fires(name, 'ok');
    for (const name of ['lag', 'everywhere', 'nobody', 'silence', 'refused']) {
      assert.deepEqual(
        told.all.filter((each) => each.name === name).map(({ state }) => state),
        ['firing', 'ok'],
        name,
      );
    }
  });
});
