import type { NativeErrorData } from '../../binding';
import { fromData } from '../../errors';
import { decimal } from '../decimal';
import { toKafkaJSError } from '../errors';
import type { Lane } from './lane';
import type { RecordMetadata } from './messages';
import type { Packed } from './packer';
import type { PartitionMetadata } from '../partitions';

/** Where the messages of a topic go that are sent in one way. @internal */
export interface Place {
  readonly lane: Lane;
  /** The topic's number in the lane. */
  readonly id: number;
  /** False with `acks: 0`: nobody says where the messages are. */
  readonly acknowledged: boolean;
}

/** A topic that was sent to. @internal */
export class Topic {
  /** By how messages are sent. */
  readonly places = new Map<string, Place>();
  /** Where those that are under way go, and how many sends that are: another place has to wait for them, or the order is lost. */
  place: Place | undefined;
  underWay = 0;
  /** Sends that wait for the topic: for its partitions, or for another place. Those behind them wait, too. */
  readonly parked: Send[] = [];
  /** For a partitioner in JavaScript; undefined = to be asked for. */
  partitions: PartitionMetadata[] | undefined;
  askedAt = 0;
  asking = false;
  /** When it was asked for because a partition was not known; Infinity: it is asked now. */
  lookedAt = Number.NEGATIVE_INFINITY;
  /** Those that wait are being let in. */
  unparking = false;

  constructor(readonly name: string) {}
}

/** The messages of one call for one topic, until all are written or have failed. @internal */
export class Send {
  /** Tickets that were handed over and are not through. */
  tickets = 0;
  /** It is in the queue, or was. */
  admitted = false;
  /** Settled by somebody else (an AbortSignal, a deadline): what was not handed over is not sent. */
  abandoned = false;
  /** Called at the end. */
  onEnd: (() => void)[] | undefined;
  #error: Error | undefined;
  #results: RecordMetadata[] | undefined;

  constructor(
    readonly topic: Topic,
    readonly place: Place,
    readonly packed: Packed,
    /** When it came, where that matters. */
    readonly since: number,
    readonly resolve: (results: RecordMetadata[]) => void,
    readonly reject: (error: unknown) => void,
  ) {}

  /** How many of the messages were not handed over. */
  get left(): number {
    return this.packed.left;
  }

  /** Everything that will be handed over is through. */
  get ended(): boolean {
    return this.tickets === 0 && (this.abandoned || this.left === 0);
  }

  /** Some of the messages will not be written. */
  fail(error: Error): void {
    this.#error ??= error;
  }

  /** Rejects before the end. */
  abandon(reason: unknown): void {
    this.abandoned = true;
    this.reject(reason);
  }

  /** One ticket is through: `count` partitions are told in the columns from `at` on. */
  through(columns: Float64Array, at: number, count: number, error: NativeErrorData | undefined): void {
    if (error !== undefined && this.#error === undefined) this.#error = toKafkaJSError(fromData(error));
    if (this.abandoned || this.#error !== undefined || !this.place.acknowledged) return;
    for (const end = at + 3 * count; at < end; at += 3) this.#written(columns[at]!, columns[at + 1]!, columns[at + 2]!);
  }

  /** Results are in the order of their partitions. */
  #written(partition: number, baseOffset: number, appendTime: number): void {
    const results = (this.#results ??= []);
    let at = results.length;
    while (at > 0 && results[at - 1]!.partition > partition) at--;
    const known = at > 0 ? results[at - 1] : undefined;
    if (known?.partition !== partition) {
      const result = {
        topicName: this.topic.name,
        partition,
        errorCode: 0,
        baseOffset: decimal(baseOffset),
        logAppendTime: decimal(appendTime),
        logStartOffset: '-1',
      };
      if (at === results.length) results.push(result);
      else results.splice(at, 0, result);
    } else if (baseOffset < Number(known.baseOffset)) known.baseOffset = decimal(baseOffset);
  }

  /** Settles the promise; once, when it has ended. */
  end(): void {
    if (!this.abandoned) {
      if (this.#error !== undefined) this.reject(this.#error);
      else this.resolve(this.#results ?? []);
    }
    this.onEnd?.forEach((told) => told());
  }
}
