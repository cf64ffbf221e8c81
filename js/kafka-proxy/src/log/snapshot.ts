// The entries of tables, sent to one subscription while the tables change.

import type { Room } from '../flow';
import { snapshotOf, type Frame, type FrameFormat } from '../frames';
import type { TopicPartition } from '../subscription';
import type { Entry, TablePart } from './table';

/** Entries of a frame. */
const ENTRIES = 1000;
/** Bytes of a frame, about. */
const BYTES = 128 * 1024;
/** Entries that are looked at in one go. */
const LOOKS = 20_000;

interface Left extends TopicPartition {
  part: TablePart;
  /** Where the subscription begins: what is newer comes from the log, so that nothing goes a step back. */
  begin: number;
  entries: MapIterator<[string, Entry]>;
}

/**
 * An entry that is changed meanwhile is left out, whether it was sent before or not: its newest message is in the log, behind the begin. So the
 * subscription is not caught up before it has got what the log had when the last entry was sent.
 */
export class Snapshot {
  #left: Left[];

  constructor(parts: readonly TablePart[]) {
    this.#left = parts.map((part) => ({
      part,
      topic: part.log.topic,
      partition: part.log.partition,
      begin: part.next,
      entries: part.entries.entries(),
    }));
  }

  get done(): boolean {
    return this.#left.length === 0;
  }

  /** A topic is gone. */
  remove(topic: string): void {
    this.#left = this.#left.filter((each) => each.topic !== topic);
  }

  /** The next frame; without one: nothing was to send in what it has looked at. Undefined: all that is left is paused. */
  next(format: FrameFormat, room: Room, paused: (where: TopicPartition) => boolean): { where: TopicPartition; frame?: Frame; next: number } | undefined {
    const left = this.#left.find((each) => !paused(each));
    if (!left) return undefined;
    const { topic, partition, begin, entries } = left;
    const most = Math.min(ENTRIES, room.messages);
    const size = Math.min(BYTES, room.bytes);
    const taken = [];
    let bytes = 0;
    for (let looks = 0; looks < LOOKS && taken.length < most && bytes < size; looks++) {
      const { value: each, done } = entries.next();
      if (done) {
        this.#left = this.#left.filter((other) => other !== left);
        break;
      }
      const [key, { offset, timestamp, value, headers, bytes: more }] = each;
      if (offset >= begin) continue;
      taken.push({ offset, timestamp, key: Buffer.from(key, 'latin1'), value, headers });
      bytes += more;
    }
    const frame = taken.length > 0 ? snapshotOf(topic, partition, taken, format) : undefined;
    return { where: { topic, partition }, ...(frame && frame.count > 0 && { frame }), next: begin };
  }
}
