import { setImmediate, setTimeout } from 'node:timers';
import { Arena, type SendError } from '../arena';
import type { NativeErrorData } from '../binding';
import { KafkaError } from '../errors';
import { hold, release } from '../lifetime';
import { KafkaJSNonRetriableError, KafkaJSTimeout, toKafkaJSError } from './errors';
import type { Lane } from './lane';
import type { Message, RecordMetadata } from './messages';
import type { ICustomPartitioner } from './partitioners';
import { Send, Topic, type Place } from './send';

/** What may be under way, and how long a send waits for room. @internal */
export interface OutboxLimits {
  messages: number;
  bytes: number;
  /** Milliseconds; Infinity = as long as it takes. */
  maxBlock: number;
}

/**
 * What one turn of the event loop settles at most, and hands over at most, a quarter of a millisecond of work each: then others have
 * their turn. Were tens of thousands of messages settled at once, their senders would make as many new ones, which then wait.
 */
const TURN_MESSAGES = 1024;
const TURN_BYTES = 1024 * 1024;
/** Sends of fewer messages cross together; a call of the addon costs as much as gathering so many. */
const GATHER = 256;
const TOPIC = /^[A-Za-z0-9._-]{1,249}$/;
/** A topic's partitions are asked for so often before its sends fail. */
const TRIES = 20;

/** Of every producer: what is packed is handed over before anybody else can. */
let arena: Arena | undefined;

/**
 * Where a producer's sends wait and are settled. Those of one turn of the event loop are packed together, in the order of
 * the calls, and handed over in few calls of the addon. What is beyond the limits waits here, which is the producer's
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

  /** What lanes told and was not settled yet, in order; `#at` is where to go on in the first. */
  readonly #receipts: { columns: Float64Array; errors: NativeErrorData[] }[] = [];
  #at = 0;
  #settling = false;

  readonly #gathered: Message[] = [];
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
      if (!TOPIC.test(name)) throw new KafkaJSNonRetriableError(`Invalid topic "${name}": a name has 1 to 249 letters, digits, '.', '_' and '-'`);
      this.#topics.set(name, (topic = new Topic(name)));
    }
    return topic;
  }

  /** The messages have been checked. */
  send(topic: Topic, place: Place, messages: Message[], signal: AbortSignal | undefined): Promise<RecordMetadata[]> {
    if (messages.length === 0) return Promise.resolve([]);
    if (signal?.aborted) return Promise.reject(signal.reason);
    return new Promise((resolve, reject) => {
      const since = this.#limits.maxBlock === Infinity ? 0 : performance.now();
      const send = new Send(topic, place, messages, since, resolve, reject);
      if (signal) this.#watch(send, signal);
      if (this.#open++ === 0) hold();
      if (topic.parked.length > 0 || !this.#admit(send)) topic.parked.push(send);
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
    if (!this.#settling) this.#settle(TURN_MESSAGES);
  };

  /** Settles all that was told: after the lanes have ended. */
  settleRest(): void {
    this.#settle(Infinity);
  }

  /** Settles what was told, until so many messages are through; what is left has the next turn. */
  #settle(messages: number): void {
    const until = this.#messages - messages;
    for (let receipts; (receipts = this.#receipts[0]) !== undefined; ) {
      const { columns, errors } = receipts;
      while (this.#at < columns.length && this.#messages > until) this.#settleOne(columns, errors);
      if (this.#at < columns.length) break;
      this.#receipts.shift();
      this.#at = 0;
    }
    if (this.#receipts.length > 0 && !this.#settling) {
      this.#settling = true;
      setImmediate(this.#nextSettle);
    }
    if (!this.#scheduled) this.#pump();
  }

  readonly #nextSettle = (): void => {
    this.#settling = false;
    this.#settle(TURN_MESSAGES);
  };

  #settleOne(columns: Float64Array, errors: NativeErrorData[]): void {
    const at = this.#at;
    const error = columns[at + 1]!;
    const partitions = columns[at + 2]!;
    const send = this.#take(columns[at]!);
    send.through(columns, at + 3, partitions, error < 0 ? undefined : errors[error]);
    if (error >= 0) send.topic.partitions = undefined; // they may have changed
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

  /** Into the queue, unless its topic is not ready for it. */
  #admit(send: Send): boolean {
    const { topic, place } = send;
    if (topic.place !== place && topic.underWay > 0) return false;
    if (this.#partitioner !== undefined && !send.partitioned && !this.#partition(send)) return send.abandoned;
    topic.place = place;
    topic.underWay++;
    this.#queue.push(send);
    this.#schedule();
    return true;
  }

  /** Asks the partitioner; false when the topic's partitions are not known yet, or when it threw and the send is given up. */
  #partition(send: Send): boolean {
    const { topic } = send;
    if (topic.partitions === undefined || performance.now() - topic.askedAt > this.#maxAge) void this.#askFor(send.place.lane, topic);
    const partitionMetadata = topic.partitions;
    if (partitionMetadata === undefined) return false;
    try {
      send.messages = send.messages.map((message) => {
        const partition = this.#partitioner!({ topic: topic.name, partitionMetadata, message });
        if (!Number.isInteger(partition) || partition < 0) {
          throw new KafkaJSNonRetriableError(`The partitioner gave ${String(partition)} for a message to topic "${topic.name}": it must be the number of a partition`);
        }
        return { ...message, partition };
      });
      return (send.partitioned = true);
    } catch (error) {
      send.abandon(error);
      this.#close(send);
      return false;
    }
  }

  async #askFor(lane: Lane, topic: Topic): Promise<void> {
    if (topic.asking) return;
    topic.asking = true;
    try {
      topic.partitions = await lane.partitions(topic.name, TRIES);
      topic.askedAt = performance.now();
    } catch (error) {
      // Those that wait have nowhere to go; with partitions that are old, the others go on.
      if (topic.partitions === undefined) for (const send of [...topic.parked]) this.#abandon(send, error as Error);
    } finally {
      topic.asking = false;
      this.#unpark(topic);
    }
  }

  #unpark(topic: Topic): void {
    while (topic.parked.length > 0 && this.#admit(topic.parked[0]!)) topic.parked.shift();
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
    let left = TURN_MESSAGES;
    const bytes = Math.min(this.#limits.bytes, this.#bytes + TURN_BYTES);
    while (this.#head < this.#queue.length && this.#messages < this.#limits.messages && this.#bytes < this.#limits.bytes) {
      const first = this.#queue[this.#head]!;
      // No send is cut in two only because the turn ends.
      if (left <= 0 || this.#bytes >= bytes || (left < TURN_MESSAGES && first.left > left)) {
        this.#scheduled = true;
        setImmediate(this.#turn);
        break;
      }
      if (first.abandoned) this.#head++;
      else left -= this.#handOver(first.place.lane, Math.min(left, this.#limits.messages - this.#messages), bytes);
    }
    if (this.#head === this.#queue.length) this.#queue.length = this.#head = 0;
    else if (this.#head > 4096) this.#queue.splice(0, this.#head), (this.#head = 0);
    this.#watchDeadline();
  }

  /**
   * Packs the sends at the head of the queue that go through one lane, up to `limit` messages and until `bytes` are under way,
   * and hands them over; returns how many messages that were.
   */
  #handOver(lane: Lane, limit: number, bytes: number): number {
    const first = this.#queue[this.#head]!;
    let payloads: readonly Message[] = first.messages;
    let from = first.next;
    // A send that is large, or alone, is packed where it lies.
    if (first.left < Math.min(limit, GATHER) && this.#head + 1 < this.#queue.length) {
      payloads = this.#gather(lane, limit);
      from = 0;
    }
    const mine = (arena ??= new Arena('kafkajs'));
    arena = undefined;
    const begin = from;
    const end = Math.min(payloads.length, from + limit);
    try {
      while (from < end && this.#bytes < bytes) {
        const refused: SendError[] = [];
        const next = mine.pack(payloads, from, refused, end - from);
        const tickets = this.#issue(mine, from, next, refused);
        from = next;
        if (mine.count > 0) this.#cross(lane, mine, tickets);
      }
      return from - begin;
    } finally {
      mine.shrink();
      arena = mine;
      this.#gathered.length = 0;
    }
  }

  #gather(lane: Lane, limit: number): readonly Message[] {
    const gathered = this.#gathered;
    for (let i = this.#head; i < this.#queue.length && gathered.length < limit; i++) {
      const send = this.#queue[i]!;
      if (send.abandoned) continue;
      if (send.place.lane !== lane) break;
      if (gathered.length > 0 && gathered.length + send.left > limit) break;
      const { messages } = send;
      for (let n = send.next; n < messages.length && gathered.length < limit; n++) gathered.push(messages[n]!);
    }
    return gathered;
  }

  /** Makes the tickets of what was packed, which is the payloads from `from` to `next`; returns how many. */
  #issue(packed: Arena, from: number, next: number, refused: readonly SendError[]): number {
    let tickets = 0;
    let slot = 0;
    for (let at = from; at < next; ) {
      const send = this.#queue[this.#head]!;
      if (send.abandoned) {
        this.#head++;
        continue;
      }
      const end = at + Math.min(next - at, send.left);
      send.next += end - at;
      let count = end - at;
      for (const { index, code, errno, message } of refused) {
        if (index < at || index >= end) continue;
        count--;
        send.fail(toKafkaJSError(new KafkaError(message, { code, errno })));
      }
      at = end;
      if (send.left === 0) {
        this.#head++;
        send.letGo();
      }
      if (count > 0) this.#issueOne(send, tickets++, count, packed.index, slot);
      else if (send.ended) this.#end(send);
      slot += count;
    }
    return tickets;
  }

  #issueOne(send: Send, place: number, count: number, index: Int32Array, slot: number): void {
    let size = 0;
    for (let i = 3 * slot, end = 3 * (slot + count); i < end; i++) if (index[i]! > 0) size += index[i]!;
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

  #cross({ native }: Lane, { bytes, index, count, timestamps, partitions }: Arena, tickets: number): void {
    try {
      native.sendTickets(bytes, index, count, timestamps, partitions, this.#tickets, tickets);
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

  #watch(send: Send, signal: AbortSignal): void {
    const abort = (): void => this.#abandon(send, signal.reason);
    signal.addEventListener('abort', abort, { once: true });
    send.onEnd = [() => signal.removeEventListener('abort', abort)];
  }

  /** Rejects a send, whether it waits or is under way. */
  #abandon(send: Send, reason: unknown): void {
    if (send.abandoned) return;
    send.abandon(reason);
    const { parked } = send.topic;
    const place = parked.indexOf(send);
    if (place >= 0) {
      parked.splice(place, 1);
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
    if (--this.#open === 0) release();
  }

  /** Gives up what waits for room for too long: those in front have waited longest. */
  #watchDeadline(): void {
    if (this.#limits.maxBlock === Infinity || this.#deadline !== undefined || this.#head === this.#queue.length) return;
    const left = this.#queue[this.#head]!.since + this.#limits.maxBlock - performance.now();
    this.#deadline = setTimeout(() => {
      this.#deadline = undefined;
      const late = performance.now() - this.#limits.maxBlock;
      const reason = new KafkaJSTimeout(`No room in the producer's buffer for ${this.#limits.maxBlock} ms (maxBlock): ${this.#messages} messages are under way`);
      for (const send of [...this.#waiting()]) if (send.since <= late) this.#abandon(send, reason);
      this.#pump();
    }, Math.max(0, left)).unref();
  }
}
