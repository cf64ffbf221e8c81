'use strict';
const assert = require('node:assert/strict');
const { execFileSync } = require('node:child_process');
const fs = require('node:fs');
const os = require('node:os');
const path = require('node:path');
const { test } = require('node:test');
require('./support.js'); // chooses the fake addon
const { readKafkaConfig } = require('../dist/kafka/config.js');
const { connectDeadline } = require('../dist/kafka/client.js');
const { giveToken } = require('../dist/kafka/tokens.js');

const quiet = { logger: { error() {}, warn() {}, info() {}, debug() {} } };
const read = (config) => readKafkaConfig({ brokers: ['b:1'], ...quiet, ...config });
const properties = async (config) => Object.fromEntries(await read(config).properties());

test('brokers may be a function, which every connect calls', async () => {
  let calls = 0;
  const context = read({ brokers: async () => [`b${++calls}:1`, 'c:2'] });
  assert.equal(Object.fromEntries(await context.properties())['bootstrap.servers'], 'b1:1,c:2');
  assert.equal(Object.fromEntries(await context.properties())['bootstrap.servers'], 'b2:1,c:2');
});

test('brokers that cannot be are refused at once, or by connect where a function gives them', async () => {
  for (const [brokers, message] of [
    [undefined, 'Failed to connect: brokers should not be null'],
    [null, 'Failed to connect: brokers should not be null'],
    [['kafka://b:1'], "Failed to connect: broker at index 0 must be host:port, without a scheme (TLS is the option ssl), got 'kafka://b:1'"],
    [['b:1', 'b:99999'], "Failed to connect: broker at index 1 must be host:port, with a port from 1 to 65535, got 'b:99999'"],
    [['b:1,c:0'], "Failed to connect: broker at index 0 must be host:port, with a port from 1 to 65535, got 'b:1,c:0'"],
    [['[::1]:x'], "Failed to connect: broker at index 0 must be host:port, with a port from 1 to 65535, got '[::1]:x'"],
    [[], 'Failed to connect: brokers array is empty'],
    [['b:1', undefined], 'Failed to connect: broker at index 1 is invalid "undefined"'],
    ['b:1', "Failed to connect: brokers must be an array of 'host:port', got 'b:1'"],
  ]) {
    assert.throws(() => read({ brokers }), { name: 'KafkaJSNonRetriableError', message });
    await assert.rejects(read({ brokers: () => brokers }).properties(), { name: 'KafkaJSNonRetriableError', message });
  }
  assert.throws(() => readKafkaConfig({ brokrs: ['b:1'] }), { message: 'Failed to connect: brokers should not be null; unknown options: brokrs (is brokers meant?)' });
  for (const broker of ['b', 'b:9092', '[::1]:9092', 'a:1, b:2', '10.0.0.1:65535']) read({ brokers: [broker] });
  const why = new Error('no registry');
  await assert.rejects(read({ brokers: () => Promise.reject(why) }).properties(), { name: 'KafkaJSConnectionError', message: 'Failed to connect: "config.brokers" threw: no registry', cause: why });
});

test('what librdkafka cannot do throws, and says what can be done', () => {
  for (const [config, alternative] of [
    [{ socketFactory() {} }, /advertised listeners/],
    [{ ssl: { servername: 'x' } }, /ssl\.endpoint\.identification\.algorithm/],
    [{ ssl: { checkServerIdentity() {} } }, /ssl\.endpoint\.identification\.algorithm/],
    [{ ssl: { pfx: 'x' } }, /ssl\.keystore\.location/],
    [{ ssl: { key: ['a', 'b'] } }, /one identity/],
    [{ sasl: { mechanism: 'aws' } }, /oauthBearerProvider/],
    [{ sasl: { mechanism: 'plain', authenticationProvider() {} } }, /oauthBearerProvider/],
  ]) {
    assert.throws(() => read(config), (error) => error.name === 'KafkaJSNotImplemented' && alternative.test(error.message), JSON.stringify(config));
  }
});

test('a log level may be a name', () => {
  const lines = (logLevel) => {
    const told = [];
    const { logger } = readKafkaConfig({ brokers: ['b:1'], logLevel, logCreator: () => ({ label }) => told.push(label) });
    logger.info('');
    logger.debug('');
    return told;
  };
  assert.deepEqual([lines('info'), lines('DEBUG'), lines(4), lines('nothing')], [['INFO'], ['INFO', 'DEBUG'], ['INFO'], []]);
  assert.throws(() => lines('verbose'), { name: 'TypeError', message: /NOTHING, ERROR, WARN, INFO, DEBUG, got 'verbose'/ });
});

test('what is wrong names its option and shows no secret', async () => {
  assert.throws(() => read({ connectionTimeout: 'soon' }), { name: 'TypeError', message: /connectionTimeout/ });
  await assert.rejects(properties({ sasl: { mechanism: 'plain', username: 'u', password: '' } }), { name: 'KafkaJSSASLAuthenticationError' });
  await assert.rejects(properties({ sasl: { mechanism: 'oauthbearer' } }), { name: 'KafkaJSSASLAuthenticationError' });
  assert.throws(() => read({ sasl: { mechanism: 'oauthbearer', oidc: { tokenEndpoint: 'https://i/t', clientId: 'c' } } }), { name: 'TypeError', message: /clientSecret/ });
  assert.throws(() => read({ clientId: 'a "b"', statisticsInterval: 1000 }), { name: 'KafkaJSNonRetriableError', message: /clientId/ });
  assert.throws(() => read({ ssl: { ca: 7 } }), { name: 'TypeError', message: /ssl\.ca/ });
  for (const name of ['ca', 'cert']) {
    assert.throws(() => read({ ssl: { [name]: '/etc/ca.pem' } }), { name: 'TypeError', message: `Kafka: ssl.${name} must be a certificate, PEM or DER, and not the path of one: read it with fs.readFileSync` });
  }
  assert.throws(() => read({ properties: { 'bootstrap.servers': 'x' } }), { name: 'KafkaJSNonRetriableError', message: /use brokers/ });
});

test('TLS and SASL are said in librdkafka\'s words', async () => {
  const folder = fs.mkdtempSync(path.join(os.tmpdir(), 'kafka-native-'));
  execFileSync('openssl', ['req', '-x509', '-newkey', 'ec', '-pkeyopt', 'ec_paramgen_curve:P-256', '-nodes', '-keyout', 'k', '-out', 'c', '-subj', '/CN=x'], { cwd: folder, stdio: 'pipe' });
  execFileSync('openssl', ['x509', '-in', 'c', '-outform', 'DER', '-out', 'd'], { cwd: folder });
  const [pem, der] = [fs.readFileSync(path.join(folder, 'c'), 'utf8'), fs.readFileSync(path.join(folder, 'd'))];
  fs.rmSync(folder, { recursive: true });

  const tls = await properties({ ssl: { ca: [pem, der], cert: Buffer.from(pem), key: [{ pem: 'KEY', passphrase: 'secret' }], rejectUnauthorized: false } });
  assert.equal(tls['security.protocol'], 'ssl');
  assert.equal(tls['ssl.ca.pem'].match(/-----BEGIN CERTIFICATE-----/g).length, 2);
  assert.equal(tls['ssl.certificate.pem'], pem);
  assert.deepEqual([tls['ssl.key.pem'], tls['ssl.key.password'], tls['enable.ssl.certificate.verification']], ['KEY', 'secret', 'false']);
  assert.equal((await properties({ ssl: { key: 'KEY', passphrase: 'p' } }))['ssl.key.password'], 'p');

  const plain = await properties({ sasl: { mechanism: 'Scram-SHA-512', username: 'u', password: 'p' } });
  assert.deepEqual([plain['security.protocol'], plain['sasl.mechanism'], plain['sasl.username'], plain['sasl.password']], ['sasl_plaintext', 'SCRAM-SHA-512', 'u', 'p']);
  const both = await properties({ ssl: true, sasl: { mechanism: 'plain', username: 'u', password: 'p' }, properties: { 'ssl.ca.location': '/ca.pem' } });
  assert.deepEqual([both['security.protocol'], both['ssl.ca.location'], both['ssl.ca.pem']], ['sasl_ssl', '/ca.pem', undefined]);
  assert.equal((await properties({ ssl: false }))['security.protocol'], undefined);
});

test('time-outs and pauses fit librdkafka\'s bounds', async () => {
  const usual = await properties({});
  assert.deepEqual([usual['socket.connection.setup.timeout.ms'], usual['socket.timeout.ms'], usual['retry.backoff.ms']], ['1000', '30000', undefined]);
  const own = await properties({ connectionTimeout: 10, requestTimeout: 1e9, retry: { initialRetryTime: 50, maxRetryTime: 1e9 }, ssl: true });
  assert.deepEqual([own['socket.connection.setup.timeout.ms'], own['socket.timeout.ms'], own['retry.backoff.ms'], own['retry.backoff.max.ms']], ['10010', '300000', '50', '300000']);
  assert.equal((await properties({ enforceRequestTimeout: false }))['socket.timeout.ms'], '300000');
  assert.equal(connectDeadline(read({})), 6 * 1000 + 300 + 600 + 1200 + 2400 + 4800);
  assert.equal(connectDeadline(read({ connectionTimeout: 10, retry: { retries: 1, initialRetryTime: 7 } })), 27);
});

test('a logger of the user\'s gets one string a line', () => {
  const lines = [];
  const logger = Object.fromEntries(['error', 'warn', 'info', 'debug'].map((level) => [level, (line) => lines.push(`${level}: ${line}`)]));
  const context = read({ logger, brokrs: 1 });
  context.logger.namespace('Producer').error('no', { topic: 't' });
  context.logger.debug('hidden at level INFO');
  assert.deepEqual(lines, ['warn: Kafka: unknown options are ignored: brokrs (is brokers meant?)', "error: [Producer] no { topic: 't' }"]);
});

const jwt = (claims) => `e30.${Buffer.from(JSON.stringify(claims)).toString('base64url')}.s`;
async function given(provider, timeout = 1000) {
  const calls = [];
  await giveToken({ setToken: (...call) => calls.push(call), setTokenFailure: (reason) => calls.push(reason) }, provider, timeout);
  assert.equal(calls.length, 1);
  return calls[0];
}

test('a token\'s life and principal are what it says, or what its claims say', async () => {
  const value = jwt({ exp: 2_000_000_000, sub: 'alice' });
  assert.deepEqual(await given(async () => ({ value })), [value, 2_000_000_000_000, 'alice', []]);
  assert.deepEqual(await given(async () => ({ value, lifetime: 7, principal: 'bob', extensions: { a: 'x', b: 'y' } })), [value, 7, 'bob', ['a', 'x', 'b', 'y']]);
  const [opaque, lifetime, principal] = await given(async () => ({ value: 'opaque' }));
  assert.deepEqual([opaque, principal], ['opaque', '']);
  assert.ok(lifetime > Date.now());
});

test('a provider that throws, has nothing or never answers fails the authentication', async () => {
  assert.equal(await given(async () => { throw new Error('the vault is closed'); }), 'the vault is closed');
  assert.match(await given(async () => undefined), /gave no token/);
  const alive = setInterval(() => {}, 1000); // a question for a token keeps no process alive
  assert.match(await given(() => new Promise(() => {}), 1), /did not answer within 1 ms/);
  clearInterval(alive);
});
