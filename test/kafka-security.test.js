'use strict';
// TLS and SASL of the KafkaJS-shaped client on the real broker's listeners. Where a connection is refused, `connect` would
// otherwise wait for ten minutes: an answer is the refusal, never the time-out.

const assert = require('node:assert/strict');
const { execFileSync, spawnSync } = require('node:child_process');
const { once } = require('node:events');
const fs = require('node:fs');
const http = require('node:http');
const net = require('node:net');
const path = require('node:path');
const { after, before, describe, test } = require('node:test');
const { Kafka, KafkaJSConnectionError, KafkaJSNonRetriableError, KafkaJSNumberOfRetriesExceeded, KafkaJSSASLAuthenticationError } = require('kafka-native');
const { cleanup } = require('./support/cleanup.js');
const { folder } = require('./support/flow.js');
const { real } = require('./support/clusters.js');

/** @type {any} */ let cluster;
/** @type {import('@kafka-native/kafka-for-tests').KafkaCluster} */ let servers;
before(async () => {
  cluster = await real({ own: true, security: true });
  servers = cluster.kafka;
});
after(() => cluster?.close());

const pem = (name) => fs.readFileSync(servers.tls[name], 'utf8');
const kafka = (listener, config) =>
  new Kafka({
    brokers: [servers.listeners[listener]],
    connectionTimeout: 600_000,
    retry: { retries: 0 },
    logger: { error() {}, warn() {}, info() {}, debug() {} },
    ...config,
  });

const CLIENTS = {
  producer: (of) => of.producer(),
  consumer: (of) => of.consumer({ groupId: 'security' }),
  admin: (of) => of.admin(),
};

/** Connects one client after the other. */
async function connects(of) {
  for (const client of Object.values(CLIENTS).map((make) => make(of))) {
    await client.connect();
    await client.disconnect();
  }
}

/** The error that each client's `connect` rejects with. */
async function refusals(of) {
  return Promise.all(
    Object.values(CLIENTS).map(async (make) => {
      const client = make(of);
      const error = await client.connect().then(
        () => assert.fail('connected'),
        (reason) => reason,
      );
      await client.disconnect();
      return error;
    }),
  );
}

/** An unsigned JWT, which the brokers of the tests take. */
function jwt({ sub = 'carol', seconds = 600 } = {}) {
  const part = (object) => Buffer.from(JSON.stringify(object)).toString('base64url');
  const now = Math.floor(Date.now() / 1000);
  return `${part({ alg: 'none' })}.${part({ sub, iat: now - 1000, exp: now + seconds })}.`;
}

const plain = (password) => ({ mechanism: 'plain', username: 'alice', password });
const scram = (bits, password) => ({ mechanism: `scram-sha-${bits}`, username: 'bob', password });
const oauth = (oauthBearerProvider) => ({ mechanism: 'oauthbearer', oauthBearerProvider });

describe('every client connects', () => {
  const ways = {
    'with a CA as text': () => kafka('ssl', { ssl: { ca: pem('ca') } }),
    'with a CA as a Buffer, among others': () => kafka('ssl', { ssl: { ca: [Buffer.from(pem('clientCert')), Buffer.from(pem('ca'))] } }),
    'with a CA from a file': () => kafka('ssl', { ssl: true, properties: { 'ssl.ca.location': servers.tls.ca } }),
    'with a client certificate': () => kafka('mtls', { ssl: { ca: pem('ca'), cert: pem('clientCert'), key: pem('clientKey') } }),
    'with a client certificate whose key has a passphrase': (t) => {
      const file = path.join(folder(t), 'key.pem');
      execFileSync('openssl', ['pkcs8', '-topk8', '-in', servers.tls.clientKey, '-out', file, '-passout', 'pass:open sesame']);
      return kafka('mtls', { ssl: { ca: pem('ca'), cert: pem('clientCert'), key: fs.readFileSync(file), passphrase: 'open sesame' } });
    },
    'without verification': () => kafka('sslExpired', { ssl: { rejectUnauthorized: false } }),
    'to another host when names do not matter': () =>
      kafka('sslWrongHost', { ssl: { ca: pem('ca') }, properties: { 'ssl.endpoint.identification.algorithm': 'none' } }),
    'with PLAIN': () => kafka('saslPlaintext', { sasl: plain(servers.users.alice.password) }),
    'with PLAIN over TLS': () => kafka('saslSsl', { ssl: { ca: pem('ca') }, sasl: plain(servers.users.alice.password) }),
    'with SCRAM-SHA-256': () => kafka('saslPlaintext', { sasl: scram(256, servers.users.bob.password) }),
    'with SCRAM-SHA-512 over TLS': () => kafka('saslSsl', { ssl: { ca: pem('ca') }, sasl: scram(512, servers.users.bob.password) }),
    'with a token': () => kafka('saslPlaintext', { sasl: oauth(async () => ({ value: jwt() })) }),
    'with a token over TLS': () => kafka('saslSsl', { ssl: { ca: pem('ca') }, sasl: oauth(async () => ({ value: jwt() })) }),
  };
  for (const [way, of] of Object.entries(ways)) test(way, async (t) => connects(await of(t)));
});

describe('a refusal ends connect at once, with its own class', () => {
  const denied = {
    'a wrong password for PLAIN': () => kafka('saslPlaintext', { sasl: plain('wrong-secret') }),
    'a wrong password for SCRAM': () => kafka('saslSsl', { ssl: { ca: pem('ca') }, sasl: scram(256, 'wrong-secret') }),
    'a token that is over by its own claims': () => kafka('saslPlaintext', { sasl: oauth(async () => ({ value: jwt({ seconds: -500 }) })) }),
    'a token that the broker finds over': () =>
      kafka('saslPlaintext', { sasl: oauth(async () => ({ value: jwt({ seconds: -500 }), lifetime: Date.now() + 600_000 })) }),
    'a token that is none': () => kafka('saslPlaintext', { sasl: oauth(async () => ({ value: 'wrong-secret' })) }),
    'a provider that fails': () =>
      kafka('saslPlaintext', {
        sasl: oauth(async () => {
          throw new Error('the vault is closed');
        }),
      }),
    'a provider without a token': () => kafka('saslPlaintext', { sasl: oauth(async () => {}) }),
    'a provider that never answers': () => kafka('saslPlaintext', { authenticationTimeout: 50, sasl: oauth(() => new Promise(() => {})) }),
  };
  for (const [what, of] of Object.entries(denied)) {
    test(what, async () => {
      for (const error of await refusals(of())) {
        assert.ok(error instanceof KafkaJSSASLAuthenticationError, `${error.name}: ${error.message}`);
        assert.equal(error.retriable, false);
        assert.equal(error.cause.code, '_AUTHENTICATION');
        assert.ok(!error.message.includes('wrong-secret'), error.message);
      }
    });
  }

  const incomplete = {
    'a mechanism that is none': { mechanism: 'foo', username: 'alice', password: 'x' },
    'no mechanism': { username: 'alice', password: 'x' },
    'no password': { mechanism: 'plain', username: 'alice' },
    'no user': { mechanism: 'scram-sha-256', username: null, password: 'x' },
    'no provider of tokens': { mechanism: 'oauthbearer' },
  };
  for (const [what, sasl] of Object.entries(incomplete)) {
    test(what, async () => {
      for (const error of await refusals(kafka('saslPlaintext', { sasl }))) {
        assert.ok(error instanceof KafkaJSSASLAuthenticationError, `${error.name}: ${error.message}`);
        assert.match(
          error.message,
          /^SASL (FOO|UNDEFINED) mechanism is not supported by the client: use|^SASL [A-Z0-9-]+: (Invalid username or password|Missing OAuth bearer token provider): /,
        );
      }
    });
  }

  const untrusted = {
    'an unknown authority': [
      /(self-signed certificate in certificate chain|unable to get local issuer certificate); give its authority \(the option ssl: \{ ca \}/,
      () => kafka('ssl', { ssl: { ca: pem('clientCert') } }),
    ],
    'an expired certificate': [/certificate has expired/, () => kafka('sslExpired', { ssl: { ca: pem('ca') } })],
    "another host's certificate": [/IP address mismatch/, () => kafka('sslWrongHost', { ssl: { ca: pem('ca') } })],
    'an expired certificate of the client': [
      /the broker refuses this client's certificate/,
      () => kafka('mtls', { ssl: { ca: pem('ca'), cert: pem('expiredCert'), key: pem('expiredKey') } }),
    ],
    'no certificate of the client': [/the broker refuses this client's certificate, or wants one/, () => kafka('mtls', { ssl: { ca: pem('ca') } })],
  };
  for (const [what, [why, of]] of Object.entries(untrusted)) {
    test(what, async () => {
      for (const error of await refusals(of())) {
        assert.ok(error instanceof KafkaJSNumberOfRetriesExceeded, `${error.name}: ${error.message}`);
        assert.match(error.message, why);
        const { cause } = error;
        assert.ok(cause instanceof KafkaJSConnectionError, `${cause.name}: ${cause.message}`);
        assert.deepEqual([cause.code, cause.cause.code], ['_SSL', '_SSL'], cause.message);
        assert.match(cause.broker, /^127\.0\.0\.1:\d+$/);
      }
    });
  }

  test('a key whose passphrase is wrong', async (t) => {
    const file = path.join(folder(t), 'key.pem');
    execFileSync('openssl', ['pkcs8', '-topk8', '-in', servers.tls.clientKey, '-out', file, '-passout', 'pass:open sesame']);
    for (const error of await refusals(
      kafka('mtls', { ssl: { ca: pem('ca'), cert: pem('clientCert'), key: fs.readFileSync(file), passphrase: 'wrong-secret' } }),
    )) {
      assert.equal(error.retriable, false, `${error.name}: ${error.message}`);
      assert.match(error.message, /ssl\.key\.pem/);
      assert.ok(!error.message.includes('wrong-secret'), error.message);
    }
  });
});

test('where nobody listens, connect says who was tried, and gives up when KafkaJS would', async () => {
  for (const error of await refusals(kafka('ssl', { brokers: ['127.0.0.1:1'], connectionTimeout: 50 }))) {
    assert.ok(error instanceof KafkaJSNumberOfRetriesExceeded, `${error.name}: ${error.message}`);
    assert.ok(error.cause instanceof KafkaJSConnectionError);
    assert.deepEqual([error.cause.broker, error.cause.code], ['127.0.0.1:1', 'ECONNREFUSED']);
  }
});

test('a server that never answers does not keep connect for ever', async (t) => {
  const mute = net.createServer(() => {}).listen(0, '127.0.0.1');
  cleanup(t, () => mute.close());
  await new Promise((resolve) => mute.once('listening', resolve));
  for (const error of await refusals(kafka('ssl', { brokers: [`127.0.0.1:${mute.address().port}`], connectionTimeout: 50 }))) {
    assert.ok(error instanceof KafkaJSNumberOfRetriesExceeded, `${error.name}: ${error.message}`);
  }
});

describe("an identity provider's tokens", () => {
  /** @type {http.Server} */ let server;
  /** @type {any[]} */ let asked;
  before(async () => {
    server = http
      .createServer((request, response) => {
        let body = '';
        request.on('data', (chunk) => {
          body += chunk;
        });
        request.on('end', () => {
          const [user, secret] = Buffer.from(request.headers.authorization.split(' ')[1], 'base64').toString().split(':').map(decodeURIComponent);
          asked.push({ user, type: request.headers['content-type'], ...Object.fromEntries(new URLSearchParams(body)) });
          const right = user === 'app' && secret === 's3cret:/+';
          response.writeHead(right ? 200 : 401, { 'content-type': 'application/json' });
          response.end(
            JSON.stringify(
              right ? { access_token: jwt(), token_type: 'bearer', expires_in: 600 } : { error: 'invalid_client', error_description: 'who are you' },
            ),
          );
        });
      })
      .listen(0, '127.0.0.1');
    await new Promise((resolve) => server.once('listening', resolve));
  });
  after(() => server.close());

  const oidc = (more) => ({
    mechanism: 'oauthbearer',
    oidc: {
      tokenEndpoint: `http://127.0.0.1:${server.address().port}/token`,
      clientId: 'app',
      clientSecret: 's3cret:/+',
      scope: 'a b',
      parameters: { audience: 'kafka' },
      ...more,
    },
  });

  test('the built-in provider gets them for client credentials', async () => {
    asked = [];
    await connects(kafka('saslPlaintext', { sasl: oidc() }));
    assert.deepEqual(
      asked,
      Array(Object.keys(CLIENTS).length).fill({
        user: 'app',
        type: 'application/x-www-form-urlencoded',
        grant_type: 'client_credentials',
        scope: 'a b',
        audience: 'kafka',
      }),
    );
  });

  test('what the identity provider refuses, connect tells', async () => {
    asked = [];
    for (const error of await refusals(kafka('saslPlaintext', { sasl: oidc({ clientSecret: 'wrong-secret' }) }))) {
      assert.ok(error instanceof KafkaJSSASLAuthenticationError, error.message);
      assert.match(error.message, /status 401, invalid_client: who are you/);
      assert.ok(!error.message.includes('wrong-secret'));
    }
  });

  test('an identity provider that cannot be reached is named', async () => {
    for (const error of await refusals(kafka('saslPlaintext', { sasl: oidc({ tokenEndpoint: 'http://127.0.0.1:1/token' }) }))) {
      assert.ok(error instanceof KafkaJSSASLAuthenticationError, error.message);
      assert.match(error.message, /http:\/\/127\.0\.0\.1:1\/token could not be asked/);
    }
  });
});

describe('a listener that wants something else says so', () => {
  const impatient = { connectionTimeout: 3000 };
  const wishes = {
    TLS: ['ssl', {}, /may want TLS/],
    'TLS, and SASL behind it': ['saslSsl', {}, /may want TLS/],
    SASL: ['saslPlaintext', {}, /may want SASL/],
    'SASL over TLS': ['saslSsl', { ssl: { rejectUnauthorized: false } }, /may want SASL/],
    'no TLS': ['plaintext', { ssl: { rejectUnauthorized: false } }, /may want no TLS/],
  };
  for (const [wish, [listener, config, words]] of Object.entries(wishes)) {
    test(wish, async () => {
      for (const error of await refusals(kafka(listener, { ...impatient, ...config }))) {
        assert.ok(error instanceof KafkaJSNumberOfRetriesExceeded && error.cause instanceof KafkaJSConnectionError, `${error.name}: ${error.message}`);
        assert.match(error.message, words);
        assert.doesNotMatch(error.message, /suppressed/);
      }
    });
  }

  test('no SASL, which is no matter of the password', async () => {
    for (const error of await refusals(kafka('plaintext', { sasl: plain('secret') }))) {
      assert.deepEqual([error.name, error.type], ['KafkaJSProtocolError', 'ILLEGAL_SASL_STATE']);
      assert.match(error.message, /wants no SASL/);
    }
  });

  test('a port of a web server', async (t) => {
    const server = http.createServer((_, answer) => answer.end()).listen(0, '127.0.0.1');
    cleanup(t, () => server.close());
    await once(server, 'listening');
    for (const error of await refusals(kafka('plaintext', { ...impatient, brokers: [`127.0.0.1:${server.address().port}`] }))) {
      assert.ok(error instanceof KafkaJSNonRetriableError);
      assert.match(error.message, /no Kafka broker.*"HTTP"/);
    }
  });
});

describe('without a CA', () => {
  const program = `
    const { Kafka } = require('kafka-native');
    const client = new Kafka({ brokers: [process.argv[1]], ssl: true, connectionTimeout: 600_000, retry: { retries: 0 }, logLevel: 0 }).consumer({ groupId: 'ca' });
    client.connect().then(() => console.log('connected'), (error) => console.log(error.cause.code)).finally(() => client.disconnect());
  `;
  const { SSL_CERT_FILE: _, SSL_CERT_DIR: __, NODE_EXTRA_CA_CERTS: ___, ...bare } = process.env;
  const run = (env, command = process.execPath, ...args) =>
    spawnSync(command, [...args, '-e', program, servers.listeners.ssl], { cwd: __dirname, encoding: 'utf8', env: { ...bare, ...env } }).stdout.trim();

  test("the system's authorities are trusted, and nobody else", {
    skip: spawnSync('unshare', ['--mount', 'true']).status !== 0 && 'no mount namespaces here',
  }, (t) => {
    // The system of this one process has the test's CA installed.
    const installed = folder(t);
    fs.copyFileSync(servers.tls.ca, path.join(installed, 'ca-certificates.crt'));
    const script = 'mount --bind "$0" /etc/ssl/certs && exec "$@"';
    assert.equal(run({}, 'unshare', '--mount', 'sh', '-c', script, installed, process.execPath), 'connected');
    assert.equal(run({}), '_SSL');
  });

  test("OpenSSL's and Node's variables name others", () => {
    assert.equal(run({ SSL_CERT_FILE: servers.tls.ca }), 'connected');
    assert.equal(run({ NODE_EXTRA_CA_CERTS: servers.tls.ca }), 'connected');
  });

  test("a system without authorities has Node's", { skip: spawnSync('unshare', ['--mount', 'true']).status !== 0 && 'no mount namespaces here' }, (t) => {
    const script = 'mount --bind "$0" /etc/ssl && exec "$@"';
    const config =
      "const { readKafkaConfig } = require('../js/kafka-native/dist/kafka/config.js'); readKafkaConfig({ brokers: ['b:1'], ssl: true }).properties().then((all) => console.log(Object.fromEntries(all)['ssl.ca.pem'].split('BEGIN CERTIFICATE').length - 1 === require('node:tls').rootCertificates.length))";
    const { stdout } = spawnSync('unshare', ['--mount', 'sh', '-c', script, folder(t), process.execPath, '-e', config], {
      cwd: __dirname,
      encoding: 'utf8',
      env: bare,
    });
    assert.equal(stdout.trim(), 'true');
  });
});
