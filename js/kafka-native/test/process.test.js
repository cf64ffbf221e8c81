'use strict';
const assert = require('node:assert/strict');
const { spawnSync } = require('node:child_process');
const path = require('node:path');
const { test } = require('node:test');

const fakeAddon = path.join(__dirname, 'fake-addon.js');

/** Runs a program with the fake addon. */
function run(program, { esm = false, env = {}, timeout = 30_000 } = {}) {
  const prelude = esm ? '' : `
    const kafka = require('kafka-native');
    const fake = require(${JSON.stringify(fakeAddon)});
    const { Event } = require(${JSON.stringify(path.join(__dirname, '../dist/binding.js'))});
  `;
  const args = [...(esm ? ['--input-type=module'] : []), '-e', prelude + program];
  return spawnSync(process.execPath, args, { cwd: __dirname, encoding: 'utf8', timeout, env: { ...process.env, NODE_TEST_CONTEXT: undefined, KAFKA_NATIVE_ADDON: fakeAddon, ...env } });
}

const outcome = ({ status, signal, stdout, stderr }) => ({ status, signal, stdout: stdout.trim(), stderr: stderr.trim() });
const exited = (stdout = '') => ({ status: 0, signal: null, stdout, stderr: '' });

test('a process with idle clients exits by itself, and tells the addon', () => {
  const result = run(`
    new kafka.Producer({ broker: 'b' });
    new kafka.Consumer({ broker: 'b', topic: 't', offset_directory: 'd', receive_callback() {} });
    process.on('exit', () => console.log(fake.made.shutdowns.join()));
  `);
  assert.deepEqual(outcome(result), exited('500'));
});

test('a started consumer keeps the process alive until stop is done', () => {
  const begin = `
    const consumer = new kafka.Consumer({ broker: 'b', topic: 't', offset_directory: 'd', receive_callback() {} });
    const native = fake.made.consumers[0];
    const started = consumer.start();
    native.reply('start', [0]);
  `;
  assert.equal(run(begin, { timeout: 700 }).signal, 'SIGTERM');
  const stopped = run(`${begin}
    started.then(() => consumer.stop()).then(() => console.log('stopped'));
    setTimeout(() => native.reply('stop'), 50);
  `);
  assert.deepEqual(outcome(stopped), exited('stopped'));
  assert.equal(run(`${begin} started.then(() => consumer.stop());`, { timeout: 700 }).signal, 'SIGTERM', 'stop is not done');
});

test('a producer keeps the process alive while messages are under way or a call is pending', () => {
  const begin = `
    const producer = new kafka.Producer({ broker: 'b' });
    const native = fake.made.producers[0];
  `;
  assert.equal(run(`${begin} producer.send('t', 0, ['x']);`, { timeout: 700 }).signal, 'SIGTERM');
  assert.equal(run(`${begin} producer.partition_count('t');`, { timeout: 700 }).signal, 'SIGTERM');
  const drained = run(`${begin}
    producer.send('t', 0, ['x']);
    // Posted before the second message was sent: it must not let the process go.
    producer.send('t', 0, ['y']);
    native.length = 1;
    native.emit(Event.Drained);
    setTimeout(() => { console.log('alive'); native.length = 0; native.emit(Event.Drained); }, 50).unref();
  `);
  assert.deepEqual(outcome(drained), exited('alive'));
});

test('require and import give the same objects, by name and as default', () => {
  const result = run(`
    import kafka, { Admin, Consumer, Errors, KafkaError, MockCluster, Offsets, Producer } from 'kafka-native';
    import * as names from 'kafka-native';
    import { createRequire } from 'node:module';
    const required = createRequire(import.meta.url)('kafka-native');
    const { default: whole, ...named } = names;
    console.log(whole === required, Object.keys(required).every((name) => named[name] === required[name]));
    console.log(new Producer({ broker: 'b' }) instanceof required.Producer, Errors['-195'], Offsets.RD_KAFKA_OFFSET_STORED);
  `, { esm: true });
  assert.deepEqual(outcome(result), exited('true true\ntrue RD_KAFKA_RESP_ERR__TRANSPORT -1000'));
});

test('without an addon the error says which platform it saw, what was tried and what to do', () => {
  const script = `
    Object.defineProperty(process, 'platform', { value: 'plan9' });
    try { require('kafka-native'); } catch (error) { console.log(error.message); }
  `;
  const { stdout } = spawnSync(process.execPath, ['-e', script], { cwd: __dirname, encoding: 'utf8', env: { ...process.env, KAFKA_NATIVE_ADDON: '' } });
  assert.match(stdout, new RegExp(`no addon for plan9-${process.arch}`));
  assert.match(stdout, /kafka_native\.plan9-.*\.node\n.*@kafka-native\/plan9-/);
  assert.match(stdout, /KAFKA_NATIVE_ADDON/);
});
