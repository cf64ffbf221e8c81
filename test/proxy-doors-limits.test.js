'use strict';
// How much somebody may do, who guesses, who is told what happened, and certificates and tickets in detail.

const assert = require('node:assert/strict');
const fs = require('node:fs');
const http = require('node:http');
const path = require('node:path');
const tls = require('node:tls');
const { once } = require('node:events');
const { after, before, test } = require('node:test');
const { makeTls } = require('@kafka-native/kafka-for-tests/tls.js');
const { KafkaProxy } = require('kafka-proxy');
const { cleanup } = require('./support/cleanup.js');
const { embedded } = require('./support/clusters.js');
const { PATIENCE, folder } = require('./support/flow.js');
const { listening, NOBODY, opened, reach } = require('./support/proxy.js');
const { ask, basic, keyServer, now, signer, token } = require('./support/proxy-doors.js');
const { Calls, eventually, witness } = require('./support/watch.js');
const { readConfig } = require('../js/kafka-proxy/dist/config.js');
const { Guesses } = require('../js/kafka-proxy/dist/doors/guesses.js');
const { isLoopback, networkOf } = require('../js/kafka-proxy/dist/doors/network.js');
const { Sockets } = require('../js/kafka-proxy/dist/sockets.js');

/** @type {any} */ let cluster;
/** @type {any} */ let certificates;
before(async () => {
  cluster = await embedded();
  cluster.mock.createTopic('orders', { partitions: 1 });
  const dir = path.join(folder(), 'tls');
  await makeTls(dir);
  certificates = (name) => fs.readFileSync(path.join(dir, name));
});
after(() => cluster?.close());

const users = { ali: 'open-sesame', bob: 'sesame-open' };
const as = (name) => ({ headers: { authorization: basic(name, users[name]) } });
const whoAmI = (port, authorization, more = {}) => ask({ port, path: '/whoami', headers: authorization ? { authorization } : {}, ...more });

test('who writes more messages or bytes a second than a principal may is told so, on all of its sockets, and nobody else', async (t) => {
  for (const [limits, batch, what] of [
    [{ messagesPerSecond: 2 }, Array(200).fill({ value: 'x' }), /2 messages a second/],
    [{ bytesPerSecond: 100 }, [{ value: 'x'.repeat(20_000) }], /100 bytes a second/],
  ]) {
    const { url } = await listening(t, { host: '127.0.0.1', kafka: reach(cluster), users, limits });
    const [one, two, other] = [await opened(url, undefined, as('ali')), await opened(url, undefined, as('ali')), await opened(url, undefined, as('bob'))];
    let id = 0;
    const produce = (client) => {
      client.send(JSON.stringify({ type: 'produce', id: ++id, topic: 'orders', messages: batch }));
      const mine = id;
      return client.hears((message) => message.id === mine);
    };
    assert.equal((await produce(one)).type, 'produced', 'ten seconds at once, and what is in one piece');
    for (const client of [one, two]) {
      const { type, code, message, retriable } = await produce(client);
      assert.deepEqual([type, code, retriable], ['error', 'TOO_MANY_REQUESTS', true]);
      assert.match(message, /** @type {RegExp} */ (what));
    }
    assert.equal((await produce(other)).type, 'produced');
    assert.equal(one.readyState, one.OPEN);
    for (const client of [one, two, other]) client.close();
  }
});

test('more requests of HTTP than a principal may ask are 429, with when to come again', async (t) => {
  const { port } = await listening(t, { host: '127.0.0.1', users, limits: { requestsPerSecond: 1 } });
  const answers = await Promise.all(Array.from({ length: 30 }, () => whoAmI(port, basic('ali', users.ali))));
  const refused = answers.filter(({ status }) => status === 429);
  assert.ok(refused.length >= 1 && refused.length <= 20, `${refused.length} of 30`);
  assert.match(String(refused[0].headers['retry-after']), /^\d+$/);
  assert.equal(JSON.parse(refused[0].body).code, 'TOO_MANY_REQUESTS');
  assert.equal((await whoAmI(port, basic('bob', users.bob))).status, 200);
  assert.equal((await ask({ port, method: 'HEAD', path: '/topics/orders/events', ...as('ali') })).status, 429, 'an answer that goes on is one, too');
  assert.equal((await ask({ port, upgrade: 'kafka.v2.json', ...as('ali') })).status, 101);
});

test('of a large body the first thing that is wrong is told, and no name of a group is kept that there cannot be', async (t) => {
  const { port } = await listening(t);
  const post = (path, type, body) => ask({ port, method: 'POST', path, headers: { 'Content-Type': type }, body });
  const wrong = await post('/topics/orders', 'application/vnd.kafka.json.v2+json', `{"records":[${'0,'.repeat(10_000)}0]}`);
  assert.equal(wrong.status, 400);
  assert.match(wrong.body, /records\.0: /);
  assert.doesNotMatch(wrong.body, /records\.1: /, 'all of a megabyte would take seconds');
  const names = Object.fromEntries(Array.from({ length: 10_000 }, (_, i) => [`name-${i}`, 0]));
  const unknown = await post('/groups/orders/offsets', 'application/json', JSON.stringify(names));
  assert.equal(unknown.status, 400);
  assert.ok(unknown.body.length < 2500, `${unknown.body.length}`);
  for (const group of ['a%00b', 'x'.repeat(256)]) assert.equal((await ask({ port, path: `/groups/${group}/history` })).status, 400, group);
});

test('who guesses waits; a right password from elsewhere comes in, and what is open stays', async (t) => {
  const mine = signer('ES256');
  const { port, url } = await listening(t, { host: '127.0.0.1', users, jwt: { key: mine.pem }, limits: { failedLogins: 3 } });
  const open = await opened(url, undefined, as('ali'));
  for (let i = 0; i < 5; i++) {
    assert.equal((await whoAmI(port)).status, 401, 'who says nothing guesses nothing');
    assert.equal((await whoAmI(port, `Bearer ${token(mine, { exp: now() - 60 })}`)).status, 401, 'an old token is no guess');
  }
  assert.equal((await whoAmI(port, basic('ali', 'wr0ng'))).status, 401);
  assert.equal((await whoAmI(port, `Bearer ${token(signer('ES256'))}`)).status, 401);
  assert.equal((await ask({ port, upgrade: 'kafka.v2.json', path: '/?ticket=wr0ng' })).status, 401);
  for (const how of [{ upgrade: 'kafka.v2.json' }, { path: '/whoami' }]) {
    const { status, headers, body } = await ask({ port, ...how, ...as('ali') });
    assert.equal(status, 429);
    assert.match(body, /too many wrong passwords/);
    assert.ok(Number(headers['retry-after']) > 0 && Number(headers['retry-after']) <= 60);
  }
  const elsewhere = await new Promise((resolve, reject) =>
    http.get({ port, host: '127.0.0.1', localAddress: '127.0.0.2', path: '/whoami', agent: false, ...as('ali') }, resolve).on('error', reject),
  );
  elsewhere.resume();
  assert.equal(elsewhere.statusCode, 200);
  open.send('{"type":"lag","id":1}');
  await open.hears(({ id }) => id === 1);
  open.close();
});

test('who guesses many passwords at once learns of no more of them', async (t) => {
  let answer = () => {};
  let asked = 0;
  const all = new Promise((resolve) => (answer = resolve));
  const authenticate = async ({ headers }) => {
    if (++asked === 20) answer();
    await all;
    return headers.authorization === 'right' ? 'ali' : null;
  };
  const { port } = await listening(t, { authenticate, limits: { failedLogins: 3 } });
  const answers = await Promise.all(
    Array.from({ length: 20 }, (_, i) => whoAmI(port, i === 19 ? 'right' : `wrong ${i}`).then(({ status }) => ({ status, i }))),
  );
  const told = answers.filter(({ status }) => status !== 429);
  assert.ok(told.length <= 4, `${told.length} were answered`);
});

test('failures of a minute count, those before it do not, and only so many addresses are remembered', (t) => {
  let time = 1000;
  t.mock.method(performance, 'now', () => time);
  const guesses = new Guesses(2);
  guesses.failed('10.0.0.1');
  time += 60_001;
  guesses.failed('10.0.0.1');
  assert.equal(guesses.refuses('10.0.0.1'), undefined);
  guesses.failed('10.0.0.1');
  assert.equal(guesses.refuses('10.0.0.1')?.headers['Retry-After'], '60');
  assert.equal(guesses.refuses('10.0.0.2'), undefined);
  time += 60_001;
  assert.equal(guesses.refuses('10.0.0.1'), undefined);
  for (let i = 0; i < 2; i++) guesses.failed('2001:db8::1');
  assert.ok(guesses.refuses('2001:db8:0:0:ffff::2'), 'the same network');
  assert.equal(guesses.refuses('2001:db8:0:1::1'), undefined);
  for (let i = 0; i < 30_000; i++) guesses.failed(`10.${i >> 16}.${(i >> 8) & 255}.${i & 255}`);
  assert.equal(guesses.refuses('2001:db8::1'), undefined, 'the oldest is forgotten');
});

test('addresses of IPv6 are counted by their first 64 bits, and what is loopback is known', () => {
  const table = {
    '10.1.2.3': '10.1.2.3',
    '': '',
    '::1': '0:0:0:0::/64',
    'fe80::1%eth0': 'fe80:0:0:0::/64',
    '2001:db8::': '2001:db8:0:0::/64',
    '2001:db8:1:2:3:4:5:6': '2001:db8:1:2::/64',
    '2001:0DB8:1::2:3:4:5': '2001:db8:1:0::/64',
    '::ffff:1.2.3.4': '0:0:0:0::/64',
    '64:ff9b::1.2.3.4': '64:ff9b:0:0::/64',
    '1:2:3:4:5:6::': '1:2:3:4::/64',
    '::2:3:4:5:6:7:8': '0:2:3:4::/64',
  };
  for (const [address, network] of Object.entries(table)) assert.equal(networkOf(address), network, address);
  for (const host of ['localhost', '127.0.0.1', '127.9.9.9', '::1', '::ffff:127.0.0.1']) assert.ok(isLoopback(host), host);
  for (const host of ['', '0.0.0.0', '::', '10.0.0.1', '127.0.0.1.evil', 'localhost.evil']) assert.ok(!isLoopback(host), host);
});

test('ten thousand sockets that expire have one timer, and each is closed when its time is over, be it in a month', (t) => {
  t.mock.timers.enable({ apis: ['setTimeout', 'Date'], now: 1_000_000 });
  const silent = { opened() {}, closed() {} };
  const sockets = new Sockets(/** @type {any} */ (silent));
  const closed = [];
  const day = 86_400_000;
  const made = (expires) => /** @type {any} */ ({ identity: { expires }, close: (code) => closed.push([code, expires, Date.now()]) });
  for (let i = 0; i < 10_000; i++) sockets.add(made(1_000_000 + day + i));
  sockets.add(made(undefined));
  sockets.add(made(8.64e15));
  const month = made(1_000_000 + 40 * day);
  sockets.add(month);
  const gone = made(1_000_000 + 1000);
  sockets.add(gone);
  sockets.delete(gone);
  for (const step of [day - 1, 1]) {
    assert.equal(closed.length, 0);
    t.mock.timers.tick(step);
  }
  for (let i = 0; i < 101; i++) t.mock.timers.tick(100);
  assert.equal(closed.length, 10_000);
  for (const [code, expires, at] of closed.splice(0)) assert.ok(code === 4401 && at >= expires && at <= expires + 100, `${expires} at ${at}`);
  for (let days = 0; days < 38; days++) t.mock.timers.tick(day);
  assert.equal(closed.length, 0);
  t.mock.timers.tick(day);
  assert.deepEqual(
    closed.map(([code, expires]) => [code, expires]),
    [[4401, month.identity.expires]],
  );
});

test('an audit has a line and an event for who comes in, is refused, and leaves, with what was sent and received, and without secrets', async (t) => {
  const events = new Calls();
  const { url, port, lines, proxy } = await listening(t, {
    host: '127.0.0.1',
    kafka: reach(cluster),
    users: { ...users, 'a\u001b[31m\u2028\n': 'x' },
    audit: events.take,
  });
  const client = await opened(`${url}/some/where?ticket=s3cret&x=1`, undefined, as('ali'));
  client.send(JSON.stringify({ type: 'subscribe', id: 's', topics: ['orders'] }));
  await client.hears(({ type }) => type === 'caughtUp');
  client.send(JSON.stringify({ type: 'produce', id: 'p', topic: 'orders', messages: [{ value: '12345' }] }));
  await client.hears(({ type }) => type === 'batch');
  await client.hears(({ type }) => type === 'produced');
  client.close(4000, 's3cret');
  const [opening, closing] = [await events.until(({ event }) => event === 'open'), await events.until(({ event }) => event === 'close')];
  const { socket } = opening;
  assert.deepEqual(opening, {
    event: 'open',
    name: 'ali',
    way: 'password',
    address: '127.0.0.1',
    socket,
    protocol: 'kafka.v2.json',
    path: null,
    ticket: false,
  });
  const { milliseconds, sent } = closing;
  assert.deepEqual(closing, {
    event: 'close',
    name: 'ali',
    way: 'password',
    address: '127.0.0.1',
    socket,
    protocol: 'kafka.v2.json',
    code: 4000,
    milliseconds,
    sent,
    received: { messages: 1, bytes: 5 },
  });
  assert.ok(milliseconds >= 0 && sent.messages === 1 && sent.bytes > 50);

  await ask({ port, upgrade: 'kafka.v2.json', path: '/x?y=s3cret', headers: { authorization: 'basic s3cret', origin: 'http://127.0.0.1\u0085' } });
  await ask({ port, path: 'http://ali:s3cret@localhost/whoami?y=s3cret', headers: { authorization: 'basic s3cret' } });
  await events.count(4);
  assert.deepEqual(events.all[2], {
    event: 'refused',
    name: null,
    way: null,
    address: '127.0.0.1',
    status: 403,
    reason: events.all[2].reason,
    path: null,
    origin: 'http://127.0.0.1\\u0085',
  });
  assert.deepEqual(events.all[3], {
    event: 'refused',
    name: null,
    way: null,
    address: '127.0.0.1',
    status: 401,
    reason: 'unauthorized',
    path: '/whoami',
    origin: null,
  });
  const strange = await opened(url, undefined, { headers: { authorization: basic('a\u001b[31m\u2028\n', 'x') } });
  strange.close();
  assert.equal((await events.until(({ name }) => name?.startsWith('a\\'))).name, 'a\\u001b[31m\\u2028\\u000a');
  await events.count(6);
  await proxy.close();
  const written = lines.all.filter(([level, line]) => level === 'info' && line.startsWith('audit ')).map(([, line]) => JSON.parse(line.slice('audit '.length)));
  assert.deepEqual(written, events.all, 'the lines are JSON');
  for (const [, line] of lines.all) assert.doesNotMatch(line, /s3cret|[\p{Cc}\u2028]/u);
});

test('an audit that throws or rejects harms nobody, and a flood of refused clients does not fill the log', async (t) => {
  const { port, lines } = await listening(t, {
    host: '127.0.0.1',
    users,
    limits: { failedLogins: Number.POSITIVE_INFINITY },
    audit: ({ origin }) => {
      if (origin === 'http://127.0.0.1:1') throw new Error('no disk');
      return origin === 'http://127.0.0.1:2' ? Promise.reject(new Error('no network')) : undefined;
    },
  });
  for (const number of [1, 2]) assert.equal((await ask({ port, upgrade: true, headers: { origin: `http://127.0.0.1:${number}` } })).status, 401);
  for (const what of [/audit failed: Error: no disk/, /audit failed: Error: no network/])
    await lines.until(([level, line]) => level === 'error' && what.test(line));
  const began = performance.now();
  for (let i = 0; i < 10; i++) await Promise.all(Array.from({ length: 40 }, () => ask({ port, upgrade: true })));
  const seconds = Math.ceil((performance.now() - began) / 1000) + 1;
  assert.ok(lines.all.filter(([, line]) => line.includes('"event":"refused"')).length <= seconds * 100 + 2);
  // The next second's first line says how many are missing.
  if (seconds <= 3)
    await eventually(
      PATIENCE,
      'a line about those',
      async () => (await ask({ port, upgrade: true })) && lines.all.some(([, line]) => /"missed":\d+/.test(line)),
    );
});

test('a ticket opens one socket of many that come at once with it; only so many wait', async (t) => {
  const { port, url } = await listening(t, { host: '127.0.0.1', users, limits: { failedLogins: Number.POSITIVE_INFINITY } });
  const issue = (name = 'ali') => ask({ port, method: 'POST', path: '/tickets', ...as(name) });
  const { status, body, headers } = await issue();
  assert.equal(status, 201);
  assert.equal(headers['cache-control'], 'no-store');
  const { ticket, expires } = JSON.parse(body);
  assert.match(ticket, /^[\w-]{43}$/);
  assert.ok(expires > Date.now() && expires <= Date.now() + 30_000);
  const answers = await Promise.all(Array.from({ length: 20 }, () => ask({ port, upgrade: 'kafka.v2.json', path: `/?ticket=${ticket}` })));
  assert.deepEqual(answers.map(({ status: code }) => code).sort(), [101, ...Array(19).fill(401)]);
  const all = await Promise.all(Array.from({ length: 110 }, () => issue()));
  assert.equal(all.filter(({ status: code }) => code === 201).length, 100);
  assert.equal(all.filter(({ status: code, headers: told }) => code === 429 && told['retry-after']).length, 10);
  assert.equal((await issue('bob')).status, 201);
  // A used ticket makes room for another, and its socket is its owner's.
  const client = await opened(`${url}/?ticket=${JSON.parse(all.find(({ status: code }) => code === 201).body).ticket}`);
  assert.equal((await issue()).status, 201);
  client.close();
  // A user without a name is a new object each time: those of one address share its limit.
  const nameless = await listening(t, { authenticate: () => ({ role: 'reader' }) });
  const more = await Promise.all(Array.from({ length: 110 }, () => ask({ port: nameless.port, method: 'POST', path: '/tickets' })));
  assert.equal(more.filter(({ status: code }) => code === 201).length, 100);
});

test('a certificate is its subject, or an alternative name, while it is good; one of nobody, or of an old session, is nobody', async (t) => {
  const server = { key: certificates('server.key'), cert: certificates('server.pem'), ca: certificates('ca.pem') };
  const client = { key: certificates('client.key'), cert: certificates('client.pem') };
  for (const [option, expected] of [
    [true, 'client'],
    [{ name: 'DNS' }, 'localhost'],
    [{ name: 'email' }, undefined],
  ]) {
    const { port } = await listening(t, { host: '127.0.0.1', tls: server, certificates: /** @type {any} */ (option) });
    const { status, body } = await whoAmI(port, undefined, { tls: client });
    if (expected === undefined) assert.equal(status, 401);
    else {
      const { name, way, expires } = JSON.parse(body);
      assert.deepEqual([name, way], [expected, 'certificate']);
      assert.ok(expires > Date.now() + 3000 * 86_400_000, 'as long as the certificate');
    }
  }
  const { port } = await listening(t, {
    host: '127.0.0.1',
    tls: server,
    certificates: true,
    rules: [{ who: { 'subject.CN': 'client' }, ways: 'certificate', may: 'admin' }],
  });
  assert.equal(JSON.parse((await whoAmI(port, undefined, { tls: client })).body).admin, true);
  for (const shown of [{}, { key: certificates('expired.key'), cert: certificates('expired.pem') }, client]) {
    const answer = (session) =>
      new Promise((resolve, reject) => {
        const socket = tls.connect({ port, host: '127.0.0.1', rejectUnauthorized: false, session, ...shown });
        let text = '';
        const got = { session: /** @type {Buffer | undefined} */ (undefined), status: 0, reused: false };
        socket.on('session', (each) => (got.session = each));
        socket.on('secureConnect', () => {
          got.reused = socket.isSessionReused();
          socket.write('GET /whoami HTTP/1.1\r\nHost: x\r\nConnection: close\r\n\r\n');
        });
        socket.setEncoding('utf8').on('data', (chunk) => (text += chunk));
        socket.on('end', () => resolve({ ...got, status: Number(text.split(' ')[1]) }));
        socket.on('error', reject);
      });
    const first = await answer();
    const second = await answer(first.session);
    assert.ok(second.reused, 'the session goes on');
    const expected = shown === client ? 200 : 401;
    assert.deepEqual([first.status, second.status], [expected, expected]);
  }
  for (const [options, message] of [
    [{ certificates: true }, /certificates needs tls\.ca/],
    [{ certificates: true, tls: { key: server.key, cert: server.cert } }, /certificates needs tls\.ca/],
    [{ certificates: 'yes' }, /certificates must be true, false/],
  ])
    assert.throws(() => new KafkaProxy(/** @type {any} */ ({ brokers: NOBODY, ...options })), { name: 'TypeError', message });
});

test('who was not asked may do everything on this machine; beyond it brokers and sockets are not shown', async (t) => {
  const admin = async (port) => JSON.parse((await whoAmI(port)).body);
  const local = await listening(t);
  assert.deepEqual((({ admin: may, metrics, name, way }) => [may, metrics, name, way])(await admin(local.port)), [true, true, null, 'none']);
  const wide = await listening(t, { host: '0.0.0.0' });
  assert.deepEqual((({ admin: may, metrics }) => [may, metrics])(await admin(wide.port)), [false, true]);
  for (const more of [{ rules: [{ who: '*', may: 'admin' }] }, { authorize: () => true }, { users: { ali: 'x' } }]) {
    const { port } = await listening(t, { host: '0.0.0.0', .../** @type {any} */ (more) });
    assert.equal(JSON.parse((await whoAmI(port, basic('ali', 'x'))).body).admin, true);
  }
  // A server of somebody else's that listens on every address.
  const { logger } = witness();
  const proxy = new KafkaProxy({ brokers: NOBODY, path: '/kafka', logger });
  const server = http.createServer(proxy.handler);
  proxy.attach(server);
  await once(server.listen(0, '0.0.0.0'), 'listening');
  cleanup(t, async () => {
    await proxy.close();
    server.close();
  });
  const { port } = /** @type {import('node:net').AddressInfo} */ (server.address());
  const { body } = await ask({ port, path: '/kafka/whoami' });
  assert.deepEqual((({ admin: may, socket }) => [may, socket])(JSON.parse(body)), [false, '/kafka']);
});

test('the file of the command names keys and sets of keys, seen from its folder, and has rules', async (t) => {
  const dir = folder();
  const [one, two] = [signer('ES256'), signer('RS256', 'two')];
  fs.writeFileSync(path.join(dir, 'one.pem'), one.pem);
  fs.writeFileSync(path.join(dir, 'one.json'), JSON.stringify(one.jwk));
  fs.writeFileSync(path.join(dir, 'set.json'), JSON.stringify({ keys: [two.jwk] }));
  const file = path.join(dir, 'proxy.yaml');
  const options = (text) => {
    fs.writeFileSync(file, text);
    return /** @type {any} */ (readConfig(file));
  };
  for (const key of ['one.pem', '[one.json]', 'one.json']) {
    const { port } = await listening(t, {
      host: '127.0.0.1',
      ...options(`jwt: { key: ${key}, jwks: set.json, audience: kafka }\nrules:\n  - { who: ali, topics: 'a-*', may: [read], when: key == claims.sub }\n`),
    });
    for (const each of [one, two]) assert.equal((await whoAmI(port, `Bearer ${token(each, { aud: 'kafka' })}`)).status, 200, key);
  }
  const published = await keyServer(t);
  assert.equal(options(`jwt: { jwks: '${published.url}' }`).jwt.jwks, published.url);
  assert.throws(() => options('jwt: { jwks: nowhere.json }'), /jwt\.jwks: the file .*nowhere\.json cannot be read: ENOENT/);
  assert.throws(() => options('jwt: { jwks: one.pem }'), /jwt\.jwks: the file .*one\.pem is no JSON/);
  assert.throws(() => options('jwt: { key: nowhere.pem }'), /jwt\.key: the file .*nowhere\.pem cannot be read/);
});
