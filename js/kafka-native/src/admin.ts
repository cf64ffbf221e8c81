import { AdminClient, unwrap } from './admin-client';
import type { AdminRequests } from './admin-requests';
import { stateError } from './errors';
import { BEGIN, END } from './logical';
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
  readonly #client: AdminClient;

  constructor(options: AdminOptions) {
    const read = new OptionReader('Admin', options);
    const broker = read.requiredString('broker');
    const properties = read.properties('driver_options');
    const log = new SafeLogger(read.logger(), properties);
    const unknown = read.unknown();
    if (unknown.length > 0) log.warn(`Admin: unknown options are ignored: ${unknown.join(', ')}`);
    this.#client = new AdminClient([['bootstrap.servers', broker], ...properties], {
      error: (error) => log.report(undefined, error),
      log: (lines, dropped) => log.native(lines, dropped),
    });
  }

  async createTopic(topic: string, options: CreateTopicOptions = {}): Promise<void> {
    const read = this.#options('createTopic', options);
    const partitions = read.integer('partitions', -1, -1, 1_000_000);
    const replication = read.integer('replication', -1, -1, 32_767);
    const topics = [{ topic, partitions, replication, config: read.properties('config') }];
    unwrap((await this.#request('CreateTopics', { topics }, read))[0]!.result);
  }

  async deleteTopic(topic: string, options: AdminCallOptions = {}): Promise<void> {
    unwrap((await this.#request('DeleteTopics', { topics: [topic] }, this.#options('deleteTopic', options)))[0]!.result);
  }

  /** @param total how many partitions the topic shall have; it can only grow */
  async createPartitions(topic: string, total: number, options: AdminCallOptions = {}): Promise<void> {
    const read = this.#options('createPartitions', options);
    unwrap((await this.#request('CreatePartitions', { topics: [{ topic, total }] }, read))[0]!.result);
  }

  /**
   * Deletes the messages below an offset; resolves with the new start of the log.
   * @param offset -1: all
   */
  async deleteRecords(topic: string, partition: number, offset: number, options: AdminCallOptions = {}): Promise<number> {
    const read = this.#options('deleteRecords', options);
    return unwrap((await this.#request('DeleteRecords', { before: [{ topic, partition, offset }] }, read))[0]!.result);
  }

  /** The offsets of the first message (`low`) and behind the last one (`high`). */
  async watermarks(topic: string, partition: number, options: AdminCallOptions = {}): Promise<{ low: number; high: number }> {
    const read = this.#options('watermarks', options);
    const [low, high] = await Promise.all(
      [BEGIN, END].map(async (at) => {
        const [place] = await this.#request('ListOffsets', { offsets: [{ topic, partition, at }] }, read);
        return unwrap(place!.result).offset!;
      }),
    );
    return { low: low!, high: high! };
  }

  /** Ends the client. Pending calls reject; a second call does nothing. */
  close(): void {
    this.#client.close();
  }

  #options(name: string, options: object): OptionReader {
    if (!this.#client.open) throw stateError(`${name}: the admin is closed`);
    return new OptionReader(`Admin.${name}`, options);
  }

  #request<K extends keyof AdminRequests>(name: K, fields: AdminRequests[K]['fields'], read: OptionReader): Promise<AdminRequests[K]['answer']> {
    return this.#client.request(name, fields, read.integer('timeout', 30_000, 0, 3_600_000));
  }
}
