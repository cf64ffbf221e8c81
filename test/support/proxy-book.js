'use strict';
// The bookkeeping of tests that kill what a group of a proxy stands on: every message is counted, and what a client was told as committed.

const assert = require('node:assert/strict');
const { setTimeout: delay } = require('node:timers/promises');
const { PATIENCE } = require('./flow.js');
const { Peer } = require('./proxy-peer.js');
const { eventually } = require('./watch.js');

/** Messages written, given and reported as committed, by partition. */
class Book {
  wrong = [];
  repeats = 0;

  /** @param {number} partitions */
  constructor(partitions) {
    /** Messages that Kafka acknowledged: their values by offset. @type {Map<number, string>[]} */
    this.written = Array.from({ length: partitions }, () => new Map());
    /** @type {Set<number>[]} */
    this.given = Array.from({ length: partitions }, () => new Set());
    /** The highest offset of which a client was told. @type {number[]} */
    this.committed = new Array(partitions).fill(-1);
    /** The highest offset that a client has acknowledged. @type {number[]} */
    this.acked = new Array(partitions).fill(-1);
  }

  /** Writes to it for as long as it is told to; resolves with how many messages. */
  async write(producer, topic, { pick, goesOn }) {
    let written = 0;
    while (goesOn()) {
      const partition = pick(this.written.length);
      const messages = Array.from({ length: 1 + pick(40) }, () => ({ partition, value: `v${written++}` }));
      await Promise.all(
        messages.map(async (message) => {
          const [{ baseOffset }] = await producer.send({ topic, messages: [message] });
          this.written[partition].set(Number(baseOffset), message.value);
        }),
      );
      await delay(pick(10));
    }
    return written;
  }

  gets(client, partition, records) {
    for (const { offset, value } of records) {
      if (offset <= this.committed[partition]) this.wrong.push(`${client} got ${partition}/${offset}, where ${this.committed[partition]} was told as committed`);
      if (this.written[partition].has(offset) && this.written[partition].get(offset) !== value) this.wrong.push(`${client} got ${value} at ${partition}/${offset}`);
      if (this.given[partition].has(offset)) this.repeats++;
      this.given[partition].add(offset);
    }
  }

  commits(client, partition, offset) {
    if (offset > this.acked[partition]) this.wrong.push(`${client} was told ${partition}/${offset} as committed, and ${this.acked[partition]} was acknowledged`);
    this.committed[partition] = Math.max(this.committed[partition], offset);
  }

  /** Everything that was written is given to somebody, and, once it is acknowledged, committed. */
  async settles(admin, group, topic, where = () => '') {
    assert.deepEqual(this.wrong, [], where());
    await eventually(PATIENCE, 'everything comes', () => this.missing.length === 0).catch((error) => {
      throw new Error(`${error.message}; missing: ${this.missing.slice(0, 10)}; ${where()}`);
    });
    await eventually(PATIENCE, 'everything is committed', async () => {
      const [{ partitions }] = await admin.fetchOffsets({ groupId: group, topics: [topic] });
      const ends = await admin.fetchTopicOffsets(topic);
      return partitions.every(({ partition, offset }) => offset === ends.find((end) => end.partition === partition).high);
    });
    assert.deepEqual(this.wrong, [], where());
  }

  /** Messages that were given to somebody. */
  get count() {
    return this.given.reduce((sum, { size }) => sum + size, 0);
  }

  get missing() {
    return this.written.flatMap((messages, partition) => [...messages.keys()].filter((offset) => !this.given[partition].has(offset)).map((offset) => `${partition}/${offset}`));
  }
}

/** A client of a group that connects to whichever proxy there is, for as long as it is wanted. */
class BookClient {
  wanted = true;

  /** @type {any} */ peer;
  /** Where it is in its partitions. @type {Map<number, number>} */ next = new Map();

  constructor(name, { proxies, subscribe, book, chance, pick }) {
    this.name = name;
    this.proxies = proxies;
    this.subscribe = subscribe;
    this.book = book;
    this.chance = chance;
    this.pick = pick;
  }

  async live() {
    while (this.wanted) {
      const { url } = this.proxies[this.pick(this.proxies.length)];
      try {
        this.peer = await Peer.open(url, { onMessage: (message) => this.#hears(message) });
        // The order in a partition, in one life of it.
        this.next = new Map();
        this.peer.say(this.subscribe);
        await this.peer.closed;
      } catch {
        await delay(50); // the proxy is not there
      }
    }
  }

  #hears({ type, id, topic, partition, records, partitions, offset, code, message, fatal }) {
    const { book, peer } = this;
    if (type === 'assigned') for (const each of partitions) this.next.set(each.partition, each.offset);
    if (type === 'revoked') for (const each of partitions) this.next.delete(each.partition);
    if (type === 'committed') book.commits(this.name, partition, offset);
    if (type === 'error' && fatal) peer.ws.close(); // and tries again
    // An ack may cross the partition's way to another.
    if (type === 'error' && !fatal && !['NOT_ASSIGNED', 'INVALID_OFFSET'].includes(code)) book.told = `${code}: ${message}`;
    if (type !== 'batch') return;
    const next = this.next.get(partition);
    const first = records[0].offset;
    if (next === undefined) book.wrong.push(`${this.name} got ${partition}/${first}, which it does not have`);
    else if (first < next) book.wrong.push(`${this.name} got ${partition}/${first} behind ${next}`);
    this.next.set(partition, records.at(-1).offset + 1);
    book.gets(this.name, partition, records);
    const ack = () => {
      book.acked[partition] = Math.max(book.acked[partition], records.at(-1).offset);
      peer.say({ type: 'ack', id, topic, partition, offset: records.at(-1).offset });
    };
    peer.say({ type: 'credit', id, messages: records.length });
    if (this.chance(0.7)) ack();
    else setTimeout(() => peer.ws.readyState === 1 && ack(), this.pick(300));
  }

  kill() {
    this.peer?.ws.terminate();
  }

  end() {
    this.wanted = false;
    this.kill();
  }
}

module.exports = { Book, BookClient };
