'use strict';
// Seeking, pausing and resuming over a fake addon: nothing is skipped, whatever is under way, and nothing stays dead.
const assert = require('node:assert/strict');
const { test } = require('node:test');
const { kafka, fake, Event, memoryLogger, turn, deferred } = require('./support.js');

const failure = { kind: 'kafka', code: -172, name: '_STATE', message: 'not now', retriable: true, fatal: false, txnRequiresAbort: false, causes: [] };
const settled = async () => { for (let i = 0; i < 20; i++) await turn(); };
const until = async (fits) => { while (!fits()) await turn(); };

/** A consumer that has partitions 0 to n-1 of topic `t`; `got` fills with `partition/offset`. Moves are answered by `native.reply`. */
async function running(t, { partitions = 1, run, config, each = () => {}, assigned } = {}) {
  const got = [];
  const logger = memoryLogger();
  const consumer = new kafka.Kafka({ brokers: ['b:1'], logger }).consumer({ groupId: 'g', retry: { initialRetryTime: 1 }, ...(assigned && { onPartitionsAssigned: () => assigned(consumer) }), ...config });
  await consumer.connect();
  const native = fake.made.groups.at(-1);
  if (config?.groupId === null) await consumer.assign(Array.from({ length: partitions }, (_, partition) => ({ topic: 't', partition })));
  else await consumer.subscribe({ topic: 't' });
  const started = consumer.run(run ?? { eachMessage: (payload) => { got.push(`${payload.partition}/${payload.message.offset}`); return each(payload); } });
  await turn();
  const numbers = Array.from({ length: partitions }, (_, i) => i);
  let rebalances = 0;
  const rebalance = (kind, list = numbers, epoch = 1) => native.emit(Event.Rebalance, {
    id: ++rebalances, kind, topics: list.map(() => 't'), topicIds: list.map(() => 7), partitions: list, epochs: list.map(() => epoch), memberId: 'm', generation: 1, protocol: 'EAGER',
  });
  native.replies.subscribe = () => rebalance('revoke');
  native.replies.assign = () => rebalance('revoke');
  rebalance('assign');
  if (config?.groupId !== null) await started;
  let batches = 0;
  /** Tells a batch of runs [partition, offsets, epoch]. */
  const arrive = (...runs) => native.emit(Event.Batch, ++batches, fake.pack(runs.map(([partition, offsets, epoch]) => ({
    topic: 7, partition, epoch, messages: offsets.map((offset) => ({ offset, value: `v${offset}` })),
  }))));
  t.after(() => {
    native.replies.commit = undefined;
    return consumer.disconnect();
  });
  return { consumer, native, logger, got, arrive, rebalance };
}

const moves = (native) => native.calls.filter(([name]) => name === 'seek' || name === 'resume').map(([name, , ...rest]) => [name, ...rest.slice(0, -1).flat()]);
/** Which of them the program wanted, in the last of these calls. */
const sought = (native, name) => native.last(name).at(-1);

test('a partition that was paused before its first message was read goes on where librdkafka has it: at what it told first', async (t) => {
  const { consumer, native, arrive, got } = await running(t, { partitions: 2 });
  consumer.pause([{ topic: 't' }]);
  consumer.resume([{ topic: 't' }]);
  assert.deepEqual(moves(native), [['resume', 't', 't', 0, 1, -1001, -1001]]);
  arrive([0, [0, 1], 1], [1, [5], 1]); // told before: they come again
  await settled();
  arrive([0, [0, 1], 101], [1, [5], 102]);
  await settled();
  assert.deepEqual(got, ['0/0', '0/1', '1/5']);
});

test('what arrived while a partition was paused, or was taken from it, is where it goes on', async (t) => {
  const { consumer, native, arrive, got } = await running(t, { partitions: 2, run: undefined, each: async ({ partition }) => {
    if (partition === 0 && got.length === 1) {
      consumer.pause([{ topic: 't', partitions: [1] }]);
      await turn();
      arrive([1, [9], 1]);
      consumer.resume([{ topic: 't', partitions: [1] }]);
    }
  } });
  arrive([0, [0], 1], [1, [7, 8], 1]);
  await settled();
  assert.deepEqual(moves(native), [['resume', 't', 1, 7]]);
  assert.deepEqual(sought(native, 'resume'), [false]);
  consumer.pause([{ topic: 't', partitions: [0] }]);
  arrive([0, [1], 1]);
  consumer.resume([{ topic: 't', partitions: [0] }]);
  assert.deepEqual(moves(native).at(-1), ['resume', 't', 0, 1]);
});

test('the end of the log is where it was when the seek was made: a pause behind it does not skip what came since', async (t) => {
  const { consumer, native, arrive, got } = await running(t);
  consumer.seek({ topic: 't', partition: 0, offset: '-1' });
  assert.deepEqual(moves(native), [['seek', 't', 0, -1]]);
  await settled();
  consumer.pause([{ topic: 't' }]);
  consumer.resume([{ topic: 't' }]);
  assert.deepEqual(moves(native).at(-1), ['resume', 't', 0, -1001], 'librdkafka knows where the end was');
  await settled();
  consumer.pause([{ topic: 't' }]);
  arrive([0, [50], 102]);
  consumer.resume([{ topic: 't' }]);
  assert.deepEqual(moves(native).at(-1), ['resume', 't', 0, 50]);
  await settled();
  arrive([0, [50], 103]);
  await settled();
  assert.deepEqual(got, ['0/50']);
});

test('a paused partition that is sought goes there when it is resumed, whatever arrives of the old place', async (t) => {
  const { consumer, native, arrive, got } = await running(t);
  consumer.pause([{ topic: 't' }]);
  consumer.seek({ topic: 't', partition: 0, offset: '-2' });
  arrive([0, [30, 31], 1]);
  await settled();
  consumer.resume([{ topic: 't' }]);
  assert.deepEqual(moves(native), [['resume', 't', 0, -2]]);
  assert.deepEqual(sought(native, 'resume'), [true]);
  await settled();
  arrive([0, [0], 101]);
  await settled();
  assert.deepEqual(got, ['0/0']);
});

test('a log that began anew is read from where it began, also when its messages were taken by a pause', async (t) => {
  const { consumer, native, arrive, got } = await running(t, { each: ({ message }) => {
    if (message.offset !== '9') return;
    consumer.pause([{ topic: 't' }]);
    consumer.resume([{ topic: 't' }]);
  } });
  arrive([0, [5], 1]);
  arrive([0, [9], 1]);
  arrive([0, [0, 1], 1]);
  await settled();
  assert.deepEqual(got, ['0/5', '0/9']);
  assert.deepEqual(moves(native), [['resume', 't', 0, 0]]);
});

test('a paused partition that goes and comes back is where the group has it', async (t) => {
  const { consumer, native, arrive, rebalance, got } = await running(t);
  arrive([0, [3], 1]);
  await settled();
  consumer.pause([{ topic: 't' }]);
  consumer.seek({ topic: 't', partition: 0, offset: '40' });
  rebalance('revoke');
  await settled();
  rebalance('assign', [0], 2);
  await settled();
  consumer.resume([{ topic: 't' }]);
  assert.deepEqual(moves(native), [['resume', 't', 0, -1001]]);
  await settled();
  arrive([0, [4], 101]);
  await settled();
  assert.deepEqual(got, ['0/3', '0/4']);
});

test('a partition that was paused when it went, and is not any more when it comes back, goes on', async (t) => {
  const { consumer, native, arrive, rebalance, got } = await running(t, { partitions: 2 });
  consumer.pause([{ topic: 't' }]);
  rebalance('revoke');
  await settled();
  consumer.resume([{ topic: 't', partitions: [1] }]);
  rebalance('assign', [0, 1], 2);
  await settled();
  assert.deepEqual(moves(native), [['resume', 't', 1, -1001]], 'librdkafka has not forgotten that it was paused');
  arrive([1, [4], 101]);
  await settled();
  assert.deepEqual(got, ['1/4']);
  await consumer.stop();
  const again = consumer.run({ eachMessage() {} });
  await turn();
  rebalance('assign', [0, 1], 3);
  await again;
  assert.deepEqual(moves(native).at(-1), ['resume', 't', 0, -1001], 'the pause ended with the session');
});

test('a seek that fails is made again until it succeeds', async (t) => {
  const { consumer, native, arrive, got, logger } = await running(t);
  native.errors.seek = failure;
  consumer.seek({ topic: 't', partition: 0, offset: '-2' });
  await until(() => moves(native).length === 2);
  await turn(); // answered
  assert.deepEqual(moves(native), [['seek', 't', 0, -2], ['seek', 't', 0, -2]]);
  assert.equal(sought(native, 'seek'), true);
  assert.match(logger.lines.find((line) => line.startsWith('warn')), /could not be moved, tried again in 100 ms: t\/0: .*not now/);
  delete native.errors.seek;
  await until(() => moves(native).length === 3);
  await settled();
  arrive([0, [0], native.epoch]);
  await settled();
  assert.deepEqual(got, ['0/0']);
});

test('a resume that fails is made again until it succeeds, also when librdkafka has not got the partition', async (t) => {
  const { consumer, native, arrive, got } = await running(t, { partitions: 2 });
  arrive([0, [0], 1]);
  await settled();
  consumer.pause([{ topic: 't' }]);
  native.errors.resume = failure;
  consumer.resume([{ topic: 't' }]);
  await settled();
  delete native.errors.resume;
  native.replies.resume = () => [-1];
  await until(() => moves(native).length === 3);
  await turn();
  native.replies.resume = () => [++native.epoch];
  await until(() => moves(native).length === 5);
  await settled();
  assert.deepEqual(moves(native), [['resume', 't', 't', 0, 1, 1, -1001], ['resume', 't', 0, 1], ['resume', 't', 1, -1001], ['resume', 't', 0, 1], ['resume', 't', 1, -1001]]);
  arrive([0, [1], native.epoch - 1], [1, [0], native.epoch]);
  await settled();
  assert.deepEqual(got, ['0/0', '0/1', '1/0']);
});

test('of what is wished while a move is under way the newest counts, and of what failed nothing that was replaced', async (t) => {
  const { consumer, native, arrive, got } = await running(t);
  native.replies.seek = native.replies.resume = 'later';
  for (const offset of ['10', '20', '-2', '30']) consumer.seek({ topic: 't', partition: 0, offset });
  assert.deepEqual(moves(native), [['seek', 't', 0, 10]]);
  native.reply('seek', undefined, failure);
  await settled();
  assert.deepEqual(moves(native), [['seek', 't', 0, 10], ['seek', 't', 0, 30]]);
  consumer.pause([{ topic: 't' }]);
  native.reply('seek', undefined, failure);
  await settled();
  assert.equal(moves(native).length, 2, 'what is paused goes on when it is resumed');
  consumer.resume([{ topic: 't' }]);
  consumer.seek({ topic: 't', partition: 0, offset: '-1' });
  native.reply('resume', [50]);
  await settled();
  assert.deepEqual(moves(native).slice(2), [['resume', 't', 0, 30], ['resume', 't', 0, -1]]);
  arrive([0, [30], 50]);
  native.reply('resume', [51]);
  arrive([0, [90], 51]);
  await settled();
  assert.deepEqual(got, ['0/90']);
});

test('what a failed handler left is given again once: a move that is told later goes on behind it', async (t) => {
  const failed = deferred();
  let times = 0;
  const { consumer, native, arrive, got } = await running(t, { config: { retry: { initialRetryTime: 30 } }, each: ({ message }) => message.offset === '1' && times++ === 0 ? failed.promise : undefined });
  native.replies.resume = 'later';
  arrive([0, [0, 1, 2], 1]);
  await settled();
  for (let i = 0; i < 2; i++) {
    consumer.pause([{ topic: 't' }]);
    consumer.resume([{ topic: 't' }]);
  }
  failed.reject(new Error('not yet'));
  await settled();
  native.reply('resume', [50]);
  await settled();
  assert.deepEqual(moves(native), [['resume', 't', 0, 3], ['resume', 't', 0, 3]]);
  native.reply('resume', [51]);
  arrive([0, [3], 51]);
  await until(() => got.length === 5);
  assert.deepEqual(got, ['0/0', '0/1', '0/1', '0/2', '0/3']);
});

test('a partition that goes is moved no longer', async (t) => {
  const { consumer, native, rebalance } = await running(t, { partitions: 2 });
  native.errors.seek = failure;
  for (const partition of [0, 1]) consumer.seek({ topic: 't', partition, offset: '5' });
  rebalance('revoke', [0]);
  await settled();
  const of = (partition) => moves(native).filter((move) => move[2] === partition).length;
  const before = of(0);
  await until(() => of(1) === 3);
  assert.equal(of(0), before);
  delete native.errors.seek;
});

test('without a group a seek in onPartitionsAssigned counts, and what comes while it runs waits', async (t) => {
  const hook = deferred();
  const { native, arrive, got } = await running(t, { partitions: 2, config: { groupId: null }, assigned: (consumer) => {
    consumer.seek({ topic: 't', partition: 1, offset: '7' });
    return hook.promise;
  } });
  arrive([0, [0, 1], 1], [1, [0, 1], 1]);
  await settled();
  arrive([0, [2], 1], [1, [7], 101]);
  await settled();
  assert.deepEqual(got, []);
  hook.resolve();
  await settled();
  assert.deepEqual(moves(native), [['seek', 't', 1, 7]]);
  assert.deepEqual(got, ['0/0', '0/1', '0/2', '1/7']);
});

test('without a group a seek that came before the assignment counts', async (t) => {
  const logger = memoryLogger();
  const consumer = new kafka.Kafka({ brokers: ['b:1'], logger }).consumer({ groupId: null });
  await consumer.connect();
  const native = fake.made.groups.at(-1);
  t.after(() => consumer.disconnect());
  await consumer.assign([{ topic: 't', partition: 0 }]);
  const run = consumer.run({ eachMessage() {} });
  consumer.seek({ topic: 't', partition: 0, offset: '-1' });
  await turn();
  native.emit(Event.Rebalance, { id: 0, kind: 'assign', topics: ['t'], topicIds: [7], partitions: [0], epochs: [1], memberId: '', generation: -1, protocol: 'NONE' });
  await run;
  assert.deepEqual(moves(native), [['seek', 't', 0, -1]]);
  native.replies.assign = () => native.emit(Event.Rebalance, { id: 0, kind: 'revoke', topics: ['t'], topicIds: [7], partitions: [0], epochs: [1], memberId: '', generation: -1, protocol: 'NONE' });
});
