import { Event, type NativeErrorData, type NativeProducer, type Told } from '../../binding';
import { Calls } from '../../calls';
import { native, fromData } from '../../errors';
import { keep, letGo, watchExit, weakly } from '../../lifetime';
import { binding } from '../../loader';
import type { Properties } from '../../options';
import type { ClientContext } from '../client';
import { toKafkaJSError } from '../errors';
import type { Instrumentation } from '../events';
import { logNative, type KafkaLogger } from '../logger';
import type { PartitionMetadata } from '../partitions';

/** Receipts of a lane: its tickets that are through, as events.ts describes the columns. @internal */
export type OnReceipts = (columns: Float64Array, errors: NativeErrorData[]) => void;

/**
 * One native client of a producer. There is one, and one more for each further way in which one topic is sent to: librdkafka
 * keeps `acks` and compression by topic and client, and a transaction is a client's own.
 * @internal
 */
export class Lane {
  readonly native: NativeProducer;
  readonly #calls = new Calls(this);
  readonly #context: ClientContext;
  readonly #logger: KafkaLogger;
  readonly #instrumentation: Instrumentation;
  readonly #onReceipts: OnReceipts;

  constructor(context: ClientContext, logger: KafkaLogger, instrumentation: Instrumentation, properties: Properties, onReceipts: OnReceipts) {
    this.#context = context;
    this.#instrumentation = instrumentation;
    this.#logger = logger;
    this.#onReceipts = onReceipts;
    const brokers = properties.find(([name]) => name === 'bootstrap.servers')?.[1] ?? '';
    const tokens = context.giveToken !== undefined;
    // The budget is kept in JavaScript, where sends wait for room.
    const unbounded: Properties = [
      ['queue.buffering.max.messages', '0'],
      ['queue.buffering.max.kbytes', '2147483647'],
    ];
    const options = { broker: brokers, maxMessages: 0, statisticsIntervalMs: 0, properties: [...properties, ...unbounded], topicProperties: [], tokens };
    try {
      this.native = native(() => new binding.NativeProducer(options, weakly(this.#onEvent)));
    } catch (error) {
      throw toKafkaJSError(error); // a property that librdkafka does not take
    }
    instrumentation.watch(this.native);
    if (context.metrics.wanted) keep(this);
    watchExit();
  }

  /** A call that is answered; its failure is the error that a KafkaJS program expects. */
  async call<T = void>(begin: (native: NativeProducer, requestId: number) => void): Promise<T> {
    try {
      return await this.#calls.start<T>((id) => begin(this.native, id));
    } catch (error) {
      throw toKafkaJSError(error);
    }
  }

  async partitions(topic: string, tries: number): Promise<PartitionMetadata[]> {
    const flat = await this.call<number[]>((native, id) => native.partitions(id, topic, tries, 500));
    const partitions: PartitionMetadata[] = [];
    for (let at = 0; at < flat.length; ) {
      const [partitionErrorCode, partitionId, leader] = flat.slice(at, at + 3) as [number, number, number];
      at += 3;
      const [replicas, isr] = [0, 0].map(() => {
        const nodes = flat.slice(at + 1, at + 1 + flat[at]!);
        at += 1 + nodes.length;
        return nodes;
      }) as [number[], number[]];
      partitions.push({ partitionErrorCode, partitionId, leader, replicas, isr });
    }
    return partitions;
  }

  /** Messages not delivered in time are purged, and their receipts come before the end. */
  async stop(timeout: number): Promise<void> {
    try {
      await this.call((native, id) => native.stop(id, timeout));
    } finally {
      this.#context.metrics.forget(this);
      this.#instrumentation.forget(this.native);
      letGo(this);
    }
  }

  /** Everything that the addon tells; must not throw. */
  readonly #onEvent = (...told: Told): void => {
    switch (told[0]) {
      case Event.Receipts:
        return this.#onReceipts(told[1], told[2]);
      case Event.Reply:
        return this.#calls.finish(told[1], told[2], told[3]);
      case Event.Request:
        return this.#instrumentation.request(told[1], told[2]);
      case Event.Stats:
        return this.#context.metrics.take(this, told[1]);
      case Event.Token:
        return this.#context.giveToken?.(this.native);
      case Event.Error: {
        const { code, message, broker, topic } = fromData(told[1]);
        return this.#logger.error(message, { code, broker, topic });
      }
      case Event.Log:
        return logNative(this.#logger, told[1], told[2]);
    }
  };
}
