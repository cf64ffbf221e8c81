'use strict';
// js/kafka-proxy/docs/protocol.md: its conversations are played against a proxy over the real Kafka, and it names what the code has, no more and no less.

const assert = require('node:assert/strict');
const fs = require('node:fs');
const path = require('node:path');
const { after, before, test } = require('node:test');
const WebSocket = require('ws');
const { Kafka } = require('kafka-native');
const { CloseCode, KafkaProxy } = require('kafka-proxy');
const { cleanup } = require('./support/cleanup.js');
const { real, topicName } = require('./support/clusters.js');
const { silent } = require('./support/flow.js');
const { Calls } = require('./support/watch.js');

const ROOT = path.dirname(require.resolve('kafka-proxy/package.json'));
const PAGE = fs.readFileSync(path.join(ROOT, 'docs', 'protocol.md'), 'utf8');
const source = (file) => fs.readFileSync(path.join(ROOT, 'src', file), 'utf8');

/** Everything of the proxy but its client, its old protocol and HTTP, which has a page of its own. */
const sources = (folder = path.join(ROOT, 'src')) =>
  fs.readdirSync(folder, { withFileTypes: true }).flatMap((entry) => {
    if (entry.isDirectory()) return ['client', 'http', 'legacy'].includes(entry.name) ? [] : sources(path.join(folder, entry.name));
    return [fs.readFileSync(path.join(folder, entry.name), 'utf8')];
  });

const all = (text, pattern) => [...new Set([...text.matchAll(pattern)].map(([, found]) => found))].sort();
/** The part of the page under a heading, up to the next of the same depth. */
function section(heading) {
  const depth = /^#+/.exec(heading)[0];
  const begin = PAGE.indexOf(`\n${heading}\n`);
  assert.ok(begin >= 0, heading);
  const rest = PAGE.slice(begin + heading.length + 2);
  const end = rest.search(new RegExp(`^#{1,${depth.length}} `, 'm'));
  return end < 0 ? rest : rest.slice(0, end);
}

let cluster;
let names;
let proxy;
let url;
before(async () => {
  cluster = await real();
  const brokers = cluster.options().broker.split(',');
  names = Object.fromEntries(['orders', 'jobs', 'prices', 'images', 'workers', 'no-such-topic'].map((name) => [name, topicName(name)]));
  const kafka = new Kafka({ brokers, logger: silent });
  const [admin, producer] = [kafka.admin(), kafka.producer()];
  await Promise.all([admin.connect(), producer.connect()]);
  const topic = (name, numPartitions, configEntries = []) => ({ topic: names[name], numPartitions, replicationFactor: 1, configEntries });
  await admin.createTopics({
    waitForLeaders: true,
    topics: [topic('orders', 1), topic('jobs', 2), topic('prices', 1, [{ name: 'cleanup.policy', value: 'compact' }]), topic('images', 1)],
  });
  await producer.send({ topic: names.jobs, messages: [...'abc'].map((value) => ({ partition: 0, value })).concat({ partition: 1, value: 'd' }) });
  const prices = [
    ['apple', '1'],
    ['pear', '2'],
    ['apple', '1.2'],
    ['pear', null],
    ['plum', '3'],
  ];
  await producer.send({ topic: names.prices, messages: prices.map(([key, value]) => ({ key, value })) });
  await Promise.all([admin.disconnect(), producer.disconnect()]);
  proxy = new KafkaProxy({ brokers, port: 0, logger: silent });
  url = `ws://127.0.0.1:${(await proxy.listen()).port}`;
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

/** Of a batch, and of a frame of the old protocol. */
const recordsOf = (message) => (Array.isArray(message) ? message : message.records);
const withRecords = (message, records) => (Array.isArray(message) ? records : { ...message, records });

/** Frames that a socket got and the page has not said yet. */
class Side {
  frames = new Calls();
  #taken = new Set();

  static async open(where) {
    const side = new Side();
    side.ws = new WebSocket(url + (where ?? '/'), where ? [] : ['kafka.v2.json']);
    side.ws.on('message', (data) => side.frames.take(JSON.parse(String(data))));
    await new Promise((resolve, reject) => side.ws.once('open', resolve).once('error', reject));
    return side;
  }

  /** One of the messages that the page says to come now. A batch may come in several frames. */
  async gets(said) {
    let rest = said;
    await this.frames.until(
      () => {
        for (const [i, got] of this.frames.all.entries()) {
          if (this.#taken.has(i)) continue;
          if (fits(got, rest)) return this.#taken.add(i);
          const [have, want] = [recordsOf(got), recordsOf(rest)];
          if (!have || !want || have.length >= want.length || !fits(got, withRecords(rest, want.slice(0, have.length)))) continue;
          this.#taken.add(i);
          rest = withRecords(rest, want.slice(have.length));
        }
        return false;
      },
      30_000,
      JSON.stringify(rest),
    );
  }

  get untold() {
    return this.frames.all.filter((_, i) => !this.#taken.has(i));
  }
}

const conversations = [...PAGE.matchAll(/^(?!`)(.*)\n\n```transcript ?(.*)\n([^`]*)```/gm)];

for (const [, before, where, text] of conversations) {
  test(`the page's conversation is as it says: ${before.slice(0, 80)}`, async (t) => {
    const sides = new Map();
    const side = async (number) => {
      if (!sides.has(number)) sides.set(number, await Side.open(where.replace(/(topic=)(\w+)/, (_, equals, name) => equals + names[name])));
      cleanup(t, () => sides.get(number).ws.terminate());
      return sides.get(number);
    };
    for (const line of text.trim().split('\n')) {
      const [, number, direction, json] = /^(\d*)([<>]) (.*)$/.exec(line) ?? assert.fail(line);
      const message = JSON.parse(json, (_, value) => names[value] ?? value);
      const speaker = await side(number);
      if (direction === '>') speaker.ws.send(JSON.stringify(message));
      else await speaker.gets(message);
    }
    // Nothing else was on its way: the proxy answers in order.
    for (const each of sides.values()) {
      if (where === '') {
        each.ws.send('{"type":"lag","id":"end"}');
        await each.gets({ type: 'error', id: 'end', request: 'lag', code: 'UNKNOWN_ID', message: '*', retriable: false, fatal: false });
      }
      assert.deepEqual(each.untold, []);
    }
  });
}

test('the page plays what it has to: every message is in a conversation', () => {
  assert.ok(conversations.length === PAGE.split('```transcript').length - 1);
  const played = all(PAGE, /^\d?[<>] \{"type":"(\w+)"/gm).filter((type) => type !== 'greet');
  assert.deepEqual(played, all(PAGE, /^### `(\w+)`$/gm));
});

test('the page has every message of the code, and no others', () => {
  const messages = source('v2/messages.ts');
  const sent = all(messages, /type: z\.literal\('(\w+)'\)/g);
  assert.ok(sent.length >= 10);
  assert.deepEqual(all(section('## Messages of a client'), /^### `(\w+)`$/gm), sent);
  const told = all(
    `${messages.slice(messages.indexOf('export interface ErrorMessage'))} ${source('subscription.ts')} ${source('frames.ts')}`,
    /type: '(\w+)'/g,
  );
  assert.ok(told.includes('batch') && told.includes('committed'));
  assert.deepEqual(all(section('## Messages of the proxy'), /^### `(\w+)`$/gm), told);
});

test('the page has every field that a client may send, and no others', () => {
  const messages = source('v2/messages.ts');
  const fields = (begin) => {
    const from = messages.indexOf(begin);
    return all(messages.slice(from, messages.indexOf('\n});', from)), /^ {2}(\w+)[:,]/gm).filter((name) => !['type', 'id'].includes(name));
  };
  const named = (text) =>
    [
      ...new Set(
        text
          .split('\n')
          .filter((line) => line.startsWith('| `'))
          .flatMap((line) => all(line.split('|')[1], /`(\w+)`/g)),
      ),
    ].sort();
  assert.deepEqual(named(section('### `subscribe`')), fields('const subscribe ='));
  assert.deepEqual(named(section('### `produce`')), [...fields('const message ='), 'messages', 'topic'].sort());
});

test('the page has the limits of the hello, every error code and every close code', async () => {
  const side = await Side.open();
  const hello = await side.frames.until(() => true);
  side.ws.terminate();
  const limits = section('## Limits')
    .split('\n')
    .filter((line) => line.startsWith('| `'))
    .flatMap((line) => all(line.split('|')[1], /`(\w+)`/g));
  assert.deepEqual(limits.sort(), Object.keys(hello.limits).sort());

  const thrown = all(sources().join('\n'), /ProxyError\(\s*'([A-Z_]+)'/g);
  // The last is a name of kafka-native's, which messages are told.
  const told = [...new Set([...thrown, 'INTERNAL', '_INVALID_DIFFERENT_RECORD'])];
  assert.deepEqual(all(section('## Errors'), /^\| `([A-Z_]+)`/gm), told.sort());

  // Those of ws, and ours, besides the one that stands for a status of HTTP alone.
  const sent = Object.values(CloseCode).filter((each) => typeof each === 'number' && each !== CloseCode.TooLarge);
  const rows = section('## Close codes')
    .split('\n')
    .filter((line) => /^\| \d/.test(line));
  assert.deepEqual(
    rows
      .flatMap((line) => all(line.split('|')[1], /(\d{4})/g))
      .map(Number)
      .sort(),
    [...sent, 1002, 1007, 1008, 1009].sort(),
  );
});
