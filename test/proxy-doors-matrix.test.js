'use strict';
// Every way to say who one is, at every door: with what is right, wrong, has expired, or is missing.

const assert = require('node:assert/strict');
const fs = require('node:fs');
const path = require('node:path');
const { after, before, describe, test } = require('node:test');
const { makeTls } = require('@kafka-native/kafka-for-tests/tls.js');
const { KafkaProxy } = require('kafka-proxy');
const { embedded } = require('./support/clusters.js');
const { PATIENCE, folder } = require('./support/flow.js');
const { reach } = require('./support/proxy.js');
const { ask, basic, keyServer, now, signatures, signer, token } = require('./support/proxy-doors.js');
const { eventually, witness } = require('./support/watch.js');

const TOPIC = 'orders';
/** The request to each door. `ticket`: a ticket opens it; `socket`: it is a WebSocket. */
const DOORS = {
  'kafka.v2.json': { upgrade: 'kafka.v2.json', ticket: true, socket: true },
  'kafka.v2.msgpack': { upgrade: 'kafka.v2.msgpack', ticket: true, socket: true },
  'kafka-proxy 1.0': { upgrade: true, path: `/?topic=${TOPIC}`, ticket: true, socket: true },
  whoami: { path: '/whoami' },
  topic: { path: `/topics/${TOPIC}` },
  messages: { path: `/topics/${TOPIC}/messages?limit=1` },
  produce: { method: 'POST', path: `/topics/${TOPIC}/messages`, headers: { 'content-type': 'application/json' }, body: '{"messages":[{"value":"x"}]}' },
  events: { path: `/topics/${TOPIC}/events`, ticket: true },
  group: { path: '/groups/workers' },
  history: { path: '/groups/workers/history' },
  reset: {
    method: 'POST',
    path: '/groups/workers/offsets',
    headers: { 'content-type': 'application/json' },
    body: `{"topic":"${TOPIC}","to":"earliest","dryRun":true}`,
  },
  sockets: { path: '/sockets' },
  cluster: { path: '/cluster' },
  figures: { path: '/figures' },
  alerts: { path: '/alerts' },
  metrics: { path: '/metrics' },
  tickets: { method: 'POST', path: '/tickets' },
};
const FAMILIES = ['HS256', 'HS384', 'HS512', 'RS256', 'RS512', 'PS256', 'ES256', 'ES384', 'ES512', 'EdDSA'];
const SECRET = 'the-s3cret-of-1.0';
const PASSWORD = 'open-sesame';
const SECRETS = [SECRET, PASSWORD, 'wr0ng-secret'];

/** @type {any} */ let cluster;
/** @type {any} */ let certificates;
/** @type {any} */ let published;
const logged = [];
const proxies = [];
/** Those that this proxy has. */
const doors = [];
const t = { after: (end) => proxies.push({ close: end }) };

async function proxyOf(options) {
  const { lines, logger } = witness();
  lines.on('call', () => logged.push(lines.all.at(-1).join(' ')));
  const proxy = new KafkaProxy({
    port: 0,
    host: '127.0.0.1',
    kafka: reach(cluster),
    logger,
    limits: { failedLogins: Number.POSITIVE_INFINITY },
    authorize: () => false,
    ...options,
  });
  proxies.push(proxy);
  return (await proxy.listen()).port;
}

before(async () => {
  cluster = await embedded();
  cluster.mock.createTopic(TOPIC, { partitions: 1 });
  const dir = path.join(folder(t), 'tls');
  await makeTls(dir);
  certificates = (name) => fs.readFileSync(path.join(dir, name));
  published = await keyServer(t);
  const port = await proxyOf({ authorize: undefined });
  for (const [name, door] of Object.entries(DOORS)) {
    const { status, body } = await ask({ port, ...door });
    if (status !== 404 || !body.includes('There is nothing at this path')) doors.push([name, door]);
  }
  assert.ok(doors.length >= 5, 'there are doors');
});
after(async () => {
  await Promise.all(proxies.map((each) => each.close()));
  await cluster.close();
  assert.ok(logged.length > 100, 'the proxies have logged');
  const lines = logged.join('\n');
  assert.ok(signatures.length > 50, 'tokens were made');
  for (const signature of signatures) assert.ok(!lines.includes(signature.slice(0, 20)), 'a token is in the log');
  for (const secret of SECRETS)
    assert.deepEqual(
      logged.filter((line) => line.includes(secret) || line.includes(Buffer.from(secret).toString('base64').slice(0, 8))),
      [],
    );
});

/** Asks a door with what somebody has: { authorization, protocol, query, tls }. */
function knockAt(port, door, { authorization, protocol, query, tls } = /** @type {any} */ ({})) {
  const url = door.path ?? '/';
  return ask({
    port,
    tls,
    ...door,
    upgrade: protocol ? [door.upgrade, protocol].filter((each) => each !== true).join(', ') : door.upgrade,
    path: query ? `${url}${url.includes('?') ? '&' : '?'}${query}` : url,
    headers: { ...door.headers, ...(authorization && { authorization }) },
  });
}

function letIn(answer, { socket }, what) {
  if (socket) assert.equal(answer.status, 101, `${what}: ${answer.body}`);
  // Rights behind it are another matter: whether somebody has them is asked of those only who were let in.
  else assert.ok(![401, 403, 429, 503].includes(answer.status) || answer.body.includes('You may not'), `${what}: ${answer.status} ${answer.body}`);
}

function refused(answer, what, secrets = []) {
  assert.equal(answer.status, 401, `${what}: ${answer.body}`);
  assert.ok(answer.headers['www-authenticate'], what);
  for (const secret of secrets) assert.ok(!JSON.stringify(answer).includes(secret), `${what} repeats what it was told`);
}

/** @type {Record<string, () => any>} each gives { options, tls?, right, wrong: { name: what }, only? } */
const WAYS = {
  secret: () => ({
    options: { auth: SECRET },
    right: { authorization: `basic ${SECRET}` },
    wrong: { another: { authorization: 'basic wr0ng-secret' }, bearer: { authorization: `Bearer ${SECRET}` } },
  }),
  password: () => ({
    options: { users: { ali: PASSWORD } },
    right: { authorization: basic('ali', PASSWORD) },
    wrong: { another: { authorization: basic('ali', 'wr0ng-secret') }, nobody: { authorization: basic('bob', PASSWORD) } },
  }),
  hook: () => ({
    options: { authenticate: ({ headers }) => headers['authorization'] === `Hook ${PASSWORD}` && { id: 'ali' } },
    right: { authorization: `Hook ${PASSWORD}` },
    wrong: { another: { authorization: 'Hook wr0ng-secret' } },
  }),
  certificate: () => {
    const server = { key: certificates('server.key'), cert: certificates('server.pem') };
    return {
      tls: true,
      options: { tls: { ...server, ca: certificates('ca.pem') }, certificates: true },
      right: { tls: { key: certificates('client.key'), cert: certificates('client.pem') } },
      wrong: { expired: { tls: { key: certificates('expired.key'), cert: certificates('expired.pem') } }, selfMade: { tls: selfMade() } },
    };
  },
  ...Object.fromEntries(
    FAMILIES.map((alg) => [
      `token ${alg}`,
      () => {
        const mine = signer(alg);
        return tokenWay({ jwt: mine.secret ? { secret: mine.secret } : { key: mine.pem } }, mine, signer(alg));
      },
    ]),
  ),
  'token of a published key': () => {
    const mine = signer('RS256', 'one');
    const other = signer('ES256', 'two');
    published.keys = [other.jwk, mine.jwk];
    return tokenWay({ jwt: { jwks: published.url, audience: 'kafka' } }, mine, signer('RS256', 'one'), { aud: ['kafka', 'else'] });
  },
  'token beside the subprotocols': () => {
    const mine = signer('ES256');
    const way = tokenWay({ jwt: { key: mine.jwk } }, mine, signer('ES256'));
    const beside = ({ authorization }) => ({ protocol: `bearer.${authorization.slice('Bearer '.length)}` });
    return {
      ...way,
      right: beside(way.right),
      wrong: Object.fromEntries(Object.entries(way.wrong).map(([name, what]) => [name, beside(what)])),
      only: ({ socket, upgrade }) => socket && typeof upgrade === 'string',
    };
  },
};

function tokenWay(options, mine, other, claims = {}) {
  const bearer = (text) => ({ authorization: `Bearer ${text}` });
  return {
    options,
    right: bearer(token(mine, claims)),
    wrong: {
      expired: bearer(token(mine, { ...claims, exp: now() - 60 })),
      'not yet': bearer(token(mine, { ...claims, nbf: now() + 60 })),
      'of another key': bearer(token(other, claims)),
      unsigned: bearer(`${token(mine, claims, { alg: 'none' }).split('.').slice(0, 2).join('.')}.`),
      garbled: bearer(`${token(mine, claims)}x`),
    },
  };
}

function selfMade() {
  const dir = fs.mkdtempSync(path.join(folder(t), 'self-'));
  const key = path.join(dir, 'key.pem');
  const cert = path.join(dir, 'cert.pem');
  require('node:child_process').execFileSync(
    'openssl',
    ['req', '-x509', '-newkey', 'ec', '-pkeyopt', 'ec_paramgen_curve:prime256v1', '-nodes', '-keyout', key, '-out', cert, '-subj', '/CN=client', '-days', '1'],
    { stdio: 'ignore' },
  );
  return { key: fs.readFileSync(key), cert: fs.readFileSync(cert) };
}

describe('each way alone', () => {
  for (const [name, make] of Object.entries(WAYS)) {
    test(`${name}: what is right opens every door, nothing else opens any`, async () => {
      const { options, tls, right, wrong, only = () => true } = make();
      const port = await proxyOf(options);
      for (const [door, how] of doors.filter(([, how]) => only(how))) {
        letIn(await knockAt(port, how, { tls, ...right }), how, `${name} at ${door}`);
        refused(await knockAt(port, how, { tls }), `nothing at ${door}`);
        for (const [why, what] of Object.entries(wrong)) {
          const secrets = [what.authorization, what.protocol]
            .filter(Boolean)
            .map((text) => text.split(/[ .]/).at(-1))
            .filter((text) => text.length > 3);
          refused(await knockAt(port, how, { tls, ...what }), `${why} at ${door}`, secrets);
        }
      }
    });
  }
});

test('where nobody is asked every door is open', async () => {
  const port = await proxyOf({});
  for (const [door, how] of doors.filter(([name]) => name !== 'tickets')) letIn(await knockAt(port, how), how, door);
  assert.equal((await ask({ port, method: 'POST', path: '/tickets' })).status, 403, 'a ticket for nobody');
});

test('a ticket opens sockets and events once, for as long as it is good, and nothing else', async () => {
  const port = await proxyOf({ users: { ali: PASSWORD }, ticketLifetime: 1000 });
  const authorization = basic('ali', PASSWORD);
  const ticket = async () => {
    const { status, body } = await ask({ port, method: 'POST', path: '/tickets', headers: { authorization } });
    assert.equal(status, 201);
    return JSON.parse(body);
  };
  const late = await Promise.all(doors.map(ticket));
  for (const [door, how] of doors) {
    const query = `ticket=${(await ticket()).ticket}`;
    if (!how.ticket) {
      refused(await knockAt(port, how, { query }), `a ticket at ${door}`);
      continue;
    }
    letIn(await knockAt(port, how, { query }), how, `a ticket at ${door}`);
    refused(await knockAt(port, how, { query }), `a used ticket at ${door}`);
    refused(await knockAt(port, how, { query: 'ticket=wr0ng-secret' }), `no ticket at ${door}`);
    refused(await knockAt(port, how, { query: `ticket=${(await ticket()).ticket}&ticket=x` }), `two tickets at ${door}`);
  }
  await eventually(PATIENCE, 'the tickets have expired', () => Date.now() > Math.max(...late.map(({ expires }) => expires)));
  for (const [i, [door, how]] of doors.entries()) refused(await knockAt(port, how, { query: `ticket=${late[i].ticket}` }), `an old ticket at ${door}`);
});

test('all ways beside each other: each opens every door, and what is wrong in each opens none', async () => {
  const ways = Object.fromEntries(
    ['secret', 'password', 'hook', 'certificate', 'token HS256', 'token ES256', 'token of a published key'].map((name) => [name, WAYS[name]()]),
  );
  const options = Object.assign({}, ...Object.values(ways).map((way) => way.options));
  options.jwt = Object.assign({}, ...Object.values(ways).map((way) => way.options.jwt));
  // The audience is wanted of all of them.
  delete options.jwt.audience;
  const port = await proxyOf(options);
  for (const [door, how] of doors) {
    refused(await knockAt(port, how, { tls: true }), `nothing at ${door}`);
    for (const [name, { right, wrong }] of Object.entries(ways)) {
      letIn(await knockAt(port, how, { tls: true, ...right }), how, `${name} at ${door}`);
      for (const [why, what] of Object.entries(wrong)) refused(await knockAt(port, how, { tls: true, ...what }), `${name}, ${why}, at ${door}`);
    }
  }
});

test('the answer to a token beside the subprotocols names the protocol alone', async () => {
  const mine = signer('ES256');
  const port = await proxyOf({ jwt: { key: mine.jwk } });
  for (const protocol of ['kafka.v2.json', 'kafka.v2.msgpack']) {
    const { status, headers } = await ask({ port, upgrade: `bearer.${token(mine)}, ${protocol}` });
    assert.equal(status, 101);
    assert.equal(headers['sec-websocket-protocol'], protocol);
  }
  assert.equal((await ask({ port, upgrade: `bearer.${token(mine)}` })).status, 400, 'no protocol that could be answered');
  refused(await ask({ port, upgrade: `kafka.v2.json, bearer.${token(mine)}, bearer.${token(mine)}` }), 'two tokens');
  refused(
    await ask({ port, upgrade: 'kafka.v2.json', path: `/?token=${token(mine)}&access_token=${token(mine)}&bearer=${token(mine)}` }),
    'a token in the URL',
  );
});
