import { now, setImmediate, setTimeout } from '../../clock';
import { type Arena } from '../../arena';
import type { NativeErrorData } from '../../binding';
import { hold, release } from '../../lifetime';
import { partitionOf } from '../../numbers';
import { describe, isTopicName, TOPIC_NAMES } from '../../options';
import { invalidTopic, KafkaJSNonRetriableError, KafkaJSTimeout } from '../errors';
import type { Lane } from './lane';
import { keepBytes, ownMessage, type Message, type RecordMetadata } from './messages';
import { Packer, type Packed } from './packer';
import type { ICustomPartitioner } from './partitioners';
import { Send, Topic, type Place } from './send';

/** Limits of what may be under way, and of how long a send waits for room. @internal */
export interface OutboxLimits {
  messages: number;
  bytes: number;
  /** Milliseconds; Infinity = as long as it takes. */
  maxBlock: number;
}

/**
 * Messages that one turn of the event loop settles at most, a quarter of a millisecond of work: then others have their turn. Were tens of thousands of
 * messages, or tens of megabytes, settled at once, their senders would make as many new ones, which then wait.
 */
const SETTLED = 1024;
const SETTLED_BYTES = 1024 * 1024;
/**
 * Messages handed over in one turn at most. Mostly each message that is settled is followed by another: if no more were handed over than settled, those
 * that wait would never become fewer. They keep their arenas, which have left the processor's cache when they are read
 * (`npm run bench -- --shapes produce`).
 */
const HANDED = 2 * SETTLED;
const HANDED_BYTES = 2 * SETTLED_BYTES;
/** Milliseconds between two questions for a topic of which a partition is not known. */
const LOOK_AGAIN_MS = 100;
/** A topic's partitions are asked for so often before its sends fail. */
const TRIES = 20;

/**
 * Where a producer's sends wait and are settled. Each is packed at the call; those of one turn of the event loop lie side by
 * side, in the order of the calls, and are handed over in few calls of the addon. Sends beyond the limits wait here, which is the producer's
 * back-pressure: the receipts of what is under way make room.
 * @internal
 */
export class Outbox {
  readonly #limits: OutboxLimits;
  readonly #partitioner: ReturnType<ICustomPartitioner> | undefined;
  /** Milliseconds after which a topic's partitions are asked for again. */
  readonly #maxAge: number;
  readonly #topics = new Map<string, Topic>();

  /** From `#head` on: what waits to be handed over. */
  readonly #queue: Send[] = [];
  #head = 0;
  #scheduled = false;
  #deadline: NodeJS.Timeout | undefined;
  /** Sends that have not ended. */
  #open = 0;

  /** By ticket: whose it is, how many messages and bytes. */
  readonly #owners: (Send | undefined)[] = [];
  readonly #counts: number[] = [];
  readonly #sizes: number[] = [];
  readonly #free: number[] = [];
  #messages = 0;
  #bytes = 0;

  /** Receipts of lanes, not settled yet, in order; `#at` is where to go on in the first. */
  readonly #receipts: { columns: Float64Array; errors: NativeErrorData[] }[] = [];
  #at = 0;
  /** The next turn goes on with them; until then nothing is settled. */
  #resting = false;

  readonly #packer = new Packer();
  #tickets = new Int32Array(3 * 64);

  constructor(limits: OutboxLimits, partitioner: ReturnType<ICustomPartitioner> | undefined, maxAge: number) {
    this.#limits = limits;
    this.#partitioner = partitioner;
    this.#maxAge = maxAge;
  }

  /** @throws KafkaJSNonRetriableError for what cannot be a topic's name */
  topic(name: string): Topic {
    let topic = this.#topics.get(name);
    if (topic === undefined) {
      if (!isTopicName(name)) {
        const cause = invalidTopic(`Invalid topic "${name}": ${TOPIC_NAMES}`);
        throw new KafkaJSNonRetriableError(cause, { cause });
      }
      this.#topics.set(name, (topic = new Topic(name)));
    }
    return topic;
  }

  /**
   * Keeps the messages as they are now. Packed messages have to be sent, or dropped.
   * @throws KafkaJSNonRetriableError for a message that cannot be sent; what a getter of one threw
   */
  pack(topic: string, messages: Message[]): Packed {
    if (this.#partitioner === undefined) return this.#packer.pack(topic, messages);
    const own = messages.map(ownMessage);
    const packed = this.#packer.pack(topic, own);
    packed.unplaced = own;
    return packed;
  }

  drop(packed: Packed): void {
    this.#packer.drop(packed);
  }

  send(topic: Topic, place: Place, packed: Packed, signal: AbortSignal | undefined): Promise<RecordMetadata[]> {
    return new Promise((resolve, reject) => {
      const since = this.#limits.maxBlock === Infinity ? 0 : now();
      const send = new Send(topic, place, packed, since, resolve, reject);
      if (signal !== undefined && !this.#watch(send, signal)) return;
      if (this.#open++ === 0) hold(this);
      if (topic.parked.length > 0 || !this.#admit(send)) this.#park(send);
    });
  }

  /** Resolves when what was sent before has ended: delivered, failed or given up. */
  settled(): Promise<void> {
    const unfinished = new Set(this.#owners.filter((send) => send !== undefined));
    for (const send of this.#waiting()) unfinished.add(send);
    return new Promise((resolve) => {
      let left = unfinished.size;
      if (left === 0) resolve();
      for (const send of unfinished) (send.onEnd ??= []).push(() => void (--left === 0 && resolve()));
    });
  }

  /** Gives up what was not handed over, all of it or what goes through one lane. */
  giveUp(reason: Error, lane?: Lane): void {
    for (const send of [...this.#waiting()]) {
      if (lane === undefined || send.place.lane === lane) this.#abandon(send, reason);
    }
  }

  /** Receipts of a lane. */
  readonly settle = (columns: Float64Array, errors: NativeErrorData[]): void => {
    this.#receipts.push({ columns, errors });
    if (!this.#resting) this.#settle(SETTLED, SETTLED_BYTES);
  };

  /** Settles all that was told: after the lanes have ended. */
  settleRest(): void {
    this.#settle(Infinity, Infinity);
  }

  readonly #rest = (): void => {
    this.#resting = false;
    this.#settle(SETTLED, SETTLED_BYTES);
  };

  /** Settles what was told, until so many messages or bytes are through; what is left has the next turn. */
  #settle(messages: number, bytes: number): void {
    const until = this.#messages - messages;
    const untilBytes = this.#bytes - bytes;
    for (let receipts; (receipts = this.#receipts[0]) !== undefined; ) {
      const { columns, errors } = receipts;
      while (this.#at < columns.length && this.#messages > until && this.#bytes > untilBytes) this.#settleOne(columns, errors);
      if (this.#at < columns.length) break;
      this.#receipts.shift();
      this.#at = 0;
    }
    if (this.#receipts.length > 0 && !this.#resting) {
      this.#resting = true;
      setImmediate(this.#rest);
    }
    if (!this.#scheduled) this.#pump();
  }

  #settleOne(columns: Float64Array, errors: NativeErrorData[]): void {
    const at = this.#at;
    const error = columns[at + 1]!;
    const partitions = columns[at + 2]!;
    const send = this.#take(columns[at]!);
    const failure = error < 0 ? undefined : errors[error];
    send.through(columns, at + 3, partitions, failure);
    if (failure) {
      send.topic.partitions = undefined; // they may have changed
      if (failure.name === '_UNKNOWN_PARTITION') void this.#lookAgain(send.place.lane, send.topic);
    }
    if (send.ended) this.#end(send);
    this.#at += 3 + 3 * partitions;
  }

  /** The ticket is through: what it stood for is no longer under way. */
  #take(ticket: number): Send {
    const send = this.#owners[ticket]!;
    this.#owners[ticket] = undefined;
    this.#messages -= this.#counts[ticket]!;
    this.#bytes -= this.#sizes[ticket]!;
    this.#free.push(ticket);
    send.tickets--;
    return send;
  }

  *#waiting(): Generator<Send> {
    for (let i = this.#head; i < this.#queue.length; i++) if (!this.#queue[i]!.abandoned) yield this.#queue[i]!;
    for (const topic of this.#topics.values()) yield* topic.parked;
  }

  /** Into the queue, unless its topic is not ready for it. True also when it was given up. */
  #admit(send: Send): boolean {
    const { topic, place } = send;
    if (topic.place !== place && topic.underWay > 0) return false;
    if (send.packed.unplaced !== undefined && !this.#partition(send)) return send.abandoned;
    topic.place = place;
    topic.underWay++;
    send.admitted = true;
    this.#queue.push(send);
    this.#schedule();
    return true;
  }

  /** It waits for its topic; what the partitioner will be asked about stays as it is now. */
  #park(send: Send): void {
    send.packed.unplaced?.forEach(keepBytes);
    send.topic.parked.push(send);
    this.#watchDeadline();
  }

  /** Asks the partitioner; false when the topic's partitions are not known yet, or when the send is given up. */
  #partition(send: Send): boolean {
    const { topic, packed } = send;
    if (topic.partitions === undefined || now() - topic.askedAt > this.#maxAge) void this.#askFor(send.place.lane, topic);
    const partitionMetadata = topic.partitions;
    if (partitionMetadata === undefined) return false;
    try {
      const chosen = packed.unplaced!.map((message) => {
        const given: unknown = this.#partitioner!({ topic: topic.name, partitionMetadata, message });
        const partition = partitionOf(given);
        if (partition === undefined) {
          throw new KafkaJSNonRetriableError(
            `The partitioner gave ${describe(given)} for a message to topic "${topic.name}": it must be the number of a partition`,
          );
        }
        return partition;
      });
      if (send.abandoned) return false; // by the partitioner
      packed.place(chosen);
      return true;
    } catch (error) {
      this.#abandon(send, error);
      return false;
    }
  }

  async #askFor(lane: Lane, topic: Topic): Promise<void> {
    if (topic.asking) return;
    topic.asking = true;
    try {
      topic.partitions = await lane.partitions(topic.name, TRIES);
      topic.askedAt = now();
    } catch (error) {
      // Those that wait have nowhere to go; with partitions that are old, the others go on.
      if (topic.partitions === undefined) for (const send of [...topic.parked]) this.#abandon(send, error as Error);
    } finally {
      topic.asking = false;
      this.#unpark(topic);
    }
  }

  /** A partition that librdkafka does not know may be new: by itself it would ask again in minutes. Not more often than a broker may be asked. */
  async #lookAgain(lane: Lane, topic: Topic): Promise<void> {
    if (now() - topic.lookedAt < LOOK_AGAIN_MS) return;
    topic.lookedAt = Number.POSITIVE_INFINITY; // it is asked
    await lane.partitions(topic.name, 1).catch(() => {});
    topic.lookedAt = now();
  }

  #unpark(topic: Topic): void {
    if (topic.unparking) return; // a partitioner gave another send up
    topic.unparking = true;
    for (let send; (send = topic.parked[0]) !== undefined && this.#admit(send); ) if (topic.parked[0] === send) topic.parked.shift();
    topic.unparking = false;
  }

  #schedule(): void {
    if (this.#scheduled) return;
    this.#scheduled = true;
    queueMicrotask(this.#turn);
  }

  readonly #turn = (): void => {
    this.#scheduled = false;
    this.#pump();
  };

  /** Hands over what there is room for, as much as one turn may. */
  #pump(): void {
    let left = HANDED;
    const bytes = Math.min(this.#limits.bytes, this.#bytes + HANDED_BYTES);
    while (this.#head < this.#queue.length && this.#messages < this.#limits.messages && this.#bytes < this.#limits.bytes) {
      const first = this.#queue[this.#head]!;
      // No send is cut in two only because the turn ends.
      if (left <= 0 || this.#bytes >= bytes || (left < HANDED && first.left > left)) {
        this.#scheduled = true;
        setImmediate(this.#turn);
        break;
      }
      if (first.abandoned) this.#head++;
      else left -= this.#handOver(first, Math.min(left, this.#limits.messages - this.#messages), bytes);
    }
    if (this.#head === this.#queue.length) this.#queue.length = this.#head = 0;
    else if (this.#head > 4096) this.#queue.splice(0, this.#head), (this.#head = 0);
    this.#watchDeadline();
  }

  /**
   * Hands over the sends at the head of the queue that lie side by side and go through one lane, up to `limit` messages and until
   * `bytes` are under way; returns how many messages that were.
   */
  #handOver(first: Send, limit: number, bytes: number): number {
    const { arena, at, byte } = first.packed;
    const { lane } = first.place;
    let tickets = 0;
    let count = 0;
    let end = byte;
    arena.users++; // the last of its sends is through before it has crossed
    for (let send: Send | undefined = first; send !== undefined; send = this.#next(arena, at + count, lane, limit - count, bytes)) {
      const { packed } = send;
      const begin = end;
      const from = packed.at;
      let to = from;
      for (const most = Math.min(arena.count, from + packed.left, from + limit - count); to < most && this.#bytes + end - begin < bytes; to++)
        end += sizeOf(arena.index, to);
      count += to - from;
      this.#packer.advance(packed, to - from, end - begin);
      this.#issue(send, tickets++, to - from, end - begin);
      if (packed.left > 0) break;
      this.#head++;
    }
    this.#cross(lane, arena, at, byte, end, count, tickets);
    this.#packer.release(arena);
    return count;
  }

  /** The send at the head of the queue, if it lies there, goes through the lane and there is room for all of it. */
  #next(arena: Arena, at: number, lane: Lane, limit: number, bytes: number): Send | undefined {
    while (this.#queue[this.#head]?.abandoned) this.#head++;
    const send = this.#queue[this.#head];
    if (send === undefined || this.#bytes >= bytes || send.left > limit) return undefined;
    const { packed } = send;
    return packed.arena === arena && packed.at === at && send.place.lane === lane ? send : undefined;
  }

  #issue(send: Send, place: number, count: number, size: number): void {
    const ticket = this.#free.pop() ?? this.#owners.length;
    this.#owners[ticket] = send;
    this.#counts[ticket] = count;
    this.#sizes[ticket] = size;
    this.#messages += count;
    this.#bytes += size;
    send.tickets++;
    if (3 * place === this.#tickets.length) {
      const larger = new Int32Array(2 * this.#tickets.length);
      larger.set(this.#tickets);
      this.#tickets = larger;
    }
    this.#tickets[3 * place] = ticket;
    this.#tickets[3 * place + 1] = send.place.id;
    this.#tickets[3 * place + 2] = count;
  }

  #cross({ native }: Lane, arena: Arena, at: number, byte: number, end: number, count: number, tickets: number): void {
    const { timestamps, partitions } = arena;
    try {
      if (at === 0) native.sendTickets(arena.bytes, arena.index, count, timestamps, partitions, this.#tickets, tickets);
      else {
        const part = <T extends Float64Array | Int32Array>(column: T | null) => column && (column.subarray(at, at + count) as T);
        native.sendTickets(
          arena.bytes.subarray(byte, end),
          arena.index.subarray(3 * at, 3 * (at + count)),
          count,
          part(timestamps),
          part(partitions),
          this.#tickets,
          tickets,
        );
      }
    } catch (thrown) {
      // The client has ended. Nothing was taken.
      const error = new KafkaJSNonRetriableError('The producer is disconnected', { cause: thrown });
      for (let i = 0; i < tickets; i++) {
        const send = this.#take(this.#tickets[3 * i]!);
        send.fail(error);
        if (send.ended) this.#end(send);
      }
    }
  }

  /** False when the signal has been given, or is none. */
  #watch(send: Send, signal: AbortSignal): boolean {
    try {
      signal.throwIfAborted();
      const abort = (): void => this.#abandon(send, signal.reason);
      signal.addEventListener('abort', abort, { once: true });
      send.onEnd = [() => signal.removeEventListener('abort', abort)];
      return true;
    } catch (error) {
      this.#packer.drop(send.packed);
      send.reject(error);
      return false;
    }
  }

  /** Rejects a send, whether it waits or is under way. */
  #abandon(send: Send, reason: unknown): void {
    if (send.abandoned) return;
    send.abandon(reason);
    this.#packer.drop(send.packed);
    if (!send.admitted) {
      const { parked } = send.topic;
      const place = parked.indexOf(send);
      if (place >= 0) parked.splice(place, 1);
      this.#close(send);
    } else if (send.ended) this.#end(send);
  }

  /** A send that was admitted has ended. */
  #end(send: Send): void {
    send.topic.underWay--;
    this.#close(send);
    if (send.topic.parked.length > 0) this.#unpark(send.topic);
  }

  #close(send: Send): void {
    send.end();
    if (--this.#open === 0) release(this);
  }

  /** Gives up what waits for too long. */
  #watchDeadline(): void {
    const { maxBlock } = this.#limits;
    if (maxBlock === Infinity || this.#deadline !== undefined) return;
    let since = Infinity;
    for (const send of this.#waiting()) since = Math.min(since, send.since);
    if (since === Infinity) return;
    this.#deadline = setTimeout(
      () => {
        this.#deadline = undefined;
        const late = now() - maxBlock;
        for (const send of [...this.#waiting()]) if (send.since <= late) this.#abandon(send, this.#late(send));
        this.#pump();
      },
      Math.max(0, since + maxBlock - now()),
    ).unref();
  }

  #late({ admitted, topic, place }: Send): Error {
    const { maxBlock } = this.#limits;
    if (admitted) return new KafkaJSTimeout(`No room in the producer's buffer for ${maxBlock} ms (maxBlock): ${this.#messages} messages are under way`);
    const cause = topic.underWay > 0 && topic.place !== place ? 'what was sent to it before, with other options, is under way' : 'its partitions are not known';
    return new KafkaJSTimeout(`Waited ${maxBlock} ms (maxBlock) for the topic "${topic.name}": ${cause}`);
  }
}

/** The bytes of a packed message. */
function sizeOf(index: Int32Array, at: number): number {
  const key = index[3 * at]!;
  const value = index[3 * at + 1]!;
  return (key > 0 ? key : 0) + (value > 0 ? value : 0) + index[3 * at + 2]!;
}
