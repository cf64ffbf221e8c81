'use strict';
// Users' rights, by the rules of the configuration; and that no message beyond them ever reaches a client, by whatever way it reads.

const assert = require('node:assert/strict');
const http = require('node:http');
const { after, before, describe, test } = require('node:test');
const msgpack = require('@msgpack/msgpack');
const { real } = require('./support/clusters.js');
const { listening, opened, reach } = require('./support/proxy.js');
const { ask, basic, signer, token } = require('./support/proxy-doors.js');
const { random, seed } = require('./support/random.js');
const { eventually } = require('./support/watch.js');
const { PATIENCE } = require('./support/flow.js');
const { Rules } = require('../js/kafka-proxy/dist/doors/rules.js');
const { topicPattern } = require('../js/kafka-proxy/dist/v2/topic-pattern.js');
const { wants } = require('../js/kafka-proxy/dist/rule.js');

const identity = (name, claims = {}, way = 'token') => ({ way, principal: name, name, claims: { sub: name, ...claims } });
const may = (rules, who, access) => new Rules(rules).allow(who, access) !== undefined;
const only = (rules, who, access = { operation: 'read', topic: 'orders' }) => new Rules(rules).allow(who, access)?.only;

test('what no rule grants is forbidden; a rule is for whom it names, by name, way or claim', () => {
  const read = { topics: 'orders', may: 'read' };
  const access = { operation: 'read', topic: 'orders' };
  assert.equal(may([], identity('ali'), access), false);
  const table = [
    ['ali', identity('ali'), true],
    ['ali', identity('Ali'), false],
    ['ali', identity(undefined), false],
    [['bob', 'ali'], identity('ali'), true],
    ['*', identity('eve'), true],
    ['*', identity(undefined), true],
    [{ role: 'admin' }, identity('a', { role: 'admin' }), true],
    [{ role: 'admin' }, identity('a', { role: ['user', 'admin'] }), true],
    [{ role: ['admin', 'root'] }, identity('a', { role: 'root' }), true],
    [{ role: 'admin' }, identity('a', { role: 'administrator' }), false],
    [{ role: 'admin' }, identity('a'), false],
    [{ level: 3 }, identity('a', { level: 3 }), true],
    [{ level: 3 }, identity('a', { level: '3' }), false],
    [{ 'realm.roles': 'x' }, identity('a', { realm: { roles: ['x'] } }), true],
    [{ 'realm.roles': 'x' }, identity('a', { 'realm.roles': 'x' }), true],
    [{ constructor: 'x' }, identity('a'), false],
    [{ a: 1, b: 2 }, identity('a', { a: 1 }), false],
    [{ a: 1, b: 2 }, identity('a', { a: 1, b: 2 }), true],
    [['bob', { a: true }], identity('a', { a: true }), true],
  ];
  for (const [who, somebody, expected] of table) assert.equal(may([{ who, ...read }], somebody, access), expected, JSON.stringify([who, somebody]));
  const ways = (way, somebody) => may([{ who: 'ali', ways: way, ...read }], somebody, access);
  assert.equal(ways('password', identity('ali', {}, 'token')), false);
  assert.equal(ways(['password', 'token'], identity('ali', {}, 'token')), true);
  assert.equal(ways('token', { ...identity('ali', {}, 'ticket'), owner: 'token' }), true, "a ticket is of its owner's way");
});

test('each operation is granted for itself; admin without groups is all of it, and metrics', () => {
  const operations = {
    read: { operation: 'read', topic: 'orders-1' },
    write: { operation: 'write', topic: 'orders-1' },
    group: { operation: 'group', group: 'g-1' },
    admin: { operation: 'admin' },
    reset: { operation: 'admin', group: 'g-1' },
    metrics: { operation: 'metrics' },
  };
  const table = [
    [{ topics: 'orders-*', may: 'read' }, ['read']],
    [{ topics: ['x', 'orders-1'], may: ['read', 'write'] }, ['read', 'write']],
    [{ topics: 'orders', may: ['read', 'write'] }, []],
    [{ topics: 'orders-1x', may: 'read' }, []],
    [{ groups: 'g-*', may: 'group' }, ['group']],
    [{ groups: 'h-*', may: ['group', 'admin'] }, []],
    [{ groups: 'g-*', may: 'admin' }, ['reset']],
    [{ may: 'admin' }, ['admin', 'reset', 'metrics']],
    [{ may: 'metrics' }, ['metrics']],
    [{ topics: '*', groups: '*', may: ['read', 'write', 'group'] }, ['read', 'write', 'group']],
  ];
  for (const [rule, expected] of table) {
    const granted = Object.keys(operations).filter((name) => may([{ who: '*', ...rule }], identity('ali'), operations[name]));
    assert.deepEqual(granted, expected, JSON.stringify(rule));
  }
});

test('conditions become rules of messages: of several grants any will do, and one without a condition is all', () => {
  const rule = (when, more = {}) => ({ who: '*', topics: 'orders', may: ['read', 'write'], when, ...more });
  const ali = identity('ali', {
    tenant: ['blue', 'red'],
    level: 7,
    empty: '',
    none: [],
    object: {},
    mixed: ['a', {}],
    long: 2 ** 60,
    half: '\ud800',
    flag: true,
  });
  assert.deepEqual(only([rule('key == claims.sub')], ali), { key: ['ali'] });
  assert.deepEqual(only([rule(["key=='x'", '  headers.tenant-id  ==  claims.tenant '])], ali), {
    all: [{ key: ['x'] }, { header: 'tenant-id', is: ['blue', 'red'] }],
  });
  assert.deepEqual(only([rule('key == "it\'s"')], ali), { key: ["it's"] });
  assert.deepEqual(only([rule('key == claims.level')], ali), { key: ['7'] });
  assert.deepEqual(only([rule('key == claims.sub'), rule("key == 'x'")], ali), { any: [{ key: ['ali'] }, { key: ['x'] }] });
  assert.equal(only([rule('key == claims.sub'), rule(undefined)], ali), undefined);
  assert.equal(may([rule('key == claims.sub'), rule(undefined)], ali, { operation: 'read', topic: 'orders' }), true);
  // A claim that is not known for certain grants nothing.
  for (const claim of ['missing', 'empty', 'none', 'object', 'mixed', 'long', 'half', 'flag', 'constructor', '__proto__', 'sub.length'])
    assert.equal(may([rule(`key == claims.${claim}`)], ali, { operation: 'read', topic: 'orders' }), false, claim);
  assert.deepEqual(only([rule('key == claims.missing'), rule("key == 'x'")], ali), { key: ['x'] });
});

test('what is wrong in a rule is named by its path', () => {
  const good = { who: '*', topics: 'orders', may: 'read' };
  const wrong = [
    ['x', /rules must be an array/],
    [[{ ...good }, 7], /rules\[1\] must be an object/],
    [[{ ...good, whom: 'x' }], /rules\[0\]\.whom is nothing that a rule has/],
    [[{ ...good, who: undefined }], /rules\[0\]\.who must say for whom/],
    [[{ ...good, who: [''] }], /rules\[0\]\.who\[0\] must be a name/],
    [[{ ...good, who: 7 }], /rules\[0\]\.who must be a name/],
    [[{ ...good, who: {} }], /rules\[0\]\.who must be a name/],
    [[{ ...good, who: { role: [] } }], /rules\[0\]\.who must be a name/],
    [[{ ...good, who: { role: {} } }], /rules\[0\]\.who must be a name/],
    [[{ ...good, ways: 'ticket' }], /rules\[0\]\.ways must be one of none, secret/],
    [[{ ...good, may: 'delete' }], /rules\[0\]\.may must be one of read/],
    [[{ ...good, may: undefined }], /rules\[0\]\.may must say/],
    [[{ ...good, may: ['read', 'x'] }], /rules\[0\]\.may\[1\] must be one of/],
    [[{ ...good, topics: [] }], /rules\[0\]\.topics is empty/],
    [[{ ...good, topics: undefined }], /rules\[0\]\.topics must say/],
    [[{ ...good, topics: 'a*b' }], /rules\[0\]\.topics must be a topic's name/],
    [[{ ...good, topics: ['a', 'a/b'] }], /rules\[0\]\.topics\[1\] must be/],
    [[{ ...good, topics: 'a**' }], /rules\[0\]\.topics must be/],
    [[{ ...good, groups: 'g' }], /rules\[0\]\.groups are for group and admin/],
    [[{ who: '*', may: 'group' }], /rules\[0\]\.groups must say/],
    [[{ who: '*', may: 'admin', topics: 'x' }], /rules\[0\]\.topics are for read and write/],
    [[{ ...good, when: 'key = claims.sub' }], /rules\[0\]\.when must be such as/],
    [[{ ...good, when: ['key == claims.sub', 'value == claims.sub'] }], /rules\[0\]\.when\[1\] must be/],
    [[{ ...good, when: 'key == claims.sub || true' }], /rules\[0\]\.when must be/],
    [[{ ...good, when: "key == ''" }], /rules\[0\]\.when must be/],
    [[{ ...good, when: 'key == claims.' }], /rules\[0\]\.when must be/],
    [[{ ...good, may: ['read', 'admin'], when: 'key == claims.sub' }], /rules\[0\]\.when is about messages/],
    [[{ who: '*', may: 'metrics', when: "key == 'x'" }], /rules\[0\]\.when is about messages/],
  ];
  for (const [rules, message] of wrong) assert.throws(() => new Rules(rules), { name: 'TypeError', message }, JSON.stringify(rules));
});

test('a pattern is granted only where every topic that it fits is', () => {
  const next = random(seed);
  const below = (count) => Math.floor(next() * count);
  const letters = ['a', 'b', '.', '-', '_'];
  const text = (most) => Array.from({ length: below(most + 1) }, () => letters[below(letters.length)]).join('');
  const pattern = () => Array.from({ length: below(4) + 1 }, () => text(2)).join('*') || '*';
  let granted = 0;
  let fits = 0;
  for (let round = 0; round < 4000; round++) {
    const rules = Array.from({ length: below(3) + 1 }, () => ({
      who: '*',
      may: 'read',
      topics: Array.from({ length: below(3) + 1 }, () => `${text(2)}${below(2) ? '*' : ''}` || 'a'),
      ...(below(3) === 0 && { when: `key == '${text(1) || 'x'}'` }),
    }));
    const all = new Rules(rules);
    const glob = pattern();
    const permission = all.allow(identity('ali'), { operation: 'read', pattern: glob });
    if (!permission) continue;
    granted++;
    const expression = topicPattern(glob);
    // Topics that fit it, of its parts and whatever lies between; and some that may.
    const parts = glob.split('*');
    const topics = [
      ...Array.from({ length: 20 }, () => parts.reduce((name, part) => `${name}${text(3)}${part}`)),
      ...Array.from({ length: 20 }, () => text(6)),
    ];
    for (const topic of topics.filter((each) => each !== '' && expression.test(each))) {
      fits++;
      const own = all.allow(identity('ali'), { operation: 'read', topic });
      assert.ok(own, `${glob} is granted, and ${topic} is not: ${JSON.stringify(rules)}, seed ${seed}`);
      // Nor does the pattern give messages that the topic's own name does not.
      for (const key of ['x', ...letters]) {
        const wanted = ({ only }) => !only || wants(only, { key, value: '' });
        if (wanted(permission)) assert.ok(wanted(own), `${glob} gives ${key} of ${topic}: ${JSON.stringify(rules)}, seed ${seed}`);
      }
    }
  }
  assert.ok(granted > 100 && fits > 1000, `${granted} patterns, ${fits} topics`);
});

describe('no message outside the condition reaches the client', () => {
  /** @type {any} */ let cluster;
  /** @type {any} */ let proxy;
  const mine = signer('ES256');
  const TENANTS = ['blue', 'red'];
  /** @type {string} */ let topic;
  /** @type {string} */ let prefix;
  const everything = [];

  before(async () => {
    cluster = await real();
    prefix = `ruled-${process.pid}-${Date.now()}`;
    topic = `${prefix}-orders`;
    await cluster.admin.createTopic(topic, { partitions: 1, replication: 1, config: { 'cleanup.policy': 'compact' } });
    proxy = await listening(
      { after: () => {} },
      {
        host: '127.0.0.1',
        kafka: reach(cluster),
        jwt: { key: mine.pem },
        users: { root: 'r00t-password' },
        rules: [
          { who: 'root', ways: 'password', topics: '*', groups: '*', may: ['read', 'write', 'group', 'admin'] },
          { who: { role: 'reader' }, topics: `${prefix}*`, groups: 'mine-*', may: ['read', 'write', 'group'], when: 'headers.tenant == claims.tenant' },
          {
            who: { role: 'owner' },
            topics: topic,
            groups: ['mine-*', 'default'],
            may: ['read', 'write', 'group'],
            when: ['key == claims.sub', 'headers.tenant == claims.tenant'],
          },
        ],
      },
    );
    const root = await opened(proxy.url, ['kafka.v2.json'], { headers: { authorization: basic('root', 'r00t-password') } });
    const messages = [];
    for (let i = 0; i < 60; i++) {
      const tenant = [...TENANTS, undefined][i % 3];
      messages.push({ key: ['ali', 'bob', 'eve', 'ann'][i % 4], value: `${tenant} ${i}`, headers: { ...(tenant && { tenant }), i: String(i) } });
    }
    await eventually(PATIENCE, 'the topic takes messages', async () => {
      root.send(JSON.stringify({ type: 'produce', id: 'x', topic, messages: [] }));
      return (await root.hears(({ id }) => id === 'x')).type === 'produced';
    });
    root.send(JSON.stringify({ type: 'produce', id: 1, topic, messages }));
    const { results } = await root.hears(({ id }) => id === 1);
    assert.ok(results.every(({ offset }) => offset >= 0));
    everything.push(...messages);
    root.close();
  });
  after(async () => {
    await proxy?.proxy.close();
    await cluster?.close();
  });

  /** A socket of somebody with these claims. */
  const open = (claims, protocols = ['kafka.v2.json']) => opened(proxy.url, [...protocols, `bearer.${token(mine, claims)}`]);
  const blue = { role: 'reader', tenant: 'blue' };
  const values = (batches) => batches.flatMap(({ records }) => records.map(({ value }) => value));
  /** All that it was sent of messages. */
  const heard = (client) => client.heard.map((each) => JSON.parse(each)).filter(({ type }) => type === 'batch');
  const wanted = () => everything.filter(({ headers }) => headers.tenant === 'blue').map(({ value }) => value);
  const foreign = (client) => client.heard.filter((each) => /"(red|undefined) \d|tenant":"red/.test(each));

  test('without a group: the past, what is live, a seek, a wish of its own that wants all, and a pattern', async () => {
    const client = await open(blue);
    const wishes = {
      past: { topics: [topic], from: 'earliest' },
      pattern: { pattern: `${prefix}*s`, from: 'earliest' },
      all: { topics: [topic], from: 'earliest', only: { any: [{ header: 'tenant', is: 'red' }, { not: { header: 'tenant', is: 'x' } }] } },
      red: { topics: [topic], from: 'earliest', only: { header: 'tenant', is: 'red' } },
      bytes: { topics: [topic], from: 'earliest', credit: { messages: 1000, bytes: 500 } },
    };
    for (const [id, wish] of Object.entries(wishes)) client.send(JSON.stringify({ type: 'subscribe', id, ...wish }));
    for (let more = 0; more < 20; more++) client.send(JSON.stringify({ type: 'credit', id: 'bytes', bytes: 500 }));
    const { offset } = JSON.parse(client.heard.find((each) => each.includes('assigned')) ?? '{"offset":0}');
    assert.equal(offset ?? 0, 0);
    for (const id of ['past', 'pattern', 'all', 'bytes'])
      await eventually(PATIENCE, id, () => values(heard(client).filter((each) => each.id === id)).length >= wanted().length);
    client.send(JSON.stringify({ type: 'seek', id: 'past', topic, partition: 0, offset: 1 }));
    client.send(JSON.stringify({ type: 'produce', id: 'own', topic, messages: [{ key: 'ali', value: 'blue live', headers: { tenant: 'blue' } }] }));
    assert.equal((await client.hears(({ id, type }) => id === 'own' && type !== 'batch')).type, 'produced');
    for (const id of ['past', 'pattern', 'all'])
      await client.hears((each) => each.type === 'batch' && each.id === id && each.records.some(({ value }) => value === 'blue live'));
    assert.deepEqual(foreign(client), []);
    assert.deepEqual(values(heard(client).filter(({ id }) => id === 'red')), []);
    everything.push({ key: 'ali', value: 'blue live', headers: { tenant: 'blue' } });
    client.close();
  });

  test('in msgpack', async () => {
    const client = await open(blue, ['kafka.v2.msgpack']);
    const frames = [];
    client.on('message', (data) => frames.push(msgpack.decode(data)));
    client.send(msgpack.encode({ type: 'subscribe', id: 1, topics: [topic], from: 'earliest', value: 'text' }));
    await eventually(PATIENCE, 'all of it', () => values(frames.filter(({ type }) => type === 'batch')).length >= wanted().length);
    assert.deepEqual(values(frames.filter(({ type }) => type === 'batch')).sort(), wanted().sort());
    client.close();
  });

  test('in a group: what is left out does not hold up acknowledgements and commits, and the group goes on behind it', async () => {
    const group = `mine-${process.pid}`;
    const subscribe = (wish = { topics: [topic] }) => JSON.stringify({ type: 'subscribe', id: 'g', group, from: 'earliest', credit: { messages: 7 }, ...wish });
    const client = await open(blue);
    client.send(subscribe());
    for (let seen = 0; seen < wanted().length; ) {
      const batches = heard(client);
      const records = batches.flatMap((each) => each.records);
      if (records.length === seen) {
        await eventually(PATIENCE, `message ${seen}`, () => heard(client).flatMap((each) => each.records).length > seen);
        continue;
      }
      seen = records.length;
      client.send(JSON.stringify({ type: 'ack', id: 'g', topic, partition: 0, offset: records.at(-1).offset }));
      client.send(JSON.stringify({ type: 'credit', id: 'g', messages: 7 }));
    }
    const last = heard(client)
      .flatMap((each) => each.records)
      .at(-1).offset;
    await client.hears(({ type, offset }) => type === 'committed' && offset === last);
    assert.deepEqual(values(heard(client)), wanted());
    assert.deepEqual(foreign(client), []);
    client.send('{"type":"unsubscribe","id":"g"}');
    await client.hears(({ type }) => type === 'unsubscribed');
    // Another of the same group, by a pattern: nothing comes again.
    client.send(JSON.stringify({ type: 'produce', id: 'p', topic, messages: [{ key: 'bob', value: 'blue later', headers: { tenant: 'blue' } }] }));
    await client.hears(({ id, type }) => id === 'p' && type === 'produced');
    everything.push({ key: 'bob', value: 'blue later', headers: { tenant: 'blue' } });
    const next = await open(blue);
    next.send(subscribe({ pattern: `${prefix}-*` }));
    await next.hears(({ type }) => type === 'batch');
    assert.deepEqual(values(heard(next)), ['blue later']);
    next.close();
    client.close();
  });

  test('in a table, of its entries and of what changes', async () => {
    const client = await open({ ...blue, role: 'owner', sub: 'ali' });
    client.send(JSON.stringify({ type: 'subscribe', id: 't', topics: [topic], table: true }));
    await client.hears(({ type }) => type === 'caughtUp');
    const now = await open(blue);
    const write = (id, messages) => now.send(JSON.stringify({ type: 'produce', id, topic, messages }));
    write('a', [
      { key: 'eve', value: 'blue eve', headers: { tenant: 'blue' } },
      { key: 'ali', value: 'blue ali', headers: { tenant: 'blue' } },
    ]);
    await now.hears(({ id, type }) => id === 'a' && type === 'produced');
    everything.push({ key: 'eve', value: 'blue eve', headers: { tenant: 'blue' } }, { key: 'ali', value: 'blue ali', headers: { tenant: 'blue' } });
    await client.hears(({ type, records }) => type === 'batch' && records.some(({ value }) => value === 'blue ali'));
    for (const { records } of heard(client)) for (const { key, headers } of records) assert.deepEqual([key, headers.tenant], ['ali', 'blue']);
    client.close();
    now.close();
  });

  test('in the protocol of 1.0', async () => {
    const client = await opened(`${proxy.url}/?topic=${topic}&offset=0`, [], {
      headers: { authorization: `Bearer ${token(mine, { ...blue, role: 'owner', sub: 'ali' })}` },
    });
    const expected = everything.filter(({ key, headers }) => key === 'ali' && headers.tenant === 'blue').map(({ value }) => value);
    const all = () => client.heard.flatMap((each) => JSON.parse(each)).map(({ message }) => message);
    await eventually(PATIENCE, 'all of it', () => all().length >= expected.length);
    assert.deepEqual(all(), expected);
    client.close();
  });

  test('by HTTP: a page of messages, and events', async () => {
    const authorization = `Bearer ${token(mine, { ...blue, role: 'owner', sub: 'ali' })}`;
    const expected = everything.filter(({ key, headers }) => key === 'ali' && headers.tenant === 'blue').map(({ value }) => value);
    const { status, body } = await ask({ port: proxy.port, path: `/topics/${topic}/messages?from=earliest&limit=1000`, headers: { authorization } });
    assert.equal(status, 200, body);
    assert.deepEqual(
      JSON.parse(body).messages.map(({ value }) => value),
      expected,
    );
    const events = await new Promise((resolve, reject) => {
      const request = http.get(
        { port: proxy.port, host: '127.0.0.1', agent: false, path: `/topics/${topic}/events?from=earliest`, headers: { authorization } },
        (response) => {
          let text = '';
          response
            .setEncoding('utf8')
            .on('data', (chunk) => {
              text += chunk;
              if (!expected.every((value) => text.includes(`"${value}"`))) return;
              request.destroy();
              resolve(text);
            })
            .on('error', () => {});
        },
      );
      request.on('error', reject);
    });
    for (const { value } of everything.filter((each) => !expected.includes(each.value))) assert.ok(!events.includes(`"${value}"`), value);
    assert.equal((await ask({ port: proxy.port, path: '/topics/other/messages', headers: { authorization } })).status, 403);
    const written = await ask({
      port: proxy.port,
      method: 'POST',
      path: `/topics/${topic}/messages`,
      headers: { authorization, 'content-type': 'application/json' },
      body: JSON.stringify({ messages: [{ key: 'bob', value: 'x', headers: { tenant: 'blue' } }] }),
    });
    assert.equal(written.status, 403, written.body);
    const topics = JSON.parse((await ask({ port: proxy.port, path: '/topics', headers: { authorization } })).body).topics;
    assert.deepEqual(
      topics.map((each) => each.topic),
      [topic],
      'only what may be read is listed',
    );
  });

  test('nor is one written that it does not allow, not one of several, nor with a second value of the header', async () => {
    const client = await open({ ...blue, role: 'owner', sub: 'ali' });
    const good = { key: 'ali', value: 'x', headers: { tenant: 'blue' } };
    const wrong = {
      'another key': [{ ...good, key: 'bob' }],
      'no key': [{ ...good, key: null }],
      'another tenant': [{ ...good, headers: { tenant: 'red' } }],
      'no header': [{ key: 'ali', value: 'x' }],
      'one of two': [good, { ...good, key: 'bob' }],
      'two tenants': [{ ...good, headers: { tenant: ['blue', 'red'] } }],
      'two tenants, the other first': [{ ...good, headers: { tenant: ['red', 'blue'] } }],
      'the same header as bytes': [{ ...good, headersBase64: { tenant: Buffer.from('red').toString('base64') } }],
      'a tombstone': [{ ...good, key: 'bob', value: null }],
      'no value of the header': [{ ...good, headers: { tenant: null } }],
      'no values of the header': [{ ...good, headers: { tenant: [] } }],
      'another case': [{ ...good, headers: { Tenant: 'blue' } }],
    };
    for (const [name, messages] of Object.entries(wrong)) {
      client.send(JSON.stringify({ type: 'produce', id: name, topic, messages }));
      const { type, code } = await client.hears(({ id }) => id === name);
      assert.deepEqual([type, code], ['error', 'FORBIDDEN'], name);
    }
    const { status, body } = await ask({ port: proxy.port, path: '/whoami', headers: { authorization: `Bearer ${token(mine, blue)}` } });
    assert.equal(status, 200);
    assert.deepEqual((({ admin, metrics }) => ({ admin, metrics }))(JSON.parse(body)), { admin: false, metrics: false });
    client.close();
  });

  test('other topics, groups and patterns are forbidden, and so is everything without the claim', async () => {
    const table = [
      [blue, { topics: ['other'] }],
      [blue, { topics: [topic, 'other'] }],
      [blue, { pattern: `${prefix.slice(0, -1)}*` }],
      [blue, { pattern: '*' }],
      [blue, { pattern: `*${topic}` }],
      [blue, { topics: [topic], group: 'theirs' }],
      [{ role: 'owner', tenant: 'blue' }, { pattern: `${topic}*` }],
      [{ role: 'reader' }, { topics: [topic] }],
      [{ role: 'reader', tenant: {} }, { topics: [topic] }],
      [{ tenant: 'blue' }, { topics: [topic] }],
      [{ sub: 'root' }, { topics: [topic] }],
    ];
    for (const [claims, wish] of table) {
      const client = await open(claims);
      client.send(JSON.stringify({ type: 'subscribe', id: 1, from: 'earliest', ...wish, ...('group' in wish && { from: 'earliest' }) }));
      const { type, code } = await client.hears(({ id }) => id === 1);
      assert.deepEqual([type, code], ['error', 'FORBIDDEN'], JSON.stringify([claims, wish]));
      client.close();
    }
  });
});

test('rules and authorize must both say yes', async (t) => {
  const asked = [];
  const { url } = await listening(t, {
    host: '127.0.0.1',
    users: { ali: 'open-sesame' },
    rules: [{ who: 'ali', topics: ['a', 'b'], may: 'write' }],
    authorize: (_, access) => {
      asked.push(access.topic);
      return access.topic !== 'b';
    },
  });
  const client = await opened(url, ['kafka.v2.json'], { headers: { authorization: basic('ali', 'open-sesame') } });
  for (const topic of ['b', 'c']) {
    client.send(JSON.stringify({ type: 'produce', id: topic, topic, messages: [{ value: 'x' }] }));
    assert.equal((await client.hears(({ id }) => id === topic)).code, 'FORBIDDEN');
  }
  assert.deepEqual(asked, ['b'], 'what rules forbid is not asked');
  client.close();
});
