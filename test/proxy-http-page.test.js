'use strict';
// js/kafka-proxy/docs/http.md: its commands are run as they stand against a proxy over the real Kafka, and it names what the code has.

const assert = require('node:assert/strict');
const { spawn } = require('node:child_process');
const fs = require('node:fs');
const path = require('node:path');
const { after, before, test } = require('node:test');
const { Kafka } = require('kafka-native');
const { KafkaProxy } = require('kafka-proxy');
const { real, topicName } = require('./support/clusters.js');
const { PATIENCE, silent, within } = require('./support/flow.js');

const ROOT = path.dirname(require.resolve('kafka-proxy/package.json'));
const PAGE = fs.readFileSync(path.join(ROOT, 'docs', 'http.md'), 'utf8');

let cluster;
let proxy;
let names;
before(async () => {
  cluster = await real();
  const kafka = new Kafka({ brokers: cluster.options().broker.split(','), logger: silent });
  names = { orders: await cluster.topic(2), billing: topicName('billing'), 'no-such-topic': topicName('none'), 'no-such-group': topicName('none') };
  const admin = kafka.admin();
  await admin.connect();
  await admin.setOffsets({ groupId: names.billing, topic: names.orders, partitions: [{ partition: 0, offset: '1' }] });
  await admin.disconnect();
  // Of a cluster that others use, too, only this page's.
  const authorize = (_, { operation, topic, group }) => operation === 'metrics' || Object.values(names).includes(topic ?? group);
  proxy = new KafkaProxy({ kafka, port: 0, logger: silent, authorize });
  await proxy.listen();
});
after(async () => {
  await proxy?.close();
  await cluster?.close();
});

/** Whether it is what the page says; "*" is anything. */
function fits(got, said) {
  if (said === '*') return got !== undefined;
  if (typeof said !== 'object' || said === null) return got === said;
  if (typeof got !== 'object' || got === null || Array.isArray(got) !== Array.isArray(said)) return false;
  const keys = Object.keys(said);
  return keys.length === Object.keys(got).length && keys.every((key) => fits(got[key], said[key]));
}

/** A line: JSON, `data: ` and JSON, or text. */
function sameLine(got, said) {
  const [, before, json] = /^(data: )?(\{.*)$/.exec(said) ?? [];
  if (json === undefined || got === undefined) return got === said;
  return got.startsWith(before ?? '{') && fits(JSON.parse(got.slice((before ?? '').length)), JSON.parse(json));
}

/** Runs a command until it has said as many lines, or ended. */
async function run(command, count) {
  const shell = spawn('bash', ['-c', command], { stdio: ['ignore', 'pipe', 'ignore'], detached: true });
  let output = '';
  const ended = new Promise((resolve) => shell.once('close', resolve));
  await within(
    PATIENCE,
    () => `${command} said ${output}`,
    async () => {
      for await (const chunk of shell.stdout.setEncoding('utf8')) {
        output += chunk;
        if (output.split('\n').length > count) break;
      }
    },
  );
  try {
    process.kill(-shell.pid);
  } catch {} // it has ended
  await ended;
  return output.split('\n').slice(0, count);
}

test('the commands of the page do what it says', async () => {
  const ours = (text) =>
    Object.entries(names)
      .reduce((all, [name, own]) => all.replace(new RegExp(`\\b${name}\\b`, 'g'), own), text)
      .replaceAll('localhost:8080', `127.0.0.1:${proxy.port}`);
  const blocks = [...PAGE.matchAll(/^```sh\n([^]*?)^```/gm)].map(([, block]) => block);
  const commands = blocks.flatMap((block) => block.split(/^\$ /m).slice(1)).map((text) => text.trimEnd().split('\n'));
  assert.ok(commands.length > 20, String(commands.length));
  for (const [command, ...said] of commands) {
    const got = await run(ours(command), said.length);
    for (const [i, line] of said.entries()) assert.ok(sameLine(got[i], ours(line)), `${command}\nsays   ${got[i]}\nnot as ${line}`);
  }
});

test('the page has every route of its files, every error code, and no route that there is not', () => {
  const folder = path.join(ROOT, 'src', 'http');
  const sources = fs
    .readdirSync(folder)
    .map((file) => fs.readFileSync(path.join(folder, file), 'utf8'))
    .join('\n');
  const all = (text, pattern) => [...new Set([...text.matchAll(pattern)].map(([, ...found]) => found.join(' ')))].sort();
  const routes = all(sources, /method: '(\w+)', path: '(\/[\w:/]+)'/g);
  for (const route of all(PAGE, /^### `(\w+) (\/[\w:/]+)`/gm)) assert.ok(routes.includes(route), route);
  for (const route of routes.filter((each) => / \/(topics|groups)/.test(each) && !each.endsWith('/history')))
    assert.ok(PAGE.includes(`### \`${route}\``), route);
  const codes = all(sources, /(?:ProxyError\(\s*|code: |\[)'([A-Z_]{4,})'/g).concat(all(sources, /\d{3}: '([A-Z_]+)'/g));
  assert.ok(codes.includes('NON_EMPTY_GROUP') && codes.includes('METHOD_NOT_ALLOWED') && codes.includes('TOO_SLOW'), String(codes));
  const named = all(PAGE.slice(PAGE.indexOf('\n## Errors')), /`([A-Z_]{4,})`/g);
  for (const code of codes) assert.ok(named.includes(code), code);
});
