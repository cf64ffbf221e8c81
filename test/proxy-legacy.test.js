'use strict';
// The protocol of kafka-proxy 1.0, against a real Kafka.
const assert = require('node:assert/strict');
const { after, before, describe, test } = require('node:test');
const { Kafka } = require('kafka-native');
const { cleanup } = require('./support/cleanup.js');
const { real, topicName } = require('./support/clusters.js');
const { PATIENCE } = require('./support/flow.js');
const { listening, reach } = require('./support/proxy.js');
const { Child } = require('./support/child.js');
const { LegacyClient } = require('./support/proxy-legacy.js');
const { Ending } = require('../js/kafka-proxy/dist/ending.js');
const { Flow } = require('../js/kafka-proxy/dist/flow.js');
const { readWish } = require('../js/kafka-proxy/dist/legacy/wish.js');
const { Pace } = require('../js/kafka-proxy/dist/legacy/pace.js');
const { random, seed } = require('./support/random.js');
const { eventually } = require('./support/watch.js');

describe('the protocol of kafka-proxy 1.0', () => {
  /** @type {any} */ let cluster;
  /** @type {Kafka} */ let kafka;
  let admin;
  let producer;
  before(async () => {
    cluster = await real();
    kafka = new Kafka({ brokers: [cluster.options().broker], logLevel: 0 });
    admin = kafka.admin();
    producer = kafka.producer({ idempotent: true });
    await Promise.all([admin.connect(), producer.connect()]);
  });
  after(async () => {
    await producer?.disconnect();
    await admin?.disconnect();
    await cluster?.close();
  });

  /** A proxy that ends with the test. */
  const proxy = (t, options = {}) => listening(t, { kafka: reach(cluster), ...options });
  /** A client that ends with the test. */
  function client(t, { port }, query, options) {
    const made = new LegacyClient(port, query, options);
    cleanup(t, () => made.kill());
    return made;
  }
  const topic = (partitions = 1, options = {}) => cluster.topic(partitions, options);
  const write = (name, values, partition = 0) => producer.send({ topic: name, messages: values.map((value) => ({ value, partition })) });
  const numbers = (from, to) => Array.from({ length: to - from }, (_, i) => String(from + i));
  async function committed(group, name, partition = 0) {
    const [{ partitions }] = await admin.fetchOffsets({ groupId: group, topics: [name] });
    return Number(partitions.find((each) => each.partition === partition).offset);
  }
  const commits = (group, name, offset, partition) =>
    eventually(PATIENCE, `${group} has committed ${offset}`, async () => (await committed(group, name, partition)) === offset);
  /** Deletes what is before the offset. */
  const trim = (name, offset) => admin.deleteTopicRecords({ topic: name, partitions: [{ partition: 0, offset: String(offset) }] });

  describe('frames', () => {
    test('are the bytes that 1.0 sent, for every text there is', async (t) => {
      const values = [
        'hello one',
        '',
        '{"json":[1,2,{"deep":null}]}',
        '"quoted" \\ back/slash',
        'tab\t line\n\r\b\f\0\x01\x1f\x7f',
        'ä ß é 漢字 😀 👩‍👩‍👧',
        '\u2028\u2029\ufeff',
        '</script>',
      ].map((text) => Buffer.from(text));
      values.push(
        Buffer.from([0xff, 0xfe, 0x41]),
        Buffer.from([0xed, 0xa0, 0x80]),
        Buffer.from([0xf0, 0x9f, 0x98]),
        Buffer.from([0xc0, 0x80]),
        Buffer.from('x'.repeat(100_000)),
      );
      const name = await topic();
      await write(name, values);
      const listener = client(t, await proxy(t), `topic=${name}`);
      await listener.got(values.length);
      for (const frame of listener.frames) assert.ok(!frame.startsWith('\ufeff'));
      // As 1.0 made them: lib/index.js, _batchMessageHandler.
      let at = 0;
      for (const frame of listener.frames) {
        const { length } = JSON.parse(frame);
        const set = values.slice(at, at + length).map((value, i) => ({ message: { value }, offset: at + i }));
        assert.equal(frame, JSON.stringify(set.map((message) => ({ message: message.message.value.toString(), offset: message.offset }))));
        at += length;
      }
    });

    test('have null for a tombstone, on which 1.0 failed', async (t) => {
      const name = await topic();
      await write(name, ['a', null, 'b']);
      const listener = client(t, await proxy(t), `topic=${name}`);
      await listener.got(3);
      assert.deepEqual(listener.messages, [
        { message: 'a', offset: 0 },
        { message: null, offset: 1 },
        { message: 'b', offset: 2 },
      ]);
    });

    test('of the client are ignored', async (t) => {
      const name = await topic();
      const listener = client(t, await proxy(t), `topic=${name}`);
      await listener.opened;
      for (const data of ['', '{"type":"subscribe"}', Buffer.alloc(1000), 'x'.repeat(10_000)]) listener.ws.send(data);
      listener.ws.ping();
      await write(name, ['a']);
      assert.deepEqual(await listener.got(1), [{ message: 'a', offset: 0 }]);
    });

    test('come from the partition that the URL names, or else the options', async (t) => {
      const name = await topic(3);
      for (const partition of [0, 1, 2]) await write(name, [`of ${partition}`], partition);
      const door = await proxy(t, { partition: 1 });
      for (const [query, partition] of [
        ['', 1],
        ['&partition=', 1],
        ['&partition=0', 0],
        ['&partition=2', 2],
      ]) {
        const listener = client(t, door, `topic=${name}&offset=0${query}`);
        assert.deepEqual(await listener.got(1), [{ message: `of ${partition}`, offset: 0 }]);
      }
    });
  });

  describe('the URL', () => {
    test('may have any path', async (t) => {
      const name = await topic();
      await write(name, ['a']);
      const door = await proxy(t);
      for (const [i, path] of ['/', '', '/kafka', '/a/b/', '/%20', '//'].entries()) {
        const listener = client(t, door, `consumerGroup=g${i}&topic=${name}&more=1`, { path });
        await listener.got(1);
      }
    });

    test('says where to begin: offset=0 is 0, the end waits for what comes', async (t) => {
      const name = await topic();
      await write(name, numbers(0, 10));
      await admin.setOffsets({ groupId: 'g', topic: name, partitions: [{ partition: 0, offset: '7' }] });
      const door = await proxy(t);
      const first = async (query) => (await client(t, door, `topic=${name}&consumerGroup=g${query}`).got(1))[0].offset;
      assert.equal(await first(''), 7);
      assert.equal(await first('&offset=0'), 0);
      assert.equal(await first('&offset=4'), 4);
      const atEnd = client(t, door, `topic=${name}&consumerGroup=other&offset=10`);
      await atEnd.opened;
      await write(name, ['10']);
      assert.deepEqual(await atEnd.got(1), [{ message: '10', offset: 10 }]);
    });

    test('whose offset is no number is as if it had none, and a negative one is the end, as 1.0 read them', async (t) => {
      const name = await topic();
      await write(name, numbers(0, 10));
      await admin.setOffsets({ groupId: 'g', topic: name, partitions: [{ partition: 0, offset: '7' }] });
      const door = await proxy(t);
      for (const offset of ['undefined', 'null', 'NaN', 'Infinity', '-x']) {
        const listener = client(t, door, `topic=${name}&consumerGroup=g&offset=${offset}`);
        assert.deepEqual((await listener.got(3))[0], { message: '7', offset: 7 }, offset);
        await listener.close();
        // It has committed what it got.
        await commits('g', name, 10);
        await admin.setOffsets({ groupId: 'g', topic: name, partitions: [{ partition: 0, offset: '7' }] });
      }
      const told = door.lines.all.filter(([level, line]) => level === 'warn' && /is no number/.test(line));
      assert.equal(told.length, 5);
      assert.ok(!told.some(([, line]) => /undefined|NaN|Infinity/.test(line)), 'what was in the URL');
      const atEnd = [-1, -2].map((offset, i) => client(t, door, `topic=${name}&consumerGroup=end-${i}&offset=${offset}`));
      // Where they begin is known when it is shown that they read.
      await eventually(PATIENCE, 'both read', async () => {
        const { sockets } = await (await fetch(`http://127.0.0.1:${door.port}/sockets`)).json();
        const groups = sockets.flatMap(({ reads }) => reads.map(({ group }) => group));
        return groups.includes('end-0') && groups.includes('end-1');
      });
      await write(name, ['10']);
      for (const each of atEnd) assert.deepEqual(await each.got(1), [{ message: '10', offset: 10 }]);
    });

    test('that is wrong closes the socket with 4400 and says what is', async (t) => {
      const name = await topic();
      const door = await proxy(t);
      for (const [query, reason] of /** @type {[string, RegExp][]} */ ([
        ['', /names no topic: write \?topic=NAME/],
        ['topic=', /names no topic/],
        ['Topic=a', /names no topic/],
        ['topic=..', /topic is no name/],
        ['topic=a%2Fb', /topic is no name/],
        [`topic=${'a'.repeat(250)}`, /topic is no name/],
        [`topic=${name}&topic=${name}`, /topic is there 2 times/],
        [`topic=${name}&offset=7x`, /offset must be a whole number from 0 to \d+, got 7x/],
        [`topic=${name}&offset=-1.5`, /offset must be/],
        [`topic=${name}&offset=1.5`, /offset must be/],
        [`topic=${name}&offset=0x10`, /offset must be/],
        [`topic=${name}&offset=9007199254740992`, /offset must be/],
        [`topic=${name}&offset=${'9'.repeat(300)}`, /offset must be/],
        [`topic=${name}&partition=-1`, /partition must be/],
        [`topic=${name}&partition=2147483648`, /partition must be/],
        [`topic=${name}&partition=a`, /partition must be/],
        [`topic=${name}&consumerGroup=a%00b`, /consumerGroup has control characters/],
      ])) {
        const { code, reason: told } = await client(t, door, query).refused();
        assert.equal(code, 4400, `${query}: ${told}`);
        assert.match(told, reason);
      }
    });

    test(`by the ten thousand is read, or refused in words (SEED=${seed})`, () => {
      const chance = random(seed);
      const pick = (list) => list[Math.floor(chance() * list.length)];
      const names = ['topic', 'offset', 'partition', 'consumerGroup', 'Topic', 'x', ''];
      const pieces = [
        'orders',
        '0',
        '7',
        '-',
        '.',
        '..',
        '/',
        '%',
        '%00',
        '%ff',
        '%F0%9F%98%80',
        '=',
        '&',
        '+',
        ' ',
        'e9',
        '0x1',
        'NaN',
        'null',
        '[]',
        '\u0000',
        '\ud800',
        'a'.repeat(300),
        '99999999999999999999',
        '__proto__',
      ];
      for (let i = 0; i < 20_000; i++) {
        const query = Array.from(
          { length: Math.floor(chance() * 5) },
          () => `${pick(names)}=${Array.from({ length: Math.floor(chance() * 3) }, () => pick(pieces)).join('')}`,
        ).join('&');
        try {
          const { topic: name, partition, group, offset } = readWish(new URLSearchParams(query), 3);
          assert.match(name, /^[\w.-]+$/);
          assert.ok(
            group.length > 0 &&
              Number.isInteger(partition) &&
              partition >= 0 &&
              (offset === undefined || offset === 'end' || (Number.isSafeInteger(offset) && offset >= 0)),
            query,
          );
        } catch (error) {
          assert.equal(error.close, 4400, `${query}: ${error.stack}`);
        }
      }
    });

    test('that names what is not there closes the socket with 4404', async (t) => {
      const name = await topic(2);
      const door = await proxy(t);
      const missing = await client(t, door, `topic=${topicName()}`).refused();
      assert.equal(missing.code, 4404, missing.reason);
      assert.deepEqual(await client(t, door, `topic=${name}&partition=2`).refused(), { code: 4404, reason: `the topic ${name} has no partition 2` });
    });

    test('whose topic is deleted while it is read closes the socket with 4404', async (t) => {
      const name = await topic();
      await write(name, ['a']);
      const listener = client(t, await proxy(t), `topic=${name}`);
      await listener.got(1);
      await admin.deleteTopics({ topics: [name] });
      const { code, reason } = await listener.refused();
      assert.equal(code, 4404, reason);
      assert.match(reason, new RegExp(name));
    });

    test('whose offset is gone, or not there yet, closes the socket with 4410 and tells which are', async (t) => {
      const name = await topic();
      await write(name, numbers(0, 10));
      await trim(name, 5);
      const door = await proxy(t);
      for (const offset of [0, 4, 11, 1e15]) {
        const { code, reason } = await client(t, door, `topic=${name}&offset=${offset}`).refused();
        assert.equal(code, 4410, reason);
        assert.match(reason, new RegExp(`${name}/0 has the offsets 5 to 10, not ${offset}`));
      }
      assert.equal((await client(t, door, `topic=${name}&offset=5`).got(5))[0].offset, 5);
    });

    test('whose offset, or the committed one, lies behind a transaction that is not finished waits for its end', async (t) => {
      const name = await topic();
      await write(name, numbers(0, 10));
      const writer = kafka.producer({ idempotent: true, transactionalId: `of ${name}` });
      cleanup(t, () => writer.disconnect());
      await writer.connect();
      const transaction = await writer.transaction();
      await transaction.send({ topic: name, messages: numbers(10, 15).map((value) => ({ value, partition: 0 })) });
      await write(name, numbers(15, 20));
      await admin.setOffsets({ groupId: 'behind', topic: name, partitions: [{ partition: 0, offset: '17' }] });
      const door = await proxy(t);
      const listeners = ['consumerGroup=asks&offset=17', 'consumerGroup=behind'].map((query) => client(t, door, `topic=${name}&${query}`));
      // Nothing is sent before the transaction's end: the socket that asks for what is not there is refused meanwhile.
      assert.equal((await client(t, door, `topic=${name}&offset=21`).refused()).code, 4410);
      await transaction.commit();
      for (const listener of listeners)
        assert.deepEqual(
          (await listener.got(3)).map(({ offset }) => offset),
          [17, 18, 19],
        );
    });

    test('without an offset begins with what is there, where the begin, or what was committed, is not', async (t) => {
      const name = await topic();
      await write(name, numbers(0, 10));
      for (const [groupId, offset] of [
        ['behind', 3],
        ['ahead', 20],
      ])
        await admin.setOffsets({ groupId, topic: name, partitions: [{ partition: 0, offset: String(offset) }] });
      await trim(name, 5);
      const door = await proxy(t);
      for (const group of ['fresh', 'behind', 'ahead'])
        assert.equal((await client(t, door, `topic=${name}&consumerGroup=${group}`).got(5))[0].offset, 5, group);
      const told = door.lines.all.filter(([level]) => level === 'warn').map(([, line]) => line);
      assert.equal(told.length, 2, told.join('\n'));
      for (const line of told) assert.match(line, /committed an offset that is not there/);
    });
  });

  describe('commits', () => {
    test('the offset behind what the client has got, and goes on there', async (t) => {
      const name = await topic();
      await write(name, numbers(0, 50));
      const door = await proxy(t);
      const one = client(t, door, `topic=${name}`);
      await one.got(50);
      await commits('default', name, 50);
      await one.close();
      await write(name, numbers(50, 60));
      const two = client(t, door, `topic=${name}`);
      await two.got(10);
      assert.deepEqual(two.offsets, numbers(50, 60).map(Number));
    });

    test('nothing that a proxy that ends under traffic has not sent any more', async (t) => {
      const name = await topic();
      let written = 0;
      let over = false;
      const traffic = (async () => {
        while (!over) await write(name, [String(written++)]);
      })();
      cleanup(t, () => {
        over = true;
        return traffic;
      });
      let next = 0;
      for (let round = 0; round < 5; round++) {
        const door = await proxy(t);
        const one = client(t, door, `topic=${name}&consumerGroup=traffic`);
        await one.got(20);
        await door.proxy.close();
        await one.closed;
        assert.ok(one.offsets[0] <= next, `it has read up to ${next}, and the next one begins at ${one.offsets[0]}`);
        one.offsets.forEach((offset, i) => assert.equal(offset, one.offsets[0] + i));
        next = one.offsets.at(-1) + 1;
      }
    });

    test('when the proxy ends, also of many sockets', async (t) => {
      const name = await topic();
      const door = await proxy(t);
      const groups = Array.from({ length: 40 }, (_, i) => `ends-${i}`);
      const listeners = groups.map((group) => client(t, door, `topic=${name}&consumerGroup=${group}`));
      for (let i = 0; i < 10; i++) {
        await write(name, numbers(i * 10, i * 10 + 10));
        await Promise.all(listeners.map((listener) => listener.got(i * 10 + 10)));
      }
      await door.proxy.close();
      assert.deepEqual(
        await Promise.all(groups.map((group) => committed(group, name))),
        groups.map(() => 100),
      );
    });

    test(`a proxy that is killed between a frame and its commit repeats, and never skips (SEED=${seed})`, async (t) => {
      const chance = random(seed);
      const name = await topic();
      await write(name, numbers(0, 3000));
      const start = async () => {
        const child = new Child(t, 'proxy.js', { kafka: reach(cluster), idleTimeout: 5, maxBytes: 2000 });
        return { child, port: (await child.says('listens')).port };
      };
      const begins = [];
      let next = 0;
      for (let life = 0; life < 6 || next < 3000; life++) {
        const { child, port } = await start();
        const listener = client(t, { port }, `topic=${name}&consumerGroup=killed`);
        const wanted = life < 5 ? 1 + Math.floor(chance() * 400) : 3000 - next;
        await listener.got(Math.min(wanted, 3000 - next));
        if (chance() < 0.5) await new Promise((resolve) => setTimeout(resolve, chance() * 20));
        await child.kill();
        await listener.closed;
        const { offsets } = listener;
        assert.ok(offsets[0] <= next, `life ${life} began at ${offsets[0]}, and ${next} was next`);
        offsets.forEach((offset, i) => assert.equal(offset, offsets[0] + i));
        begins.push(offsets[0]);
        next = offsets.at(-1) + 1;
      }
      // It was not all from the begin each time.
      assert.ok(begins.at(-1) > 0, begins.join());
    });

    test('nothing that a client has not read before it dies, whatever was written to it', async (t) => {
      const door = await proxy(t, { maxBytes: 1e9, idleTimeout: 1 });
      for (const end of ['kill', 'close']) {
        const name = await topic();
        const group = `dies-${end}`;
        const slow = client(t, door, `topic=${name}&consumerGroup=${group}`);
        await slow.opened;
        await write(name, ['first']);
        await slow.got(1);
        await commits(group, name, 1);
        slow.ws.pause();
        // The system takes megabytes of what the client does not.
        const fast = client(t, door, `topic=${name}&consumerGroup=fast-${end}`);
        for (let i = 0; i < 3; i++)
          await write(
            name,
            Array.from({ length: 1000 }, () => 'x'.repeat(1000)),
          );
        await fast.got(3001);
        // A client that says goodbye has not read what comes behind, either.
        if (end === 'close') await new Promise((resolve) => (slow.ws.close(), slow.ws._socket.write('', resolve)));
        await slow.kill();
        const read = slow.offsets.at(-1) + 1;
        await write(name, ['last']);
        const next = client(t, door, `topic=${name}&consumerGroup=${group}`);
        await next.got(1);
        assert.ok(next.offsets[0] <= read, `it has read up to ${read}, and the next one begins at ${next.offsets[0]}`);
        await Promise.all([next.close(), fast.close()]);
      }
    });

    test('what a client has got that says goodbye at once, message by message: nothing comes again', async (t) => {
      const name = await topic();
      const door = await proxy(t);
      for (let n = 0; n < 5; n++) {
        await write(name, [`${n}`]);
        const one = client(t, door, `topic=${name}&consumerGroup=polite`);
        // In the handler itself, before the library sees what is behind the message.
        one.ws.once('message', () => one.ws.close());
        await one.closed;
        assert.deepEqual(one.offsets, [n]);
        await commits('polite', name, n + 1);
      }
    });

    test('nothing of a client that answers no pings, which gets everything all the same', async (t) => {
      const name = await topic();
      await write(name, numbers(0, 10));
      const door = await proxy(t);
      const mute = client(t, door, `topic=${name}&consumerGroup=mute`, { autoPong: false });
      await mute.got(10);
      await write(name, numbers(10, 20));
      await mute.got(20);
      await mute.close();
      const next = client(t, door, `topic=${name}&consumerGroup=mute`);
      await next.got(20);
      assert.deepEqual(next.offsets, numbers(0, 20).map(Number));
      await commits('mute', name, 20);
    });

    test('nothing for a group with members, says so once, and goes on', async (t) => {
      const name = await topic();
      const group = `members-${name}`;
      const member = kafka.consumer({ groupId: group });
      cleanup(t, () => member.disconnect());
      await member.connect();
      await member.subscribe({ topics: [name] });
      await member.run({ autoCommit: false, eachMessage: async () => {} });
      const door = await proxy(t);
      const listener = client(t, door, `topic=${name}&consumerGroup=${group}`);
      for (let i = 0; i < 5; i++) {
        await write(name, [String(i)]);
        await listener.got(i + 1);
      }
      const refused = ([level, line]) => level === 'warn' && /is not committed/.test(line);
      await door.lines.until(refused);
      await listener.close();
      await door.proxy.close();
      assert.equal(door.lines.all.filter(refused).length, 1);
      assert.equal(await committed(group, name), -1);
    });

    test('again when a group has no members any more', async (t) => {
      const name = await topic();
      const group = `members-${name}`;
      const member = kafka.consumer({ groupId: group });
      cleanup(t, () => member.disconnect());
      await member.connect();
      await member.subscribe({ topics: [name] });
      await member.run({ autoCommit: false, eachMessage: async () => {} });
      const door = await proxy(t);
      const listener = client(t, door, `topic=${name}&consumerGroup=${group}`);
      await write(name, ['a']);
      await listener.got(1);
      await door.lines.until(([level, line]) => level === 'warn' && /is not committed/.test(line));
      await member.disconnect();
      await commits(group, name, 1);
    });
  });

  describe('a newcomer', () => {
    test('takes the place of the socket that reads for the same group, topic and partition', async (t) => {
      const name = await topic(2);
      await write(name, numbers(0, 10));
      const door = await proxy(t);
      const old = client(t, door, `topic=${name}&consumerGroup=g&partition=0`);
      const bystanders = ['consumerGroup=h&partition=0', 'consumerGroup=g&partition=1'].map((query) => client(t, door, `topic=${name}&${query}`));
      await old.got(10);
      const newcomer = client(t, door, `topic=${name}&consumerGroup=g`);
      const { code, reason } = await old.refused();
      assert.equal(code, 4409);
      assert.match(reason, /Another socket/);
      await write(name, ['10']);
      await write(name, ['0'], 1);
      await newcomer.got(1);
      assert.deepEqual(newcomer.offsets, [10]);
      assert.deepEqual(await Promise.all([bystanders[0].got(11), bystanders[1].got(1)]).then(([h, g]) => [h.length, g.length]), [11, 1]);
    });

    test("that is refused takes nobody's place", async (t) => {
      const name = await topic();
      await write(name, ['a']);
      const door = await proxy(t, {
        authenticate: ({ headers }) => headers['x-user'] ?? 'host',
        authorize: (principal, { operation }) => !(principal === 'guest' && operation === 'group'),
      });
      const holder = client(t, door, `topic=${name}`);
      await holder.got(1);
      assert.equal((await client(t, door, `topic=${name}&offset=5`).refused()).code, 4410);
      assert.equal((await client(t, door, `topic=${name}&offset=1x`).refused()).code, 4400);
      assert.equal((await client(t, door, `topic=${name}`, { headers: { 'x-user': 'guest' } }).refused()).code, 4403);
      await write(name, ['b']);
      await holder.got(2);
    });

    test(`begins where nothing is left out, in whatever order sockets come and go (SEED=${seed})`, async (t) => {
      const chance = random(seed);
      const pick = (list) => list[Math.floor(chance() * list.length)];
      const name = await topic(2);
      const door = await proxy(t, { idleTimeout: 20, maxBytes: 2000 });
      const written = [0, 0];
      /** By partition: the clients in the order in which they came. */
      const clients = [[], []];
      for (let step = 0; step < 120; step++) {
        const partition = pick([0, 1]);
        const open = clients[partition];
        const action = pick(['write', 'write', 'come', 'come', 'two come', 'close', 'kill', 'wait']);
        if (action === 'write') {
          const count = 1 + Math.floor(chance() * 60);
          await write(name, numbers(written[partition], written[partition] + count), partition);
          written[partition] += count;
        } else if (action === 'come' || action === 'two come') {
          for (let i = 0; i < (action === 'come' ? 1 : 2); i++) {
            const made = client(t, door, `topic=${name}&consumerGroup=orders&partition=${partition}`);
            open.push(made);
            // Later sockets come later: they are let in one after the other, but not served.
            await made.opened;
          }
        } else if (action === 'close' && open.length > 0) void open.at(-1).close();
        else if (action === 'kill' && open.length > 0) void open.at(-1).kill();
        else if (action === 'wait') await new Promise((resolve) => setTimeout(resolve, chance() * 30));
      }
      for (const partition of [0, 1]) {
        const last = client(t, door, `topic=${name}&consumerGroup=orders&partition=${partition}`);
        for (const each of clients[partition]) await each.refused();
        clients[partition].push(last);
        await write(name, ['last'], partition);
        written[partition]++;
        await last.until((frame) => frame.includes('"last"'));
        let next = 0;
        for (const [i, { messages }] of clients[partition].entries()) {
          if (messages.length === 0) continue;
          const [{ offset: first }] = messages;
          // Of one that went, or died, what it had not answered yet comes again.
          assert.ok(first <= next, `client ${i} of partition ${partition} began at ${first}, and ${next} was next`);
          messages.forEach(({ offset }, at) => assert.equal(offset, first + at));
          next = Math.max(next, messages.at(-1).offset + 1);
        }
        assert.equal(next, written[partition]);
      }
    });
  });

  describe('pace', () => {
    test(`is maxBytes in any idleTimeout, and all that can be had by who wants it (SEED=${seed})`, async () => {
      const chance = random(seed);
      const socket = { closed: new Ending(), buffered: 0, drained: async () => {} };
      const flow = new Flow(/** @type {any} */ (socket));
      const [maxBytes, idleTimeout] = [1000, 30];
      const pace = new Pace(flow, maxBytes, idleTimeout);
      const sent = [];
      for (let frame = 0; frame < 300; frame++) {
        while (!flow.room()) await flow.changed();
        const bytes = chance() < 0.05 ? 3000 : Math.ceil(chance() * Math.min(400, flow.room().bytes));
        // Those who send keep to the room, but for one message that is larger.
        if (bytes > flow.room().bytes && flow.room().bytes < maxBytes) continue;
        sent.push({ at: performance.now(), bytes });
        pace.took(1, bytes);
        if (chance() < 0.1) await new Promise((resolve) => setTimeout(resolve, chance() * 2 * idleTimeout));
      }
      for (const [i, { at }] of sent.entries()) {
        const within = sent.slice(i).filter((each) => each.at < at + idleTimeout);
        const bytes = within.reduce((sum, each) => sum + each.bytes, 0);
        assert.ok(bytes <= maxBytes || within.length === 1, `${bytes} bytes in ${idleTimeout} ms, ${within.length} frames`);
      }
      // A sender that was silent has all of it again.
      await eventually(PATIENCE, 'all the credit', () => flow.room()?.bytes === maxBytes);
      pace.end();
    });

    test('a message larger than maxBytes comes, alone', async (t) => {
      const name = await topic();
      const small = (count) => Array.from({ length: count }, (_, i) => 30 + (i % 50));
      const sizes = [10, 5000, 20, 900_000, ...small(100), 5000, ...small(100), 2000, 3000, 10];
      await write(
        name,
        sizes.map((size) => 'x'.repeat(size)),
      );
      const listener = client(t, await proxy(t, { maxBytes: 1000, idleTimeout: 20 }), `topic=${name}`);
      await listener.got(sizes.length);
      assert.deepEqual(
        listener.messages.map(({ message }) => message.length),
        sizes,
      );
      for (const frame of listener.frames) {
        const lengths = JSON.parse(frame).map(({ message }) => message.length);
        assert.ok(lengths.length === 1 || lengths.reduce((sum, length) => sum + length) <= 1000, lengths.join());
      }
    });

    test('a reader that is slow slows nobody, and gets everything', async (t) => {
      const name = await topic();
      const line = 'x'.repeat(1000);
      const door = await proxy(t, { maxBytes: 1e9, idleTimeout: 1 });
      const slow = client(t, door, `topic=${name}&consumerGroup=slow`);
      await slow.opened;
      slow.ws.pause();
      const fast = client(t, door, `topic=${name}&consumerGroup=fast`);
      for (let i = 0; i < 20; i++)
        await write(
          name,
          Array.from({ length: 1000 }, () => line),
        );
      await fast.got(20_000);
      slow.ws.resume();
      await slow.got(20_000);
      assert.deepEqual(slow.offsets, numbers(0, 20_000).map(Number));
    });

    test('readers that do not read at all cost the proxy no more memory than their sockets may have', async (t) => {
      const name = await topic();
      const line = 'x'.repeat(10_000);
      for (let i = 0; i < 10; i++)
        await write(
          name,
          Array.from({ length: 1000 }, () => line),
        );
      const child = new Child(t, 'proxy.js', { kafka: reach(cluster), idleTimeout: 1, maxBytes: 1e9, limits: { cache: 16 * 2 ** 20 } });
      const { port } = await child.says('listens');
      const fast = client(t, { port }, `topic=${name}&consumerGroup=fast`);
      await fast.got(10_000);
      const peak = async () => {
        child.tell({});
        return (await child.says('memory')).peak / 1024;
      };
      const before = await peak();
      // 100 MB each.
      const silent = Array.from({ length: 10 }, (_, i) => client(t, { port }, `topic=${name}&consumerGroup=silent-${i}`));
      await Promise.all(silent.map((each) => each.until(() => true).then(() => each.ws.pause())));
      const again = client(t, { port }, `topic=${name}&consumerGroup=again`);
      await again.got(10_000);
      const grown = (await peak()) - before;
      assert.ok(grown < 10 * 4 + 100, `${grown} MB more`);
    });
  });

  test('what the proxy has no room for closes the socket with 1011: later there may be, and the log says what it was', async (t) => {
    const [one, two] = [await topic(), await topic()];
    for (const name of [one, two]) await write(name, ['a']);
    const door = await proxy(t, { limits: { readers: 1 } });
    await client(t, door, `topic=${one}`).got(1);
    const { code, reason } = await client(t, door, `topic=${two}`).refused();
    assert.equal(code, 1011, reason);
    assert.match(reason, /reads at most 1 topics/);
    await door.lines.until(([level, line]) => level === 'warn' && /reads at most 1 topics/.test(line));
    const response = await fetch(`http://127.0.0.1:${door.port}/topics/${two}/events`);
    assert.deepEqual([response.status, (await response.json()).code, response.headers.get('retry-after')], [503, 'LIMIT', '5']);
  });

  test('a line of figures is logged while there are sockets', async (t) => {
    const name = await topic();
    const door = await proxy(t, { recordInterval: 20 });
    const listener = client(t, door, `topic=${name}`);
    await door.lines.until(([level, line]) => level === 'debug' && /^Sockets of the old protocol/.test(line));
    await listener.close();
  });
});
