import { Event, type NativeAdmin, type NativeErrorData, type NativeLog } from './binding';
import { Calls } from './calls';
import { fromData, native, stateError } from './errors';
import { keep, letGo, watchExit, weakly } from './lifetime';
import { binding } from './loader';
import { SafeLogger, type Logger } from './logger';
import { OptionReader, type DriverOptions } from './options';

export interface AdminOptions {
  /** `host:port`, or several separated by commas. librdkafka: `bootstrap.servers`. */
  broker: string;
  /** Global properties of librdkafka. */
  driver_options?: DriverOptions | null;
  /** Default: console. */
  logger?: Logger | null;
}

export interface AdminCallOptions {
  /** Milliseconds until the call fails with `ETIMEDOUT`; default 30 000. */
  timeout?: number;
}

export interface CreateTopicOptions extends AdminCallOptions {
  /** Default: as the broker is configured (-1). */
  partitions?: number;
  /** Default: as the broker is configured (-1). */
  replication?: number;
  /** The topic's configuration: `{'retention.ms': 3_600_000}`. */
  config?: DriverOptions;
}

/**
 * Topics, partitions and log starts: the small beginning of an admin client.
 *
 * ```js
 * const admin = new Admin({ broker: 'localhost:9092' });
 * await admin.createTopic('clicks', { partitions: 4 });
 * admin.close();
 * ```
 *
 * Its calls reject with a KafkaError, such as `TOPIC_ALREADY_EXISTS`. It does not keep the process alive between calls.
 */
export class Admin {
  readonly #native: NativeAdmin;
  readonly #calls = new Calls();
  readonly #log: SafeLogger;
  #open = true;

  constructor(options: AdminOptions) {
    const read = new OptionReader('Admin', options);
    const broker = read.requiredString('broker');
    const properties = read.properties('driver_options');
    this.#log = new SafeLogger(read.logger(), properties);
    const unknown = read.unknown();
    if (unknown.length > 0) this.#log.warn(`Admin: unknown options are ignored: ${unknown.join(', ')}`);
    this.#native = native(() => new binding.NativeAdmin(broker, properties, weakly(this.#onEvent)));
    keep(this.#onEvent);
    watchExit();
  }

  createTopic(topic: string, options: CreateTopicOptions = {}): Promise<void> {
    return this.#call('createTopic', options, (id, timeout, read) =>
      this.#native.createTopic(
        id, topic, read.integer('partitions', -1, -1, 1_000_000), read.integer('replication', -1, -1, 32_767), read.properties('config'), timeout,
      ));
  }

  deleteTopic(topic: string, options: AdminCallOptions = {}): Promise<void> {
    return this.#call('deleteTopic', options, (id, timeout) => this.#native.deleteTopic(id, topic, timeout));
  }

  /** @param total how many partitions the topic shall have; it can only grow */
  createPartitions(topic: string, total: number, options: AdminCallOptions = {}): Promise<void> {
    return this.#call('createPartitions', options, (id, timeout) => this.#native.createPartitions(id, topic, total, timeout));
  }

  /**
   * Deletes the messages below an offset; resolves with the new start of the log.
   * @param offset -1: all
   */
  deleteRecords(topic: string, partition: number, offset: number, options: AdminCallOptions = {}): Promise<number> {
    return this.#call('deleteRecords', options, (id, timeout) => this.#native.deleteRecords(id, topic, partition, offset, timeout));
  }

  /** The offsets of the first message (`low`) and behind the last one (`high`). */
  async watermarks(topic: string, partition: number, options: AdminCallOptions = {}): Promise<{ low: number; high: number }> {
    const [low, high] = await this.#call<[number, number]>('watermarks', options, (id, timeout) =>
      this.#native.watermarks(id, topic, partition, timeout));
    return { low, high };
  }

  /** Ends the client. What is pending rejects; a second call does nothing. */
  close(): void {
    if (!this.#open) return;
    this.#open = false;
    this.#native.close();
    this.#calls.whenIdle(() => letGo(this.#onEvent));
  }

  async #call<T>(name: string, options: object, begin: (id: number, timeout: number, read: OptionReader) => void): Promise<T> {
    if (!this.#open) throw stateError(`${name}: the admin is closed`);
    const read = new OptionReader(`Admin.${name}`, options);
    const timeout = read.integer('timeout', 30_000, 0, 2 ** 31 - 1);
    return this.#calls.start<T>((id) => begin(id, timeout, read));
  }

  readonly #onEvent = (kind: Event, a?: any, b?: any, c?: any): void => {
    if (kind === Event.Reply) this.#calls.finish(a, b, c);
    else if (kind === Event.Error) this.#log.report(undefined, fromData(a as NativeErrorData));
    else if (kind === Event.Log) this.#log.native(a as NativeLog[], b as number);
  };
}
