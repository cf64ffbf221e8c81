'use strict';
// Lines that clients write as they go, in files that outlive a `kill -9` of theirs: a line is written before the client goes on.
//
// A producer's line says which of its messages were acknowledged, a reader's which message it has processed. A line that a kill cut
// off counts for nothing: who wrote it had not gone on.

const fs = require('node:fs');
const path = require('node:path');

/** Where one life of a client writes. */
class Ledger {
  #file;

  /** @param {string} directory @param {string} name of its own: two lives never write to one file */
  constructor(directory, name) {
    this.#file = fs.openSync(path.join(directory, name), 'ax');
  }

  /** The messages `from` to `to` - 1 of a session are acknowledged. */
  acknowledged(topic, session, from, to) {
    fs.writeSync(this.#file, `${topic} ${session} ${from} ${to}\n`);
  }

  /** These messages of a partition are processed. @param {{ offset: number | string, value: unknown }[]} messages */
  processed(topic, partition, messages) {
    if (messages.length === 0) return;
    fs.writeSync(this.#file, messages.map(({ offset, value }) => `${topic} ${partition} ${offset} ${value}\n`).join(''));
  }
}

/** The whole lines of all files in a folder whose name begins so. @returns {Generator<string[]>} */
function* lines(directory, prefix) {
  for (const name of fs.readdirSync(directory)) {
    if (!name.startsWith(prefix)) continue;
    const whole = fs.readFileSync(path.join(directory, name), 'utf8').split('\n');
    whole.pop(); // empty, or cut off
    for (const line of whole) yield line.split(' ');
  }
}

/** Messages acknowledged to producers: { topic, session, from, to }. */
function readAcknowledged(directory) {
  return Array.from(lines(directory, 'sent.'), ([topic, session, from, to]) => ({ topic, session, from: Number(from), to: Number(to) }));
}

/** Messages that a reader's lives have processed together: 'topic/partition' -> offset -> the values that were seen there. */
function readProcessed(directory, reader) {
  const seen = new Map();
  for (const [topic, partition, offset, value] of lines(directory, `read.${reader}.`)) {
    const place = `${topic}/${partition}`;
    const offsets = seen.get(place) ?? new Map();
    seen.set(place, offsets);
    const values = offsets.get(Number(offset));
    if (values === undefined) offsets.set(Number(offset), value);
    else if (values !== value) offsets.set(Number(offset), `${values} and ${value}`);
  }
  return seen;
}

module.exports = { Ledger, readAcknowledged, readProcessed };
