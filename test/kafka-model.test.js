'use strict';
// Random programs over consumers of one group, judged by a reference. SEED=... repeats a run as far as timing allows, STEPS=1000000 makes it long.

const { after, before, test } = require('node:test');
const assert = require('node:assert/strict');
const { setTimeout: delay } = require('node:timers/promises');
const { Kafka } = require('kafka-native');
const { binding } = require('../js/kafka-native/dist/loader.js');
const { cleanup } = require('./support/cleanup.js');
const { embedded, topicName } = require('./support/clusters.js');
const { PATIENCE, within } = require('./support/flow.js');
const { Member, Model } = require('./support/model.js');
const { random } = require('./support/random.js');

/** The same in every run, so that a change is judged by what it changes; SEED=... is another one. */
const seed = Number(process.env.SEED ?? 31);

const STEPS = Number(process.env.STEPS ?? 2000);
const PARTITIONS = 5;
/** Steps between two times at which everything has to be processed. */
const WINDOW = 200;
/** In every such window members come, go, die and meet faults: each costs the seconds that a group takes to find together. */
const TROUBLED = 8;
/** Milliseconds after which a step that waits says what for: longer than a group and its clients take to find together again. */
const API = { fetch: 1, offsets: 2, commit: 8, heartbeat: 12 };
const turn = () => new Promise((resolve) => setImmediate(resolve));

const { prototype: native } = binding.NativeGroup;
const { commit, connect } = native;
/** Native consumers whose members have died: nothing is committed any more. */
const dead = new WeakSet();
let lastConnected;
native.connect = function (...args) {
  lastConnected = this;
  return connect.apply(this, args);
};
native.commit = function (...args) {
  if (dead.has(this)) throw new Error('the member is dead');
  return commit.apply(this, args);
};
/** Moves fail now and then, as when the coordinator takes too long. */
let moveFails = () => false;
for (const name of ['seek', 'resume']) {
  const call = native[name];
  native[name] = function (...args) {
    if (moveFails()) throw new Error(`no ${name} now`);
    return call.apply(this, args);
  };
}

let cluster;
before(async () => (cluster = await embedded()));
after(() => cluster?.close());

/** A consumer whose handlers do what chance says. */
class Program {
  #hung = new Set();
  running = false;
  calm = false;
  /** The next handler ends in a way that ends the session, which starts anew. */
  crashes = false;

  constructor({ model, kafka, groupId, topic, name, chance, pick }) {
    Object.assign(this, { model, topic, chance, pick });
    const member = (this.member = new Member(model, name));
    const numbers = (list) => list.flatMap(({ partitions }) => partitions);
    this.consumer = kafka.consumer({
      groupId,
      sessionTimeout: 6000,
      rebalanceTimeout: 10_000,
      heartbeatInterval: 50,
      maxWaitTimeInMs: 5,
      maxMessagesPerBatch: 20,
      properties: cluster.options().driver_options,
      retry: { initialRetryTime: 1, maxRetryTime: 5, retries: 1e9 },
      onPartitionsAssigned: (list) => member.assigned(numbers(list)),
      onPartitionsRevoked: (list) => member.revoked(numbers(list)),
      onPartitionsLost: (list) => member.revoked(numbers(list)),
    });
    this.consumer.on(this.consumer.events.STOP, () => member.ended());
    this.consumer.on(this.consumer.events.CRASH, ({ payload: { error, restart } }) => {
      if (!restart) model.breaks(`${name} died: ${error.message}`);
    });
    this.consumer.on(this.consumer.events.COMMIT_OFFSETS, ({ payload: { topics } }) => {
      for (const { partitions } of topics) for (const { partition, offset } of partitions) member.committed(Number(partition), Number(offset));
    });
  }

  async connect() {
    await this.consumer.connect();
    this.native = lastConnected;
  }

  async start() {
    this.running = true;
    const partitionsConsumedConcurrently = 1 + this.pick(3);
    const handlers = this.chance(0.5) ? { eachMessage: this.#eachMessage } : { eachBatch: this.#eachBatch, eachBatchAutoResolve: this.chance(0.7) };
    const interval = this.chance(0.3) ? { autoCommitThreshold: 1 + this.pick(20) } : {};
    this.options = { ...handlers, ...interval };
    this.model.note(undefined, this.member.name, 'runs', Object.keys(this.options));
    await this.consumer.run({ ...this.options, partitionsConsumedConcurrently });
  }

  async stop() {
    this.running = false;
    const stopping = this.consumer.stop();
    this.release();
    await stopping;
  }

  /** As when its process ends: nothing is committed any more, and handlers that run do not matter. */
  async die() {
    this.running = false;
    this.model.note(undefined, this.member.name, 'dies');
    dead.add(this.native);
    await this.consumer.disconnect({ timeout: 0 });
    this.release();
    await this.connect();
  }

  /** An offset that the program itself says to be processed. */
  commit(p) {
    if (!this.running || !this.member.has.has(p)) return;
    const offset = String(this.model.logs[p].low);
    this.consumer.commitOffsets([{ topic: this.topic, partition: p, offset }]).catch((error) => {
      this.model.note(p, this.member.name, `could not commit ${offset}: ${error.message}:`);
      if (error.retriable === false && !/run\(\)|is dead|was stopped/.test(error.message))
        this.model.breaks(`${this.member.name} could not commit: ${error.stack}`, p);
    });
  }

  release() {
    for (const resolve of this.#hung) resolve();
    this.#hung.clear();
  }

  /** Everything goes on, and no handler does anything but process. */
  quiet(calm) {
    this.calm = calm;
    if (!calm) return;
    this.crashes = false;
    this.release();
    if (this.running && this.member.paused.size > 0) this.resume([...this.member.paused]);
  }

  #hang() {
    return new Promise((resolve) => this.#hung.add(resolve));
  }

  #places(partitions) {
    return [{ topic: this.topic, partitions }];
  }

  pause(partitions) {
    this.member.pause(partitions);
    this.#call(() => this.consumer.pause(this.#places(partitions)));
  }

  resume(partitions) {
    this.member.resume(partitions);
    this.#call(() => this.consumer.resume(this.#places(partitions)));
  }

  seek(partition, offset) {
    this.member.seek(partition, offset);
    this.#call(() => this.consumer.seek({ topic: this.topic, partition, offset: String(offset) }));
  }

  /** Between two lives it has no session. */
  #call(what) {
    try {
      what();
    } catch (error) {
      if (!/run must be called first/.test(error.message)) throw error;
      this.member.paused.clear();
    }
  }

  /** One or more moves in a row, in the same turn. */
  move() {
    const { logs } = this.model;
    for (let n = 1 + this.pick(3); n > 0; n--) {
      const p = this.pick(PARTITIONS);
      const some = this.chance(0.3) ? [...logs.keys()] : [p];
      const what = this.pick(8);
      if (what < 2) this.pause(some);
      else if (what < 5) this.resume(some);
      else if (what === 5) [this.pause(some), this.resume(some)];
      else if (this.member.has.has(p)) this.seek(p, Math.max(0, logs[p].low - this.pick(30) + this.pick(10)) % (logs[p].end + 1));
    }
  }

  /** By chance, while it is not calm: asked behind each wait, because it may have become calm meanwhile. */
  #may(often) {
    return !this.calm && this.chance(often);
  }

  /** Most often while partitions have come of which nothing was processed. */
  #mayMove(often) {
    const fresh = [...this.member.has].filter(([, { want }]) => want === undefined).map(([p]) => p);
    if (fresh.length > 0 && this.#may(0.2)) [this.pause(fresh), this.resume(fresh)];
    if (this.#may(often)) this.move();
  }

  #eachMessage = async ({ partition: p, message }) => {
    const offset = Number(message.offset);
    const goOn = this.member.gets(p, [offset]);
    this.#mayMove(0.05);
    if (this.#may(0.05)) await turn();
    if (this.#may(0.01)) await this.#hang();
    if (this.#may(0.02)) this.move();
    if (offset + 5 < this.model.logs[p].end && this.#may(0.05)) this.#transfers([message]);
    this.#mayCrash(() => goOn(offset));
    if (this.#may(0.02)) throw (goOn(offset), new Error('not now'));
    this.member.processed(p, offset);
    goOn(offset + 1);
  };

  #eachBatch = async ({ batch, resolveOffset, isStale, isRunning }) => {
    const p = batch.partition;
    const offsets = batch.messages.map(({ offset }) => Number(offset));
    const goOn = this.member.gets(p, offsets);
    let next = offsets[0];
    for (const offset of offsets) {
      this.#mayMove(0.02);
      if (this.#may(0.02)) await turn();
      if (this.#may(0.005)) await this.#hang();
      this.#mayCrash(() => goOn(next));
      if (this.#may(0.005)) throw (goOn(next), new Error('not now'));
      if (this.#may(0.01)) this.#transfers(batch.messages);
      if (this.#may(0.02)) break;
      if (!isRunning() || isStale()) return goOn(next), this.#unresolved(next, offsets);
      this.member.processed(p, offset);
      resolveOffset(String(offset));
      next = offset + 1;
    }
    goOn(next);
    this.#unresolved(next, offsets);
  };

  /** Takes the memory of a message, and with it that of others. */
  #transfers(messages) {
    const { value } = messages[this.pick(messages.length)];
    if (value?.length > 0) value.buffer.transfer?.() ?? structuredClone(value, { transfer: [value.buffer] });
  }

  #mayCrash(goOn) {
    if (!this.crashes) return;
    this.crashes = false;
    goOn();
    throw Object.assign(new Error('crashes'), { retriable: false, cause: Object.assign(new Error('may be started again'), { retriable: true }) });
  }

  /** With autoResolve a handler that returns has processed all. */
  #unresolved(next, offsets) {
    if (this.options.eachBatchAutoResolve !== false && next <= offsets.at(-1)) throw new Error('the rest comes again');
  }
}

test(`consumers of a group skip nothing and keep what they promise, whatever their programs do (SEED=${seed}, ${STEPS} steps)`, async (t) => {
  const next = random(seed);
  const chance = (p) => next() < p;
  const pick = (n) => Math.floor(next() * n);
  const topic = await cluster.topic(PARTITIONS);
  const model = new Model(PARTITIONS);
  const told = (line) => model.note(undefined, line);
  const kafka = new Kafka({ brokers: cluster.options().broker.split(','), logger: { error: told, warn: told, info() {}, debug() {} } });
  const producer = kafka.producer({ properties: cluster.options().driver_options });
  await producer.connect();
  let calm = false;
  moveFails = () => !calm && chance(0.1);
  const groupId = topicName('model');
  const programs = ['a', 'b'].map((name) => new Program({ model, kafka, groupId, topic, name, chance, pick }));
  for (const program of programs) {
    await program.connect();
    await program.consumer.subscribe({ topic, fromBeginning: true });
    await program.start();
  }
  cleanup(t, async () => {
    moveFails = () => false;
    for (const program of programs) program.quiet(true);
    await Promise.all([...programs.map(({ consumer }) => consumer.disconnect({ timeout: PATIENCE })), producer.disconnect()]);
  });
  const sends = new Set();
  const produce = () => {
    const p = pick(PARTITIONS);
    const messages = Array.from({ length: 1 + pick(chance(0.05) ? 200 : 8) }, () => ({
      partition: p,
      key: chance(0.5) ? 'key' : null,
      value: chance(0.05) ? null : 'x'.repeat(pick(300)),
      headers: chance(0.1) ? { h: 'v' } : undefined,
    }));
    const send = producer
      .send({ topic, messages })
      .then(([{ baseOffset }]) => {
        model.logs[p].end = Math.max(model.logs[p].end, Number(baseOffset) + messages.length);
      })
      .finally(() => sends.delete(send));
    sends.add(send);
  };
  let changing = Promise.resolve();
  let down = false;
  const comeAndGo = () => {
    const [, b] = programs;
    const dies = chance(0.3);
    const change = () => (!b.running ? b.start() : dies ? b.die() : b.stop());
    changing = changing.then(change).catch((error) => model.breaks(`b: ${error.stack}`));
  };
  const up = () => {
    if (down) cluster.mock.brokerUp(1);
    down = false;
  };
  /** The members move on while the group finds together. */
  const findTogether = async () => {
    up();
    const alone = () => [...model.logs.keys()].filter((p) => !programs.some(({ member }) => member.has.has(p)));
    for (const end = Date.now() + PATIENCE; alone().length > 0 && !model.broken; ) {
      if (Date.now() > end) model.breaks(`nobody has ${alone()}`);
      for (const program of programs) [program.release(), program.move()];
      if (chance(0.3)) produce();
      await delay(pick(20));
    }
  };
  /** Everything that was written is processed once nothing is in its way. */
  const quiesce = async () => {
    up();
    calm = true;
    for (const program of programs) program.quiet(true);
    await within(PATIENCE, 'a member neither started nor stopped', () => changing);
    await within(PATIENCE, 'messages were not acknowledged', () => Promise.all(sends));
    const all = model.until(() => model.logs.every(({ low, end }) => low >= end), 'not everything was processed');
    let over = false;
    all.catch(() => {}).finally(() => (over = true));
    // A member that was moved to the end waits for the next message.
    while (!over && model.logs.some((_, p) => programs.some(({ member }) => member.goesToEnd(p)))) {
      for (const p of model.logs.keys()) {
        if (!programs.some(({ member }) => member.goesToEnd(p))) continue;
        const [{ baseOffset }] = await within(PATIENCE, 'a message was not acknowledged', () =>
          producer.send({ topic, messages: [{ partition: p, value: 'last' }] }),
        );
        model.logs[p].end = Number(baseOffset) + 1;
      }
    }
    await all;
    for (const program of programs) program.quiet(false);
    calm = false;
  };
  let troubled = false;
  for (let step = 1; step <= STEPS; step++) {
    if (step % WINDOW === 1) troubled = Math.ceil(step / WINDOW) % TROUBLED === 2;
    model.step = step;
    const what = pick(1000);
    const program = programs[pick(2)];
    if (what < 300) produce();
    else if (what < 420) program.move();
    else if (what < 440) program.release();
    else if (what < 450) program.commit(pick(PARTITIONS));
    else if (what < 456) cluster.mock.injectErrors(API.fetch, [[6, 7, -195, 3][pick(4)]]);
    else if (what < 459) cluster.mock.injectErrors(API.commit, [[14, 15, 16][pick(3)]]);
    else if (what < 480) up();
    else if (troubled && what < 484) cluster.mock.injectErrors(API.commit, [27]);
    else if (troubled && what < 488) cluster.mock.injectErrors(API.heartbeat, [[27, 22, 16][pick(3)]]);
    else if (troubled && what < 494) comeAndGo();
    else if (troubled && what < 497 && !down) [cluster.mock.brokerDown(1), (down = true)];
    else if (troubled && what < 500) program.crashes = true;
    // A group takes its time: the steps go on meanwhile.
    await (troubled ? delay(pick(20)) : turn());
    if (model.broken) throw model.broken;
    if (step % WINDOW !== 0 && step !== STEPS) continue;
    if (troubled) await findTogether();
    await quiesce();
  }
  assert.ok(
    model.logs.every(({ end }) => end > STEPS / 100),
    'much was written',
  );
});
