'use strict';

const assert = require('node:assert/strict');
const { spawnSync } = require('node:child_process');
const fs = require('node:fs');
const path = require('node:path');
const { test } = require('node:test');
const { releasePorts, reservePorts } = require('../ports.js');
const { createTopic, lives } = require('./support.js');

const CLI = path.join(__dirname, '../cli.js');

/** @param {string[]} args */
function kafka(...args) {
  return spawnSync(process.execPath, [CLI, ...args], { encoding: 'utf8' });
}

test('start leaves a cluster that lives until stop, and wipe removes it', async (t) => {
  const name = ['--name', `test-${process.pid}`];
  t.after(() => kafka('wipe', ...name));
  const start = kafka('start', ...name);
  assert.equal(start.status, 0, start.stderr);
  const brokers = /export KAFKA_BROKER='(.*)'/.exec(kafka('env', ...name).stdout)?.[1] ?? '';
  assert.equal(await createTopic(brokers, 'kept'), 0);
  const pid = () => JSON.parse(kafka('status', '--json', ...name).stdout).nodes[0].pid;
  const first = pid();
  assert.ok(lives(first));

  assert.equal(kafka('kill', '--node', '1', ...name).status, 0);
  assert.equal(lives(first), false);
  const down = kafka('status', ...name);
  assert.equal(down.status, 1);
  assert.match(down.stdout, /stopped/);

  assert.equal(kafka('start', ...name).status, 0);
  assert.equal(kafka('restart', '--node', '1', ...name).status, 0);
  assert.equal(await createTopic(brokers, 'kept'), 36, 'it exists');

  assert.equal(kafka('stop', ...name).status, 0);
  assert.equal(pid(), undefined);
  assert.equal(kafka('wipe', ...name).status, 0);
  assert.match(kafka('stop', ...name).stderr, /there is no cluster/);
});

test('start takes the port it is told, or says that it is taken', async (t) => {
  const name = ['--name', `test-port-${process.pid}`];
  t.after(() => kafka('wipe', ...name));
  const [port] = await reservePorts(__dirname, 1);
  releasePorts([port]);
  assert.ok(kafka('start', '--port', `${port}`, ...name).stdout.includes(`ready at 127.0.0.1:${port}`));
  const other = kafka('start', '--port', `${port}`, '--name', `test-other-${process.pid}`);
  assert.equal(other.status, 1);
  assert.ok(other.stderr.includes(`port ${port} is taken`), other.stderr);
  assert.equal(fs.existsSync(path.join(__dirname, '../../../.kafka', `test-other-${process.pid}`)), false);
});

test('run gives the command its cluster and takes its exit code', () => {
  const script = `
    const { brokers, nodes } = JSON.parse(process.env.KAFKA_CLUSTER_JSON);
    console.log(JSON.stringify({ same: brokers === process.env.KAFKA_BROKER, pid: nodes[0].pid }));
    process.exit(7);`;
  const { status, stdout, stderr } = kafka('run', '--', process.execPath, '-e', script);
  assert.equal(status, 7, stderr);
  const { same, pid } = JSON.parse(stdout);
  assert.ok(same);
  assert.equal(lives(pid), false);
});

test('run fails when the command cannot be run', () => {
  const { status, stderr } = kafka('run', '--', 'no-such-command');
  assert.equal(status, 1);
  assert.match(stderr, /no-such-command/);
});

test('every mistake is told in one line', () => {
  for (const args of [[], ['dance'], ['start', '--nodes', 'many'], ['start', '--nodes', '2'], ['start', '--name', '../x'], ['run'], ['kill', '--name', 'nobody'], ['--bogus']]) {
    const { status, stderr } = kafka(...args);
    assert.equal(status, 1);
    assert.match(stderr, /^kafka: .*\n$/);
  }
});

test('--help names every command', () => {
  const { stdout } = kafka('--help');
  for (const command of ['start', 'stop', 'kill', 'restart', 'status', 'wipe', 'fetch', 'env', 'run', 'serve']) assert.match(stdout, new RegExp(`^  ${command}`, 'm'));
});
