'use strict';
// Tokens that somebody made up, keys that change, and what becomes of a socket whose time is over.

const assert = require('node:assert/strict');
const crypto = require('node:crypto');
const { after, before, test } = require('node:test');
const { real } = require('./support/clusters.js');
const { listening, opened, reach } = require('./support/proxy.js');
const { ask, json64, keyServer, now, signatures, signer, token } = require('./support/proxy-doors.js');
const { eventually } = require('./support/watch.js');
const { PATIENCE } = require('./support/flow.js');

/** @type {any} */ let cluster;
before(async () => (cluster = await real()));
after(() => cluster?.close());

const logged = [];
async function proxyOf(t, options) {
  const made = await listening(t, { host: '127.0.0.1', limits: { failedLogins: Number.POSITIVE_INFINITY }, ...options });
  made.lines.on('call', () => logged.push(made.lines.all.at(-1).join(' ')));
  return { ...made, knock: (text) => ask({ port: made.port, path: '/whoami', headers: { authorization: `Bearer ${text}` } }) };
}
after(() => {
  const lines = logged.join('\n');
  assert.ok(logged.length > 10, 'the proxies have logged');
  for (const signature of signatures) assert.ok(!lines.includes(signature.slice(0, 20)), 'a token is in the log');
});

test('a token that its owner made up opens nothing, whatever its header says', async (t) => {
  const mine = signer('RS256', 'mine');
  const small = signer('ES256', 'small');
  const secret = { ...signer('HS256'), kid: 'secret' };
  const theirs = signer('RS256', 'mine');
  const evil = await keyServer(t);
  evil.keys = [theirs.jwk];
  const published = await keyServer(t);
  // A set that has a secret in it: whoever reads the set could sign.
  const shared = crypto.randomBytes(64);
  published.keys = [mine.jwk, small.jwk, { kty: 'oct', kid: 'shared', k: shared.toString('base64url') }];
  const { knock } = await proxyOf(t, {
    jwt: { jwks: published.url, secret: secret.secret, issuer: 'https://id.example', audience: 'kafka', required: ['tenant'] },
  });
  const claims = { iss: 'https://id.example', aud: 'kafka', tenant: 'blue' };
  for (const good of [mine, small, secret]) assert.equal((await knock(token(good, claims))).status, 200, good.alg);

  const hmac =
    (key, hash = 'sha256') =>
    (text) =>
      crypto.createHmac(hash, key).update(text).digest();
  const wrong = {
    'a secret that is the public key, as PEM': token({ alg: 'HS256', kid: 'mine', sign: hmac(mine.pem) }, claims),
    'a secret that is the public key, as PEM without its last line': token({ alg: 'HS256', kid: 'mine', sign: hmac(mine.pem.trim()) }, claims),
    'a secret that is the public key, as DER': token({ alg: 'HS256', sign: hmac(mine.publicKey.export({ type: 'spki', format: 'der' })) }, claims),
    'a secret that is the key of the set': token({ alg: 'HS256', kid: 'mine', sign: hmac(JSON.stringify(mine.jwk)) }, claims),
    'a secret that is published': token({ alg: 'HS256', kid: 'shared', sign: hmac(shared) }, claims),
    'an empty secret': token({ alg: 'HS256', sign: hmac('') }, claims),
    'a name that lies': token({ ...small, kid: 'mine' }, claims),
    'an algorithm that lies': token({ ...mine, alg: 'ES256' }, claims),
    'another algorithm of the family that lies': token({ ...mine, alg: 'RS512' }, claims),
    none: `${token(mine, claims, { alg: 'none' }).split('.').slice(0, 2).join('.')}.`,
    NONE: `${token(mine, claims, { alg: 'NoNe' }).split('.').slice(0, 2).join('.')}.`,
    'no algorithm': token({ ...mine, alg: undefined }, claims),
    'a key of its own in the header': token(theirs, claims, { jwk: theirs.jwk }),
    'where its key is, jku': token(theirs, claims, { jku: evil.url }),
    'where its key is, x5u': token(theirs, claims, { x5u: evil.url }),
    'a path as a name': token({ ...theirs, kid: '../../../../dev/null' }, claims),
    'an object as a name': token({ ...theirs, kid: { $ne: '' } }, claims),
    'something critical that is not known': token(mine, claims, { crit: ['exp'], exp: 1 }),
    unencoded: token(mine, claims, { b64: false, crit: ['b64'] }),
    'another issuer': token(mine, { ...claims, iss: 'https://evil.example' }),
    'no issuer': token(mine, { ...claims, iss: undefined }),
    'another audience': token(mine, { ...claims, aud: ['else'] }),
    'without a claim that it must have': token(mine, { ...claims, tenant: undefined }),
    expired: token(mine, { ...claims, exp: now() - 6 }),
    'not yet': token(mine, { ...claims, nbf: now() + 60 }),
    'an expiry that is text': token(mine, { ...claims, exp: '9999999999' }),
    'an expiry that is null': token(mine, { ...claims, exp: null }),
    'no name': token(mine, { ...claims, sub: undefined }),
    'a name that is an object': token(mine, { ...claims, sub: { a: 1 } }),
    'a name that is empty': token(mine, { ...claims, sub: '' }),
    'a name that lost digits': token(mine, claims).replace(/\..*\./, () => `.${json64({ ...claims, sub: 1 })}.`),
    'claims of another token': [
      token(mine, claims).split('.')[0],
      token(mine, { ...claims, sub: 'eve' }).split('.')[1],
      token(mine, claims).split('.')[2],
    ].join('.'),
    'an array': `${token(mine, claims).split('.')[0]}.${Buffer.from('[]').toString('base64url')}.x`,
    encrypted: `${json64({ alg: 'dir', enc: 'A256GCM' })}..aaaa.bbbb.cccc`,
    dots: '...',
    nothing: '',
    text: 'open-sesame',
    'one part': token(mine, claims).split('.')[0],
  };
  for (const [name, text] of Object.entries(wrong)) {
    const { status, headers, body } = await knock(text);
    assert.equal(status, 401, `${name}: ${body}`);
    assert.match(String(headers['www-authenticate']), /Bearer realm="kafka-proxy"/, name);
  }
  assert.equal(evil.asked, 0, 'nobody asks where a token says');
  assert.equal(published.asked, 1, 'made-up names ask no more often than the cooldown says');
});

test('a token without an expiry lasts, unless exp is required; the name is the claim that the option says', async (t) => {
  const mine = signer('ES256');
  const lasting = await proxyOf(t, { jwt: { key: mine.pem, principal: 'user.mail' } });
  const { status, body } = await lasting.knock(token(mine, { exp: undefined, user: { mail: 'ali@example' } }));
  assert.equal(status, 200);
  assert.deepEqual((({ name, way, expires }) => ({ name, way, expires }))(JSON.parse(body)), { name: 'ali@example', way: 'token', expires: null });
  assert.equal((await lasting.knock(token(mine))).status, 401, 'without that claim');
  const strict = await proxyOf(t, { jwt: { key: mine.pem, required: ['exp'] } });
  assert.equal((await strict.knock(token(mine, { exp: undefined }))).status, 401);
  assert.equal((await strict.knock(token(mine))).status, 200);
});

test('a key that is new opens the door at once, one that is withdrawn opens it no more, and open sockets stay', async (t) => {
  const published = await keyServer(t);
  const [first, second, third] = ['first', 'second', 'third'].map((kid) => signer('ES256', kid));
  published.keys = [first.jwk];
  const { knock, url } = await proxyOf(t, { jwt: { jwks: published.url, cooldown: 0 } });
  assert.equal((await knock(token(first))).status, 200);
  const client = await opened(url, ['kafka.v2.json', `bearer.${token(first)}`]);
  assert.equal(published.asked, 1, 'sets are kept');

  published.keys = [second.jwk];
  assert.equal((await knock(token(first))).status, 200, 'nobody has asked yet');
  assert.equal((await knock(token(second))).status, 200);
  assert.equal((await knock(token(first))).status, 401);
  assert.equal((await knock(token({ ...third, kid: 'second' }))).status, 401);
  client.send('{"type":"lag","id":1}');
  await client.hears(({ id }) => id === 1);
  client.close();

  // Many at once ask once.
  published.keys = [third.jwk];
  const before = published.asked;
  const all = await Promise.all(Array.from({ length: 20 }, () => knock(token(third))));
  assert.ok(all.every(({ status }) => status === 200));
  assert.ok(published.asked <= before + 2, `${published.asked - before} questions`);
});

test('when the keys cannot be had known ones go on, others are told to come later, and all is well when they come again', async (t) => {
  const published = await keyServer(t);
  const [first, second] = ['first', 'second'].map((kid) => signer('RS256', kid));
  published.keys = [first.jwk];
  const answers = {
    'an error': (_, response) => response.writeHead(500).end(),
    'no JSON': (_, response) => response.end('<html>'),
    'no set': (_, response) => response.end('{"keys":{}}'),
    elsewhere: (_, response) => response.writeHead(302, { Location: published.url }).end(),
    'too large': (_, response) => response.end(`{"keys":[],"x":"${'x'.repeat(600_000)}"}`),
    'too many': (_, response) => response.end(JSON.stringify({ keys: Array(101).fill(first.jwk) })),
    'cut off': (request) => request.socket.destroy(),
  };
  for (const [name, answer] of Object.entries(answers)) {
    published.answer = answer;
    const { knock, lines } = await proxyOf(t, { jwt: { jwks: published.url, cooldown: 0, issuer: 'me' } });
    const [known, unknown] = [token(first, { iss: 'me' }), token(second, { iss: 'me' })];
    const { status, headers, body } = await knock(known);
    assert.equal(status, 503, `${name}: ${body}`);
    assert.equal(headers['retry-after'], '5');
    assert.match(body, /try again later/);
    await lines.until(([level, line]) => level === 'warn' && /keys of tokens cannot be had/.test(line));
    published.answer = undefined;
    assert.equal((await knock(known)).status, 200, name);
    published.answer = answer;
    assert.equal((await knock(unknown)).status, 503, name);
    assert.equal((await knock(known)).status, 200, name);
    published.answer = undefined;
    assert.equal((await knock(unknown)).status, 401, name);
  }
});

test('sets in the options, several keys and certificates as PEM open the door; what is no key is named at the start, and not shown', async (t) => {
  const keys = ['RS256', 'ES384', 'EdDSA'].map((alg) => signer(alg, alg));
  const { knock } = await proxyOf(t, { jwt: { key: [keys[0].pem, keys[1].jwk], jwks: { keys: [keys[2].jwk] } } });
  for (const key of keys) assert.equal((await knock(token(key))).status, 200, key.alg);
  const short = crypto.generateKeyPairSync('rsa', { modulusLength: 1024 }).publicKey.export({ type: 'spki', format: 'pem' });
  const wrong = [
    [{}, /jwt needs jwks, key or secret/],
    [{ secret: 'too-sh0rt' }, /jwt\.secret must have at least 32 bytes/],
    [{ secret: ['x'.repeat(40), 'too-sh0rt'] }, /jwt\.secret\[1\] must have at least 32 bytes/],
    [{ key: 'n0-key' }, /jwt\.key must be a key as PEM or JSON/],
    [{ key: { kty: 'oct', k: 'n0-key' } }, /jwt\.key is a secret: give it as jwt\.secret/],
    [{ key: [keys[0].pem, short] }, /jwt\.key\[1\] is an RSA key of less than 2048 bits/],
    [{ key: { ...keys[0].jwk, use: 'enc' } }, /jwt\.key is not for signatures/],
    [{ key: { ...keys[0].jwk, alg: 'ES256' } }, /jwt\.key is no key for any algorithm/],
    [{ jwks: 'file:///n0-key' }, /jwt\.jwks must be a URL/],
    [{ jwks: 'https://ali:n0-key@id.example/keys' }, /jwt\.jwks must be a URL/],
    [{ jwks: { keys: 'n0-key' } }, /jwt\.jwks is no set of keys/],
    [{ secret: 'x'.repeat(40), algorithms: ['none'] }, /jwt\.algorithms\.0 must be one of HS256/],
    [{ secret: 'x'.repeat(40), audiance: 'n0-key' }, /there is no option jwt\.audiance/],
    [{ secret: 'x'.repeat(40), clockTolerance: -1 }, /jwt\.clockTolerance must be a whole number/],
  ];
  for (const [jwt, message] of wrong) {
    await assert.rejects(listening(t, { jwt: /** @type {any} */ (jwt) }), (/** @type {Error} */ error) => {
      assert.match(error.message, message);
      assert.doesNotMatch(error.message, /too-sh0rt|n0-key/);
      return true;
    });
  }
});

test('a socket is closed with 4401 when its token expires, and what its group acknowledged before is committed', async (t) => {
  const topic = await cluster.topic(1);
  const mine = signer('ES256');
  const { url, proxy, lines } = await proxyOf(t, { kafka: reach(cluster), jwt: { key: mine.pem, clockTolerance: 0 } });
  const bearer = (claims) => ['kafka.v2.json', `bearer.${token(mine, claims)}`];
  const lasting = await opened(url, bearer({ exp: now() + 3600 }));
  const ancient = await opened(url, bearer({ exp: 1e300 }));
  lasting.send(JSON.stringify({ type: 'produce', id: 1, topic, messages: [{ value: 'a' }, { value: 'b' }, { value: 'c' }] }));
  await lasting.hears(({ type }) => type === 'produced');

  const group = `expiring-${process.pid}`;
  const subscribe = JSON.stringify({ type: 'subscribe', id: 'g', topics: [topic], group, from: 'earliest' });
  // Long enough to come into the group; on a busy machine the second time, or the third.
  let client;
  let exp;
  for (let seconds = 4; ; seconds *= 2) {
    exp = now() + seconds;
    client = await opened(url, bearer({ exp }));
    client.send(subscribe);
    const batch = client.hears(({ type, records }) => type === 'batch' && records.at(-1).value === 'c');
    batch.catch(() => {});
    if ((await Promise.race([batch, client.gone()])).type === 'batch') break;
    assert.ok(seconds < 60, 'the group has a member');
  }
  client.send(JSON.stringify({ type: 'ack', id: 'g', topic, partition: 0, offset: 1 }));
  const { code, reason } = await client.gone();
  assert.equal(code, 4401);
  assert.match(reason, /connect again, with a new token/);
  assert.ok(Date.now() >= exp * 1000, 'not before its time');
  await lines.until(([, line]) => line.includes('"event":"close"') && line.includes('"code":4401') && line.includes('"name":"ali"'));

  const next = await opened(url, bearer({}));
  next.send(subscribe);
  const { records } = await next.hears(({ type }) => type === 'batch');
  assert.deepEqual(
    records.map(({ value }) => value),
    ['c'],
    'what was acknowledged is committed',
  );
  for (const each of [lasting, ancient]) assert.equal(each.readyState, each.OPEN);
  await proxy.close();
});

test('a socket that expires while it comes in is closed at once, and so is one by a ticket of an owner whose time is over', async (t) => {
  const mine = signer('ES256');
  const { url, port, knock } = await proxyOf(t, { jwt: { key: mine.pem, clockTolerance: 0 } });
  let short;
  for (let seconds = 2; ; seconds *= 2) {
    const exp = now() + seconds;
    short = token(mine, { exp });
    const issued = await ask({ port, method: 'POST', path: '/tickets', headers: { authorization: `Bearer ${short}` } });
    const { ticket, expires } = JSON.parse(issued.body);
    if (issued.status === 201) assert.ok(expires <= exp * 1000, 'no longer than its owner');
    const client = issued.status === 201 && (await opened(`${url}/?ticket=${ticket}`).catch(() => undefined));
    if (client) {
      assert.equal((await client.gone()).code, 4401);
      break;
    }
    assert.ok(seconds < 60, 'a socket by a ticket');
  }
  await eventually(PATIENCE, 'the token has expired', async () => (await knock(short)).status === 401);
});
