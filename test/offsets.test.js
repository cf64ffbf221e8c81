'use strict';
// The offset files: what is read, what is written and when, who holds them, and what happens when the disk does not want to.

const assert = require('node:assert/strict');
const { once } = require('node:events');
const fs = require('node:fs');
const path = require('node:path');
const { describe, test, before, after } = require('node:test');
const { Worker } = require('node:worker_threads');
const { KafkaError } = require('kafka-native');
const { Child } = require('./support/child.js');
const { cleanup } = require('./support/cleanup.js');
const { embedded, real } = require('./support/clusters.js');
const { Inbox, PATIENCE, consumer, folder, offsets, producer } = require('./support/flow.js');
const { Calls, deferred, eventually, received, witness } = require('./support/watch.js');
const { runTool } = require('../deps/kafka/java.js');

/** @type {any} */ let cluster;
before(async () => (cluster = await embedded()));
after(() => cluster.close());

async function filled(t, partitions, each) {
  const topic = await cluster.topic(partitions);
  const sender = producer(t, cluster);
  for (let partition = 0; partition < partitions; partition++)
    sender.send(
      topic,
      partition,
      Array.from({ length: each }, (_, n) => `${n}`),
    );
  await sender.stop();
  return topic;
}

describe('an offset file', () => {
  test('written by 1.0.0 is read as it is: the next message is the one behind its number', async (t) => {
    const topic = await filled(t, 3, 50);
    const directory = folder(t);
    fs.writeFileSync(path.join(directory, `${topic}-0.offset`), '41\n');
    fs.writeFileSync(path.join(directory, `${topic}-1.offset`), '0'); // a file that an editor left
    const inbox = new Inbox();
    const one = consumer(t, cluster, { topic, offset_directory: directory, receive_callback: inbox.receive });
    await one.start();
    await inbox.until(8 + 49 + 50);
    const first = (partition) => inbox.messages.find((m) => m.partition === partition).offset;
    assert.deepEqual([0, 1, 2].map(first), [42, 1, 0]);
    assert.deepEqual([inbox.misses, inbox.repeats], [0, 0]);
  });

  test('is the decimal number of the last processed offset and a line feed, for everybody whom the umask allows', async (t) => {
    const topic = await filled(t, 1, 12);
    const directory = path.join(folder(t), 'made', 'with', 'parents');
    const inbox = new Inbox();
    const one = consumer(t, cluster, { topic, offset_directory: directory, receive_callback: inbox.receive });
    await one.start();
    await inbox.until(12);
    await one.stop();
    const file = path.join(directory, `${topic}-0.offset`);
    assert.equal(fs.readFileSync(file, 'utf8'), '11\n');
    if (process.platform !== 'win32') assert.equal(fs.statSync(file).mode & 0o777, 0o666 & ~process.umask());
    const visible = fs.readdirSync(directory).filter((name) => !name.startsWith('.'));
    assert.deepEqual(visible, [`${topic}-0.offset`]);
  });

  test('that holds no number makes start reject with its path, and is left as it is', async (t) => {
    const topic = await filled(t, 2, 1);
    for (const content of ['', '\n', 'abc', '-5\n', '1.5\n', '1e3\n', '0x10\n', ' 7\n', '7\n8\n', '99999999999999999999\n', '9223372036854775807\n', '7\0']) {
      const directory = folder(t);
      const file = path.join(directory, `${topic}-1.offset`);
      fs.writeFileSync(file, content);
      const one = consumer(t, cluster, { topic, offset_directory: directory, receive_callback() {} });
      await assert.rejects(one.start(), (error) => {
        assert.ok(error instanceof KafkaError);
        assert.ok(error.message.includes(file) && error.message.includes('bad file format'), error.message);
        return true;
      });
      assert.equal(fs.readFileSync(file, 'utf8'), content);
      // It holds nothing after that: the user can put the file right and start again.
      fs.writeFileSync(file, '0\n');
      assert.deepEqual(await one.start(), [0, 1]);
      await one.stop();
    }
  });

  test('is no link: start rejects and names it', { skip: process.platform === 'win32' }, async (t) => {
    const topic = await filled(t, 1, 1);
    const directory = folder(t);
    const elsewhere = path.join(folder(t), 'precious');
    fs.writeFileSync(elsewhere, '0\n');
    fs.symlinkSync(elsewhere, path.join(directory, `${topic}-0.offset`));
    const one = consumer(t, cluster, { topic, offset_directory: directory, receive_callback() {} });
    await assert.rejects(one.start(), { message: /link/ });
    assert.equal(fs.readFileSync(elsewhere, 'utf8'), '0\n');
  });

  test("of an interrupted write is removed at start, and nobody else's file is", async (t) => {
    const topic = await filled(t, 1, 1);
    const directory = folder(t);
    const leftover = `.${topic}-0~AbC12`;
    const others = [`.${topic}-1~AbC12`, `.${topic}x-0~AbC12`, `${topic}-0~AbC12`, `.${topic}-0~AbC12.bak`, 'notes.txt'];
    for (const name of [leftover, ...others]) fs.writeFileSync(path.join(directory, name), '5\n');
    const one = consumer(t, cluster, { topic, offset_directory: directory, receive_callback() {} });
    await one.start();
    const left = fs.readdirSync(directory);
    assert.ok(!left.includes(leftover));
    for (const name of others) assert.ok(left.includes(name), name);
  });
});

describe('what is recorded', () => {
  test('is the contiguous prefix of what is finished, whatever order the callbacks finish in', async (t) => {
    const topic = await filled(t, 1, 30);
    const directory = folder(t);
    const [calls, gates] = [new Calls(), []];
    const one = consumer(t, cluster, {
      topic,
      offset_directory: directory,
      max_messages_per_callback: 5,
      receive_callback: ({ messages }) => {
        const gate = deferred();
        gates.push({ ...gate, last: messages.at(-1).offset });
        calls.take();
        return gate.promise;
      },
    });
    await one.start();
    await calls.until(() => gates.at(-1)?.last === 29);
    const recorded = () => offsets(directory, topic)[0];
    gates[2].resolve();
    gates[1].reject(new Error('finished as well'));
    gates.at(-1).resolve();
    await new Promise((resolve) => setTimeout(resolve, 100)); // time to do wrong
    assert.equal(recorded(), undefined);
    gates[0].resolve();
    await eventually(PATIENCE, 'the first three batches', () => recorded() === gates[2].last);
    for (const gate of gates) gate.resolve();
    await eventually(PATIENCE, 'all of them', () => recorded() === 29);
  });

  test('of one partition does not wait for another', async (t) => {
    const topic = await filled(t, 2, 10);
    const directory = folder(t);
    const stuck = deferred();
    const one = consumer(t, cluster, {
      topic,
      offset_directory: directory,
      max_messages_per_callback: 1,
      receive_callback: ({ messages: [m] }) => (m.partition === 0 && m.offset === 0 ? stuck.promise : undefined),
    });
    await one.start();
    await eventually(PATIENCE, 'partition 1', () => offsets(directory, topic)[1] === 9);
    assert.equal(offsets(directory, topic)[0], undefined);
    stuck.resolve();
    await eventually(PATIENCE, 'partition 0', () => offsets(directory, topic)[0] === 9);
  });
});

describe('a partition in a directory has one holder', () => {
  test('in one process: the second start rejects and names it, until the first is stopped', async (t) => {
    const topic = await filled(t, 2, 1);
    const directory = folder(t);
    const make = (options) => consumer(t, cluster, { topic, offset_directory: directory, receive_callback() {}, ...options });
    const [first, second, slice] = [make(), make(), make({ num_workers: 2, worker_slot: 1 })];
    await first.start();
    for (const one of [second, slice]) {
      await assert.rejects(
        one.start(),
        (error) => error instanceof KafkaError && error.message.includes(`${process.pid}`) && error.message.includes(directory),
      );
    }
    await first.stop();
    await slice.start();
    await assert.rejects(second.start(), KafkaError);
    await slice.stop();
    assert.deepEqual(await second.start(), [0, 1]);
  });

  test('in two processes: the second start rejects and names the process, until that is killed', async (t) => {
    const topic = await filled(t, 1, 1);
    const directory = folder(t);
    const holder = new Child(t, 'holder.js', { ...cluster.options(), topic, offset_directory: directory });
    await holder.says('holds');
    const one = consumer(t, cluster, { topic, offset_directory: directory, receive_callback() {} });
    await assert.rejects(one.start(), (error) => error instanceof KafkaError && new RegExp(`process ${holder.process.pid}\\b`).test(error.message));
    await holder.kill();
    assert.deepEqual(await one.start(), [0]);
  });

  test('in a worker: its end releases what it held', async (t) => {
    const topic = await filled(t, 1, 1);
    const directory = folder(t);
    const code = `const { Consumer } = require('kafka-native');
      const { parentPort, workerData } = require('node:worker_threads');
      new Consumer({ ...workerData, receive_callback() {} }).start().then(() => parentPort.postMessage('holds'));`;
    const worker = new Worker(code, { eval: true, workerData: { ...cluster.options(), topic, offset_directory: directory } });
    cleanup(t, () => worker.terminate());
    await once(worker, 'message');
    const one = consumer(t, cluster, { topic, offset_directory: directory, receive_callback() {} });
    await assert.rejects(one.start(), KafkaError);
    await worker.terminate();
    assert.deepEqual(await one.start(), [0]);
  });

  test('slots share a directory', async (t) => {
    const topic = await filled(t, 4, 5);
    const directory = folder(t);
    const inboxes = [0, 1].map(() => new Inbox());
    const workers = inboxes.map((inbox, worker_slot) =>
      consumer(t, cluster, { topic, offset_directory: directory, num_workers: 2, worker_slot, receive_callback: inbox.receive }),
    );
    assert.deepEqual(await Promise.all(workers.map((worker) => worker.start())), [
      [0, 2],
      [1, 3],
    ]);
    await Promise.all(inboxes.map((inbox) => inbox.until(10)));
    await Promise.all(workers.map((worker) => worker.stop()));
    assert.deepEqual(offsets(directory, topic), { 0: 4, 1: 4, 2: 4, 3: 4 });
  });
});

describe('a directory in trouble', () => {
  test('that cannot be made makes start reject with its path', async (t) => {
    const topic = await filled(t, 1, 1);
    const file = path.join(folder(t), 'file');
    fs.writeFileSync(file, '');
    for (const directory of [file, path.join(file, 'below')]) {
      const one = consumer(t, cluster, { topic, offset_directory: directory, receive_callback() {} });
      await assert.rejects(one.start(), (error) => error instanceof KafkaError && error.message.includes(directory));
    }
  });

  test('that vanishes is told to error_callback once with its path, consumption goes on, and it heals', async (t) => {
    const topic = await filled(t, 1, 10);
    const directory = path.join(folder(t), 'offsets');
    const [errors, inbox, { lines, logger }] = [new Calls(), new Inbox(), witness()];
    const one = consumer(t, cluster, { topic, offset_directory: directory, logger, receive_callback: inbox.receive, error_callback: errors.take });
    await one.start();
    await inbox.until(10);
    await eventually(PATIENCE, 'offset 9', () => offsets(directory, topic)[0] === 9);
    fs.rmSync(directory, { recursive: true });

    const sender = producer(t, cluster);
    sender.send(topic, 0, ['a']);
    await inbox.until(11);
    const error = await errors.until();
    assert.ok(error instanceof KafkaError && error.message.includes(directory), String(error));
    for (let n = 12; n <= 15; n++) {
      sender.send(topic, 0, ['goes on']);
      await inbox.until(n);
    }
    assert.equal(errors.all.length, 1, 'told once, not per retry');
    fs.mkdirSync(directory);
    await eventually(PATIENCE, 'the offset written at last', () => offsets(directory, topic)[0] === 14);
    await lines.until(([, line]) => /written again/.test(line));

    // Another change of state is told again.
    fs.rmSync(directory, { recursive: true });
    sender.send(topic, 0, ['b']);
    await errors.count(2);
    fs.mkdirSync(directory);
    await eventually(PATIENCE, 'the offset written again', () => offsets(directory, topic)[0] === 15);
  });

  test('that is gone for good makes stop reject, naming path, partition and offset', async (t) => {
    const topic = await filled(t, 1, 10);
    const directory = path.join(folder(t), 'offsets');
    const [inbox, errors] = [new Inbox(), new Calls()];
    const one = consumer(t, cluster, {
      topic,
      offset_directory: directory,
      error_callback: errors.take,
      receive_callback: (batch) => (fs.rmSync(directory, { recursive: true, force: true }), inbox.receive(batch)),
    });
    await one.start();
    await inbox.until(10);
    await errors.until();
    await assert.rejects(one.stop({ timeout: 300 }), (error) => {
      assert.ok(error instanceof KafkaError);
      assert.ok(error.message.includes(directory) && /\b9\b/.test(error.message), error.message);
      return true;
    });
  });
});

describe('offset_manager', () => {
  const memory = () => {
    const [reads, commits] = [new Calls(), new Calls()];
    const stored = {};
    const manager = {
      async read(partitions) {
        reads.take(partitions);
        return partitions.map((partition) => stored[partition] ?? -1);
      },
      async commit(given) {
        commits.take(given);
        Object.assign(stored, given);
      },
    };
    return { manager, stored, reads, commits };
  };

  test('is read at start and told what was processed; no directory is needed', async (t) => {
    const topic = await filled(t, 2, 10);
    const { manager, stored, reads } = memory();
    stored[1] = 6;
    const inbox = new Inbox();
    const one = consumer(t, cluster, { topic, offset_manager: manager, receive_callback: inbox.receive });
    assert.deepEqual(await one.start(), [0, 1]);
    await inbox.until(13);
    await one.stop();
    assert.deepEqual(reads.all, [[0, 1]]);
    assert.equal(inbox.messages.find((m) => m.partition === 1).offset, 7);
    assert.deepEqual(stored, { 0: 9, 1: 9 });
  });

  test('may be a class, which gets the options, and may read an object', async (t) => {
    const topic = await filled(t, 2, 10);
    const committed = {};
    let given;
    class Manager {
      constructor(options) {
        given = options;
      }
      async read() {
        return { 0: 4 };
      }
      async commit(offsets) {
        Object.assign(committed, offsets);
      }
    }
    const inbox = new Inbox();
    const one = consumer(t, cluster, { topic, offset_manager: Manager, receive_callback: inbox.receive, mine: 1 });
    await one.start();
    await inbox.until(15);
    await one.stop();
    assert.equal(given.mine, 1);
    assert.deepEqual(committed, { 0: 9, 1: 9 });
  });

  test('that cannot read, or reads nonsense, makes start reject with its reason', async (t) => {
    const topic = await filled(t, 2, 1);
    const reads = [
      () => Promise.reject(new Error('no database')),
      () => {
        throw new Error('no database');
      },
      async () => [0],
      async () => ['0', 0],
      async () => [0.5, 0],
      async () => [NaN, 0],
      async () => [-2, 0],
      async () => 7,
      async () => undefined,
      async () => [2 ** 60, 0],
    ];
    for (const read of reads) {
      const one = consumer(t, cluster, { topic, offset_manager: { read, commit: async () => {} }, receive_callback() {} });
      await assert.rejects(one.start(), (error) => error instanceof KafkaError && /no database|offset_manager\.read/.test(error.message), String(read));
    }
  });

  test('that cannot commit is tried again, error_callback hears of it once, and consumption goes on', async (t) => {
    const topic = await filled(t, 1, 5);
    const { manager, stored } = memory();
    const [attempts, errors, inbox] = [new Calls(), new Calls(), new Inbox()];
    let broken = true;
    const flaky = { read: manager.read, commit: (given) => (attempts.take(given), broken ? Promise.reject(new Error('no database')) : manager.commit(given)) };
    const one = consumer(t, cluster, { topic, offset_manager: flaky, receive_callback: inbox.receive, error_callback: errors.take });
    await one.start();
    await inbox.until(5);
    await attempts.count(3);
    const sender = producer(t, cluster);
    sender.send(topic, 0, ['goes on']);
    await inbox.until(6);
    assert.deepEqual(
      errors.all.map((error) => /no database/.test(error.message)),
      [true],
    );
    broken = false;
    await eventually(PATIENCE, 'the commit', () => stored[0] === 5);
    await one.stop();
  });

  test('that is neither a class nor an object with read and commit is refused', () => {
    for (const offset_manager of [{}, { read() {} }, 7, 'x', class {}]) {
      assert.throws(() => consumer({ after() {} }, cluster, { topic: 't', offset_manager, receive_callback() {} }), {
        name: 'TypeError',
        message: /offset_manager/,
      });
    }
  });
});

test('nothing of it is a group: the broker knows none afterwards', async (t) => {
  const own = await real();
  cleanup(t, () => own.close());
  const topic = await own.topic(2);
  const sender = producer(t, own);
  sender.send(topic, 0, ['x']);
  await sender.stop();
  const group = `group-of-${topic}`;
  await received(t, own, topic, 1, { driver_options: { 'group.id': group } });
  const groups = String(await runTool('org.apache.kafka.tools.consumer.group.ConsumerGroupCommand', ['--bootstrap-server', own.options().broker, '--list']));
  assert.ok(!groups.includes(group) && !groups.includes('kafka-native'), groups);
});
