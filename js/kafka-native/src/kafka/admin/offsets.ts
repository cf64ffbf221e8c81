import type { Placed } from '../../admin-requests';
import { BEGIN, END } from '../../logical';
import { integerOf } from '../../numbers';
import {
  KafkaJSBrokerNotFound,
  KafkaJSDeleteTopicRecordsError,
  KafkaJSNonRetriableError,
  KafkaJSNumberOfRetriesExceeded,
  KafkaJSRequestTimeoutError,
  type KafkaJSError,
} from '../errors';
import { ConfigAdmin } from './configs';
import { checkArray, checkName, errorOf, refuse, valueOf, type AdminCall } from './connection';
import { checkAdminOffset, checkAdminPartition, shown } from '../given';

export interface SeekEntry {
  partition: number;
  offset: string;
}

const UNKNOWN_TOPIC: ReadonlySet<string> = new Set(['UNKNOWN_TOPIC_OR_PARTITION']);
const byPartition = (a: { partition: number }, b: { partition: number }): number => a.partition - b.partition;

/** Offsets of the log of topics, and its begin. */
export abstract class OffsetAdmin extends ConfigAdmin {
  /**
   * Where each partition begins (`low`) and ends (`high`, which is `offset` too), by partition. Rejects when a partition has no leader
   * (LEADER_NOT_AVAILABLE, after its retries), or has one that does not answer in time (KafkaJSRequestTimeoutError).
   * @param call.readCommitted the end is the last stable offset: where the first transaction that is not finished begins; default false
   * @param call.leaderless partitions that have no leader are left out, in place of waiting for one; default false
   */
  async fetchTopicOffsets(
    topic: string,
    { leaderless = false, ...call }: AdminCall & { readCommitted?: boolean; leaderless?: boolean } = {},
  ): Promise<(SeekEntry & { high: string; low: string })[]> {
    checkName('topic', topic);
    return this.retry(async () => {
      const partitions = await this.partitionsOf(topic, call, leaderless);
      const [low, high] = await Promise.all([BEGIN, END].map((at) => this.listOffsets(topic, partitions, at, call)));
      return high!.map(({ partition, offset }, index) => ({ partition, offset: String(offset), high: String(offset), low: String(low![index]!.offset) }));
    });
  }

  /**
   * The offset of the first message of each partition that is not older than the time, its end where there is none.
   * @param timestamp milliseconds since 1970; default: the ends
   * @param call.leaderless partitions that have no leader are left out, in place of waiting for one; default false
   */
  async fetchTopicOffsetsByTimestamp(
    topic: string,
    timestamp: number = END,
    { leaderless = false, ...call }: AdminCall & { leaderless?: boolean } = {},
  ): Promise<SeekEntry[]> {
    checkName('topic', topic);
    const time = integerOf(timestamp) ?? refuse(`Invalid timestamp ${shown(timestamp)}: it is in milliseconds since 1970`);
    return this.retry(async () => {
      const partitions = await this.partitionsOf(topic, call, leaderless);
      const [found, ends] = await Promise.all([time, END].map((at) => this.listOffsets(topic, partitions, at, call)));
      return found!.map(({ partition, offset }, index) => ({ partition, offset: String(offset ?? ends![index]!.offset) }));
    });
  }

  /**
   * Deletes the messages below an offset, '-1' for all. Rejects with a KafkaJSDeleteTopicRecordsError that names the partitions
   * that failed; the others are done. For a partition that does not exist nothing is deleted.
   */
  async deleteTopicRecords({ topic, partitions, timeout }: { topic: string; partitions: SeekEntry[] } & AdminCall): Promise<void> {
    if (typeof topic !== 'string' || topic === '') refuse(`Invalid topic "${shown(topic)}"`);
    if (!partitions || partitions.length === 0) refuse('Invalid partitions');
    checkArray('partitions', partitions);
    const entries = partitions.map(({ partition, offset }) => ({ partition: checkAdminPartition(topic, partition), offset }));
    const before = entries.map(({ partition, offset }) => ({ topic, partition, offset: checkAdminOffset(offset) }));
    const begins = await this.retry(async () => this.listOffsets(topic, await this.partitionsOf(topic, { timeout }), BEGIN, { timeout }));
    const unknown = entries.filter(({ partition }) => !begins.some((begin) => begin.partition === partition));
    if (unknown.length > 0) {
      const error = new KafkaJSBrokerNotFound('The topic has no such partition, so it has no leader', { retriable: false });
      throw new KafkaJSDeleteTopicRecordsError({ topic, partitions: unknown.map(({ partition, offset }) => ({ partition, offset, error })) });
    }
    for (const { partition, offset } of before) {
      const low = begins.find((begin) => begin.partition === partition)!.offset!;
      if (offset !== END && offset < low) {
        this.logger().warn('Nothing is deleted: the partition begins behind the offset already', {
          topic,
          partition,
          offset: String(offset),
          low: String(low),
        });
      }
    }
    await this.retry(async () => {
      const failed = (await this.ask('DeleteRecords', { before }, { timeout })).flatMap(({ partition, result }) => {
        const error: KafkaJSError | undefined = errorOf(result);
        return error ? [{ partition, offset: entries.find((entry) => entry.partition === partition)!.offset, error }] : [];
      });
      if (failed.length === 0) return;
      const cause = new KafkaJSDeleteTopicRecordsError({ topic, partitions: failed });
      throw cause.retriable ? cause : new KafkaJSNonRetriableError(cause, { cause });
    });
  }

  /**
   * By number. A broker may hear of a new topic a moment later than the one that was asked when it was made.
   * @param led only those that have a leader
   * @internal
   */
  protected async partitionsOf(topic: string, call: AdminCall, led = false): Promise<number[]> {
    const asked = this.retry(() => this.describe([topic], call), UNKNOWN_TOPIC);
    // KafkaJS tells the error itself where only a group's offsets are asked for.
    const [described] = await asked.catch((error: Error) => {
      throw error instanceof KafkaJSNumberOfRetriesExceeded ? error.cause : error;
    });
    return described!.partitions.flatMap(({ partition, leader }) => (led && leader === null ? [] : [partition])).sort((a, b) => a - b);
  }

  /** One offset for each partition, by number; null where no message fits a time. Rejects when a leader does not answer. @internal */
  protected async listOffsets(
    topic: string,
    partitions: number[],
    at: number,
    { readCommitted = false, ...call }: AdminCall & { readCommitted?: boolean },
  ): Promise<{ partition: number; offset: number | null }[]> {
    if (partitions.length === 0) return [];
    const listed: Placed<{ offset: number | null }>[] = await this.ask(
      'ListOffsets',
      { offsets: partitions.map((partition) => ({ topic, partition, at })), readCommitted },
      call,
    );
    const found = listed.map(({ partition, result }) => ({ partition, offset: valueOf(result).offset })).sort(byPartition);
    // A log has a begin and an end: librdkafka says nothing of a leader that has not answered in time.
    const silent = at < 0 ? found.find(({ offset }) => offset === null) : undefined;
    if (silent) throw new KafkaJSRequestTimeoutError(`The leader of ${topic}/${silent.partition} has not answered in time`);
    return found;
  }
}
