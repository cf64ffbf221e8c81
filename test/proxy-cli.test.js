'use strict';
// `npx kafka-proxy`: what it is told, what it says, how it ends; and wscat as its client.

const assert = require('node:assert/strict');
const fs = require('node:fs');
const path = require('node:path');
const { spawn } = require('node:child_process');
const { EventEmitter, once } = require('node:events');
const { describe, test } = require('node:test');
const { makeTls } = require('../deps/kafka/tls.js');
const { cleanup } = require('./support/cleanup.js');
const { embedded } = require('./support/clusters.js');
const { PATIENCE, folder, within } = require('./support/flow.js');
const { knock, listening, NOBODY, opened } = require('./support/proxy.js');

/** As npm links it: a file that the system can run. */
const CLI = path.join(__dirname, '..', 'js', 'kafka-proxy', 'dist', 'cli.js');
const WSCAT = path.join(path.dirname(require.resolve('wscat/package.json')), 'bin', 'wscat');

/** A program that runs, and what it has written. */
class Program extends EventEmitter {
  out = '';
  err = '';

  /** @param {import('node:test').TestContext} t @param {string} file @param {string[]} args @param {Record<string, string>} [env] */
  constructor(t, file, args, env = {}) {
    super();
    const inherited = Object.fromEntries(Object.entries(process.env).filter(([name]) => !name.startsWith('KAFKA_PROXY_') && name !== 'NODE_TEST_CONTEXT'));
    this.process = spawn(file, args, { env: { ...inherited, ...env }, stdio: 'pipe' });
    cleanup(t, () => this.process.kill('SIGKILL'));
    for (const [name, stream] of /** @type {const} */ ([
      ['out', this.process.stdout],
      ['err', this.process.stderr],
    ])) {
      stream.setEncoding('utf8').on('data', (text) => {
        this[name] += text;
        this.emit('text');
      });
    }
    this.ended = once(this.process, 'close').then(([code]) => code);
  }

  /** @param {RegExp} fits @param {'out' | 'err'} [where] */
  async says(fits, where = 'out') {
    return within(
      PATIENCE,
      () => `${fits} never came; it said ${this.out}${this.err}`,
      async () => {
        for (;;) {
          const match = fits.exec(this[where]);
          if (match) return match;
          await Promise.race([
            once(this, 'text'),
            this.ended.then((code) => fits.test(this[where]) || assert.fail(`it ended with ${code}, and said ${this.out}${this.err}`)),
          ]);
        }
      },
    );
  }

  /** The port in the line that it prints when it listens. */
  async port() {
    return Number((await this.says(/listens on \S+:(\d+)/))[1]);
  }

  async exits() {
    return within(
      PATIENCE,
      () => `it ends; it said ${this.out}${this.err}`,
      () => this.ended,
    );
  }
}

const proxy = (t, args, env) => new Program(t, CLI, args, env);
const wscat = (t, args) => new Program(t, process.execPath, [WSCAT, '--no-color', ...args]);

test('--help shows every flag with its variable, and examples that are right', async (t) => {
  const help = proxy(t, ['--help']);
  assert.equal(await help.exits(), 0);
  for (const name of ['BROKERS', 'PORT', 'HOST', 'PATH', 'CONFIG', 'AUTH', 'ORIGINS', 'TLS_CERT', 'TLS_KEY', 'CLOSE_TIMEOUT', 'LOG_LEVEL']) {
    assert.match(help.out.replace(/\s+/g, ' '), new RegExp(`env: KAFKA_PROXY_${name}\\b`));
  }
  assert.match(help.out, /npx wscat -c 'ws:\/\/localhost:8080\/\?topic=orders'/);
  for (const [, flags] of help.out.matchAll(/\$ (?:KAFKA_PROXY_AUTH=secret )?kafka-proxy (.*)/g)) {
    for (const [flag] of flags.matchAll(/--[\w-]+/g)) assert.match(help.out, new RegExp(`^ +(?:-\\w, )?${flag}\\b`, 'm'));
  }
  const version = proxy(t, ['--version']);
  assert.equal(await version.exits(), 0);
  assert.equal(version.out.trim(), require('kafka-proxy/package.json').version);
});

test('what is wrong is named, ends with 2, and shows no secret', async (t) => {
  const dir = folder(t);
  const file = (name, text) => {
    fs.writeFileSync(path.join(dir, name), text);
    return path.join(dir, name);
  };
  const table = [
    [/where is Kafka\? Say --brokers localhost:9092/, []],
    [/unknown option '--nix'/, ['--nix']],
    [/too many arguments|unexpected/i, ['localhost:9092']],
    [/'-p, --port <number>' argument '80x' is invalid.*whole number from 0 to 65535/, ['--port', '80x', '--demo']],
    [/'debug2' is invalid/, ['--log-level', 'debug2', '--demo']],
    [/KAFKA_PROXY_PORT.*is invalid/, ['--demo'], { KAFKA_PROXY_PORT: 'high' }],
    [/ZooKeeper/, ['--brokers', 'localhost:2181']],
    [/path must begin with '\/'/, ['--brokers', NOBODY, '--path', 'x']],
    [/auth must not be empty/, ['--brokers', NOBODY], { KAFKA_PROXY_AUTH: '' }],
    [/--tls-key and --tls-cert belong together/, ['--brokers', NOBODY, '--tls-key', 'x']],
    [/--tls-key: the file .*nothing\.pem cannot be read: ENOENT/, ['--brokers', NOBODY, '--tls-key', 'nothing.pem', '--tls-cert', 'x']],
    [/the file .*nothing\.yaml cannot be read: ENOENT/, ['--config', 'nothing.yaml']],
    [/bad\.yaml, line 2, column \d+: this is no YAML or JSON/, ['--config', file('bad.yaml', 'brokers: a\nauth: s3cret: s3cret\n')]],
    [/there is no option brokerz/, ['--config', file('typo.yaml', 'brokerz: a\nauth: s3cret\nbrokers: a:1')]],
    [/auth must be a string$/m, ['--config', file('number.json', '{"brokers":"a:1","auth":["s3cret"]}')]],
    [/limits\.sockets must be/, ['--config', file('limits.yaml', 'brokers: a:1\nlimits: { sockets: none }')]],
    [/must have options/, ['--config', file('list.yaml', '- a')]],
    [/logLevel must be/, ['--config', file('level.yaml', 'brokers: a:1\nlogLevel: loud')]],
    [/tls\.key: the file .*key\.pem cannot be read/, ['--config', file('tls.yaml', 'brokers: a:1\ntls: { key: key.pem, cert: cert.pem }')]],
    [/tls cannot be used/, ['--config', file('pem.yaml', 'brokers: a:1\ntls: { key: "-----BEGIN s3cret", cert: "-----BEGIN x" }')]],
  ];
  await Promise.all(
    table.map(async ([message, args, env]) => {
      const program = proxy(t, /** @type {string[]} */ (args), /** @type {any} */ (env));
      assert.equal(await program.exits(), 2, program.err);
      assert.match(program.err, /** @type {RegExp} */ (message));
      assert.match(program.err, /^error: /);
      assert.doesNotMatch(program.err + program.out, /s3cret|\n +at /);
    }),
  );
});

test('a port that is taken ends it with 1, and words that help', async (t) => {
  const { port } = await listening(t);
  const program = proxy(t, ['--brokers', NOBODY, '--port', String(port)]);
  assert.equal(await program.exits(), 1);
  assert.match(program.err, new RegExp(`^error: port ${port} of 127\\.0\\.0\\.1 is taken`, 'm'));
});

test('a flag counts more than its variable, that more than the file; the file has what flags have not', async (t) => {
  const dir = folder(t);
  const certificates = path.join(dir, 'tls');
  await makeTls(certificates);
  const yaml = path.join(dir, 'proxy.yaml');
  fs.writeFileSync(
    yaml,
    `brokers: [${NOBODY}]\nport: 0\nhost: 127.0.0.1\npath: /file\nusers: { ali: "op:en" }\nlimits: { payload: 100 }\ntls: { key: tls/server.key, cert: tls/server.pem }\nlogLevel: error\n`,
  );
  const url = async (args, env) => (await proxy(t, args, env).says(/listens on (\S+)/))[1].replace(/\d+/, 'PORT');
  assert.equal(await url(['--config', yaml]), 'wss://localhost:PORT/file');
  assert.equal(await url(['--config', yaml], { KAFKA_PROXY_PATH: '/env' }), 'wss://localhost:PORT/env');
  assert.equal(await url(['--path', '/flag'], { KAFKA_PROXY_PATH: '/env', KAFKA_PROXY_CONFIG: yaml }), 'wss://localhost:PORT/flag');

  const program = proxy(t, ['--config', yaml]);
  const port = await program.port();
  const options = { ca: fs.readFileSync(path.join(certificates, 'ca.pem')) };
  await assert.rejects(opened(`wss://localhost:${port}/file`, ['kafka.v2.json'], options), /401/);
  const client = await opened(`wss://localhost:${port}/file`, ['kafka.v2.json'], { ...options, auth: 'ali:op:en' });
  assert.equal((await client.hears(({ type }) => type === 'hello')).limits.payload, 100);
  assert.match(program.out, /npx wscat --auth NAME:PASSWORD -c/);

  const json = path.join(dir, 'proxy.json');
  fs.writeFileSync(json, JSON.stringify({ kafka: { brokers: [NOBODY], clientId: 'json' }, port: 0, origins: ['https://a.example'] }));
  const plain = await proxy(t, ['--config', json, '--host', '127.0.0.1', '--origins', 'https://b.example, https://c.example']).port();
  for (const [origin, status] of [
    ['https://a.example', 403],
    ['https://b.example', 101],
    ['https://c.example', 101],
  ]) {
    assert.equal((await knock(plain, { headers: { origin } })).status, status, String(origin));
  }
});

test('variables that mean nothing are told, those that Kubernetes makes for a service of that name harm nothing', async (t) => {
  const program = proxy(t, ['--brokers', NOBODY, '--log-level', 'warn', '-p', '0'], {
    KAFKA_PROXY_AUHT: 's3cret',
    KAFKA_PROXY_PORT: 'tcp://10.0.0.1:80',
    KAFKA_PROXY_PORT_80_TCP_ADDR: '10.0.0.1',
    KAFKA_PROXY_SERVICE_HOST: '10.0.0.1',
  });
  await program.says(/listens on/);
  await program.says(/KAFKA_PROXY_AUHT means nothing/, 'err');
  assert.doesNotMatch(program.err, /SERVICE|PORT_80|s3cret/);
});

test('a Kafka that is away is told, tried again, and told when it answers', async (t) => {
  const cluster = await embedded();
  cleanup(t, () => cluster.close());
  cluster.mock.brokerDown(1);
  const program = proxy(t, ['--brokers', cluster.options().broker, '-p', '0']);
  const port = await program.port();
  await program.says(/Kafka at 127\.0\.0\.1:\d+ has not answered yet/, 'err');
  assert.equal((await knock(port)).status, 101, 'clients come in, and wait as well');
  cluster.mock.brokerUp(1);
  await program.says(/Kafka at 127\.0\.0\.1:\d+ answers/, 'err');
});

describe('SIGTERM and SIGINT', () => {
  for (const signal of /** @type {const} */ (['SIGTERM', 'SIGINT'])) {
    test(`${signal} closes the sockets with 1001 and ends with 0`, async (t) => {
      const program = proxy(t, ['--brokers', NOBODY, '-p', '0']);
      const client = await opened(`ws://127.0.0.1:${await program.port()}`);
      program.process.kill(signal);
      assert.equal((await client.gone()).code, 1001);
      assert.equal(await program.exits(), 0);
    });
  }

  test('a second one ends it at once with 1, a client that does not answer ends it after closeTimeout', async (t) => {
    const UPGRADE =
      'GET / HTTP/1.1\r\nHost: localhost\r\nConnection: Upgrade\r\nUpgrade: websocket\r\nSec-WebSocket-Version: 13\r\nSec-WebSocket-Key: AAAAAAAAAAAAAAAAAAAAAA==\r\nSec-WebSocket-Protocol: kafka.v2.json\r\n\r\n';
    const [patient, bounded] = [
      ['--close-timeout', '600000'],
      ['--close-timeout', '200'],
    ].map((args) => proxy(t, ['--brokers', NOBODY, '-p', '0', ...args]));
    for (const program of [patient, bounded]) {
      const mute = require('node:net')
        .connect(await program.port(), '127.0.0.1')
        .on('error', () => {});
      cleanup(t, () => mute.destroy());
      mute.write(UPGRADE);
      await once(mute, 'data');
      program.process.kill('SIGTERM');
    }
    assert.equal(await bounded.exits(), 0);
    await patient.says(/SIGTERM/, 'err');
    patient.process.kill('SIGTERM');
    assert.equal(await patient.exits(), 1);
  });
});

test('--demo shows messages to wscat with the line that it prints, and by protocol 2', async (t) => {
  const demo = proxy(t, ['--demo', '-p', '0']);
  const [, url] = await demo.says(/npx wscat -c '(\S+)' +# orders/);
  const old = wscat(t, ['-c', url]);
  const { message } = JSON.parse((await old.says(/(\[\{"message":.*\}\])/))[1])[0];
  assert.ok(JSON.parse(message).order > 1000);

  const subscribe = JSON.stringify({ type: 'subscribe', id: 'p', topics: ['prices'], from: 'earliest' });
  const prices = wscat(t, ['-s', 'kafka.v2.json', '-c', url.replace(/\?.*/, ''), '-w', '-1', '-x', subscribe]);
  const { topic, records } = JSON.parse((await prices.says(/(\{"type":"batch".*\})/))[1]);
  assert.equal(topic, 'prices');
  assert.equal(JSON.parse(records[0].value).symbol, records[0].key);
  demo.process.kill('SIGTERM');
  assert.equal(await demo.exits(), 0);
  await Promise.all([old.exits(), prices.exits()]);
});

test('no secret is in what it writes, whatever clients send, at the level debug', async (t) => {
  const program = proxy(t, ['--brokers', NOBODY, '-p', '0', '--host', '127.0.0.1', '--log-level', 'debug'], { KAFKA_PROXY_AUTH: 's3cret' });
  const port = await program.port();
  const secrets = { right: 's3cret', wrong: 'wr0ng', token: 't0ken', cookie: 'c00kie' };
  for (const password of [secrets.right, secrets.wrong]) {
    for (const target of [`/?topic=x&token=${secrets.token}`, `/${secrets.token}/?${secrets.token}`, `/?partition=${secrets.token}`]) {
      for (const protocol of ['kafka.v2.json', `${secrets.token}, x`]) {
        await knock(port, { path: target, headers: { authorization: `basic ${password}`, cookie: secrets.cookie, 'Sec-WebSocket-Protocol': protocol } });
      }
    }
  }
  const old = await opened(`ws://127.0.0.1:${port}/?partition=${secrets.token}&topic=x`, [], { headers: { authorization: `Basic ${secrets.right}` } });
  await old.gone();
  await program.says(/"event":"refused".*"status":401/, 'err');
  await program.says(/"event":"close"/, 'err');
  program.process.kill('SIGTERM');
  assert.equal(await program.exits(), 0);
  for (const secret of Object.values(secrets)) assert.ok(!(program.out + program.err).includes(secret), `${secret} in ${program.out}${program.err}`);
});
