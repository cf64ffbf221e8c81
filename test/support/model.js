'use strict';
// A reference for consumers of one group: which offsets may be committed, and which message has to come next.

const { EventEmitter, once } = require('node:events');
const { PATIENCE, within } = require('./flow.js');

/** The state of a partition, whoever reads it. */
class Log {
  /** Acknowledged messages: offsets 0 to end - 1. */
  end = 0;
  /** Everything below was processed, or left out by a seek of the program. */
  low = 0;
  #processed = new Set();

  processed(offset) {
    if (offset >= this.low) this.#processed.add(offset);
    while (this.#processed.delete(this.low)) this.low++;
  }

  /** The program wants none of those below. */
  leaveOut(offset) {
    for (; this.low < offset; this.low++) this.#processed.delete(this.low);
    while (this.#processed.delete(this.low)) this.low++;
  }
}

/** Judges what the members of a group tell. A broken promise is kept in `broken`, with what happened before. */
class Model extends EventEmitter {
  logs;
  broken;
  /** Of the program; a message of what broke tells it. */
  step = 0;
  #history = [];

  constructor(partitions) {
    super();
    this.setMaxListeners(0);
    this.logs = Array.from({ length: partitions }, () => new Log());
  }

  /** @param partitions those that it is about; none: all */
  note(partitions, ...words) {
    this.#history.push({ partitions: [partitions ?? []].flat(), text: words.join(' ') });
    if (this.#history.length > 4000) this.#history.splice(0, 2000);
  }

  /** The history of these partitions. */
  #before(partitions) {
    const about = this.#history.filter((each) => each.partitions.length === 0 || each.partitions.some((p) => partitions.includes(p)));
    return `before it:\n${about
      .slice(-80)
      .map(({ partitions: these, text }) => `  ${text} ${these}`)
      .join('\n')}`;
  }

  breaks(message, p) {
    this.broken ??= new Error(`step ${this.step}: ${message}; ${this.#before(p === undefined ? [] : [p])}`);
    this.emit('progress');
  }

  /** Resolves when the condition holds; rejects with what broke, or where it stands at the deadline. */
  async until(condition, what, ms = PATIENCE) {
    const late = () => [...this.logs.keys()].filter((p) => this.logs[p].low < this.logs[p].end);
    const where = () =>
      `step ${this.step}: ${what}: ${late()
        .map((p) => `${p}: ${this.logs[p].low} of ${this.logs[p].end}`)
        .join(', ')}; ${this.#before(late())}`;
    await within(ms, where, async () => {
      while (!this.broken && !condition()) await once(this, 'progress');
    });
    if (this.broken) throw this.broken;
  }
}

/** One consumer, as far as its program knows: what it has, what is paused, and what comes next of each partition. */
class Member {
  constructor(model, name) {
    this.model = model;
    this.name = name;
    /** By partition: { want }: the next offset; undefined: where the group is; { from }: at the end, from this offset at least. */
    this.has = new Map();
    this.paused = new Set();
  }

  assigned(partitions) {
    for (const p of partitions) this.has.set(p, { want: undefined, moves: 0 });
    this.model.note(partitions, this.name, 'has now');
    this.model.emit('progress');
  }

  revoked(partitions) {
    for (const p of partitions) this.has.delete(p);
    this.model.note(partitions, this.name, 'gives up');
    this.model.emit('progress');
  }

  /** The session is over: what it had is gone, what was paused forgotten. */
  ended() {
    this.model.note(undefined, this.name, 'has ended');
    this.has.clear();
    this.paused.clear();
    this.model.emit('progress');
  }

  pause(partitions) {
    for (const p of partitions) this.paused.add(p);
    this.model.note(partitions, this.name, 'pauses');
  }

  resume(partitions) {
    for (const p of partitions) this.paused.delete(p);
    this.model.note(partitions, this.name, 'resumes');
  }

  /** offset -1: the log's end, -2: its begin. */
  seek(p, offset) {
    const place = this.has.get(p);
    const log = this.model.logs[p];
    this.model.note(p, this.name, 'seeks', offset, 'of');
    if (offset >= 0) log.leaveOut(offset);
    if (!place) return;
    place.moves++;
    place.want = offset === -1 ? { from: log.end } : Math.max(offset, 0);
  }

  /** A handler gets these offsets; returns what is to be called with the offset behind which it goes on, once it has ended. */
  gets(p, offsets) {
    const { model, name } = this;
    const place = this.has.get(p);
    const [first] = offsets;
    model.note(p, name, 'gets', first === offsets.at(-1) ? first : `${first}-${offsets.at(-1)}`, 'of');
    if (!place) return model.breaks(`${name} got ${p}/${first}, which it does not have`, p), () => {};
    if (this.paused.has(p)) model.breaks(`${name} got ${p}/${first}, which is paused`, p);
    const { want } = place;
    if (want === undefined) {
      if (first > model.logs[p].low) model.breaks(`${name} began ${p} at ${first}: ${model.logs[p].low} was never processed`, p);
    } else if (typeof want === 'object') {
      if (first < want.from) model.breaks(`${name} got ${p}/${first} after a seek to the end, which was at ${want.from} or behind`, p);
      model.logs[p].leaveOut(first);
    } else if (first !== want) {
      model.breaks(`${name} got ${p}/${first}, not ${want}`, p);
    }
    offsets.forEach((offset, i) => {
      if (offset !== first + i) model.breaks(`${name} got ${p}/${offset} behind ${first + i - 1}`, p);
    });
    place.want = first;
    const { moves } = place;
    return (next) => {
      model.note(p, name, 'goes on at', next, 'of');
      // Sought meanwhile, or gone: where it goes on is not for this handler to say.
      if (place.moves === moves) place.want = next;
      model.emit('progress');
    };
  }

  /** Whether one of its partitions goes to the end of its log, which is somewhere: the next message tells. */
  goesToEnd(p) {
    return typeof this.has.get(p)?.want === 'object';
  }

  processed(p, offset) {
    this.model.logs[p].processed(offset);
  }

  committed(p, offset) {
    const { low } = this.model.logs[p];
    this.model.note(p, this.name, 'committed', offset, 'of');
    if (offset > low) this.model.breaks(`${this.name} committed ${p}/${offset}: ${low} was never processed`, p);
  }
}

module.exports = { Member, Model };
