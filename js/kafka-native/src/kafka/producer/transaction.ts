import { rebalancing, REBALANCING, type TopicOffset, type TopicOffsets } from '../consumer/commits';
import type { KafkaConsumer } from '../consumer/consumer';
import { KafkaError } from '../../errors';
import { integerOf } from '../../numbers';
import { KafkaJSNonRetriableError } from '../errors';
import type { Lane } from './lane';
import type { ProducerBatch, ProducerRecord, RecordMetadata } from './messages';
import type { Outbox } from './outbox';
import { ownMethods } from '../own-methods';
import { checkPartition, shown } from '../given';

export interface Offsets {
  /** The next offsets to be read. */
  topics: TopicOffsets[];
}

/** The group whose offsets a transaction commits. */
export type OffsetsGroup =
  /**
   * The consumer that read the messages. A member that the group has replaced is refused, by KafkaJSProtocolError
   * REBALANCE_IN_PROGRESS, and so are offsets of partitions that it has lost meanwhile: abort, then whoever has them now reads them
   * again. Accepted offsets are no longer among the consumer's `uncommittedOffsets()`, unless the transaction is aborted.
   */
  | { consumer: KafkaConsumer }
  /** The group does not check which member commits: it takes offsets of a replaced member, too. */
  | { consumerGroupId: string }
  /** As a member of the group wrote it: the broker then refuses a member that the group has replaced. */
  | { groupMetadata: Uint8Array };

/** Whose transaction it is: sends through a lane. @internal */
export interface TransactionOwner {
  sendIn(lane: Lane, record: ProducerRecord): Promise<RecordMetadata[]>;
  sendBatchIn(lane: Lane, batch: ProducerBatch): Promise<RecordMetadata[]>;
}

/** The transaction that `producer.transaction()` makes: its methods can be taken off it. */
export interface KafkaTransaction extends Pick<Transaction, keyof Transaction> {}

/**
 * Readers of committed messages see all messages sent through it, or none. Every method rejects with
 * KafkaJSNonRetriableError once it has ended.
 *
 * A fenced producer, whose `transactionalId` a younger one took, is told so by KafkaJSProtocolError INVALID_PRODUCER_EPOCH; it can
 * only disconnect.
 */
export class Transaction {
  readonly #owner: TransactionOwner;
  readonly #lane: Lane;
  readonly #outbox: Outbox;
  readonly #timeout: number;
  readonly #onEnd: () => void;
  #state: 'open' | 'ending' | 'ended' = 'open';
  /** Functions that make the offsets of consumers uncommitted again. */
  readonly #takeBack: (() => void)[] = [];

  /** @internal */
  constructor(owner: TransactionOwner, lane: Lane, outbox: Outbox, timeout: number, onEnd: () => void) {
    this.#owner = owner;
    this.#lane = lane;
    this.#outbox = outbox;
    this.#timeout = timeout;
    this.#onEnd = onEnd;
    ownMethods(this);
  }

  /** Like `Producer.send`. A topic keeps the compression of its first send in a transaction of the producer. */
  async send(record: ProducerRecord): Promise<RecordMetadata[]> {
    this.#check();
    return this.#owner.sendIn(this.#lane, record);
  }

  /** Like `Producer.sendBatch`. */
  async sendBatch(batch: ProducerBatch): Promise<RecordMetadata[]> {
    this.#check();
    return this.#owner.sendBatchIn(this.#lane, batch);
  }

  /** Makes the offsets of a consumer group part of the transaction: they are committed when it is. */
  async sendOffsets(offsets: Offsets & OffsetsGroup): Promise<void> {
    this.#check();
    const { topics, consumer, groupMetadata, consumerGroupId } = offsets as Offsets & {
      consumer?: KafkaConsumer;
      groupMetadata?: Uint8Array;
      consumerGroupId?: string;
    };
    if (!consumer && !groupMetadata && !consumerGroupId)
      throw new KafkaJSNonRetriableError('sendOffsets needs the consumer that read the messages, its groupMetadata, or a consumerGroupId');
    if (!Array.isArray(topics)) throw new KafkaJSNonRetriableError('sendOffsets needs topics: [{ topic, partitions: [{ partition, offset }] }]');
    const flat = topics.flatMap(({ topic, partitions }) =>
      partitions.map(({ partition, offset }): TopicOffset => {
        const at = integerOf(offset) ?? -1;
        if (at < 0)
          throw new KafkaJSNonRetriableError(`sendOffsets: the offset of ${topic}/${shown(partition)} must be an integer of 0 or more, got ${shown(offset)}`);
        return { topic, partition: checkPartition(topic, partition), offset: at };
      }),
    );
    const group = consumer ? await consumer.groupMetadataOf(flat) : (groupMetadata ?? consumerGroupId!);
    try {
      await this.#lane.call((native, id) =>
        native.sendOffsets(
          id,
          group,
          flat.map(({ topic }) => topic),
          flat.map(({ partition }) => partition),
          flat.map(({ offset }) => offset),
          this.#timeout,
        ),
      );
    } catch (error) {
      const { cause } = error as Error;
      throw cause instanceof KafkaError && REBALANCING.has(cause.code) ? rebalancing(cause.message, cause) : error;
    }
    if (consumer) this.#takeBack.unshift(consumer.offsetsSent(flat));
  }

  /**
   * Waits for what was sent and commits. When it rejects the transaction is open still, and can be committed again if the error
   * is `retriable`, or aborted; after a fatal error it has ended.
   */
  async commit(): Promise<void> {
    await this.#end(async () => {
      await this.#outbox.settled();
      await this.#lane.call((native, id) => native.commitTransaction(id, this.#timeout));
      this.#takeBack.length = 0;
    });
  }

  /** Gives up what was sent: what is not written yet rejects, and nobody who reads committed messages sees the rest. */
  async abort(): Promise<void> {
    await this.#end(async () => {
      this.#outbox.giveUp(new KafkaJSNonRetriableError('The transaction was aborted'), this.#lane);
      await this.#lane.call((native, id) => native.abortTransaction(id, this.#timeout));
    });
  }

  /** Whether it was neither committed nor aborted. */
  isActive(): boolean {
    return this.#state === 'open';
  }

  #check(): void {
    if (this.#state !== 'open') throw new KafkaJSNonRetriableError('Cannot continue to use transaction once ended');
  }

  async #end(how: () => Promise<void>): Promise<void> {
    this.#check();
    this.#state = 'ending';
    try {
      await how();
    } catch (error) {
      if (!isFatal(error)) {
        this.#state = 'open';
        throw error;
      }
      this.#ended();
      throw error;
    }
    this.#ended();
  }

  #ended(): void {
    this.#state = 'ended';
    for (const takeBack of this.#takeBack) takeBack();
    this.#onEnd();
  }
}

/** Whether the client is of no further use. */
function isFatal(error: unknown): boolean {
  return (error as { cause?: { fatal?: boolean } } | undefined)?.cause?.fatal === true;
}
