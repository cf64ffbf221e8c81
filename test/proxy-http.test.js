'use strict';
// The proxy's HTTP: topics, groups and their offsets, pages of other origins, and those who ask nonsense.

const assert = require('node:assert/strict');
const net = require('node:net');
const { after, before, test } = require('node:test');
const { Kafka } = require('kafka-native');
const { KafkaProxy } = require('kafka-proxy');
const { Shared } = require('../js/kafka-proxy/dist/shared.js');
const { cleanup } = require('./support/cleanup.js');
const { embedded, real, topicName } = require('./support/clusters.js');
const { PATIENCE, silent, within } = require('./support/flow.js');
const { knock, listening, reach } = require('./support/proxy.js');
const { adminOf, asking, producerOf, proxyOf } = require('./support/proxy-http.js');
const { Peer } = require('./support/proxy-peer.js');
const { random, seed } = require('./support/random.js');
const { eventually } = require('./support/watch.js');

let cluster;
before(async () => (cluster = await real()));
after(() => cluster?.close());

/** A consumer that is in its group and has partitions. */
async function member(t, groupId, topic, options = {}) {
  const consumer = new Kafka({ ...reach(cluster), clientId: 'a-client', logger: silent }).consumer({ groupId, ...options });
  cleanup(t, () => consumer.disconnect());
  await consumer.connect();
  await consumer.subscribe({ topic, fromBeginning: true });
  let count = 0;
  await consumer.run({ eachMessage: async () => void count++ });
  return {
    consumer,
    read: (wanted) =>
      eventually(
        PATIENCE,
        () => `${count} of ${wanted}`,
        () => count >= wanted,
      ),
  };
}

test("a topic has what Kafka says of it; Kafka's own are shown when they are asked for", async (t) => {
  const topic = await cluster.topic(2);
  const { ask } = await proxyOf(t, cluster);
  const producer = await producerOf(t, cluster);
  const admin = await adminOf(t, cluster);
  await producer.send({ topic, messages: Array.from({ length: 10 }, (_, i) => ({ partition: 1, value: String(i) })) });
  await admin.deleteTopicRecords({ topic, partitions: [{ partition: 1, offset: '4' }] });
  await admin.setOffsets({ groupId: topicName('group'), topic, partitions: [{ partition: 0, offset: '0' }] });
  const detail = (await ask(`/topics/${topic}`)).json();
  assert.equal(detail.messages, 6);
  assert.deepEqual(
    detail.details.map(({ partition, low, end, leader, isr }) => [partition, low, end, leader >= 0, isr.length]),
    [
      [0, 0, 0, true, 1],
      [1, 4, 10, true, 1],
    ],
  );
  const names = async (query) => (await ask(`/topics${query}`)).json().topics.map((each) => each.topic);
  assert.ok(!(await names('')).includes('__consumer_offsets'));
  assert.ok((await names('?internal=true')).includes('__consumer_offsets'));
  assert.equal((await ask('/topics', { method: 'HEAD' })).text, '');
});

for (const groupProtocol of /** @type {const} */ (['classic', 'consumer'])) {
  test(`a group of the ${groupProtocol} protocol: members, lag, and its offsets set when they have gone`, async (t) => {
    const topic = await cluster.topic(3);
    const group = topicName('a/group %');
    const path = `/groups/${encodeURIComponent(group)}`;
    const { ask, post, lines } = await proxyOf(t, cluster, {
      users: { ali: 'open-sesame' },
      authorize: (who, { operation, group: asked }) => who === 'ali' && (operation !== 'admin' || asked === group),
    });
    const headers = { authorization: `Basic ${Buffer.from('ali:open-sesame').toString('base64')}` };
    const look = async (where = path) => (await ask(where, { headers })).json();
    const producer = await producerOf(t, cluster);
    const admin = await adminOf(t, cluster);
    await producer.send({
      topic,
      messages: Array.from({ length: 30 }, (_, i) => ({ partition: i % 2, value: String(i), timestamp: String(1_700_000_000_000 + i) })),
    });
    assert.equal((await look()).code, 'GROUP_ID_NOT_FOUND');
    const { consumer, read } = await member(t, group, topic, { groupProtocol });
    await read(30);
    const described = await eventually(PATIENCE, 'it has partitions', async () => {
      const now = await look();
      return now.assignments?.[0]?.partitions.length === 3 && now;
    });
    assert.deepEqual([described.state, described.members, described.assignments[0].client], ['Stable', 1, 'a-client']);
    assert.match(described.assignments[0].host, /^[\d.]+$/);
    assert.deepEqual(
      described.assignments[0].partitions,
      [0, 1, 2].map((partition) => ({ topic, partition })),
    );
    assert.deepEqual(
      described.offsets.map(({ partition, member: who }) => [partition, who === described.assignments[0].member]),
      [
        [0, true],
        [1, true],
        [2, true],
      ],
    );
    assert.ok((await look('/groups')).groups.some((each) => each.group === group && each.state === 'Stable' && each.members === 1));

    const set = (body) => post(`${path}/offsets`, { topic, ...body }, headers);
    for (const dryRun of [true, false]) {
      const refused = await set({ to: 'earliest', dryRun });
      assert.deepEqual([refused.status, refused.json().code], [409, 'NON_EMPTY_GROUP']);
      assert.match(refused.json().message, /stop its consumers/);
    }
    await consumer.disconnect();
    await eventually(PATIENCE, 'it is empty', async () => (await look()).state === 'Empty');
    assert.deepEqual(
      (await look()).offsets.filter(({ offset }) => offset !== null).map(({ partition, offset, lag }) => [partition, offset, lag]),
      [
        [0, 15, 0],
        [1, 15, 0],
      ].concat((await look()).offsets.length > 2 ? [[2, 0, 0]] : []),
    );

    const committed = async () => {
      const [fetched] = await admin.fetchOffsets({ groupId: group, topics: [topic] });
      return fetched.partitions.map(({ offset }) => Number(offset));
    };
    const of = (answer) => {
      assert.equal(answer.status, 200, answer.text);
      return answer.json().offsets.map(({ partition, offset, wanted }) => (wanted === undefined ? [partition, offset] : [partition, offset, wanted]));
    };
    const before = await committed();
    assert.deepEqual(of(await set({ to: 'earliest', dryRun: true })), [
      [0, 0],
      [1, 0],
      [2, 0],
    ]);
    assert.deepEqual(await committed(), before, 'a dry run sets nothing');
    const shifted = await set({ to: { by: -5 }, partitions: [0, 1] });
    assert.deepEqual(of(shifted), [
      [0, 10],
      [1, 10],
    ]);
    assert.deepEqual(
      shifted.json().offsets.map(({ before: was }) => was),
      [15, 15],
    );
    assert.deepEqual(await committed(), [10, 10, before[2]]);
    assert.equal((await look()).lag, 10);
    assert.deepEqual(of(await set({ to: { by: 1000 }, partitions: [0] })), [[0, 15, 1010]]);
    assert.deepEqual(of(await set({ to: { timestamp: 1_700_000_000_020 } })), [
      [0, 10],
      [1, 10],
      [2, 0],
    ]);
    assert.deepEqual(
      of(
        await set({
          to: {
            offsets: [
              { partition: 1, offset: 7 },
              { partition: 0, offset: 99 },
            ],
          },
        }),
      ),
      [
        [1, 7],
        [0, 15, 99],
      ],
    );
    assert.deepEqual(await committed(), [15, 7, 0]);
    assert.deepEqual(of(await set({ to: 'latest' })), [
      [0, 15],
      [1, 15],
      [2, 0],
    ]);
    assert.deepEqual(of(await set({ to: 'earliest', partitions: [2, 2] })), [[2, 0]]);
    await lines.until(([level, line]) => level === 'info' && /"event":"admin".*"name":"ali"/.test(line));

    for (const [status, body] of /** @type {[number, object][]} */ ([
      [400, {}],
      [400, { to: 'end' }],
      [400, { to: {} }],
      [400, { to: { by: 0.5 } }],
      [400, { to: { timestamp: -1 } }],
      [400, { to: { offsets: [] } }],
      [
        400,
        {
          to: {
            offsets: [
              { partition: 0, offset: 1 },
              { partition: 0, offset: 2 },
            ],
          },
        },
      ],
      [400, { to: { offsets: [{ partition: 0, offset: 1 }] }, partitions: [0] }],
      [400, { to: 'earliest', partitions: [] }],
      [400, { to: 'earliest', partitions: [-1] }],
      [400, { to: 'earliest', dry: true }],
      [400, { to: 'earliest', topic: 'a b' }],
      [404, { to: 'earliest', partitions: [9] }],
      [404, { to: 'earliest', topic: 'no-such-topic' }],
    ])) {
      const answer = await set(body);
      assert.equal(answer.status, status, `${JSON.stringify(body)}: ${answer.text}`);
    }
    assert.deepEqual(await committed(), [15, 15, 0], 'what was refused has set nothing');
    assert.equal((await post('/groups/another/offsets', { topic, to: 'earliest' }, headers)).status, 403);
    assert.equal((await post(`${path}/offsets`, { topic, to: 'earliest' })).status, 401);
  });
}

test('a group of others, whose assignments are not as consumers have them, is shown without these', async (t) => {
  const { ask } = await proxyOf(t, cluster);
  const member = { memberId: 'm', clientId: 'c', clientHost: '/127.0.0.1', memberAssignment: Buffer.from('{"connector":1}'), memberMetadata: Buffer.alloc(0) };
  t.mock.method(Shared.prototype, 'admin', async () => ({
    describeGroups: async () => ({ groups: [{ groupId: 'connect', state: 'Stable', protocolType: 'connect', protocol: 'default', members: [member] }] }),
    fetchOffsets: async () => [],
  }));
  const { status, json } = await ask('/groups/connect');
  assert.equal(status, 200);
  assert.deepEqual(json().assignments, [{ member: 'm', client: 'c', host: '127.0.0.1', partitions: [] }]);
});

test('while a partition has no leader, its group is told with what is known, and its offsets are set where they can be, or nowhere', async (t) => {
  const mock = await embedded();
  cleanup(t, () => mock.close());
  const topic = await mock.topic(3);
  const group = topicName('group');
  const admin = await adminOf(t, mock);
  // The embedded cluster describes no groups, and tells offsets of named topics alone.
  const admins = Object.getPrototypeOf(admin);
  const { fetchOffsets } = admins;
  t.mock.method(admins, 'fetchOffsets', function (request) {
    return fetchOffsets.call(this, { topics: [topic], ...request });
  });
  t.mock.method(admins, 'describeGroups', async () => ({ groups: [{ groupId: group, state: 'Empty', protocolType: 'consumer', protocol: '', members: [] }] }));
  const { ask, post } = await proxyOf(t, mock);
  const producer = await producerOf(t, mock);
  await producer.send({ topic, messages: [0, 1, 2].map((partition) => ({ partition, value: 'x', timestamp: '1700000000000' })) });
  const set = (body) => post(`/groups/${group}/offsets`, { topic, ...body });
  const look = async () => {
    const { lag, offsets } = (await ask(`/groups/${group}`)).json();
    return [lag, ...offsets.map((each) => [each.offset, each.low, each.end, each.lag])];
  };
  assert.equal((await set({ to: 'earliest' })).status, 200);
  assert.deepEqual(await look(), [3, [0, 0, 1, 1], [0, 0, 1, 1], [0, 0, 1, 1]]);

  mock.mock.setLeader(topic, 1, -1);
  assert.deepEqual(await look(), [null, [0, 0, 1, 1], [0, null, null, null], [0, 0, 1, 1]]);
  const every = [
    { to: 'latest' },
    { to: 'latest', dryRun: true },
    { to: { timestamp: 1_800_000_000_000 } },
    { to: { by: 1 } },
    { to: { offsets: [0, 1].map((partition) => ({ partition, offset: 1 })) } },
  ];
  for (const body of every) {
    const refused = await set(body);
    assert.deepEqual([refused.status, refused.json().code, refused.json().retriable], [503, 'LEADER_NOT_AVAILABLE', true], refused.text);
    assert.match(refused.json().message, /have no leader now.*: 1\. Nothing is set/);
  }
  assert.deepEqual(
    (await look()).slice(1).map(([offset]) => offset),
    [0, 0, 0],
  );
  for (const [partition, to] of /** @type {[number, unknown][]} */ ([
    [0, 'latest'],
    [2, { timestamp: 1_800_000_000_000 }],
  ])) {
    const done = await set({ to, partitions: [partition] });
    assert.deepEqual([done.status, done.json().offsets], [200, [{ partition, before: 0, offset: 1 }]], done.text);
  }
  assert.equal((await set({ to: 'latest', partitions: [7] })).status, 404);

  mock.mock.setLeader(topic, 1, 1);
  assert.deepEqual(await look(), [1, [1, 0, 1, 0], [0, 0, 1, 1], [1, 0, 1, 0]]);
  assert.equal((await set({ to: 'latest' })).status, 200);
});

test("the proxy's own groups are groups as others: a member is there, and its offsets stay", async (t) => {
  const topic = await cluster.topic(2);
  const group = topicName('own');
  const { ask, post, url } = await proxyOf(t, cluster);
  assert.equal(
    (
      await post(`/topics/${topic}/messages`, {
        messages: [
          { value: 'a', partition: 0 },
          { value: 'b', partition: 0 },
        ],
      })
    ).status,
    200,
  );
  const peer = await Peer.open(url);
  peer.say({ type: 'subscribe', id: 1, topics: [topic], group, from: 'earliest' });
  await peer.got(1, 2);
  await peer.ask({ type: 'ack', id: 1, topic, partition: 0, offset: 0 }, 'committed');
  const now = await eventually(PATIENCE, 'it is committed', async () => {
    const detail = (await ask(`/groups/${group}`)).json();
    return detail.offsets?.[0]?.offset === 1 && detail;
  });
  assert.deepEqual([now.state, now.members, now.lag], ['Stable', 1, 1]);
  assert.equal((await post(`/groups/${group}/offsets`, { topic, to: 'earliest' })).status, 409);
  // The group is made by who sets its offsets, too.
  const made = topicName('made');
  assert.equal((await post(`/groups/${made}/offsets`, { topic, to: 'latest' })).status, 200);
  assert.deepEqual(
    (await ask(`/groups/${made}`)).json().offsets.map(({ offset, lag }) => [offset, lag]),
    [
      [2, 0],
      [0, 0],
    ],
  );
  await peer.close();
});

test('a page of an origin that may is answered as browsers want it; others are refused, those that do not say who they are, too', async (t) => {
  const path = '/topics';
  const preflight = {
    origin: 'https://app.example',
    'access-control-request-method': 'POST',
    'access-control-request-headers': 'authorization, kafka-header-x',
  };
  const named = asking(`http://127.0.0.1:${(await listening(t, { origins: ['https://app.example'], auth: 'secret' })).port}`);
  const offered = await named.ask('/topics/x/messages', { method: 'OPTIONS', headers: preflight });
  assert.equal(offered.status, 204);
  const allowed = (headers) => ['allow-origin', 'allow-credentials', 'allow-methods', 'allow-headers'].map((name) => headers.get(`access-control-${name}`));
  assert.deepEqual(allowed(offered.headers), ['https://app.example', 'true', 'GET, HEAD, POST, OPTIONS', 'authorization, kafka-header-x']);
  assert.equal(offered.headers.get('vary'), 'Origin');
  // An unknown user is refused, and the page may read why.
  const unknown = await named.ask(path, { headers: { origin: 'https://app.example' } });
  assert.deepEqual([unknown.status, unknown.headers.get('access-control-allow-origin')], [401, 'https://app.example']);
  for (const init of [
    { headers: { origin: 'https://evil.example', authorization: 'basic secret' } },
    { method: 'OPTIONS', headers: { ...preflight, origin: 'https://evil.example' } },
  ]) {
    const refused = await named.ask(path, init);
    assert.deepEqual([refused.status, refused.headers.get('access-control-allow-origin')], [403, null]);
  }
  const any = asking(`http://127.0.0.1:${(await listening(t, { origins: '*', auth: 'secret' })).port}`);
  assert.deepEqual(
    allowed((await any.ask(path, { method: 'OPTIONS', headers: preflight })).headers).slice(0, 2),
    ['*', null],
    'no passwords of pages that nobody has named',
  );
  const same = await listening(t);
  const own = asking(`http://127.0.0.1:${same.port}`);
  assert.equal(
    (await own.ask(path, { method: 'OPTIONS', headers: { ...preflight, origin: 'http://localhost:3000' } })).headers.get('access-control-allow-credentials'),
    null,
  );
  for (const [status, site, mode, method] of [
    [403, 'cross-site', 'no-cors', 'GET'],
    [403, 'cross-site', 'navigate', 'POST'],
  ]) {
    const answer = await within(
      PATIENCE,
      'an answer',
      () =>
        new Promise((resolve) => {
          const socket = net.connect(same.port, '127.0.0.1', () =>
            socket.write(
              `${method} /topics/x/messages HTTP/1.1\r\nHost: localhost\r\nSec-Fetch-Site: ${site}\r\nSec-Fetch-Mode: ${mode}\r\nContent-Length: 0\r\nConnection: close\r\n\r\n`,
            ),
          );
          let text = '';
          socket.on('data', (data) => (text += data)).on('close', () => resolve(text));
        }),
    );
    assert.match(/** @type {string} */ (answer), new RegExp(`^HTTP/1.1 ${status} `));
  }
});

test('the option http: false answers 426 to everything, and path is where it is', async (t) => {
  const off = asking(`http://127.0.0.1:${(await listening(t, { http: false })).port}`);
  for (const path of ['/', '/topics', '/topics/x/events']) assert.equal((await off.ask(path)).status, 426);
  const below = asking(`http://127.0.0.1:${(await listening(t, { path: '/kafka/' })).port}`);
  for (const [status, path, method = 'GET'] of /** @type {[number, string, string?][]} */ ([
    [200, '/kafka'],
    [200, '/kafka/'],
    [404, '/'],
    [404, '/topics'],
    [404, '/kafkas/topics'],
    [405, '/kafka/topics', 'POST'],
    [204, '/kafka/topics', 'OPTIONS'],
    [404, '/kafka/x', 'OPTIONS'],
    [405, '/kafka/groups/x', 'DELETE'],
  ])) {
    const answer = await below.ask(path, { method });
    assert.equal(answer.status, status, `${method} ${path}`);
    if (status === 405) assert.match(answer.headers.get('allow') ?? '', /OPTIONS/);
  }
  // Where sockets are is told as it is, with the slash.
  for (const path of ['/kafka/', '/kafka', '/', undefined]) {
    const { port } = await listening(t, { path });
    const { socket } = (await asking(`http://127.0.0.1:${port}`).ask(`${(path ?? '').replace(/\/$/, '')}/whoami`)).json();
    assert.equal((await knock(port, { path: socket })).status, 101, path);
  }
  assert.throws(() => new KafkaProxy({ port: 0, brokers: 'x', http: /** @type {any} */ ('no') }), /http must be true or false/);
});

test('Kafka that is away is an error that says so, and nothing waits for it when the proxy ends', async (t) => {
  const { port, proxy } = await listening(t, { closeTimeout: 2000 });
  const asked = ['/topics', '/topics/x', '/topics/x/messages', '/topics/x/events', '/groups', '/groups/x'].map((path) =>
    fetch(`http://127.0.0.1:${port}${path}`).then(
      async (response) => [response.status, (await response.json()).retriable],
      () => [503, true],
    ),
  );
  await new Promise((resolve) => setTimeout(resolve, 100));
  await proxy.close();
  for (const answer of await Promise.all(asked)) assert.deepEqual(answer, [503, true]);
});

test('thousands of hostile requests are answered with errors, and the proxy goes on', async (t) => {
  t.diagnostic(`SEED=${seed}`);
  const chance = random(seed);
  const any = (list) => list[Math.floor(chance() * list.length)];
  const topic = await cluster.topic(1);
  const { ask, port, lines } = await proxyOf(t, cluster, { authorize: () => true });
  const bits = [
    '%',
    '%00',
    '%2F',
    '%2e%2e',
    '..',
    '.',
    '',
    'é',
    '%ff',
    topic,
    'x'.repeat(300),
    '__proto__',
    'constructor',
    '*',
    ':topic',
    ' ',
    '"',
    '<script>',
    '\\',
    ';',
    '%25',
    '0',
    '-1',
    'null',
  ];
  const values = [
    ...bits,
    'earliest',
    'latest',
    'time:',
    'time:1e9',
    '0:',
    '0:1,',
    ':',
    ',',
    '9'.repeat(400),
    '1e3',
    '0x10',
    '-0',
    'NaN',
    '0:1,'.repeat(1000),
    'true',
  ];
  const names = ['from', 'limit', 'partition', 'key', 'value', 'headers', 'lastEventId', 'internal', 'ticket', '__proto__', ''];
  const target = () => {
    const path = any([
      () => `/topics/${any(bits)}`,
      () => `/topics/${any(bits)}/messages`,
      () => `/topics/${any([topic, any(bits)])}/events`,
      () => `/topics/${topic}/messages`,
      () => `/groups/${any(bits)}`,
      () => `/groups/${any(bits)}/offsets`,
      () => `/${any(bits)}/${any(bits)}`,
      () => `//${any(bits)}`,
      () => `http://x/${any(bits)}`,
    ])();
    const query = Array.from({ length: Math.floor(chance() * 4) }, () => `${any(names)}=${any(values)}`).join('&');
    return `${path}?${query}`.replace(/[ \r\n]/g, '+');
  };
  const body = () =>
    any([
      '',
      '{',
      '{}',
      '[]',
      'null',
      '"x"',
      '{"messages":{}}',
      '{"messages":[{}]}',
      '{"records":[{"value":{}}]}',
      '{"topic":"x","to":"earliest"}',
      '{"__proto__":{"messages":[]}}',
      '\0'.repeat(100),
      '{"to":{"offsets":[{}]},"topic":5}',
    ]);
  const types = [
    'application/json',
    'application/x-ndjson',
    'application/octet-stream',
    'application/vnd.kafka.json.v2+json',
    'application/vnd.kafka.binary.v2+json',
    'text/plain',
    '',
    'x'.repeat(500),
  ];
  const statuses = new Map();
  const one = () =>
    within(
      PATIENCE,
      'an answer',
      () =>
        new Promise((resolve) => {
          const content = body();
          const method = any(['GET', 'GET', 'GET', 'POST', 'POST', 'HEAD', 'PUT', 'DELETE', 'OPTIONS', 'PATCH', 'TRACE', 'FOO']);
          const extra = any([
            '',
            '',
            `Last-Event-ID: ${any(values)}\r\n`,
            `Kafka-Partition: ${any(values)}\r\n`,
            'Kafka-Header-: x\r\n',
            'Accept: */*, application/x-ndjson\r\n',
            'Origin: null\r\n',
            'Origin: http://localhost\r\n',
            'Access-Control-Request-Method: \0\r\n',
          ]);
          const text = `${method} ${target()} HTTP/1.1\r\nHost: localhost\r\nContent-Type: ${any(types)}\r\nContent-Length: ${content.length}\r\n${extra}Connection: close\r\n\r\n${content}`;
          const socket = net.connect(port, '127.0.0.1', () => socket.write(Buffer.from(text, any(['utf8', 'latin1']))));
          let answer = '';
          let timer;
          const over = () => {
            clearTimeout(timer);
            socket.destroy();
            const status = /^HTTP\/1\.1 (\d+)/.exec(answer)?.[1] ?? (answer === '' ? 'cut' : answer.slice(0, 30));
            statuses.set(status, (statuses.get(status) ?? 0) + 1);
            resolve(undefined);
          };
          socket
            .on('error', () => {})
            .on('close', over)
            .on('data', (data) => {
              answer += data;
              // An answer that goes on is cut off in the middle.
              if (answer.includes('text/event-stream')) timer ??= setTimeout(over, 5);
            });
          if (chance() < 0.1) setTimeout(() => socket.destroy(), chance() * 20);
        }),
    );
  let left = 2000;
  await Promise.all(
    Array.from({ length: 20 }, async () => {
      while (left-- > 0) await one();
    }),
  );
  t.diagnostic(JSON.stringify(Object.fromEntries(statuses)));
  assert.deepEqual(
    [...statuses.keys()].filter((status) => !/^([24]\d\d|207|cut)$/.test(status)),
    [],
  );
  assert.deepEqual(
    lines.all.filter(([level]) => level === 'error'),
    [],
  );
  assert.equal((await ask(`/topics/${topic}`)).status, 200);
});

test('topics are told to those who may read them, a thousand of them too', async (t) => {
  const prefix = topicName('many');
  const names = Array.from({ length: 1000 }, (_, i) => `${prefix}-${String(i).padStart(4, '0')}`);
  const admin = await adminOf(t, cluster);
  await admin.createTopics({ topics: names.map((topic) => ({ topic, numPartitions: 1 })), waitForLeaders: false, timeout: 60_000 });
  let asked = 0;
  let most = 0;
  const authorize = async (_, { topic }) => {
    most = Math.max(most, ++asked);
    await new Promise(setImmediate);
    asked--;
    return topic?.startsWith(prefix) === true && topic.endsWith('7');
  };
  const { ask } = await proxyOf(t, cluster, { authorize });
  const { topics } = await eventually(PATIENCE, 'all are known', async () => {
    const answer = (await ask('/topics')).json();
    return answer.topics?.length === 100 && answer.topics.every(({ offline }) => offline === 0) && answer;
  });
  assert.deepEqual(
    topics.map(({ topic }) => topic),
    names.filter((name) => name.endsWith('7')),
  );
  const { topic: _, ...rest } = topics[0];
  assert.deepEqual(rest, { partitions: 1, replicas: 1, underReplicated: 0, offline: 0, messages: null, rate: { messages: null, bytes: null } });
  assert.ok(most > 1 && most <= 32, `${most} at the same time`);
  assert.equal((await ask(`/topics/${names[1]}`)).status, 403);
  await eventually(PATIENCE, 'its leader answers', async () => (await ask(`/topics/${names[7]}`)).json().messages === 0);
});
