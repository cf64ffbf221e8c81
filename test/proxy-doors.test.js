'use strict';
// Clients that come into a kafka-proxy or don't, and its answers to them. Nobody here needs a Kafka.

const assert = require('node:assert/strict');
const { withoutSecrets } = require('../js/kafka-proxy/dist/doors/hooks.js');
const { after, test } = require('node:test');
const { cleanup } = require('./support/cleanup.js');
const { embedded } = require('./support/clusters.js');
const { knock, listening, opened, reach } = require('./support/proxy.js');
const { ask } = require('./support/proxy-doors.js');
const { Calls, eventually } = require('./support/watch.js');
const { PATIENCE } = require('./support/flow.js');

const basic = (name, password) => `Basic ${Buffer.from(`${name}:${password}`).toString('base64')}`;
const status = async (port, headers, more) => (await knock(port, { headers, ...more })).status;

/** Whatever the proxies of this file logged. At the end nothing in it may be a secret. */
const logged = [];
async function proxyOf(t, options) {
  const made = await listening(t, options);
  made.lines.on('call', () => logged.push(made.lines.all.at(-1).join(' ')));
  return made;
}
const SECRETS = ['s3cret-of-1.0', 'wr0ng-secret', 'open-sesame', 'tick-et-4711', 'c00kie-value', 'pass-in-url'];
after(() => {
  assert.ok(logged.length > 50, 'the proxies have logged, at the level debug');
  for (const secret of SECRETS)
    assert.deepEqual(
      logged.filter((line) => line.includes(secret) || line.includes(Buffer.from(secret).toString('base64').slice(0, 8))),
      [],
    );
});

test('the secret of 1.0 opens the door as it is, with either spelling; else it is 401', async (t) => {
  const { port } = await proxyOf(t, { auth: SECRETS[0], host: '127.0.0.1' });
  for (const scheme of ['basic', 'Basic']) assert.equal(await status(port, { authorization: `${scheme} ${SECRETS[0]}` }), 101);
  for (const authorization of [
    undefined,
    '',
    'basic',
    'basic ',
    SECRETS[0],
    `basic ${SECRETS[1]}`,
    `basic ${SECRETS[0]}x`,
    `basic ${SECRETS[0].slice(0, -1)}`,
    `Bearer ${SECRETS[0]}`,
    basic('', SECRETS[0]),
  ]) {
    const { status: code, headers, body } = await knock(port, { path: '/?pass=pass-in-url', headers: authorization === undefined ? {} : { authorization } });
    assert.equal(code, 401, authorization);
    assert.equal(body, 'unauthorized');
    assert.match(headers['www-authenticate'], /^Basic realm=/);
  }
});

test('a secret that is no ASCII opens the door in latin1 and in UTF-8', async (t) => {
  const { port } = await proxyOf(t, { auth: 'schlüssel', host: '127.0.0.1' });
  assert.equal(await status(port, { authorization: 'basic schlüssel' }), 101);
  assert.equal(await status(port, { authorization: `basic ${Buffer.from('schlüssel').toString('latin1')}` }), 101);
  assert.equal(await status(port, { authorization: 'basic schlussel' }), 401);
});

test('users come in with their own passwords, in UTF-8, with colons in them; nobody else does', async (t) => {
  const users = { ali: 'open-sesame', bäbä: 'sch:lüs:sel', constructor: 'x' };
  const { port } = await proxyOf(t, { users, host: '127.0.0.1' });
  for (const [name, password] of Object.entries(users)) assert.equal(await status(port, { authorization: basic(name, password) }), 101, name);
  const wrong = [
    basic('ali', 'x'),
    basic('ali', ''),
    basic('', ''),
    basic('', 'open-sesame'),
    basic('bob', 'open-sesame'),
    basic('toString', ''),
    basic('__proto__', ''),
    basic('ali', 'open-sesame '),
    basic('Ali', 'open-sesame'),
    'Basic',
    'Basic !!!',
    `Basic ${Buffer.from('ali').toString('base64')}`,
    `Basic ${Buffer.from('open-sesame').toString('base64')}`,
  ];
  for (const authorization of wrong) assert.equal(await status(port, { authorization }), 401, authorization);
});

test('authenticate says who it is, at once or later; null, undefined and false are nobody', async (t) => {
  const asked = new Calls();
  const answers = { a: 'ann', b: { id: 7 }, c: 0, d: '', n: null, u: undefined, f: false };
  const { port, proxy } = await proxyOf(t, {
    host: '127.0.0.1',
    authenticate: (request) => {
      const name = request.headers['x-name'];
      asked.take(name);
      return name < 'c' ? answers[name] : Promise.resolve(answers[name]);
    },
  });
  for (const [name, principal] of Object.entries(answers)) {
    const expected = principal === null || principal === undefined || principal === false ? 401 : 101;
    assert.equal(await status(port, { 'x-name': name }), expected, name);
  }
  assert.equal(asked.all.length, 7);
  await proxy.close();
});

test('an authenticate that throws is 500, one that takes too long 503, and neither says a secret to the client or to the log', async (t) => {
  const { port, lines } = await proxyOf(t, {
    host: '127.0.0.1',
    hookTimeout: 50,
    authenticate: ({ url, headers }) => {
      if (url.includes('late')) return new Promise(() => {});
      if (url.includes('sync')) throw new Error(`no such token: ${url} ${headers.authorization} ${headers.cookie}`);
      return Promise.reject(new TypeError(`bad ticket ${url.split('=').at(-1)}`));
    },
  });
  const headers = { authorization: `Bearer ${SECRETS[2]}`, cookie: `session=${SECRETS[4]}; theme=dark` };
  for (const [path, expected] of [
    ['/?ticket=tick-et-4711&sync=1', 500],
    ['/?ticket=tick-et-4711', 500],
    ['/?late&ticket=tick-et-4711', 503],
  ]) {
    const { status: code, body } = await knock(port, { path, headers });
    assert.equal(code, expected);
    assert.doesNotMatch(body, /tick-et|sesame|c00kie/);
  }
  const errors = lines.all.filter(([level]) => level === 'error').map(([, line]) => line);
  assert.match(errors[0], /authenticate failed: Error: no such token/);
  assert.match(errors[1], /authenticate failed: TypeError: bad ticket/);
  assert.match(errors[2], /no answer in 50 ms/);
});

test('what an authenticate has decoded before it throws is in no log either', async (t) => {
  const { port, lines } = await proxyOf(t, {
    host: '127.0.0.1',
    authenticate: ({ url, headers }) => {
      const [, basic] = String(headers.authorization).split(' ');
      throw new Error(
        `not ${Buffer.from(basic, 'base64')} with ${new URLSearchParams(url.split('?')[1]).get('ticket')}: ${Buffer.from(basic, 'base64').toString().split(':')[1]}`,
      );
    },
  });
  const authorization = `Basic ${Buffer.from(`ali:${SECRETS[2]}`).toString('base64')}`;
  assert.equal((await knock(port, { path: '/?ticket=tick%2Det%2D4711', headers: { authorization } })).status, 500);
  const [[, line]] = lines.all.filter(([level]) => level === 'error');
  assert.match(line, /authenticate failed: Error: not \*\*\* with \*\*\*: \*\*\*/);
});

test('a client that is gone before authenticate answers leaves nothing behind', async (t) => {
  const asked = new Calls();
  let answer;
  const { port } = await proxyOf(t, {
    host: '127.0.0.1',
    limits: { sockets: 1 },
    authenticate: (request) => {
      asked.take(request.socket);
      return new Promise((resolve) => (answer = resolve));
    },
  });
  const client = require('node:net').connect(port, '127.0.0.1');
  client.write(
    'GET / HTTP/1.1\r\nHost: x\r\nConnection: Upgrade\r\nUpgrade: websocket\r\nSec-WebSocket-Version: 13\r\nSec-WebSocket-Key: AAAAAAAAAAAAAAAAAAAAAA==\r\n\r\n',
  );
  const theirs = await asked.until();
  assert.equal(await status(port), 503, 'who is being asked has a place');
  client.resetAndDestroy();
  // Nothing is read of it while it is asked: its end is noticed when the proxy answers.
  answer('somebody');
  await eventually(PATIENCE, 'the place is free', async () => {
    const ask = status(port);
    await Promise.race([ask, asked.count(2).then(() => answer('me'))]);
    return (await ask) === 101;
  });
  assert.ok(theirs.destroyed);
});

test('what authorize does not answer with true is refused, and the client is told which topic', async (t) => {
  const cluster = await embedded();
  cleanup(t, () => cluster.close());
  cluster.mock.createTopic('open', { partitions: 1 });
  const asked = [];
  const { url } = await proxyOf(t, {
    kafka: reach(cluster),
    host: '127.0.0.1',
    hookTimeout: 50,
    users: { ali: 'open-sesame' },
    authorize: (principal, access) => {
      asked.push([principal, access]);
      const { topic } = access;
      if (topic === 'late') return new Promise(() => {});
      if (topic === 'throws') throw new Error('tick-et-4711'.slice(0, 3));
      return { open: true, later: Promise.resolve(false), truthy: { allowed: false }, one: 1 }[topic];
    },
  });
  const client = await opened(url, ['kafka.v2.json'], { headers: { authorization: basic('ali', 'open-sesame') } });
  const produce = async (topic) => {
    client.send(JSON.stringify({ type: 'produce', id: topic, topic, messages: [{ value: 'x' }] }));
    return client.hears(({ id }) => id === topic);
  };
  assert.equal((await produce('open')).type, 'produced');
  for (const topic of ['later', 'truthy', 'one', 'unknown']) {
    const { type, code, message, retriable } = await produce(topic);
    assert.deepEqual({ type, code, retriable }, { type: 'error', code: 'FORBIDDEN', retriable: false });
    assert.match(message, new RegExp(topic));
  }
  for (const topic of ['late', 'throws']) {
    const { code, retriable } = await produce(topic);
    assert.deepEqual({ code, retriable }, { code: 'AUTHORIZATION_FAILED', retriable: true });
  }
  assert.deepEqual(asked[0], ['ali', { operation: 'write', topic: 'open' }]);
  client.close();
});

test('a pattern is asked for also when a topic that has its text as a name was allowed', async (t) => {
  const { url } = await proxyOf(t, { host: '127.0.0.1', authorize: (_, access) => 'topic' in access && access.topic !== 'secret' });
  const client = await opened(url);
  for (const [id, wish] of Object.entries({ topic: { topics: ['s*', 'secret'] }, pattern: { pattern: 's*' } })) {
    client.send(JSON.stringify({ type: 'subscribe', id, ...wish }));
    assert.equal((await client.hears((message) => message.id === id)).code, 'FORBIDDEN', id);
  }
  client.close();
});

test('without authentication it listens on this machine alone, and a page of elsewhere or a name of elsewhere is refused', async (t) => {
  const { port, address } = await proxyOf(t);
  assert.equal(address, '127.0.0.1');
  const host = `localhost:${port}`;
  const table = [
    [101, {}],
    [101, { host }],
    [101, { host: 'LocalHost.' }],
    [101, { host: `[::1]:${port}` }],
    [101, { host, origin: `http://localhost:${port}` }],
    [101, { host, origin: 'http://localhost:3000' }],
    [101, { host, origin: 'http://127.0.0.1' }],
    [403, { host, origin: 'https://evil.example' }],
    [403, { host, origin: 'null' }],
    [403, { host, origin: '' }],
    [403, { host, origin: 'http://localhost.evil.example' }],
    [403, { host, origin: 'http://localhost@evil.example' }],
    [403, { host, origin: 'http://localhost, http://evil.example' }],
    // A name that leads to 127.0.0.1 for a moment: the page is of the host that it connects to.
    [403, { host: 'evil.example', origin: 'http://evil.example' }],
    [403, { host: `evil.example:${port}`, origin: `http://evil.example:${port}` }],
    [403, { host: 'evil.example' }],
    [403, { host: 'localhost.evil.example' }],
    [403, { host: '127.0.0.1.evil.example' }],
    [403, { host: '10.1.2.3' }],
  ];
  for (const [expected, headers] of table) assert.equal(await status(port, headers), expected, JSON.stringify(headers));
});

test('who listens on every address without authentication is reached by any name from a script, and by no foreign page', async (t) => {
  const { port } = await proxyOf(t, { host: '0.0.0.0' });
  const table = [
    [101, { host: 'kafka-proxy:8080' }],
    [101, { host: `127.0.0.1:${port}`, origin: `http://127.0.0.1:${port}` }],
    [101, { host: `192.168.0.7:${port}`, origin: 'http://192.168.0.7' }],
    [403, { host: 'evil.example', origin: 'http://evil.example' }],
    [403, { host: `127.0.0.1:${port}`, origin: 'http://evil.example' }],
  ];
  for (const [expected, headers] of table) assert.equal(await status(port, headers), expected, JSON.stringify(headers));
});

test('a page whose name leads here for a moment reads nothing by HTTP either, where browsers say no origin', async (t) => {
  const table = /** @type {[object, [number, string][]][]} */ ([
    [
      {},
      [
        [200, 'localhost'],
        [403, 'evil.example'],
      ],
    ],
    [
      { host: '0.0.0.0' },
      [
        [200, 'localhost:1'],
        [200, '192.168.0.7'],
        [200, 'kafka-proxy:8080'],
        [200, 'proxy.ns.svc.cluster.local'],
        [403, 'evil.example'],
        [403, 'evil.local.example'],
      ],
    ],
    [
      { origins: ['https://app.example', 'http://proxy.example:8080'] },
      [
        [200, 'localhost'],
        [200, 'backend'],
        [200, '10.0.0.1'],
        [200, 'App.example'],
        [200, 'proxy.example:8080'],
        [403, 'proxy.example'],
        [403, 'evil.example'],
      ],
    ],
    [
      { origins: (origin) => origin === 'http://proxy.example' },
      [
        [200, 'localhost'],
        [200, 'proxy.example'],
        [403, 'evil.example'],
      ],
    ],
    [{ origins: '*' }, [[200, 'evil.example']]],
    [{ origins: ['https://app.example'], authenticate: () => 'ali' }, [[200, 'proxy.example']]],
  ]);
  for (const [options, hosts] of table) {
    const { port } = await proxyOf(t, options);
    for (const [expected, host] of hosts)
      assert.equal((await ask({ port, path: '/whoami', headers: { host } })).status, expected, `${JSON.stringify(options)} ${host}`);
  }
});

test('with authentication pages of the same host may connect, whatever its name; browsers send passwords by themselves', async (t) => {
  const { port } = await proxyOf(t, { users: { ali: 'open-sesame' }, host: '127.0.0.1' });
  const authorization = basic('ali', 'open-sesame');
  const table = [
    [101, { host: 'proxy.example', authorization }],
    [101, { host: 'proxy.example', origin: 'https://proxy.example', authorization }],
    [403, { host: 'proxy.example', origin: 'https://evil.example', authorization }],
    [403, { host: 'proxy.example', origin: 'https://proxy.example.evil.example', authorization }],
    [401, { host: 'proxy.example', origin: 'https://proxy.example' }],
  ];
  for (const [expected, headers] of table) assert.equal(await status(port, headers), expected, JSON.stringify(headers));
});

test('origins name the pages that may connect: by a list, by a function, or all', async (t) => {
  const list = await proxyOf(t, { origins: ['https://App.example', 'http://localhost:3000/'] });
  const table = [
    [101, 'https://app.example'],
    [101, 'HTTPS://app.example'],
    [101, 'http://localhost:3000'],
    [403, 'http://localhost'],
    [403, 'https://app.example.evil'],
    [403, `http://127.0.0.1:${list.port}`],
    [403, 'null'],
  ];
  for (const [expected, origin] of table) assert.equal(await status(list.port, { origin }), expected, origin);
  assert.equal(await status(list.port, { host: 'proxy.example' }), 101, 'a script');

  const any = await proxyOf(t, { origins: '*' });
  for (const origin of ['https://evil.example', 'null']) assert.equal(await status(any.port, { origin, host: 'evil.example' }), 101);

  const asked = await proxyOf(t, {
    origins: (origin, request) => {
      if (origin === 'http://throws') throw new Error(`on ${request.url}`);
      return origin === 'http://yes' ? true : /** @type {any} */ ('yes');
    },
  });
  assert.equal(await status(asked.port, { origin: 'http://yes' }), 101);
  assert.equal(await status(asked.port, { origin: 'http://no' }), 403, 'only true is yes');
  assert.equal(await status(asked.port, { origin: 'http://throws' }, { path: '/?ticket=tick-et-4711' }), 500);
});

test('a hook of origins that fails shares nothing with the page, neither an answer nor an offer', async (t) => {
  const { port } = await proxyOf(t, {
    origins: () => {
      throw new Error('broken');
    },
  });
  for (const method of ['GET', 'OPTIONS']) {
    const response = await fetch(`http://127.0.0.1:${port}/topics`, { method, headers: { origin: 'https://evil.example' } });
    assert.equal(response.status, 500);
    assert.deepEqual(
      [...response.headers.keys()].filter((name) => name.startsWith('access-control-')),
      [],
    );
  }
});

test('an error with thousands of cookies in it is not compared with all of them, and none is shown', () => {
  const cookie = Array.from({ length: 4000 }, (_, i) => `c=${i + 100_000}`).join('; ');
  const told = withoutSecrets(new Error(`no session in ${cookie}`), [cookie]);
  assert.match(told, /^Error; its text is left out/);
  assert.equal(withoutSecrets(new Error('no session abcdef'), ['sid=abcdef; theme=dark']), 'Error: no session ***');
});

test('beyond the limits of sockets it is 503 and 429, and who goes makes room', async (t) => {
  const { port, url } = await proxyOf(t, { limits: { sockets: 2 } });
  const open = [await opened(url), await opened(url)];
  const { status: code, headers } = await knock(port);
  assert.equal(code, 503);
  assert.equal(headers['retry-after'], '5');
  open[0].close();
  await open[0].gone();
  await eventually(PATIENCE, 'room', async () => (await status(port)) === 101);
  open[1].terminate();

  const address = await proxyOf(t, { limits: { socketsPerAddress: 1 } });
  const only = await opened(address.url);
  assert.equal(await status(address.port), 429);
  only.terminate();
  await eventually(PATIENCE, 'room', async () => (await status(address.port)) === 101);

  const users = await proxyOf(t, {
    host: '127.0.0.1',
    limits: { socketsPerPrincipal: 1 },
    authenticate: ({ headers: { 'x-name': name } }) => (String(name).startsWith('o') ? { id: name } : name),
  });
  const nameless = await proxyOf(t, { host: '127.0.0.1', limits: { socketsPerPrincipal: 1 }, authenticate: () => ({ session: Math.random() }) });
  const first = await opened(nameless.url);
  assert.equal(await status(nameless.port), 429, 'who has no name is counted by address');
  first.terminate();
  await eventually(PATIENCE, 'room', async () => (await status(nameless.port)) === 101);
  for (const name of ['ann', 'object']) {
    const mine = await opened(users.url, ['kafka.v2.json'], { headers: { 'x-name': name } });
    assert.equal(await status(users.port, { 'x-name': name }), 429, name);
    assert.equal(await status(users.port, { 'x-name': `${name}2` }), 101);
    mine.close();
    await mine.gone();
    await eventually(PATIENCE, 'room', async () => (await status(users.port, { 'x-name': name })) === 101);
  }
});

test('a client that sends frames, pings or pongs faster than it may is closed with 4429', async (t) => {
  const { url } = await proxyOf(t, { limits: { framesPerSecond: 10 } });
  for (const flood of [(client) => client.send('{}'), (client) => client.ping(), (client) => client.pong()]) {
    const client = await opened(url);
    for (let i = 0; i < 500; i++) flood(client);
    const { code, reason } = await client.gone();
    assert.equal(code, 4429);
    assert.match(reason, /10 frames a second/);
  }
  const polite = await opened(url);
  for (let i = 0; i < 50; i++) polite.send('{"type":"lag","id":1}');
  await polite.hears(({ id }) => id === 1);
  polite.ping();
  await new Promise((resolve) => polite.once('pong', resolve));
  polite.close();
  assert.equal((await polite.gone()).code, 1005);
});

test('a frame larger than the payload limit closes with 1009, one of that size does not', async (t) => {
  const { url } = await proxyOf(t, { limits: { payload: 1000 } });
  const client = await opened(url);
  client.send(JSON.stringify({ type: 'lag', id: 'x'.repeat(900) }).padEnd(1000));
  await client.hears(({ type }) => type === 'error');
  client.send(' '.repeat(1001));
  assert.equal((await client.gone()).code, 1009);
});
