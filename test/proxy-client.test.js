'use strict';
// The client of kafka-proxy over a proxy without Kafka that ends connections whenever chance wants it; test/proxy-protocol.test.js and
// test/proxy-browser.test.js have the real ones.

const assert = require('node:assert/strict');
const fs = require('node:fs');
const path = require('node:path');
const zlib = require('node:zlib');
const { spawnSync } = require('node:child_process');
const { once } = require('node:events');
const { test } = require('node:test');
const { setImmediate: turn, setTimeout: delay } = require('node:timers/promises');
const msgpack = require('@msgpack/msgpack');
const ws = require('ws');
const { KafkaProxyClient, KafkaProxyError, ProduceError } = require('kafka-proxy/client');
const { cleanup } = require('./support/cleanup.js');
const { PATIENCE, within } = require('./support/flow.js');
const { ModelProxy } = require('./support/proxy-model.js');
const { random, seed } = require('./support/random.js');
const { Calls, deferred, eventually } = require('./support/watch.js');

const QUICK = { min: 1, max: 20 };
/** Both protocols; and, where there is one, the global WebSocket. */
const KINDS = [
  ['json', { WebSocket: ws }],
  ['msgpack', { WebSocket: ws, protocol: 'msgpack', codec: msgpack }],
  ...(globalThis.WebSocket ? [['json, global WebSocket', {}]] : []),
];

async function connected(t, proxy, options = {}) {
  const client = new KafkaProxyClient(proxy.url, { WebSocket: ws, reconnect: QUICK, ...options });
  cleanup(t, () => client.close());
  await client.connect();
  return client;
}

/** Random whole numbers from 0 to n - 1. */
const chance = (shift = 0) => {
  const next = random(seed + shift);
  return (n) => Math.floor(next() * n);
};

/** Ends connections at random moments until the promise is settled; says how often. */
async function disturbed(proxy, below, work) {
  let over = false;
  const ended = work.finally(() => (over = true));
  let times = 0;
  const disturb = async () => {
    while (!over) {
      for (let turns = below(40); turns > 0 && !over; turns--) await turn();
      const sockets = proxy.sockets;
      if (sockets.length === 0) continue;
      const socket = sockets[below(sockets.length)];
      times++;
      if (below(10) === 0) {
        await proxy.close(1001);
        await proxy.listen();
      } else if (below(2)) socket.terminate();
      else socket.close([1001, 1011, 1012, 1013, 4429][below(5)], 'chance');
      await delay(1 + below(15));
    }
  };
  await Promise.all([ended, disturb()]);
  return times;
}

test('the client is one file without imports, which a browser can load, of less than 10 kB', async () => {
  const file = require.resolve('kafka-proxy/client').replace(/index\.js$/, 'index.mjs');
  const text = fs.readFileSync(file, 'utf8');
  assert.doesNotMatch(text, /\b(import|require)\b\s*[({'"*]|\bfrom\s*['"]/);
  const size = zlib.gzipSync(text, { level: 9 }).length;
  assert.ok(size < 10_000, `${size} bytes`);
  assert.deepEqual(Object.keys(await import('kafka-proxy/client')).sort(), ['KafkaProxyClient', 'KafkaProxyError', 'ProduceError']);
});

test("its types hold what they promise, for pages' and Node's programs", () => {
  const root = path.dirname(require.resolve('kafka-proxy/package.json'));
  const { status, stdout } = spawnSync(
    process.execPath,
    [path.join(root, '..', '..', 'node_modules', 'typescript', 'bin', 'tsc'), '-p', path.join(root, 'test', 'types')],
    { encoding: 'utf8' },
  );
  assert.equal(status, 0, stdout);
});

for (const [kind, options] of KINDS) {
  for (const how of ['for await', 'message', 'batch']) {
    test(`${kind}, ${how}: without a group every message comes once and in order, however often the connection ends`, async (t) => {
      const below = chance(how.length);
      const proxy = await ModelProxy.start(t, below);
      const topic = proxy.topic('numbers', 3);
      const client = await connected(t, proxy, options);
      const subscription = client.subscribe({ topics: [topic], from: 'earliest', window: { messages: 1 + below(30), bytes: 200 + below(2000) } });
      const count = 600;
      const got = [[], [], []];
      const all = deferred();
      let total = 0;
      const take = ({ partition, value, offset }) => {
        assert.equal(offset, got[partition].length);
        got[partition].push(value);
        if (++total === count) all.resolve();
      };
      if (how === 'for await') {
        (async () => {
          for await (const message of subscription) {
            take(message);
            if (below(20) === 0) await turn();
          }
        })().catch(all.reject);
      } else if (how === 'message') subscription.on('message', take);
      else subscription.on('batch', ({ messages }) => messages.forEach(take));
      const append = async () => {
        for (let i = 0; i < count; i++) {
          proxy.append(topic, below(3), { value: `é ${i}` });
          if (below(5) === 0) await turn();
        }
        await all.promise;
      };
      const times = await within(
        PATIENCE,
        () => `${total} of ${count} came; SEED=${seed}`,
        () => disturbed(proxy, below, append()),
      );
      assert.ok(times > 3, `${times} ends; SEED=${seed}`);
      for (const [partition, values] of got.entries())
        assert.deepEqual(
          values,
          proxy.topics.get(topic)[partition].map(({ value }) => value),
          `SEED=${seed}`,
        );
      await subscription.close();
      assert.deepEqual(proxy.faults, [], `SEED=${seed}`);
    });
  }

  test(`${kind}: in a group nothing is lost, and what was told as committed never comes again, however often the connection ends`, async (t) => {
    const below = chance(77);
    const proxy = await ModelProxy.start(t, below);
    const topic = proxy.topic('work', 3);
    const client = await connected(t, proxy, options);
    const subscription = client.subscribe({ topics: [topic], group: 'g', from: 'earliest', window: { messages: 20 }, ack: 'manual' });
    const count = 400;
    const done = [new Set(), new Set(), new Set()];
    const committed = [-1, -1, -1];
    const all = deferred();
    const look = () => {
      if (proxy.topics.get(topic).every((log, i) => committed[i] === log.length - 1) && committed.reduce((sum, each) => sum + each + 1, 0) === count)
        all.resolve();
    };
    subscription.on('committed', ({ partition, offset }) => {
      committed[partition] = offset;
      look();
    });
    // A connection may end between a commit and the word of it: then the group goes on behind it.
    subscription.on('assigned', (places) => {
      for (const { partition, offset } of places) committed[partition] = Math.max(committed[partition], offset - 1);
      look();
    });
    const last = [-1, -1, -1];
    subscription.on('assigned', () => last.fill(-1));
    (async () => {
      for await (const message of subscription) {
        const { partition, offset } = message;
        assert.ok(offset > committed[partition], `${partition}/${offset} came behind the commit of ${committed[partition]}; SEED=${seed}`);
        // Behind what was acknowledged or refused nothing is left out: all before it came.
        if (last[partition] >= 0) assert.ok(offset === last[partition] + 1, `${partition}/${offset} behind ${last[partition]}; SEED=${seed}`);
        last[partition] = offset;
        if (below(6) === 0) await turn();
        if (below(8) === 0) {
          message.nack();
          continue;
        }
        for (let before = 0; before < offset; before++) assert.ok(done[partition].has(before), `${partition}/${before} was left out; SEED=${seed}`);
        done[partition].add(offset);
        message.ack();
      }
    })().catch(all.reject);
    const append = async () => {
      for (let i = 0; i < count; i++) {
        proxy.append(topic, below(3), { value: String(i) });
        if (below(5) === 0) await turn();
      }
      await all.promise;
    };
    const times = await within(
      PATIENCE,
      () => `committed ${committed}; SEED=${seed}`,
      () => disturbed(proxy, below, append()),
    );
    assert.ok(times > 3, `${times} ends; SEED=${seed}`);
    assert.deepEqual(proxy.faults, [], `SEED=${seed}`);
  });

  test(`${kind}: what is produced is never written twice, and the client knows what was written, was not, or may have been`, async (t) => {
    const below = chance(5);
    const proxy = await ModelProxy.start(t, below);
    const topic = proxy.topic('sink', 2);
    const client = await connected(t, proxy, options);
    // The connection ends before it is written, behind it, or behind the answer.
    let chaos = true;
    proxy.intercept = (socket, { type }) => {
      if (!chaos || type !== 'produce' || below(20)) return false;
      if (below(2)) {
        // Written, and nobody is told.
        const tell = socket.tell;
        socket.tell = (answer) => (answer.type === 'produced' ? socket.terminate() : tell(answer));
        return false;
      }
      socket.terminate();
      return true;
    };
    const written = [];
    const unknown = [];
    const not = [];
    const one = async (i) => {
      try {
        const results = await client.produce(topic, [{ value: `${i} a` }, { value: `${i} b`, key: 'k' }]);
        assert.equal(results.length, 2);
        for (const [n, { partition, offset }] of results.entries()) assert.equal(String(proxy.topics.get(topic)[partition][offset].value), `${i} ${'ab'[n]}`);
        written.push(i);
      } catch (error) {
        assert.ok(error instanceof KafkaProxyError && error.retriable, String(error));
        (error.maybeWritten ? unknown : not).push(i);
      }
    };
    const work = [];
    for (let i = 0; i < 300; i++) {
      work.push(one(i));
      if (below(4) === 0) await turn();
      if (below(5) === 0) await delay(2);
    }
    await within(
      PATIENCE,
      () => `${written.length} were answered; SEED=${seed}`,
      () => Promise.all(work),
    );
    chaos = false;
    const times = new Map();
    for (const log of proxy.topics.get(topic)) for (const { value } of log) times.set(String(value), (times.get(String(value)) ?? 0) + 1);
    for (const [value, n] of times) assert.equal(n, 1, `${value} was written ${n} times; SEED=${seed}`);
    for (const i of written) assert.ok(times.has(`${i} a`) && times.has(`${i} b`));
    for (const i of not) assert.ok(!times.has(`${i} a`));
    assert.ok(unknown.length > 0 && written.length > 20, `${written.length} ${unknown.length} ${not.length}; SEED=${seed}`);
  });

  test(`${kind}: a table is what its topic is, told change by change, however often the connection ends`, async (t) => {
    const below = chance(11);
    const proxy = await ModelProxy.start(t, below);
    const topic = proxy.topic('table', 2);
    const write = () => {
      const n = below(12);
      proxy.append(topic, n % 2, { key: `k${n}`, value: below(3) ? JSON.stringify({ n: below(4) }) : null });
    };
    for (let i = 0; i < 40; i++) write();
    const client = await connected(t, proxy, options);
    const table = await client.table(topic, { value: 'json', window: { messages: 5 } });
    const expected = () => {
      const map = new Map();
      for (const log of proxy.topics.get(topic)) for (const { key, value } of log) value === null ? map.delete(key) : map.set(key, JSON.parse(value));
      return new Map([...map].sort());
    };
    assert.deepEqual(new Map([...table].sort()), expected());
    assert.equal(table.size, expected().size);
    // A map that follows the changes has the same.
    const followed = new Map(table);
    table.on('change', ({ key, value, previous }) => {
      assert.deepEqual(followed.get(key), previous, `SEED=${seed}`);
      if (value === undefined) assert.ok(followed.delete(key));
      else followed.set(key, value);
    });
    const work = async () => {
      for (let i = 0; i < 300; i++) {
        write();
        if (below(4) === 0) await turn();
      }
      // The table has them behind all others.
      for (const partition of [0, 1]) proxy.append(topic, partition, { key: `end${partition}`, value: '1' });
    };
    await disturbed(proxy, below, work());
    await eventually(PATIENCE, `the table is as its topic; SEED=${seed}`, () => {
      assert.deepEqual(new Map([...table].sort()), expected());
      return true;
    });
    assert.deepEqual(followed, new Map(table));
    assert.deepEqual(
      [...table.keys()],
      [...table.entries()].map(([key]) => key),
    );
    for (const [key, value] of table) assert.ok(table.has(key) && table.get(key) === value);

    // Read anew, and nothing has changed: nobody is told anything. Both topics end in what is not there before.
    const changes = new Calls();
    table.on('change', changes.take);
    for (const socket of proxy.sockets) socket.terminate();
    await new Promise((resolve) => client.once('open', resolve));
    proxy.append(topic, 0, { key: 'last', value: '1' });
    await changes.until(({ key }) => key === 'last');
    assert.equal(changes.all.length, 1);
    await table.close();
    assert.deepEqual(proxy.faults, []);
  });

  test(`${kind}: keys, values and headers are text, JSON or bytes, as they were written`, async (t) => {
    const proxy = await ModelProxy.start(t);
    const topic = proxy.topic('values');
    const client = await connected(t, proxy, options);
    const bytes = Uint8Array.from({ length: 10_000 }, (_, i) => i % 256);
    const headers = {
      a: 'ä',
      many: ['1', '2'],
      none: null,
      bin: bytes.slice(128, 140),
      both: ['x', bytes.slice(200, 203)],
      ...(kind.startsWith('json') && { ['__proto__']: 'p' }),
    };
    await client.produce(topic, [
      { key: 'schlüssel', value: 'Wörter', headers: { a: 'ä', many: ['1', '2'], none: null } },
      { value: { n: [1, 'zwei', null] } },
      { key: bytes.slice(250, 256), value: bytes, headers },
      { key: 'k', value: null },
    ]);
    const read = async (wanted) => {
      const all = [];
      for await (const message of client.subscribe({ topics: [topic], from: 'earliest', ...wanted })) if (all.push(message) === 4) break;
      return all;
    };
    const texts = await read({});
    assert.deepEqual(
      texts.map(({ key }) => key),
      ['schlüssel', null, new TextDecoder().decode(bytes.slice(250, 256)), 'k'],
    );
    assert.deepEqual(
      texts.map(({ value }) => value),
      ['Wörter', '{"n":[1,"zwei",null]}', new TextDecoder().decode(bytes), null],
    );
    assert.deepEqual(texts[0].headers, { a: 'ä', many: ['1', '2'], none: null });
    assert.deepEqual(
      texts.map(({ tombstone }) => tombstone),
      [false, false, false, true],
    );
    assert.deepEqual([texts[0].topic, texts[0].partition, texts[0].offset, texts[0].timestamp], [topic, 0, 0, 1_700_000_000_000]);

    const parsed = await read({ value: 'json', key: false });
    assert.deepEqual(
      parsed.map(({ value }) => value),
      [new TextEncoder().encode('Wörter'), { n: [1, 'zwei', null] }, parsed[2].value, null],
    );
    assert.ok(parsed[2].value instanceof Uint8Array);

    const binary = await read({ value: 'binary', key: 'binary', headers: 'binary' });
    assert.deepEqual(new Uint8Array(binary[2].value), bytes);
    assert.equal(binary[3].value, null);
    const plain = (each) => (Array.isArray(each) ? each.map(plain) : each && String(new TextDecoder('latin1').decode(each)));
    const expected = (each) => (Array.isArray(each) ? each.map(expected) : plain(typeof each === 'string' ? new TextEncoder().encode(each) : each));
    assert.deepEqual(
      Object.entries(binary[2].headers)
        .map(([name, each]) => [name, plain(each)])
        .sort(),
      Object.entries(headers)
        .map(([name, each]) => [name, expected(each)])
        .sort(),
    );
    assert.equal(Object.getPrototypeOf(binary[2].headers), Object.prototype);
    assert.deepEqual(proxy.faults, []);
  });
}

test('a slow loop is given no more than its window, and all in the end', async (t) => {
  const proxy = await ModelProxy.start(t, chance());
  const topic = proxy.topic('fast');
  for (let i = 0; i < 500; i++) proxy.append(topic, 0, { value: `${i} ${'ü'.repeat(50)}` });
  const client = await connected(t, proxy);
  const subscription = client.subscribe({ topics: [topic], from: 'earliest', window: { messages: 20, bytes: 1500 } });
  let sent = 0;
  const seen = proxy.sockets[0].tell;
  proxy.sockets[0].tell = (message) => {
    if (message.type === 'batch') sent += message.records.length;
    return seen(message);
  };
  let got = 0;
  for await (const message of subscription) {
    assert.equal(message.offset, got++);
    await turn();
    assert.ok(sent - got <= 20, `${sent - got} wait`);
    if (got === 500) break;
  }
  assert.deepEqual(proxy.faults, []);
  // An idle subscription gets a window's worth.
  const idle = client.subscribe({ topics: [topic], from: 'earliest', window: { messages: 7 } });
  sent = 0;
  await idle.lag();
  await idle.lag();
  assert.equal(sent, 7);
});

test('the loop acknowledges a message when it asks for the next one; what was left at a break comes again', async (t) => {
  const proxy = await ModelProxy.start(t);
  const topic = proxy.topic('jobs');
  for (let i = 0; i < 5; i++) proxy.append(topic, 0, { value: String(i) });
  const client = await connected(t, proxy);
  const first = client.subscribe({ topics: [topic], group: 'g' });
  for await (const { offset } of first) if (offset === 3) break;
  assert.equal(proxy.committed.get(`g ${topic} 0`), 3);
  assert.deepEqual(await first.next(), { value: undefined, done: true });
  const second = client.subscribe({ topics: [topic], group: 'g' });
  const committed = new Calls();
  second.on('committed', committed.take);
  for await (const message of second) {
    if (message.offset === 3) {
      message.ack();
      continue;
    }
    assert.equal(message.offset, 4);
    message.ack();
    break;
  }
  await committed.until(({ offset }) => offset === 4);
  assert.equal(proxy.committed.get(`g ${topic} 0`), 5);
  assert.deepEqual(proxy.faults, []);
});

test('acknowledgements of a message from before a reconnect, or of a partition that has gone, are dropped', async (t) => {
  const proxy = await ModelProxy.start(t);
  const topic = proxy.topic('jobs');
  for (let i = 0; i < 5; i++) proxy.append(topic, 0, { value: String(i) });
  const client = await connected(t, proxy);
  const subscription = client.subscribe({ topics: [topic], group: 'g', ack: 'manual' });
  const { value: old } = await subscription.next();
  proxy.sockets[0].terminate();
  await new Promise((resolve) => subscription.once('assigned', resolve));
  assert.equal((await subscription.next()).value.offset, 0);
  old.ack();
  old.nack();
  assert.deepEqual(
    proxy.heard.filter(({ type }) => type === 'ack' || type === 'nack'),
    [],
  );

  // One that crosses the loss on its way is refused, which nobody needs to know.
  const faults = new Calls();
  subscription.on('error', faults.take);
  for (const code of ['NOT_ASSIGNED', 'INVALID_OFFSET']) {
    const acked = deferred();
    proxy.intercept = (socket, { type, ...about }) => {
      if (type !== 'ack') return false;
      socket.tell({ ...about, type: 'error', request: 'ack', code, message: 'gone', retriable: true, fatal: false });
      acked.resolve();
      return true;
    };
    (await subscription.next()).value.ack();
    await acked.promise;
    await subscription.lag();
  }
  assert.deepEqual(faults.all, []);
  proxy.intercept = () => false;
  proxy.heard = [];
  const { value: now } = await subscription.next();
  const another = (await connected(t, proxy)).subscribe({ topics: [topic], group: 'g', ack: 'manual' });
  await new Promise((resolve) => subscription.once('revoked', resolve));
  now.ack();
  assert.equal((await another.next()).value.offset, 0);
  await subscription.close();
  assert.deepEqual(
    proxy.heard.filter(({ type }) => type === 'ack' || type === 'nack'),
    [],
  );
  assert.throws(() => client.subscribe({ topics: [topic] }).ack(now), /in a group/);
});

test('a nack gives a message and those behind it again; what was given before it may still be acknowledged, what comes again not before it came', async (t) => {
  const proxy = await ModelProxy.start(t);
  const topic = proxy.topic('jobs');
  for (let i = 0; i < 8; i++) proxy.append(topic, 0, { value: String(i) });
  const client = await connected(t, proxy);
  const subscription = client.subscribe({ topics: [topic], group: 'g', ack: 'manual' });
  const given = [];
  const take = async (count) => {
    for (; count > 0; count--) given.push((await subscription.next()).value);
    return given.slice(-count).map(({ offset }) => offset);
  };
  await take(6);
  // The second is about an earlier one; the answer to the first comes between.
  given[4].nack();
  given[2].nack(5);
  given[3].nack();
  given[5].ack();
  given[0].ack();
  await take(3);
  assert.deepEqual(
    given.map(({ offset }) => offset),
    [0, 1, 2, 3, 4, 5, 2, 3, 4],
  );
  // Of before, and has come again since.
  given[4].ack();
  given[1].ack();
  await eventually(PATIENCE, 'the acknowledgement', () => proxy.committed.get(`g ${topic} 0`) === 2);
  given[8].ack();
  assert.throws(() => given[7].nack(), { code: 'INVALID_OFFSET' });
  await take(3);
  assert.deepEqual(
    given.slice(-3).map(({ offset }) => offset),
    [5, 6, 7],
  );
  await subscription.close();
  assert.equal(proxy.committed.get(`g ${topic} 0`), 5);
  assert.deepEqual(
    proxy.heard.filter(({ type }) => type === 'nack').map(({ offset, delay }) => [offset, delay]),
    [
      [4, 0],
      [2, 5],
    ],
  );
  assert.deepEqual(proxy.faults, []);
});

test('seek, pause, resume, lag and caughtUp', async (t) => {
  const proxy = await ModelProxy.start(t);
  const topic = proxy.topic('t', 2);
  for (let i = 0; i < 6; i++) proxy.append(topic, i % 2, { value: String(i) });
  const client = await connected(t, proxy);
  const subscription = client.subscribe({ topics: [topic], from: 'earliest' });
  const values = new Calls();
  const off = subscription.on('message', ({ value }) => values.take(value));
  await subscription.caughtUp();
  assert.deepEqual(values.all.toSorted?.() ?? [...values.all].sort(), ['0', '1', '2', '3', '4', '5']);
  assert.deepEqual(
    (await subscription.lag()).map(({ partition, end, lag }) => [partition, end, lag]),
    [
      [0, 3, 0],
      [1, 3, 0],
    ],
  );

  assert.equal(await subscription.seek({ topic, partition: 1 }, 1), 1);
  await values.count(8);
  assert.deepEqual(values.all.slice(6), ['3', '5']);

  subscription.pause();
  proxy.append(topic, 0, { value: 'held' });
  await subscription.lag();
  assert.equal(values.all.length, 8);
  subscription.resume();
  await values.until((value) => value === 'held');

  // A paused partition stays so over a reconnect.
  subscription.pause([{ topic, partition: 0 }]);
  await subscription.lag();
  proxy.sockets[0].terminate();
  await new Promise((resolve) => subscription.once('assigned', resolve));
  await subscription.lag();
  proxy.append(topic, 0, { value: 'paused' });
  proxy.append(topic, 1, { value: 'not' });
  await values.until((value) => value === 'not');
  await subscription.lag();
  assert.ok(!values.all.includes('paused'));
  subscription.resume([{ topic, partition: 0 }]);
  await values.until((value) => value === 'paused');
  off();

  assert.deepEqual(subscription.positions, [
    { topic, partition: 0, offset: 5 },
    { topic, partition: 1, offset: 4 },
  ]);
  // A seek whose connection ends is asked for again.
  proxy.intercept = (socket, { type }) => type === 'seek' && (socket.terminate(), (proxy.intercept = () => false), true);
  assert.equal(await subscription.seek({ topic, partition: 0 }, 'earliest'), 0);
  assert.equal((await subscription.next()).value.value, '0');
  await subscription.close();
  await assert.rejects(subscription.lag(), { code: 'CLOSED' });
  await assert.rejects(subscription.seek({ topic, partition: 0 }, 0), { code: 'CLOSED' });
  await assert.rejects(client.subscribe({ topics: [topic], group: 'g' }).caughtUp(), /without a group/);
});

test('caughtUp waits until the program has done what was there', async (t) => {
  const proxy = await ModelProxy.start(t);
  const topic = proxy.topic('t');
  for (let i = 0; i < 3; i++) proxy.append(topic, 0, { value: String(i) });
  const client = await connected(t, proxy);
  const subscription = client.subscribe({ topics: [topic], from: 'earliest' });
  let caughtUp = false;
  const wanted = subscription.caughtUp().then(() => (caughtUp = true));
  for (let i = 0; i < 3; i++) {
    await subscription.next();
    await subscription.lag();
    assert.equal(caughtUp, false);
  }
  const next = subscription.next();
  await wanted;
  proxy.append(topic, 0, { value: 'more' });
  assert.equal((await next).value.value, 'more');
});

test("'latest' stays where it was first assigned, over a reconnect", async (t) => {
  const proxy = await ModelProxy.start(t);
  const topic = proxy.topic('t', 2);
  proxy.append(topic, 0, { value: 'old' });
  const client = await connected(t, proxy);
  const subscription = client.subscribe({ topics: [topic] });
  await new Promise((resolve) => subscription.once('assigned', resolve));
  await proxy.close();
  proxy.append(topic, 0, { value: 'meanwhile' });
  // A partition that was made meanwhile is read from its beginning.
  proxy.topics.get(topic).push([]);
  proxy.append(topic, 2, { value: 'new' });
  await proxy.listen();
  const values = [];
  for await (const { value } of subscription) if (values.push(value) === 2) break;
  assert.deepEqual(values.sort(), ['meanwhile', 'new']);
});

test('close codes: what would happen again is not tried again, and everybody is told; the others are', async (t) => {
  const proxy = await ModelProxy.start(t);
  const topic = proxy.topic('t');
  for (const code of [4400, 4401, 4403, 4404, 4409, 4410, 4413]) {
    const client = await connected(t, proxy);
    const faults = new Calls();
    const ends = new Calls();
    client.on('error', faults.take);
    client.on('close', ends.take);
    const subscription = client.subscribe({ topics: [topic] });
    const next = subscription.next();
    proxy.intercept = (_, { type }) => type === 'produce';
    const produced = client.produce(topic, [{ value: 'x' }]);
    await subscription.lag();
    proxy.sockets[0].close(code, 'not you');
    const told = { code: `CLOSED_${code}`, message: `The proxy closed the socket (${code}): not you.` };
    await assert.rejects(next, told);
    await assert.rejects(produced, { code: 'CONNECTION_LOST', maybeWritten: true });
    await ends.until(({ reconnecting }) => !reconnecting);
    assert.deepEqual([faults.all[0].code, faults.all.length], [told.code, 1]);
    assert.equal(client.connected, false);
    await proxy.close();
    await proxy.listen();
    // It may be told to connect again.
    await client.connect();
    await client.close();
  }
  for (const code of [1000, 1001, 1011, 1012, 1013, 4429]) {
    const client = await connected(t, proxy);
    const ends = new Calls();
    const reconnects = new Calls();
    client.on('close', ends.take);
    client.on('reconnect', reconnects.take);
    proxy.sockets[0].close(code, 'later');
    await new Promise((resolve) => client.once('open', resolve));
    assert.deepEqual(ends.all, [{ code, reason: 'later', reconnecting: true }]);
    assert.equal(reconnects.all[0].attempt, 1);
    await client.close();
  }
});

test('connect rejects when the first connection fails; what was wanted before waits for the next', async (t) => {
  const proxy = await ModelProxy.start(t);
  const topic = proxy.topic('t');
  await proxy.close();
  const client = new KafkaProxyClient(`${proxy.url}?secret=1`, { WebSocket: ws, reconnect: QUICK });
  cleanup(t, () => client.close());
  const subscription = client.subscribe({ topics: [topic], from: 'earliest' });
  const produced = client.produce(topic, [{ value: 'early' }]);
  await assert.rejects(
    client.connect(),
    (error) => error.code === 'CONNECTION_LOST' && error.retriable && /ECONNREFUSED/.test(error.message) && !/secret/.test(error.message),
  );
  await proxy.listen();
  await Promise.all([client.connect(), client.connect()]);
  assert.deepEqual(await produced, [{ partition: 0, offset: 0 }]);
  assert.equal((await subscription.next()).value.value, 'early');

  // While it waits to try again, connect() waits with it.
  await proxy.close();
  await new Promise((resolve) => client.once('reconnect', resolve));
  const again = client.connect();
  await new Promise((resolve) => client.once('reconnect', resolve));
  await proxy.listen();
  await again;
  assert.equal(client.connected, true);
  await client.close();
  assert.deepEqual(await subscription.next(), { value: undefined, done: true });

  // Of close, connect and close the last one counts.
  await client.connect();
  const closed = client.close();
  const late = assert.rejects(client.connect(), { code: 'CLOSED' });
  await Promise.all([client.close(), closed, late]);
  assert.equal(proxy.sockets.length, 0);

  await assert.rejects(new KafkaProxyClient('ws://[', { WebSocket: ws }).connect(), { code: 'BAD_URL' });
});

test('who answers but is no kafka-proxy 2 is found out', async (t) => {
  const server = new ws.WebSocketServer({ host: '127.0.0.1', port: 0 });
  cleanup(t, () => server.close());
  await once(server, 'listening');
  const answers = ['[{"message":"x","offset":1}]', 'hello', '{"type":"hello","protocol":3}'];
  for (const answer of answers) {
    server.once('connection', (socket) => socket.send(answer));
    const client = new KafkaProxyClient(`ws://127.0.0.1:${server.address().port}`, { WebSocket: ws, reconnect: QUICK });
    await assert.rejects(client.connect(), { code: 'NO_PROXY' });
    await client.close();
  }
});

test('produce: bounds of bytes and time; what was not written is said message by message', async (t) => {
  const proxy = await ModelProxy.start(t);
  const topic = proxy.topic('t');
  proxy.limits = { payload: 1000, framesPerSecond: 100_000 };
  const client = await connected(t, proxy, { queueBytes: 5000, timeout: 200 });
  await assert.rejects(client.produce(topic, [{ value: 'x'.repeat(1000) }]), { code: 'TOO_LARGE', maybeWritten: false });
  await assert.rejects(client.produce('nowhere', [{ value: 'a' }, { value: 'b' }]), (error) => {
    assert.ok(error instanceof ProduceError);
    assert.equal(error.results.length, 2);
    return error.code === 'UNKNOWN_TOPIC_OR_PARTITION' && error.retriable;
  });
  for (const value of [undefined, 1n, () => {}]) await assert.rejects(client.produce(topic, [{ value }]), TypeError);
  await assert.rejects(client.produce(topic, 'text'), TypeError);
  proxy.intercept = (_, { type }) => type === 'produce';
  await assert.rejects(client.produce(topic, [{ value: 'a' }]), { code: 'TIMED_OUT', maybeWritten: true });
  proxy.intercept = () => false;

  const gone = new Promise((resolve) => client.once('close', resolve));
  await proxy.close();
  await gone;
  const waiting = client.produce(topic, [{ value: 'x'.repeat(3000) }]);
  await assert.rejects(client.produce(topic, [{ value: 'x'.repeat(3000) }]), { code: 'QUEUE_FULL', retriable: true });
  await assert.rejects(waiting, { code: 'TIMED_OUT', maybeWritten: false });
  const late = client.produce(topic, [{ value: 'x' }]);
  await Promise.all([client.close(), assert.rejects(late, { code: 'CLOSED', maybeWritten: false })]);
});

test('the client stays below the limit of frames a second that the proxy has', async (t) => {
  const proxy = await ModelProxy.start(t);
  const topic = proxy.topic('t');
  proxy.limits = { payload: 1000, framesPerSecond: 100 };
  const client = await connected(t, proxy);
  const begin = Date.now();
  await Promise.all(Array.from({ length: 180 }, (_, i) => client.produce(topic, [{ value: String(i) }])));
  // 100 at once, the others at 80 a second.
  assert.ok(Date.now() - begin >= 950, `${Date.now() - begin} ms`);
  assert.deepEqual(
    proxy.topics.get(topic)[0].map(({ value }) => Number(value)),
    Array.from({ length: 180 }, (_, i) => i),
  );
});

test('a subscription has the same id in equal programs, whatever they have written: the proxy makes one frame for all of them', async (t) => {
  const proxy = await ModelProxy.start(t);
  const topic = proxy.topic('t');
  for (const writes of [0, 3]) {
    const client = await connected(t, proxy);
    for (let i = 0; i < writes; i++) await client.produce(topic, [{ value: 'x' }]);
    for (let i = 0; i < 2; i++) await client.subscribe({ topics: [topic] }).lag();
  }
  const ids = (type) => proxy.heard.filter((message) => message.type === type).map(({ id }) => id);
  assert.deepEqual(ids('subscribe'), [1, 2, 1, 2]);
  assert.deepEqual(ids('produce'), [-1, -2, -3]);
});

test('errors of a subscription: the first ends it, later ones that may pass are waited out', async (t) => {
  const proxy = await ModelProxy.start(t);
  const topic = proxy.topic('t');
  const client = await connected(t, proxy);
  await assert.rejects(client.subscribe({ topics: ['none'] }).next(), { code: 'UNKNOWN_TOPIC_OR_PARTITION' });
  await assert.rejects(client.table('none'), { code: 'UNKNOWN_TOPIC_OR_PARTITION' });
  const subscription = client.subscribe({ topics: [topic] });
  const faults = new Calls();
  subscription.on('error', faults.take);
  await subscription.lag();
  const [socket] = proxy.sockets;
  const { id } = proxy.heard.at(-1);
  const error = { type: 'error', id, code: 'X', message: 'for now', request: 'subscribe' };
  socket.tell({ ...error, retriable: true, fatal: false });
  await faults.count(1);
  socket.subs.delete(id);
  proxy.append(topic, 0, { value: 'meanwhile' });
  socket.tell({ ...error, retriable: true, fatal: true });
  await new Promise((resolve) => subscription.once('assigned', resolve));
  assert.equal((await subscription.next()).value.value, 'meanwhile');
  const next = subscription.next();
  socket.tell({ ...error, retriable: false, fatal: true });
  await assert.rejects(next, { code: 'X', message: 'for now' });
  assert.equal((await subscription.next()).done, true);
  assert.deepEqual(
    faults.all.map(({ code }) => code),
    ['X', 'X'],
  );
});

test('a listener that throws harms nobody else and is not swallowed', async (t) => {
  const proxy = await ModelProxy.start(t);
  const topic = proxy.topic('t');
  const client = await connected(t, proxy);
  const thrown = [];
  const before = process.listeners('uncaughtException');
  process.removeAllListeners('uncaughtException');
  process.on('uncaughtException', (error) => thrown.push(error.message));
  cleanup(t, () => {
    process.removeAllListeners('uncaughtException');
    for (const each of before) process.on('uncaughtException', each);
  });
  const subscription = client.subscribe({ topics: [topic], from: 'earliest' });
  const values = new Calls();
  subscription.on('message', () => {
    throw new Error('mine');
  });
  subscription.on('message', values.take);
  for (let i = 0; i < 3; i++) proxy.append(topic, 0, { value: String(i) });
  await values.count(3);
  await turn();
  assert.deepEqual(thrown, ['mine', 'mine', 'mine']);
});

test('options that cannot be are refused at once', () => {
  const make = (options) => () => new KafkaProxyClient('ws://127.0.0.1:1', options);
  assert.throws(make({ WebSocket: ws, protocol: 'msgpack' }), /codec/);
  assert.throws(make({ WebSocket: ws, protocol: 'xml' }), /protocol must be/);
  if (!globalThis.WebSocket) assert.throws(make({}), /npm install ws/);
  const client = make({ WebSocket: ws })();
  assert.throws(() => client.subscribe({ topics: ['t'], window: { messages: 0 } }), /window.messages/);
});

test('a token and a ticket are asked for at each connection, and again when they have expired: what was wanted goes on', async (t) => {
  const proxy = await ModelProxy.start(t);
  const topic = proxy.topic('t');
  /** A class of which nobody knows whether it sends headers. */
  class Plain extends ws {
    constructor(url, protocols) {
      super(url, protocols);
    }
  }
  const shown = { token: ({ headers }) => headers.authorization, plain: ({ headers }) => headers['sec-websocket-protocol'], ticket: ({ url }) => url };
  const wanted = { token: (n) => `Bearer secret-${n}`, plain: (n) => `kafka.v2.json,bearer.secret-${n}`, ticket: (n) => `/?ticket=secret-${n}` };
  for (const kind of /** @type {const} */ (['token', 'plain', 'ticket'])) {
    let asked = 0;
    const give = async () => `secret-${++asked}`;
    const client = await connected(t, proxy, kind === 'plain' ? { WebSocket: Plain, token: give } : { [kind]: give });
    const faults = new Calls();
    client.on('error', faults.take);
    const begin = proxy.topics.get(topic)[0].length;
    const subscription = client.subscribe({ topics: [topic], from: 'latest' });
    await subscription.lag();
    for (const [round, code] of [4401, 1006, 4401].entries()) {
      assert.equal(shown[kind](proxy.sockets[0].request), wanted[kind](round + 1));
      proxy.append(topic, 0, { value: String(begin + round) });
      assert.equal((await subscription.next()).value.value, String(begin + round));
      const open = new Promise((resolve) => client.once('open', resolve));
      if (code === 1006) proxy.sockets[0].terminate();
      else proxy.sockets[0].close(code, 'expired');
      await within(PATIENCE, 'it is back', () => open);
    }
    assert.deepEqual([asked, faults.all], [4, []]);
    await client.close();
    await eventually(PATIENCE, 'the socket is gone', () => proxy.sockets.length === 0);
  }
});

test('a token that cannot be had is told without a word of it, and asked for again; one that is text ends with 4401', async (t) => {
  const proxy = await ModelProxy.start(t);
  const make = (options) => new KafkaProxyClient(proxy.url, { WebSocket: ws, reconnect: QUICK, ...options });
  const none = make({ token: () => Promise.reject(new Error('signed out')) });
  await assert.rejects(none.connect(), ({ code, message }) => code === 'CONNECTION_LOST' && /token gave none: signed out/.test(message));
  for (const bad of ['', 'a secret', 'secret\r\nx: y', 7, undefined])
    await assert.rejects(make({ token: () => bad }).connect(), ({ code, message }) => code === 'BAD_TOKEN' && !/secret|x: y/.test(message));
  await assert.rejects(make({ ticket: () => new Promise(() => {}), timeout: 20 }).connect(), { code: 'CONNECTION_LOST' });
  for (const options of [{ token: 7 }, { ticket: 'x' }, { token: 'x', ticket: () => 'x' }, { token: 'x', headers: { Authorization: 'y' } }])
    assert.throws(() => make(options), TypeError);

  let asked = 0;
  const client = await connected(t, proxy, {
    token: () => {
      if (++asked === 2) throw new Error('signed out');
      return 'again';
    },
  });
  const open = new Promise((resolve) => client.once('open', resolve));
  proxy.sockets[0].close(4401, 'expired');
  await within(PATIENCE, 'it is back', () => open);
  assert.equal(asked, 3);
  await client.close();

  // Closed while it asks: nothing is opened then.
  const answer = deferred();
  const late = make({ token: () => answer.promise });
  const refused = assert.rejects(late.connect(), { code: 'CLOSED' });
  await late.close();
  answer.resolve('late');
  await refused;
  for (let turns = 0; turns < 10; turns++) await turn();
  assert.equal(late.connected, false);

  const fixed = await connected(t, proxy, { token: 'fixed' });
  const ended = new Calls();
  fixed.on('close', ended.take);
  fixed.on('error', () => {});
  await eventually(PATIENCE, 'one socket', () => proxy.sockets.length === 1);
  assert.equal(proxy.sockets[0].request.headers.authorization, 'Bearer fixed');
  proxy.sockets[0].close(4401, 'expired');
  await ended.until(({ reconnecting }) => !reconnecting);
});

test('headers of the request are given to a WebSocket class that has them', async (t) => {
  const proxy = await ModelProxy.start(t);
  await connected(t, proxy, { headers: { authorization: 'Bearer 1' } });
  assert.equal(proxy.sockets[0].request.headers.authorization, 'Bearer 1');
});
