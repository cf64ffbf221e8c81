'use strict';
// The consumer of `Kafka` over a fake addon: what is given to handlers, freed, committed, and in which order.
const assert = require('node:assert/strict');
const { test } = require('node:test');
const { kafka, fake, Event, memoryLogger, turn, deferred, immediate, work } = require('./support.js');
const { toPosix } = require('../dist/kafka/consumer/topic-pattern.js');

/** A consumer that runs, has partitions 0 to n-1 of topic `t`, and is stopped after the test. */
async function running(t, run, { partitions = 1, config = {}, subscribe = { topic: 't', fromBeginning: true } } = {}) {
  const logger = memoryLogger();
  const consumer = new kafka.Kafka({ brokers: ['b:1'], logger }).consumer({ groupId: 'g', retry: { initialRetryTime: 1 }, ...config });
  await consumer.connect();
  const native = fake.made.groups.at(-1);
  await consumer.subscribe(subscribe);
  const started = consumer.run(run.eachBatch ? run : { eachMessage() {}, ...run });
  await turn();
  let rebalances = 0;
  const held = new Set();
  const rebalance = (kind, numbers, epoch = 1) => {
    for (const number of numbers) kind === 'assign' ? held.add(number) : held.delete(number);
    native.emit(Event.Rebalance, {
      id: ++rebalances, kind, topics: numbers.map(() => 't'), topicIds: numbers.map(() => 7), partitions: numbers, epochs: numbers.map(() => epoch),
      memberId: 'm', generation: rebalances, protocol: 'COOPERATIVE',
    });
  };
  native.replies.subscribe = () => rebalance('revoke', [...held]);
  const numbers = [...Array(partitions).keys()];
  rebalance('assign', numbers);
  await started;
  let batches = 0;
  /** Tells a batch of runs [partition, offsets, epoch = 1]; returns its id. */
  const arrive = (...runs) => {
    native.emit(Event.Batch, ++batches, fake.pack(runs.map(([partition, offsets, epoch = 1]) => ({
      topic: 7, partition, epoch, messages: offsets.map((offset) => ({ offset, timestamp: 1700000000000 + offset, key: 'k', value: `v${offset}` })),
    }))));
    return batches;
  };
  t.after(() => consumer.disconnect());
  return { consumer, native, logger, arrive, rebalance };
}

const freed = (native) => native.calls.filter(([name]) => name === 'free').map(([, batch, run]) => `${batch}/${run}`);
const committed = (native) => native.calls.filter(([name]) => name === 'commit').map(([, , topics, partitions, offsets]) => topics.map((topic, i) => `${topic}/${partitions[i]}@${offsets[i]}`).join());
/** Long enough for what was started to end, retries of a millisecond included. */
const settled = async () => { for (let i = 0; i < 20; i++) await turn(); };
const until = async (fits) => { while (!fits()) await turn(); };

test('eachMessage gets what KafkaJS gives, as plain objects', async (t) => {
  const got = [];
  const { arrive } = await running(t, { eachMessage: (payload) => { got.push(payload); } });
  arrive([0, [5]]);
  await settled();
  assert.deepEqual(Object.keys(got[0]), ['topic', 'partition', 'message', 'heartbeat', 'pause']);
  assert.deepEqual([got[0].topic, got[0].partition], ['t', 0]);
  assert.deepEqual({ ...got[0].message }, { attributes: 0, timestamp: '1700000000005', offset: '5', key: Buffer.from('k'), value: Buffer.from('v5'), headers: {} });
  assert.equal(await got[0].heartbeat(), undefined);
});

test('eachMessage lets others have their turn of the event loop, whatever the number of messages and partitions that are there', async (t) => {
  let [inTurn, most, done] = [0, 0, 0];
  const eachMessage = async () => {
    work(0.5);
    done++;
    most = Math.max(most, ++inTurn);
  };
  const { arrive } = await running(t, { partitionsConsumedConcurrently: 4, eachMessage }, { partitions: 4 });
  arrive(...[0, 1, 2, 3].map((partition) => [partition, Array.from({ length: 90 }, (_, offset) => offset)]));
  while (done < 360) {
    await turn();
    inTurn = 0;
  }
  assert.ok(most < 60, `${most} messages of half a millisecond in a turn`);
});

test('eachMessage gives no message more of a partition that is paused while others have their turn', async (t) => {
  let done = 0;
  const eachMessage = async () => {
    work(0.5);
    done++;
  };
  const { consumer, arrive } = await running(t, { eachMessage });
  arrive([0, Array.from({ length: 90 }, (_, offset) => offset)]);
  await immediate();
  consumer.pause([{ topic: 't', partitions: [0] }]);
  const before = done;
  assert.ok(before > 0 && before < 90, `${before} messages`);
  await settled();
  assert.equal(done, before);
});

test('a partition of which the group has no offset begins where its subscription says, at once; a seek goes before', async (t) => {
  const { consumer, native, rebalance } = await running(t, { eachMessage() {} });
  native.replies.committed = [-1, 5, -1];
  consumer.seek({ topic: 't', partition: 3, offset: '7' });
  rebalance('assign', [1, 2, 3]);
  await settled();
  assert.deepEqual(native.calls.filter(([name]) => name === 'rebalanced').at(-1).slice(2), [[-2, -1001, 7]]);
  native.errors.committed = { kind: 'kafka', code: -185, name: '_TIMED_OUT', message: 'late', retriable: true, fatal: false, txnRequiresAbort: false, causes: [] };
  rebalance('assign', [4]);
  await settled();
  assert.deepEqual(native.calls.filter(([name]) => name === 'rebalanced').at(-1).slice(2), [[-1001]]);
});

test('a lazy message of a batch shows its fields to JSON, to the console and in assignments', async (t) => {
  let batch;
  const { arrive } = await running(t, { eachBatch: (payload) => { batch = payload.batch; } });
  arrive([0, [5, 6]]);
  await settled();
  const [message] = batch.lazyMessages;
  const fields = { attributes: 0, timestamp: '1700000000005', offset: '5', key: Buffer.from('k'), value: Buffer.from('v5'), headers: {} };
  assert.deepEqual(JSON.parse(JSON.stringify(message)), JSON.parse(JSON.stringify(fields)));
  assert.match(require('node:util').inspect(message), /value: <Buffer 76 35>/);
  assert.deepEqual(message.toJSON(), fields);
  const names = [];
  for (const name in message) names.push(name);
  assert.deepEqual(names.filter((name) => name in fields), Object.keys(fields));
  message.value = 'mine';
  assert.equal(message.value, 'mine');
  assert.equal(message.toJSON().value, 'mine');
  assert.deepEqual([batch.firstOffset(), batch.lastOffset(), batch.highWatermark, batch.offsetLag(), batch.offsetLagLow(), batch.isEmpty()], ['5', '6', '1000', '993', '994', false]);
});

test('a message is a plain object, for code that spreads, assigns or clones it', async (t) => {
  const fields = { attributes: 0, timestamp: '1700000000005', offset: '5', key: Buffer.from('k'), value: Buffer.from('v5'), headers: {} };
  const seen = [];
  const { arrive } = await running(t, {
    eachBatch: ({ batch: { messages: [message] } }) => {
      const clone = structuredClone(message);
      seen.push({ ...message }, Object.assign({}, message), { ...clone, key: Buffer.from(clone.key), value: Buffer.from(clone.value) });
    },
  });
  arrive([0, [5]]);
  await settled();
  assert.deepEqual(seen, [fields, fields, fields]);
});

test('messages that a handler puts in the place of those of its batch stay there, and change nothing of what is resolved', async (t) => {
  const seen = [];
  const { arrive, native } = await running(t, {
    eachBatch: ({ batch }) => {
      batch.messages = batch.messages.filter(({ offset }) => offset === '6');
      seen.push(batch.messages.map(({ offset }) => offset).join(), batch.firstOffset(), batch.lastOffset());
      const { topic, partition, highWatermark, messages } = { ...batch };
      seen.push(topic, partition, highWatermark, messages.length);
    },
  });
  arrive([0, [5, 6, 7]]);
  await until(() => committed(native).length > 0);
  assert.deepEqual(seen, ['6', '5', '7', 't', 0, '1000', 1]);
  assert.deepEqual(committed(native), ['t/0@8']);
});

test('columns show a batch without objects', async (t) => {
  const seen = [];
  const { arrive } = await running(t, { eachBatch: ({ batch: { partition, columns } }) => {
    for (let i = 0; i < columns.offsets.length; i++) {
      const at = columns.positions[i] + Math.max(columns.keyLengths[i], 0);
      seen.push([partition, columns.offsets[i], columns.timestamps[i], columns.data.latin1Slice(at, at + columns.valueLengths[i])]);
    }
  } }, { partitions: 2 });
  arrive([0, [5, 6]], [1, [9]]);
  await settled();
  assert.deepEqual(seen, [[0, 5, 1700000000005, 'v5'], [0, 6, 1700000000006, 'v6'], [1, 9, 1700000000009, 'v9']]);
});

test('each run is freed once, and told batches are taken at once', async (t) => {
  const { native, arrive } = await running(t, { eachMessage: async () => {} }, { partitions: 2 });
  arrive([0, [0, 1]], [1, [0]]);
  assert.deepEqual(native.last('started'), [1]);
  arrive([0, [2]], [1, [7], 99], [5, [1]]);
  await settled();
  assert.deepEqual(freed(native).sort(), ['1/0', '1/1', '2/0', '2/1', '2/2']);
});

test('messages of one partition follow one another, partitions run at once up to the limit, and in turns', async (t) => {
  const open = [];
  const { arrive } = await running(t, { partitionsConsumedConcurrently: 2, eachBatch: ({ batch }) => new Promise((resolve) => open.push({ name: `${batch.partition}@${batch.firstOffset()}`, resolve })) }, { partitions: 3 });
  arrive([0, [0]], [0, [1]], [1, [0]], [2, [0]]);
  await settled();
  assert.deepEqual(open.map(({ name }) => name), ['0@0', '1@0']);
  open[0].resolve();
  await settled();
  assert.deepEqual(open.map(({ name }) => name), ['0@0', '1@0', '2@0']);
  open[1].resolve();
  await settled();
  assert.deepEqual(open.map(({ name }) => name), ['0@0', '1@0', '2@0', '0@1']);
  for (const { resolve } of open) resolve();
});

test('a handler that throws gets the same message again, and what was done before is committed', async (t) => {
  const got = [];
  let failures = 2;
  const { native, arrive, logger } = await running(t, { eachMessage: async ({ message }) => {
    got.push(message.offset);
    if (message.offset === '1' && failures-- > 0) throw new Error('not yet');
  } });
  arrive([0, [0, 1, 2]]);
  await until(() => got.at(-1) === '2');
  await settled();
  assert.deepEqual(got, ['0', '1', '1', '1', '2']);
  assert.deepEqual(committed(native), ['t/0@1', 't/0@3']);
  assert.deepEqual(freed(native), ['1/0']);
  assert.match(logger.lines.find((line) => line.startsWith('error')), /Error when calling eachMessage/);
});

test('a handler whose transaction met a rebalance gets its message again, and the consumer does not die of it', async (t) => {
  const got = [];
  const { consumer, arrive } = await running(t, { autoCommit: false, eachMessage: async ({ message }) => {
    got.push(message.offset);
    // The error of sendOffsets() when another member has joined.
    if (got.length === 1) throw new kafka.KafkaJSProtocolError({ message: 'Specified group generation id is not valid', type: 'ILLEGAL_GENERATION', code: 22, retriable: false });
  } });
  const crashes = [];
  consumer.on(consumer.events.CRASH, ({ payload }) => crashes.push(payload.error));
  arrive([0, [0]]);
  await until(() => got.length === 2 || crashes.length > 0);
  assert.deepEqual([got, crashes], [['0', '0'], []]);
});

test('after the last retry the consumer crashes, leaves, and starts again', async (t) => {
  const { consumer, native, arrive } = await running(t, { eachMessage: () => { throw new Error('never'); } }, { config: { retry: { initialRetryTime: 1, retries: 2 } } });
  const events = [];
  for (const name of ['STOP', 'DISCONNECT', 'CRASH', 'CONNECT']) consumer.on(consumer.events[name], ({ payload }) => { events.push([name, payload?.error?.name, payload?.restart]); });
  arrive([0, [0]]);
  await until(() => events.length === 4);
  assert.deepEqual(events, [['STOP', undefined, undefined], ['DISCONNECT', undefined, undefined], ['CRASH', 'KafkaJSNumberOfRetriesExceeded', true], ['CONNECT', undefined, undefined]]);
  assert.notEqual(fake.made.groups.at(-1), native);
});

test('a programming error crashes without a retry and without a restart', async (t) => {
  const { consumer, arrive } = await running(t, { eachMessage: () => undefined.x });
  const crash = deferred();
  consumer.on(consumer.events.CRASH, ({ payload }) => crash.resolve(payload));
  arrive([0, [0]]);
  const { error, restart, groupId } = await crash.promise;
  assert.deepEqual([error.name, error.cause.name, restart, groupId], ['KafkaJSNonRetriableError', 'TypeError', false, 'g']);
});

test('without autoResolve a batch comes again from the first message that is not resolved', async (t) => {
  const got = [];
  const { native, arrive } = await running(t, { eachBatchAutoResolve: false, eachBatch: async ({ batch, resolveOffset }) => {
    got.push(batch.messages.map(({ offset }) => offset).join());
    resolveOffset(batch.messages[0].offset);
  } });
  arrive([0, [3, 4, 6]]);
  await until(() => got.length === 3);
  await settled();
  assert.deepEqual(got, ['3,4,6', '4,6', '6']);
  assert.deepEqual(committed(native).at(-1), 't/0@7');
});

test('a log that begins anew below is read from its begin', async (t) => {
  const got = [];
  const { native, arrive } = await running(t, { eachMessage: ({ message }) => { got.push(message.offset); } });
  arrive([0, [8, 9]]);
  await settled();
  arrive([0, [0, 1]]); // librdkafka found that 10 is past the log's end
  await settled();
  assert.deepEqual(got, ['8', '9', '0', '1']);
  assert.deepEqual(committed(native), ['t/0@10', 't/0@2']);
});

test('resolving outside of the batch moves there', async (t) => {
  const seen = [];
  const to = ['20', '4'];
  const { native, arrive } = await running(t, { eachBatchAutoResolve: false, eachBatch: ({ batch, resolveOffset }) => {
    seen.push(batch.firstOffset());
    resolveOffset(to.shift());
  } });
  arrive([0, [8, 9]]);
  arrive([0, [10]]);
  await settled();
  assert.deepEqual(native.last('seek').slice(1), ['t', 0, 21, true]);
  arrive([0, [21], 101]);
  await settled();
  assert.deepEqual(native.last('seek').slice(1), ['t', 0, 5, true]);
  assert.deepEqual(seen, ['8', '21']);
  assert.deepEqual(freed(native).sort(), ['1/0', '2/0', '3/0']);
});

test('commits do not hold back the next batch, and those that are late are one', async (t) => {
  const got = [];
  const { native, arrive } = await running(t, { eachBatch: ({ batch }) => { got.push(batch.lastOffset()); } }, { config: { maxMessagesPerBatch: 1 } });
  native.replies.commit = 'later';
  arrive([0, [0]]);
  arrive([0, [1]]);
  arrive([0, [2]]);
  await settled();
  assert.deepEqual(got, ['0', '1', '2']);
  assert.deepEqual(committed(native), ['t/0@1']);
  native.replies.commit = undefined;
  native.reply('commit');
  await settled();
  assert.deepEqual(committed(native), ['t/0@1', 't/0@3']);
});

test('offsets get past transaction markers', async (t) => {
  const seen = [];
  const { native, arrive } = await running(t, { eachBatch: ({ batch }) => { seen.push(batch.lastOffset()); } });
  arrive([0, [0, 1]]);
  native.emit(Event.Advanced, 7, 0, 1, 3);
  await settled();
  native.emit(Event.Advanced, 7, 0, 1, 9);
  await settled();
  native.emit(Event.Advanced, 7, 0, 2, 100); // of another epoch
  await settled();
  assert.equal(committed(native).at(-1), 't/0@9');
});

for (const [how, letGo] of Object.entries({ pause: (consumer) => consumer.pause([{ topic: 't' }]), stop: (consumer) => void consumer.stop() })) {
  test(`what a ${how} throws away is not skipped when a position behind it is told`, async (t) => {
    const handler = deferred();
    const { consumer, native, arrive } = await running(t, { eachBatch: () => handler.promise });
    arrive([0, [0]]);
    await settled();
    if (how === 'pause') arrive([0, [1]]); // waits
    letGo(consumer);
    if (how === 'stop') arrive([0, [1]]); // comes too late
    native.emit(Event.Advanced, 7, 0, 1, 5);
    handler.resolve();
    await settled();
    assert.equal(committed(native).at(-1), 't/0@1');
  });
}

test('is not caught up with what a pause throws away, though its end was told', async (t) => {
  const handler = deferred();
  const { consumer, native, arrive } = await running(t, { eachBatch: () => handler.promise });
  native.replies.ends = [2];
  arrive([0, [0]]);
  await settled();
  arrive([0, [1]]);
  native.emit(Event.End, 7, 0, 1, 2);
  consumer.pause([{ topic: 't' }]);
  native.emit(Event.End, 7, 0, 1, 2);
  handler.resolve();
  await settled();
  let caught = false;
  consumer.caughtUp().then(() => (caught = true), () => {});
  await settled();
  assert.equal(caught, false);
});

test('a partition that goes is finished, committed, told to the hook, and then given up', async (t) => {
  const order = [];
  const handler = deferred();
  const { native, arrive, rebalance } = await running(t, { eachBatch: async ({ isStale }) => { order.push('handler'); await handler.promise; order.push(`stale ${isStale()}`); } }, {
    partitions: 2, config: { onPartitionsRevoked: async (partitions) => { order.push(JSON.stringify(partitions), committed(native).at(-1)); } },
  });
  arrive([0, [0, 1]], [1, [5]]);
  arrive([0, [2]]);
  rebalance('revoke', [0]);
  await settled();
  assert.deepEqual(order, ['handler']);
  assert.ok(!native.names().includes('rebalanced', native.names().indexOf('started')) || native.last('rebalanced')[0] === 1);
  handler.resolve();
  await settled();
  assert.deepEqual(order.slice(1, 4), ['stale true', '[{"topic":"t","partitions":[0]}]', 't/0@2']);
  assert.deepEqual(native.last('rebalanced'), [2, null]);
  assert.ok(freed(native).includes('2/0'), 'what was not started is freed');
});

test('what eachBatch leaves because it was told to is not taken for processed', async (t) => {
  const handler = deferred();
  const { native, arrive, rebalance } = await running(t, { eachBatch: async ({ batch, resolveOffset, isRunning, isStale }) => {
    for (const { offset } of batch.messages) {
      if (!isRunning() || isStale()) break;
      resolveOffset(offset);
      if (offset === '6') await handler.promise;
    }
  } });
  arrive([0, [5, 6, 7, 8]]);
  await settled();
  rebalance('revoke', [0]);
  handler.resolve();
  await settled();
  assert.equal(committed(native).at(-1), 't/0@7');
});

test('a commit of a partition that has gone says so as KafkaJS does, and does not end the consumer', async (t) => {
  const crashes = [];
  const errors = [];
  const { consumer, native, arrive } = await running(t, {
    autoCommit: false,
    async eachMessage({ topic, partition, message }) {
      await consumer.commitOffsets([{ topic, partition, offset: message.offset }]).catch((error) => {
        errors.push(error);
        throw error;
      });
    },
  });
  consumer.on(consumer.events.CRASH, ({ payload }) => crashes.push(payload.error));
  native.errors.commit = { kind: 'kafka', code: 27, name: 'REBALANCE_IN_PROGRESS', message: 'the group took t/0 away', retriable: false, fatal: false, txnRequiresAbort: false, causes: [] };
  arrive([0, [5]]);
  await until(() => errors.length === 1);
  native.errors.commit = undefined;
  await settled();
  assert.ok(errors[0] instanceof kafka.KafkaJSProtocolError);
  assert.deepEqual([errors[0].type, errors[0].code, errors[0].retriable], ['REBALANCE_IN_PROGRESS', 27, true]);
  await until(() => committed(native).at(-1) === 't/0@5');
  assert.deepEqual(crashes, []);
});

test('stop with a timeout leaves a handler that hangs behind, commits what it resolved, and names it', async (t) => {
  const hang = deferred();
  const { consumer, native, logger, arrive } = await running(t, { eachMessage: ({ message }) => (message.offset === '6' ? hang.promise : undefined) });
  arrive([0, [5, 6, 7]]);
  await settled();
  await assert.rejects(consumer.stop({ timeout: -1 }), /Invalid timeout -1/);
  await consumer.stop({ timeout: 10 });
  assert.equal(committed(native).at(-1), 't/0@6');
  assert.match(logger.lines.join('\n'), /left behind.*: t\/0 at offset 6/);
  const before = native.calls.length;
  hang.resolve();
  await settled();
  assert.deepEqual(native.calls.slice(before).filter(([name]) => name !== 'free'), []);
});

test('a handler that is left behind for ever keeps no timer, which would keep the process', async (t) => {
  const timers = () => process.getActiveResourcesInfo().filter((name) => name === 'Timeout').length;
  const before = timers();
  const { consumer, arrive } = await running(t, { eachMessage: () => new Promise(() => {}) });
  arrive([0, [5]]);
  await settled();
  await consumer.stop({ timeout: 10 });
  await settled();
  assert.equal(timers(), before);
});

test('disconnect with a timeout is a way out of a stop that a handler awaits', async (t) => {
  let consumer;
  const stopped = deferred();
  const { consumer: made, native, arrive } = await running(t, { async eachMessage() { await consumer.stop(); stopped.resolve(); } });
  consumer = made;
  arrive([0, [5]]);
  await settled();
  await consumer.disconnect({ timeout: 10 });
  await stopped.promise;
  assert.ok(native.calls.some(([name]) => name === 'stop'));
});

test('a consumer that waits for its handlers to stop says after a while which they are', async (t) => {
  const hang = deferred();
  const { consumer, logger, arrive } = await running(t, { eachMessage: () => hang.promise });
  arrive([0, [5]]);
  await settled();
  // "After a while" is now.
  t.mock.method(require('../dist/clock.js'), 'setTimeout', (task, ms) => setTimeout(task, ms === 5000 ? 0 : ms));
  const stopped = consumer.stop();
  await until(() => logger.lines.some((line) => line.includes('still run')));
  assert.match(logger.lines.join('\n'), /still run: t\/0 at offset 5. A handler that awaits stop\(\)/);
  hang.resolve();
  await stopped;
});

test('a partition that was lost is not committed', async (t) => {
  const lost = [];
  const handler = deferred();
  const { native, arrive, rebalance } = await running(t, { eachMessage: () => handler.promise }, { config: { onPartitionsLost: (partitions) => { lost.push(partitions); } } });
  arrive([0, [0, 1]]);
  rebalance('lost', [0]);
  await settled();
  assert.deepEqual(lost, [[{ topic: 't', partitions: [0] }]]);
  handler.resolve();
  await settled();
  assert.deepEqual(committed(native), []);
  assert.deepEqual(freed(native), ['1/0']);
});

test('a partition that comes back waits for the handler that still has it', async (t) => {
  const got = [];
  const first = deferred();
  const { arrive, rebalance } = await running(t, { partitionsConsumedConcurrently: 2, eachMessage: ({ message }) => { got.push(message.offset); return got.length === 1 ? first.promise : undefined; } });
  arrive([0, [0]]);
  rebalance('lost', [0]);
  await settled();
  rebalance('assign', [0], 2);
  await settled();
  arrive([0, [0], 2]);
  await settled();
  assert.deepEqual(got, ['0']);
  first.resolve();
  await settled();
  assert.deepEqual(got, ['0', '0']);
});

test('seek throws away what was fetched, also under a running handler', async (t) => {
  const got = [];
  const { consumer, native, arrive } = await running(t, { eachMessage: ({ message }) => {
    got.push(message.offset);
    if (message.offset === '1') consumer.seek({ topic: 't', partition: 0, offset: '50' });
  } });
  arrive([0, [0, 1, 2]]);
  arrive([0, [3]]);
  await settled();
  assert.deepEqual(native.last('seek').slice(1), ['t', 0, 50, true]);
  arrive([0, [4]]); // fetched before
  arrive([0, [50], 101]);
  await settled();
  assert.deepEqual(got, ['0', '1', '50']);
  assert.deepEqual(freed(native).sort(), ['1/0', '2/0', '3/0', '4/0']);
  assert.deepEqual(committed(native).at(-1), 't/0@51');
  assert.ok(committed(native).includes('t/0@50'), 'the group goes on there, too');
});

test('of two seeks the last counts', async (t) => {
  const got = [];
  const { consumer, arrive } = await running(t, { eachMessage: ({ message }) => { got.push(message.offset); } });
  consumer.seek({ topic: 't', partition: 0, offset: '10' });
  consumer.seek({ topic: 't', partition: 0, offset: '20' });
  await settled();
  arrive([0, [10], 101]);
  arrive([0, [20], 102]);
  await settled();
  assert.deepEqual(got, ['20']);
});

test('a seek before the partition comes says where it begins', async (t) => {
  const { consumer, native, rebalance } = await running(t, { eachMessage() {} });
  consumer.seek({ topic: 't', partition: 3, offset: '33' });
  rebalance('assign', [3, 4]);
  await settled();
  assert.deepEqual(native.last('rebalanced'), [2, [33, -1001]]);
});

test('pause inside a handler leaves the rest of the batch, and resume goes on there', async (t) => {
  const got = [];
  let resume;
  const { consumer, native, arrive } = await running(t, { eachMessage: ({ message, pause }) => {
    got.push(message.offset);
    if (message.offset === '1') resume = pause();
  } });
  arrive([0, [0, 1, 2]]);
  await settled();
  arrive([0, [3]]); // told before the pause reached librdkafka
  await settled();
  assert.deepEqual(got, ['0', '1']);
  assert.deepEqual(consumer.paused(), [{ topic: 't', partitions: [0] }]);
  assert.deepEqual(freed(native), ['1/0', '2/0']);
  resume();
  assert.deepEqual(native.last('resume').slice(1), [['t'], [0], [2], [false]]);
  await settled();
  arrive([0, [2, 3], 101]);
  await settled();
  assert.deepEqual(got, ['0', '1', '2', '3']);
});

test('a pause lasts over rebalances, for partitions that come later, too', async (t) => {
  const got = [];
  const { consumer, native, rebalance, arrive } = await running(t, { eachMessage: ({ partition }) => { got.push(partition); } });
  consumer.pause([{ topic: 't' }]);
  rebalance('assign', [1, 2]);
  await settled();
  assert.deepEqual(native.last('pause').slice(1), [['t', 't'], [1, 2]]);
  consumer.resume([{ topic: 't', partitions: [1] }]);
  assert.deepEqual(native.last('resume').slice(1), [['t'], [1], [-1001], [false]]);
  assert.deepEqual(consumer.paused(), [{ topic: 't', partitions: [0, 2] }]);
  await settled();
  arrive([1, [0], 101], [2, [0]]);
  await settled();
  assert.deepEqual(got, [1]);
});

test('commitOffsetsIfNecessary looks at the threshold', async (t) => {
  const { native, arrive } = await running(t, { autoCommitThreshold: 2, eachMessage: async () => {} });
  arrive([0, [0, 1, 2, 3, 4]]);
  await settled();
  assert.deepEqual(committed(native), ['t/0@2', 't/0@4', 't/0@5']);
});

test('without autoCommit only the program commits', async (t) => {
  let uncommitted;
  const { consumer, native, arrive } = await running(t, { autoCommit: false, eachBatch: async ({ resolveOffset, uncommittedOffsets }) => { resolveOffset('0'); uncommitted = uncommittedOffsets(); } });
  arrive([0, [0, 1]]);
  await settled();
  assert.deepEqual(uncommitted, { topics: [{ topic: 't', partitions: [{ partition: 0, offset: '1' }] }] });
  assert.deepEqual(committed(native), []);
  await consumer.commitOffsets([{ topic: 't', partition: 0, offset: '2', metadata: 'why' }]);
  assert.deepEqual(native.last('commit').slice(1), [['t'], [0], [2], ['why']]);
});

test('a commit that fails is tried again, and one that cannot succeed crashes', async (t) => {
  const { consumer, native, arrive, logger } = await running(t, { eachMessage() {} });
  native.errors.commit = { kind: 'kafka', code: 15, name: 'COORDINATOR_NOT_AVAILABLE', message: 'not now', retriable: true, fatal: false };
  arrive([0, [0]]);
  await settled();
  assert.match(logger.lines.at(-1), /not committed, tried again.*not now/);
  delete native.errors.commit;
  await until(() => committed(native).length === 2);
  assert.deepEqual(committed(native), ['t/0@1', 't/0@1']);
  native.errors.commit = { kind: 'kafka', code: 30, name: 'GROUP_AUTHORIZATION_FAILED', message: 'no', retriable: false, fatal: false };
  const crash = deferred();
  consumer.on(consumer.events.CRASH, ({ payload }) => crash.resolve(payload));
  arrive([0, [1]]);
  assert.equal((await crash.promise).restart, false);
});

test('a reader gets a batch when it asks, and what it has taken is resolved when it asks for more', async (t) => {
  const { native, consumer } = await running(t, {});
  await consumer.disconnect();
  await consumer.connect();
  const again = fake.made.groups.at(-1);
  assert.notEqual(again, native);
  const messages = consumer.messages();
  const first = messages.next();
  await until(() => again.names().includes('subscribe'));
  again.emit(Event.Rebalance, { id: 1, kind: 'assign', topics: ['t'], topicIds: [7], partitions: [0], epochs: [1], memberId: 'm', generation: 1, protocol: 'EAGER' });
  await settled();
  again.emit(Event.Batch, 1, fake.pack([{ topic: 7, partition: 0, epoch: 1, messages: [{ offset: 0, value: 'a' }, { offset: 1, value: 'b' }] }]));
  assert.equal((await first).value.value.toString(), 'a');
  assert.equal((await messages.next()).value.offset, '1');
  again.emit(Event.Batch, 2, fake.pack([{ topic: 7, partition: 0, epoch: 1, messages: [{ offset: 2, value: 'c' }] }]));
  await settled();
  assert.deepEqual(committed(again), [], 'the batch is not done');
  const { value } = await messages.next();
  assert.deepEqual([value.topic, value.partition, value.offset], ['t', 0, '2']);
  await settled();
  assert.deepEqual(committed(again), ['t/0@2']);
  again.replies.subscribe = () => again.emit(Event.Rebalance, { id: 2, kind: 'revoke', topics: ['t'], topicIds: [7], partitions: [0], epochs: [1], memberId: 'm', generation: 1, protocol: 'EAGER' });
  await messages.return();
  assert.deepEqual(committed(again), ['t/0@2'], 'the message at which the reader left comes again');
  assert.deepEqual((await messages.next()).done, true);
});

test('what is misspelt is told with the name that is meant', async (t) => {
  const { logger } = await running(t, { autoComit: false, only: undefined }, { config: { sesionTimeout: 1, other: 2 }, subscribe: { topic: 't', fromBegining: true } });
  const told = logger.lines.filter((line) => line.includes('nknown'));
  assert.deepEqual(told, [
    'warn: [Consumer] Unknown options are ignored: sesionTimeout (is sessionTimeout meant?), other',
    'warn: [Consumer] Consumer.subscribe: unknown options are ignored: fromBegining (is fromBeginning meant?)',
    'warn: [Consumer] Consumer.run: unknown options are ignored: autoComit (is autoCommit meant?)',
  ]);
});

test('what KafkaJS takes is taken: intervals of 0, small answers', async (t) => {
  const { native } = await running(t, {}, { config: { heartbeatInterval: 0, minBytes: 0, metadataMaxAge: 0, maxBytes: 10 } });
  const properties = Object.fromEntries(native.options.properties);
  assert.deepEqual(
    ['heartbeat.interval.ms', 'fetch.min.bytes', 'topic.metadata.refresh.interval.ms', 'fetch.max.bytes', 'message.max.bytes'].map((name) => properties[name]),
    ['1', '1', '10', '1000', '1000'],
  );
});

test('options are said in librdkafka\'s words, and what is wrong names itself', async (t) => {
  const { native } = await running(t, {}, { config: { rackId: 'r1', readUncommitted: true, groupInstanceId: 'i', sessionTimeout: 10_000, rebalanceTimeout: 5000, partitionAssigners: ['roundRobin', 'range'], maxWaitTimeInMs: 100, properties: { 'fetch.error.backoff.ms': 7 } } });
  const properties = Object.fromEntries(native.options.properties);
  assert.deepEqual(
    ['group.id', 'client.rack', 'isolation.level', 'group.instance.id', 'session.timeout.ms', 'max.poll.interval.ms', 'partition.assignment.strategy', 'fetch.wait.max.ms', 'fetch.error.backoff.ms'].map((name) => properties[name]),
    ['g', 'r1', 'read_uncommitted', 'i', '10000', '10000', 'roundrobin,range', '100', '7'],
  );
  const make = (config) => () => new kafka.Kafka({ brokers: ['b:1'] }).consumer(config);
  assert.throws(make({}), { name: 'KafkaJSNonRetriableError', message: /groupId/ });
  assert.throws(make({ groupId: '' }), { message: /groupId/ });
  assert.throws(make({ groupId: 'g', heartbeatInterval: 30_000 }), { message: /heartbeatInterval.*sessionTimeout/ });
  assert.throws(make({ groupId: 'g', partitionAssigners: ['sticky'] }), { name: 'KafkaJSNonRetriableError', message: /partitionAssigners takes 'roundRobin'/ });
  assert.throws(make({ groupId: 'g', partitionAssigners: ['range', 'cooperativeSticky'] }), { message: /cannot be mixed/ });
  assert.throws(make({ groupId: 'g', groupProtocol: 'consumer', sessionTimeout: 6000 }), { message: /group\.consumer\.session\.timeout\.ms.*sessionTimeout/ });
  assert.throws(make({ groupId: 'g', properties: { 'enable.auto.commit': true } }), { message: /enable\.auto\.commit.*autoCommit/ });
});

test('a pattern has a POSIX form that finds the same names, or none', () => {
  const names = ['t', 'topic-1', 'topic-22', 'Topic', 'a.b', 'a_b', 'aXb', 'x-topic-1-y', '__consumer_offsets', '1', 'a.b.c', 'foo', 'bar', 'foobar'];
  for (const pattern of [/topic-\d+/, /^topic/, /topic$/i, /^a\.b$/, /^a.b$/, /^(foo|bar)$/, /foo|^bar/, /^[^_]/, /\w-\d{1,2}$/, /^(?:a|t)[._]?b?$/, /(?<x>foo)+?bar/, /^[a-c.]+$/, /^\D+$/, /x\x2dt/, /^$/, /a b/, /^.{3}$/, /topic-/g]) {
    const posix = toPosix(pattern);
    assert.ok(posix.startsWith('^'), posix);
    const again = new RegExp(`^(?:${posix})$`);
    for (const name of names) assert.equal(again.test(name), new RegExp(pattern.source, pattern.flags.replace('g', '')).test(name), `${pattern} ${posix} ${name}`);
  }
  for (const pattern of [/^(?!__)/, /(?<=a)b/, /\bfoo\b/, /(a)\1/]) assert.equal(toPosix(pattern), undefined);
});

test('a pattern without a POSIX form is looked up', async (t) => {
  const logger = memoryLogger();
  const consumer = new kafka.Kafka({ brokers: ['b:1'], logger }).consumer({ groupId: 'g', metadataMaxAge: 10 });
  await consumer.connect();
  const native = fake.made.groups.at(-1);
  native.replies.listTopics = { topics: ['a', '__x', 'b'], counts: [1, 1, 1] };
  await consumer.subscribe({ topics: [/^(?!__)/], fromBeginning: true });
  const started = consumer.run({ eachMessage() {} });
  await until(() => native.names().includes('subscribe'));
  assert.deepEqual(native.last('subscribe').slice(1), [['a', 'b'], [true, true], [], []]);
  native.emit(Event.Rebalance, { id: 1, kind: 'assign', topics: [], topicIds: [], partitions: [], epochs: [], memberId: 'm', generation: 1, protocol: 'EAGER' });
  await started;
  native.replies.listTopics = { topics: ['a', '__x', 'b', 'c'], counts: [1, 1, 1, 1] };
  await until(() => native.last('subscribe')[1].length === 3);
  await consumer.disconnect();
});

test('calls in the wrong state say what to do', async (t) => {
  const consumer = new kafka.Kafka({ brokers: ['b:1'], logger: memoryLogger() }).consumer({ groupId: 'g' });
  for (const call of [() => consumer.seek({ topic: 't', partition: 0, offset: '0' }), () => consumer.pause([{ topic: 't' }]), () => consumer.resume([{ topic: 't' }])]) {
    assert.throws(call, { name: 'KafkaJSNonRetriableError', message: /run must be called first/ });
  }
  await assert.rejects(consumer.commitOffsets([{ topic: 't', partition: 0, offset: '1' }]), { message: /run must be called first/ });
  assert.deepEqual(consumer.paused(), []);
  assert.throws(() => consumer.on('consumer.nothing', () => {}), { message: /consumer\.events\.HEARTBEAT/ });
  await assert.rejects(consumer.subscribe({}), { message: /topics/ });
  await assert.rejects(consumer.subscribe({ topic: 7 }), { message: /has to be a String or a RegExp/ });
  await assert.rejects(consumer.subscribe({ topics: [] }), { message: /"topics" is empty/ });
  await assert.rejects(consumer.subscribe({ topic: '^t' }), { message: /a RegExp, as \/\^t\// });
  for (const options of [undefined, {}, { eachMesage() {} }]) await assert.rejects(consumer.run(options), { message: /"eachMessage" or "eachBatch" is missing/ });
  const { consumer: other } = await running(t, {});
  await assert.rejects(other.subscribe({ topic: 'x' }), { message: /while consumer is running/ });
  assert.throws(() => other.seek({ topic: 't', partition: 0, offset: 'x' }), { message: /offset/ });
  assert.throws(() => other.seek({ topic: 't', partition: 0, offset: '-3' }), { message: /negative/ });
  assert.throws(() => other.pause([{ topic: 't', partitions: ['x'] }]), { message: /partitions/ });
});

test('what waits of a partition is one batch, up to the messages and bytes of a batch', async (t) => {
  const seen = [];
  const first = deferred();
  const { native, arrive } = await running(t, { eachBatch: ({ batch }) => {
    seen.push([batch.firstOffset(), batch.lastOffset(), batch.messages.map(({ offset, value }) => `${offset}${value}`).join(), batch.offsetLag(), batch.offsetLagLow()]);
    return seen.length === 1 ? first.promise : undefined;
  } }, { partitions: 2, config: { maxMessagesPerBatch: 5 } });
  arrive([0, [0]]);
  arrive([0, [1, 2]], [1, [70]]);
  arrive([0, [4]]);
  arrive([1, [71]], [0, [5, 6]]);
  arrive([0, [7, 8, 9]]);
  native.emit(Event.Advanced, 7, 0, 1, 12);
  first.resolve();
  await settled();
  assert.deepEqual(seen, [
    ['0', '0', '0v0', '999', '999'],
    ['70', '71', '70v70,71v71', '928', '929'],
    ['1', '6', '1v1,2v2,4v4,5v5,6v6', '993', '998'],
    ['7', '11', '7v7,8v8,9v9', '988', '992'],
  ]);
  assert.deepEqual(freed(native).sort(), ['1/0', '2/0', '2/1', '3/0', '4/0', '4/1', '5/0']);
  assert.equal(committed(native).at(-1), 't/0@12');
});

test('of large messages no more are joined than a batch has bytes', async (t) => {
  const seen = [];
  const first = deferred();
  const { native } = await running(t, { eachBatch: ({ batch }) => { seen.push(batch.messages.length); return seen.length === 1 ? first.promise : undefined; } });
  const value = Buffer.alloc(50 * 1024);
  for (let offset = 0; offset < 8; offset++) {
    const headers = offset === 7 ? [['h', Buffer.alloc(150 * 1024)]] : undefined;
    native.emit(Event.Batch, offset + 1, fake.pack([{ topic: 7, partition: 0, epoch: 1, messages: [{ offset, value, headers }] }]));
  }
  first.resolve();
  await settled();
  assert.deepEqual(seen, [1, 3, 3, 1]);
});

test('columns of what was joined are one beside the other', async (t) => {
  const seen = [];
  const first = deferred();
  const { native } = await running(t, { eachBatch: ({ batch: { columns } }) => {
    seen.push(Array.from(columns.offsets, (offset, i) => {
      const at = columns.positions[i];
      const [key, value] = [Math.max(columns.keyLengths[i], 0), columns.valueLengths[i]];
      return [offset, columns.timestamps[i], columns.data.latin1Slice(at, at + key), value < 0 ? null : columns.data.latin1Slice(at + key, at + key + value)];
    }));
    return seen.length === 1 ? first.promise : undefined;
  } }, { partitions: 2 });
  const tell = (id, ...runs) => native.emit(Event.Batch, id, fake.pack(runs.map(([partition, ...messages]) => ({ topic: 7, partition, epoch: 1, messages }))));
  tell(1, [0, { offset: 0, value: 'a' }]);
  tell(2, [1, { offset: 9, key: 'other', value: 'other' }], [0, { offset: 1, key: 'k1', value: 'bb' }, { offset: 3, key: null, value: null }]);
  tell(3, [0, { offset: 4, key: 'key2', value: 'c', timestamp: 5 }], [1, { offset: 10, value: 'more' }]);
  first.resolve();
  await settled();
  assert.deepEqual(seen, [
    [[0, -1, '', 'a']],
    [[9, -1, 'other', 'other'], [10, -1, '', 'more']],
    [[1, -1, 'k1', 'bb'], [3, -1, '', null], [4, 5, 'key2', 'c']],
  ]);
});

test('what was joined is resolved in part, fails and goes on as a batch does', async (t) => {
  const seen = [];
  const first = deferred();
  const { native, arrive } = await running(t, { eachBatchAutoResolve: false, eachBatch: async ({ batch, resolveOffset }) => {
    seen.push(batch.messages.map(({ offset }) => offset).join());
    if (seen.length === 1) await first.promise;
    resolveOffset(batch.messages[Math.min(2, batch.messages.length - 1)].offset);
    if (seen.length === 2) throw new Error('not yet');
  } });
  arrive([0, [0]]);
  arrive([0, [1, 2]]);
  arrive([0, [3, 4, 5]]);
  first.resolve();
  await until(() => seen.length === 3);
  await settled();
  assert.deepEqual(seen, ['0', '1,2,3,4,5', '4,5']);
  assert.deepEqual(freed(native), ['1/0', '2/0', '3/0']);
  assert.deepEqual(committed(native), ['t/0@1', 't/0@4', 't/0@6']);
});

const transfer = (bytes) => structuredClone(bytes, { transfer: [bytes.buffer] });

test('eachMessage that transfers the memory of its messages away gets all of them, and what it got is its own', async (t) => {
  const got = [];
  const { native, arrive, logger } = await running(t, { eachMessage: ({ partition, message }) => {
    got.push(`${partition}/${message.offset} ${message.key} ${Buffer.from(transfer(message.value))}`);
  } }, { partitions: 2 });
  arrive([0, [0, 1, 2]], [1, [5, 6]]);
  await settled();
  assert.deepEqual(got, ['0/0 k v0']);
  assert.deepEqual(native.calls.filter(([name]) => name === 'seek').map(([, , ...rest]) => rest), [['t', 0, 1, false], ['t', 1, 5, false]]);
  assert.deepEqual(committed(native), ['t/0@1']);
  assert.deepEqual(freed(native).sort(), ['1/0', '1/1']);
  assert.match(logger.lines.find((line) => line.startsWith('warn')), /transferred the memory/);
  arrive([0, [1, 2], 101], [1, [5, 6], 102]);
  await settled();
  assert.deepEqual(got, ['0/0 k v0', '0/1 k v1', '0/2 k v2', '1/5 k v5', '1/6 k v6']);
  assert.equal(native.calls.filter(([name]) => name === 'seek').length, 2);
  assert.deepEqual(committed(native).join().split(',').sort(), ['t/0@1', 't/0@3', 't/1@7']);
});

test('eachBatch that finds the memory of its messages gone is told so, and gets again what it did not resolve', async (t) => {
  const got = [];
  const { native, logger } = await running(t, { eachBatch: ({ batch, resolveOffset }) => {
    for (const message of batch.messages) {
      got.push(`${message.offset} ${Buffer.from(transfer(message.value))}`);
      resolveOffset(message.offset);
    }
  } });
  native.emit(Event.Batch, 1, fake.pack([{ topic: 7, partition: 0, epoch: 1, messages: [0, 1, 2].map((offset) => ({ offset, value: `v${offset}`, headers: [['h', 'x']] })) }]));
  await until(() => native.last('seek'));
  await settled();
  assert.deepEqual(got, ['0 v0']);
  assert.deepEqual(native.last('seek').slice(1), ['t', 0, 1, false]);
  assert.match(logger.lines.find((line) => line.startsWith('warn')), /transferred the memory/);
  native.emit(Event.Batch, 2, fake.pack([{ topic: 7, partition: 0, epoch: 101, messages: [1, 2].map((offset) => ({ offset, value: `v${offset}`, headers: [['h', 'x']] })) }]));
  await until(() => got.length === 3);
  await settled();
  assert.deepEqual(got, ['0 v0', '1 v1', '2 v2']);
  assert.equal(committed(native).at(-1), 't/0@3');
});

test('eachBatch that transfers the memory away and returns gets again what it did not resolve: nobody saw that it was empty', async (t) => {
  const got = [];
  const { native } = await running(t, { eachBatch: ({ batch: { messages } }) => {
    transfer(messages[0].value);
    got.push(messages.slice(1).map(({ offset, value }) => `${offset} ${value}`).join());
  } });
  const messages = [0, 1, 2].map((offset) => ({ offset, value: `v${offset}` }));
  native.emit(Event.Batch, 1, fake.pack([{ topic: 7, partition: 0, epoch: 1, messages }]));
  await until(() => native.last('seek'));
  assert.deepEqual(native.last('seek').slice(1), ['t', 0, 0, false]);
  native.emit(Event.Batch, 2, fake.pack([{ topic: 7, partition: 0, epoch: 101, messages }]));
  await until(() => committed(native).length > 0);
  assert.deepEqual(got, ['1 ,2 ', '1 v1,2 v2']);
  assert.deepEqual(committed(native), ['t/0@3']);
});

test('headers and columns that are transferred away take nothing with them', async (t) => {
  const got = [];
  const { native } = await running(t, { eachBatch: ({ batch }) => {
    got.push(batch.messages.map(({ offset, headers }) => `${offset} ${headers.h}`).join());
    transfer(got.length === 1 ? batch.columns.offsets : batch.messages[0].headers.h);
    if (got.length === 2) got.push(batch.messages.map(({ offset, headers, value }) => `${offset} ${headers.h} ${value}`).join());
    else throw new Error('once more');
  } });
  const messages = [0, 1].map((offset) => ({ offset, value: `v${offset}`, headers: [['h', 'x']] }));
  native.emit(Event.Batch, 1, fake.pack([{ topic: 7, partition: 0, epoch: 1, messages }]));
  await until(() => native.last('seek'));
  native.emit(Event.Batch, 2, fake.pack([{ topic: 7, partition: 0, epoch: 101, messages }]));
  await until(() => got.length === 3);
  await settled();
  assert.deepEqual(got, ['0 x,1 x', '0 x,1 x', '0  v0,1 x v1']);
  assert.deepEqual(committed(native), ['t/0@2']);
});

test('a reader that transfers a message away gets the next one', async (t) => {
  const { native, consumer } = await running(t, {});
  await consumer.disconnect();
  const messages = consumer.messages();
  const first = messages.next();
  await until(() => fake.made.groups.at(-1) !== native && fake.made.groups.at(-1).names().includes('subscribe'));
  const again = fake.made.groups.at(-1);
  again.emit(Event.Rebalance, { id: 1, kind: 'assign', topics: ['t'], topicIds: [7], partitions: [0], epochs: [1], memberId: 'm', generation: 1, protocol: 'EAGER' });
  await settled();
  again.emit(Event.Batch, 1, fake.pack([{ topic: 7, partition: 0, epoch: 1, messages: [{ offset: 0, value: 'a' }, { offset: 1, value: 'b' }] }]));
  transfer((await first).value.value);
  const second = messages.next();
  await until(() => again.last('seek'));
  await settled();
  assert.deepEqual(again.last('seek').slice(1), ['t', 0, 1, false]);
  again.emit(Event.Batch, 2, fake.pack([{ topic: 7, partition: 0, epoch: 101, messages: [{ offset: 1, value: 'b' }] }]));
  assert.equal(String((await second).value.value), 'b');
  again.replies.subscribe = () => again.emit(Event.Rebalance, { id: 2, kind: 'revoke', topics: ['t'], topicIds: [7], partitions: [0], epochs: [1], memberId: 'm', generation: 1, protocol: 'EAGER' });
  await messages.return();
});

test('offsets from 2^53 on are refused: the consumer ends and names the partition', async (t) => {
  const got = [];
  const { consumer, arrive } = await running(t, { eachMessage: ({ message }) => { got.push(message.offset); } }, { partitions: 2 });
  const crash = deferred();
  consumer.on(consumer.events.CRASH, ({ payload }) => crash.resolve(payload));
  arrive([0, [2 ** 53 - 2]]);
  arrive([1, [2 ** 53 - 1, 2 ** 53]]);
  const { error, restart } = await crash.promise;
  assert.deepEqual(got, ['9007199254740990']);
  assert.deepEqual([error.name, restart], ['KafkaJSNonRetriableError', false]);
  assert.match(error.message, /^t\/1 has offsets from 2\^53 on/);
});

test('offsets that a program gives are integers below 2^53', async (t) => {
  const refused = [];
  const { consumer, arrive } = await running(t, { eachBatch: async ({ resolveOffset, commitOffsetsIfNecessary }) => {
    for (const offset of ['x', '', '1.5', '9007199254740992', NaN, undefined, null]) {
      assert.throws(() => resolveOffset(offset), { name: 'KafkaJSNonRetriableError', message: offset > 2 ** 52 ? /Invalid offset 9007199254740992: .* below 2\^53/ : /Invalid offset, expected a long received/ });
      await assert.rejects(commitOffsetsIfNecessary({ topics: [{ topic: 't', partitions: [{ partition: 0, offset }] }] }), { message: /^Invalid offset/ });
      refused.push(offset);
    }
  } });
  arrive([0, [5]]);
  await until(() => refused.length === 7);
  for (const offset of ['9007199254740992', '18446744073709551615', Infinity]) {
    assert.throws(() => consumer.seek({ topic: 't', partition: 0, offset }), { message: /^Invalid offset/ });
    await assert.rejects(consumer.commitOffsets([{ topic: 't', partition: 0, offset }]), { message: /^Invalid offset/ });
  }
  const other = new kafka.Kafka({ brokers: ['b:1'] }).consumer({ groupId: null });
  await assert.rejects(other.assign([{ topic: 't', partition: 0, offset: '9007199254740993' }]), { message: /below 2\^53/ });
  await assert.rejects(other.assign([{ topic: 't', partition: 0, offset: 'toString' }]), { message: /below 2\^53/ });
});

/** A consumer without a group that reads topic `t`, of one partition; `assign` lets it come. */
async function reading(t) {
  const consumer = new kafka.Kafka({ brokers: ['b:1'], logger: memoryLogger() }).consumer({ groupId: null });
  await consumer.connect();
  const native = fake.made.groups.at(-1);
  t.after(() => consumer.disconnect());
  await consumer.subscribe({ topic: 't', from: 'beginning' });
  const rebalance = (kind, epoch) => native.emit(Event.Rebalance, { id: 0, kind, topics: ['t'], topicIds: [7], partitions: [0], epochs: [epoch], memberId: '', generation: -1, protocol: 'NONE' });
  let batches = 0;
  const arrive = (epoch, offsets) =>
    native.emit(Event.Batch, ++batches, fake.pack([{ topic: 7, partition: 0, epoch, messages: offsets.map((offset) => ({ offset, timestamp: 1, key: 'k', value: `v${offset}` })) }]));
  return { consumer, native, rebalance, arrive };
}

test('a reader to the end waits for a topic that the brokers know and the one that was asked did not', async (t) => {
  const { consumer, native, rebalance, arrive } = await reading(t);
  native.replies.listTopics = { topics: ['t'], counts: [1] };
  native.replies.ends = [2];
  let reads = 0;
  native.replies.read = () => {
    if (++reads === 2) rebalance('assign', 1);
  };
  const got = [];
  let ended = false;
  const end = consumer.run({ until: 'end', eachMessage: ({ message }) => void got.push(message.offset) }).then(() => (ended = true));
  await until(() => reads === 2);
  await settled();
  assert.equal(ended, false);
  arrive(1, [0, 1]);
  await end;
  assert.deepEqual(got, ['0', '1']);
});

test('a reader to the end ends when the topic that it waits for is deleted', async (t) => {
  const { consumer, native } = await reading(t);
  let asked = 0;
  native.replies.listTopics = () => (++asked === 1 ? { topics: ['t'], counts: [1] } : { topics: [], counts: [] });
  native.replies.ends = [2];
  await consumer.run({ until: 'end', eachMessage: assert.fail });
});

test('a reader that begins behind the end of the log is caught up with what it reads, not before', async (t) => {
  const { consumer, native, rebalance, arrive } = await reading(t);
  native.replies.ends = [5];
  native.replies.read = () => native.calls.filter(([name]) => name === 'read').length === 1 && rebalance('assign', 1);
  const got = [];
  await consumer.run({ eachMessage: ({ message }) => void got.push(message.offset) });
  native.emit(Event.Advanced, 7, 0, 1, 1001);
  let caught = false;
  const waiting = consumer.caughtUp().then(() => (caught = true));
  await settled();
  assert.equal(caught, false);
  arrive(1, [0, 1, 2, 3, 4]);
  native.emit(Event.End, 7, 0, 1, 5);
  await waiting;
  assert.deepEqual(got, ['0', '1', '2', '3', '4']);
});

test('in a group caught up waits for what a rebalance takes away and gives back, whenever that happens', async (t) => {
  for (const when of ['before the ends are known', 'behind that']) {
    const { consumer, native, rebalance, arrive } = await running(t, { eachMessage: ({ message }) => void got.push(message.offset) });
    const got = [];
    native.replies.ends = 'later';
    let caught = false;
    const waiting = consumer.caughtUp().then(() => (caught = true));
    await until(() => native.calls.some(([name]) => name === 'ends'));
    const answer = () => native.emit(Event.Reply, native.calls.find(([name]) => name === 'ends')[1], undefined, [2]);
    if (when === 'behind that') answer();
    await settled();
    rebalance('revoke', []);
    rebalance('lost', [0]);
    await settled();
    rebalance('assign', [0], 2);
    await settled();
    if (when !== 'behind that') answer();
    await settled();
    assert.equal(caught, false, when);
    arrive([0, [0, 1], 2]);
    await waiting;
    assert.deepEqual(got, ['0', '1']);
    await consumer.disconnect();
  }
});
