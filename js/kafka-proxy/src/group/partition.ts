// A partition that this process has in a group: what its reader was sent, and what of that is acknowledged.

// From the module, not from the globals: fake timers of a test framework must not stop it.
import { clearTimeout, setTimeout } from 'node:timers';
import type { EachBatchPayload } from 'kafka-native';
import { ProxyError } from '../errors';
import type { Room } from '../flow';
import { besidesOf, frameOf, type Frame } from '../frames';
import type { Place, TopicPartition } from '../subscription';
import type { Reader } from './reader';

/** So many holes may lie between messages that were sent and not acknowledged: then it is waited for acks. */
const HOLES = 10_000;
/** The longest time of a timer. */
const LONGEST_MS = 2 ** 31 - 1;

/** A batch of which not everything is sent: its handler waits. */
interface Held {
  readonly payload: EachBatchPayload;
  readonly offsets: Float64Array;
  /** The place of the first message that is not sent. */
  at: number;
  /** Bytes of a message besides its key and value; undefined: nobody has asked. */
  besides?: number;
  readonly since: number;
  /** The handler returns. */
  done(): void;
}

/** An acknowledged message, and its reader, which hears when it is committed. */
export interface Acked {
  reader: Reader;
  offset: number;
}

/** The consumer, as a partition needs it. */
export interface PartitionOwner {
  seek(where: TopicPartition, offset: number): void;
  /** In the client of Kafka: nothing is fetched ahead. */
  pause(where: TopicPartition): void;
  resume(where: TopicPartition): void;
  /** Something may be committed. */
  commit(partition: GroupPartition): void;
}

/** From one assignment to the next revocation. Its messages go to one reader at a time. */
export class GroupPartition implements TopicPartition {
  reader: Reader | undefined;
  /** It waits for what its reader has not acknowledged yet, then another gets it: nothing is sent. */
  leaving = false;
  /** It may be dealt: it is known where it begins. */
  ready = false;
  /** The group takes it away. */
  revoked = false;
  /** It is not this process's any more: nothing of it is committed, or told to be. */
  ended = false;
  /** False: where it begins is to be committed before anything is sent, so that who comes after a crash begins there, too. */
  settled = true;
  /** Everything below is acknowledged, or there is nothing to be: this is committed. Undefined: not known yet. */
  acked: number | undefined;
  /** The offset that was committed last, as far as it is known. */
  committed: number | undefined;
  /** This could not be committed, and never will. */
  refused: number | undefined;
  /** Acks whose readers wait to hear that they are committed. */
  waiting: Acked[] = [];
  /** A warning for its next reader: messages that the group never got. */
  warning: ProxyError | undefined;

  /** The first offset that its reader may acknowledge. */
  #begin = 0;
  /** The offset behind all that was sent, and behind what follows it and is not for the reader. */
  #sent = 0;
  /** The last message that was sent. */
  #last = -1;
  /** Behind the message `last` there is nothing for the reader up to `next`. */
  #holes: { last: number; next: number }[] = [];
  #held: Held | undefined;
  /** Its batch was held for so long that nothing is fetched ahead. */
  #stalled = false;
  #delay: NodeJS.Timeout | undefined;
  #onDrained: (() => void)[] = [];

  constructor(
    readonly topic: string,
    readonly partition: number,
    readonly owner: PartitionOwner,
  ) {}

  get key(): string {
    return `${this.topic}/${this.partition}`;
  }

  /** The reader was sent what it has not acknowledged. */
  get inFlight(): boolean {
    return this.acked !== undefined && this.acked < this.#sent;
  }

  get dirty(): boolean {
    return !this.ended && this.acked !== undefined && this.acked !== this.committed && this.acked !== this.refused;
  }

  /** Where its reader goes on. A partition of which nothing is known yet begins with any offset. */
  get place(): Place {
    return { topic: this.topic, partition: this.partition, offset: this.acked ?? 0 };
  }

  /** It begins there, whatever was before. */
  begin(offset: number): void {
    this.#begin = this.#sent = this.acked = offset;
    this.#last = offset - 1;
    this.#holes = [];
    this.waiting = this.waiting.filter((each) => each.offset < offset);
  }

  /** The next batch; resolves when all of it is sent, or it is taken back. */
  take(payload: EachBatchPayload): Promise<void> {
    if (this.ended || payload.isStale() || !payload.isRunning()) return Promise.resolve();
    const { offsets } = payload.batch.columns;
    const first = offsets[0]!;
    // Nothing is known of it, or the topic was made anew: with the old one Kafka has forgotten what the group had committed.
    if (this.acked === undefined || first < this.#sent) {
      this.begin(first);
      this.committed = undefined;
      this.settled = false;
      this.reader?.assigned([this]);
      this.owner.commit(this);
    }
    return new Promise((done) => {
      this.#held = { payload, offsets, at: 0, since: Date.now(), done };
      this.reader?.offer(this);
    });
  }

  /** The handler returns: what is not sent comes again, if the partition stays. */
  release(): void {
    const held = this.#held;
    this.#held = undefined;
    if (this.#stalled) this.owner.resume(this);
    this.#stalled = false;
    held?.done();
  }

  /** The consumer wants its batch back. */
  get stale(): boolean {
    return this.#held !== undefined && (this.#held.payload.isStale() || !this.#held.payload.isRunning());
  }

  /** A batch that is held for long keeps its partition from being fetched ahead: it would take the room of the others. */
  stall(before: number): void {
    if (!this.#held || this.#stalled || this.#held.since > before) return;
    this.#stalled = true;
    this.owner.pause(this);
  }

  /** There is something that may be sent to its reader. */
  get sendable(): boolean {
    return this.#held !== undefined && !this.leaving && this.settled && this.#delay === undefined && this.#holes.length < HOLES && !this.stale;
  }

  /** Sends one frame. @throws what encoding throws */
  send(reader: Reader, room: Room): void {
    const held = this.#held!;
    const { payload, offsets, at } = held;
    const { batch } = payload;
    const { format } = reader.outlet;
    const end = cut(held, room);
    const frame = frameOf(batch, format, at, end);
    held.at = end;
    if (frame.count > 0) {
      this.#last = offsets[lastOf(frame, at, end, (from, to) => frameOf(batch, format, from, to))]!;
      this.#sent = this.#last + 1;
    }
    const next = end < offsets.length ? offsets[end]! : Number(batch.lastOffset()) + 1;
    this.#skip(next);
    if (end === offsets.length) {
      payload.resolveOffset(batch.lastOffset());
      this.release();
    }
    if (frame.count > 0) reader.outlet.batch(this.topic, this.partition, frame, next);
  }

  /** Behind what was sent there is nothing for the reader up to `next`. */
  #skip(next: number): void {
    if (next <= this.#sent) return;
    if (!this.inFlight) {
      this.#sent = this.acked = next;
      this.owner.commit(this);
      return;
    }
    this.#sent = next;
    const hole = this.#holes.at(-1);
    if (hole?.last === this.#last) hole.next = next;
    else this.#holes.push({ last: this.#last, next });
  }

  /** @throws ProxyError for what this reader was not sent */
  ack(reader: Reader, offset: number): void {
    this.#check('ack', offset);
    const before = this.acked!;
    if (offset >= before) {
      let acked = offset + 1;
      let holes = 0;
      for (const { last, next } of this.#holes) {
        if (last > offset) break;
        acked = Math.max(acked, next);
        holes++;
      }
      this.#holes.splice(0, holes);
      this.acked = acked;
    }
    if (this.committed !== undefined && offset < this.committed && this.committed <= this.acked!)
      return reader.committed({ topic: this.topic, partition: this.partition, offset });
    this.wait({ reader, offset });
    this.owner.commit(this);
    this.#drained();
    if (this.#held) reader.offer(this);
  }

  /** Of each reader the last. */
  wait({ reader, offset }: Acked): void {
    const known = this.waiting.find((each) => each.reader === reader);
    if (!known) this.waiting.push({ reader, offset });
    else known.offset = Math.max(known.offset, offset);
  }

  /** @throws ProxyError for what this reader was not sent, or has acknowledged */
  nack(offset: number, delay: number): void {
    this.#check('nack', offset);
    if (offset < this.acked!) throw new ProxyError('INVALID_OFFSET', `nack: the message ${this.key}/${offset} is acknowledged already; seek to have it again`);
    clearTimeout(this.#delay);
    this.#delay = undefined;
    if (delay > 0) {
      this.#delay = setTimeout(
        () => {
          this.#delay = undefined;
          this.reader?.offer(this);
        },
        Math.min(delay, LONGEST_MS),
      );
    }
    this.#rewind(offset);
  }

  #check(call: string, offset: number): void {
    if (!Number.isSafeInteger(offset) || offset < this.#begin || offset >= this.#sent || this.acked === undefined)
      throw new ProxyError(
        'INVALID_OFFSET',
        `${call}: the message ${this.key}/${offset} was not sent to this subscription since the partition was assigned to it`,
      );
  }

  #rewind(offset: number): void {
    this.#sent = offset;
    this.#last = Math.min(this.#last, offset - 1);
    this.#holes = this.#holes.filter(({ last }) => last < offset).map(({ last, next }) => ({ last, next: Math.min(next, offset) }));
    this.owner.seek(this, offset);
    this.release();
    this.#drained();
  }

  /** The reader wants to go on there: so will the group. */
  seek(offset: number): void {
    this.begin(offset);
    this.owner.seek(this, offset);
    this.release();
    clearTimeout(this.#delay);
    this.#delay = undefined;
    this.owner.commit(this);
    this.#drained();
  }

  /** A new reader begins behind what is acknowledged. */
  give(reader: Reader): void {
    this.reader = reader;
    this.leaving = false;
    if (this.acked !== undefined) this.#begin = this.acked;
  }

  /** Its reader has it no more: what that has not acknowledged comes again. */
  takeAway(): void {
    this.reader = undefined;
    this.leaving = false;
    clearTimeout(this.#delay);
    this.#delay = undefined;
    if (this.inFlight && !this.ended) this.#rewind(this.acked!);
    this.#drained();
  }

  /** It is gone from this process. */
  end(): void {
    this.ended = true;
    this.waiting = [];
    this.release();
    this.takeAway();
  }

  /** Resolves when its reader has acknowledged all that it was sent, has gone, or the time is over. */
  drained(ms: number): Promise<void> {
    if (!this.inFlight || !this.reader) return Promise.resolve();
    return new Promise((resolve) => {
      const timer = setTimeout(resolve, ms);
      this.#onDrained.push(() => {
        clearTimeout(timer);
        resolve();
      });
    });
  }

  #drained(): void {
    if (this.inFlight && this.reader) return;
    const waiting = this.#onDrained;
    this.#onDrained = [];
    for (const resolve of waiting) resolve();
  }
}

/** How far a frame goes that has room for so much; at least one message. */
function cut(held: Held, { messages, bytes }: Room): number {
  const { batch } = held.payload;
  const { keyLengths, valueLengths } = batch.columns;
  const end = Math.min(held.offsets.length, held.at + messages);
  if (bytes === Number.POSITIVE_INFINITY) return end;
  held.besides ??= besidesOf(batch);
  let { at } = held;
  for (let sum = 0; at < end && sum < bytes; at++) sum += held.besides + Math.max(keyLengths[at]!, 0) + Math.max(valueLengths[at]!, 0);
  return at;
}

/** The place of the last message that is in the frame. */
function lastOf({ count }: Frame, begin: number, end: number, frame: (begin: number, end: number) => Frame): number {
  if (count === end - begin) return end - 1;
  // The rule has left some out: the last that it wants is in the upper half, or else in the lower.
  while (end - begin > 1) {
    const middle = (begin + end) >>> 1;
    if (frame(middle, end).count > 0) begin = middle;
    else end = middle;
  }
  return begin;
}
