'use strict';

const assert = require('node:assert/strict');
const { spawnSync } = require('node:child_process');
const fs = require('node:fs');
const path = require('node:path');
const { after, before, test } = require('node:test');
const tls = require('node:tls');
const { once } = require('node:events');
const { KafkaCluster } = require('../index.js');
const { runTool } = require('../java.js');
const { connect, request } = require('../wire.js');
const { portOf } = require('./support.js');

const API_VERSIONS = 18;
const SASL_HANDSHAKE = 17;
const SASL_AUTHENTICATE = 36;

/** @type {InstanceType<typeof KafkaCluster>} */
let cluster;
before(async () => {
  cluster = await KafkaCluster.start({ security: true, acls: true });
});
after(() => cluster.stop());

/** @param {import('../config.js').Listener} listener */
function address(listener) {
  return /** @type {string} */ (cluster.listeners[listener]);
}

function files() {
  return /** @type {import('../tls.js').Tls} */ (cluster.tls);
}

/** A strict TLS client. @param {import('../config.js').Listener} listener @param {string[]} args */
function sClient(listener, ...args) {
  const strict = ['-CAfile', files().ca, '-verify_return_error', '-verify_ip', '127.0.0.1'];
  const { status, stdout, stderr } = spawnSync('openssl', ['s_client', '-connect', address(listener), ...strict, ...args], { input: '', encoding: 'utf8' });
  return { status, output: stdout + stderr };
}

test('the TLS listener presents a certificate that a strict client accepts', () => {
  const { status, output } = sClient('ssl');
  assert.equal(status, 0, output);
  assert.match(output, /Verify return code: 0/);
});

test('the TLS listener is not trusted without the CA', () => {
  assert.notEqual(spawnSync('openssl', ['s_client', '-connect', address('ssl'), '-verify_return_error'], { input: '' }).status, 0);
});

test('the other TLS listeners present a certificate that expired, and one for another host', () => {
  assert.match(sClient('sslExpired').output, /certificate has expired/);
  assert.match(sClient('sslWrongHost').output, /IP address mismatch/);
});

test('mutual TLS takes the client certificate, and neither none nor an expired one', async () => {
  const ask = async (/** @type {string} */ cert, /** @type {string} */ key) => {
    const pem = cert ? { cert: fs.readFileSync(cert), key: fs.readFileSync(key) } : {};
    const socket = tls.connect({ host: '127.0.0.1', port: portOf(address('mtls')), ca: fs.readFileSync(files().ca), ...pem });
    await once(socket, 'secureConnect');
    try {
      return (await request(socket, API_VERSIONS, 0, Buffer.alloc(0))).readInt16BE(0);
    } finally {
      socket.destroy();
    }
  };
  assert.equal(await ask(files().clientCert, files().clientKey), 0);
  await assert.rejects(ask('', ''), /certificate[_ ]required|bad certificate/i);
  await assert.rejects(ask(files().expiredCert, files().expiredKey), /certificate/i);
});

/** Logs in; resolves to Kafka's error code, 0 when it worked. @param {string} mechanism @param {string} token */
async function logIn(mechanism, token) {
  const socket = await connect(portOf(address('saslPlaintext')));
  const field = (/** @type {Buffer} */ bytes, /** @type {number} */ lengthSize) => {
    const length = Buffer.alloc(lengthSize);
    length.writeIntBE(bytes.length, 0, lengthSize);
    return Buffer.concat([length, bytes]);
  };
  try {
    const handshake = await request(socket, SASL_HANDSHAKE, 1, field(Buffer.from(mechanism), 2));
    assert.equal(handshake.readInt16BE(0), 0);
    return (await request(socket, SASL_AUTHENTICATE, 0, field(Buffer.from(token), 4))).readInt16BE(0);
  } finally {
    socket.destroy();
  }
}

test('alice logs in with PLAIN, and not with another password', async () => {
  const { username, password } = cluster.users.alice;
  assert.equal(await logIn('PLAIN', `\0${username}\0${password}`), 0);
  assert.equal(await logIn('PLAIN', `\0${username}\0wrong`), 58, 'SASL_AUTHENTICATION_FAILED');
});

test('an unsigned OAuth token logs in', async () => {
  const now = Math.floor(Date.now() / 1000);
  const [header, claims] = [{ alg: 'none' }, { sub: 'carol', iat: now, exp: now + 60 }].map((part) => Buffer.from(JSON.stringify(part)).toString('base64url'));
  assert.equal(await logIn('OAUTHBEARER', `n,,\x01auth=Bearer ${header}.${claims}.\x01\x01`), 0);
});

test('bob logs in with SCRAM over TLS, and may do nothing that no ACL allows', async () => {
  const asBob = (/** @type {string} */ mechanism, /** @type {string} */ password) => {
    const file = path.join(cluster.dir, `${mechanism}-${password}.properties`);
    const login = `org.apache.kafka.common.security.scram.ScramLoginModule required username="bob" password="${password}";`;
    fs.writeFileSync(file, `security.protocol=SASL_SSL\nsasl.mechanism=${mechanism}\nsasl.jaas.config=${login}\nssl.truststore.type=PEM\nssl.truststore.location=${files().ca}\n`);
    return runTool('org.apache.kafka.tools.TopicCommand', ['--bootstrap-server', address('saslSsl'), '--command-config', file, '--create', '--topic', 'of-bob']);
  };
  const { password } = cluster.users.bob;
  await assert.rejects(asBob('SCRAM-SHA-256', password), /TopicAuthorizationException/);
  await assert.rejects(asBob('SCRAM-SHA-512', password), /TopicAuthorizationException/);
  await assert.rejects(asBob('SCRAM-SHA-512', 'wrong'), /SaslAuthenticationException/);
});
