import { now, pause } from '../../clock';
import type { TopicDescription } from '../../admin-requests';
import type { ListPartitionReassignmentsResponse } from '../engine-types';
import { KafkaJSAggregateError, KafkaJSCreateTopicError, KafkaJSNotImplemented, KafkaJSProtocolError, KafkaJSTimeout, type KafkaJSError } from '../errors';
import { checkAdminPartition } from '../given';
import type { PartitionMetadata, TopicPartitions } from '../partitions';
import { failureOf } from '../protocol-codes';
import { AdminConnection, checkArray, checkName, checkTopics, errorOf, refuse, toCount, valueOf, type AdminCall } from './connection';

export interface ReplicaAssignment {
  partition: number;
  /** Ids of brokers, the preferred leader first. */
  replicas: number[];
}

/** A topic to be made. */
export interface ITopicConfig {
  topic: string;
  /** Default: as the broker is configured (-1). */
  numPartitions?: number;
  /** Default: as the broker is configured (-1). */
  replicationFactor?: number;
  /** Which brokers have which partition, instead of the two numbers; every partition from 0 on. */
  replicaAssignment?: ReplicaAssignment[];
  /** Kafka's topic properties: `{ name: 'retention.ms', value: '3600000' }`. */
  configEntries?: { name: string; value: string }[];
}

/** A topic to be grown. */
export interface ITopicPartitionConfig {
  topic: string;
  /** How many partitions it shall have in all. */
  count: number;
  /** The brokers of each new partition. */
  assignments?: number[][];
}

export interface ITopicMetadata {
  name: string;
  partitions: PartitionMetadata[];
}

export interface PartitionReassignment {
  topic: string;
  partitionAssignment: ReplicaAssignment[];
}
export interface ElectedPartition {
  topic: string;
  partition: number;
  /** Why its leader did not change; absent when it did. */
  error?: KafkaJSError;
}

/** KafkaJS's time for leaders to be there. */
const LEADERS_MS = 10_000;
const byTopic = (a: { name: string }, b: { name: string }): number => a.name.localeCompare(b.name);
const LEADERLESS = failureOf('LEADER_NOT_AVAILABLE', 'A partition has no leader: one is being elected');
const REASSIGN = 'librdkafka cannot move replicas, kafka-reassign-partitions.sh, which comes with Kafka, can';

/** Topics, their partitions and leaders, the cluster. */
export abstract class TopicAdmin extends AdminConnection {
  /** The names of all topics, Kafka's own as well. */
  listTopics(call?: AdminCall): Promise<string[]> {
    return this.ask('ListTopics', {}, call);
  }

  /**
   * Makes topics; resolves with false when all of them exist already. Rejects with a KafkaJSAggregateError of
   * KafkaJSCreateTopicErrors when some were not made; the others were.
   * @param request.validateOnly only asks whether they could be made
   * @param request.waitForLeaders default true: resolves when every partition has a leader; KafkaJSTimeout when that takes
   * longer than `timeout`, or 10 s
   */
  async createTopics({
    topics,
    validateOnly = false,
    waitForLeaders = true,
    timeout,
  }: { topics: ITopicConfig[]; validateOnly?: boolean; waitForLeaders?: boolean } & AdminCall): Promise<boolean> {
    checkTopics('topics', topics);
    const fields = topics.map(({ topic, numPartitions = -1, replicationFactor = -1, replicaAssignment = [], configEntries }) => ({
      topic,
      partitions: toCount(`numPartitions of topic ${topic}`, numPartitions, -1),
      replication: toCount(`replicationFactor of topic ${topic}`, replicationFactor, -1),
      replicas: replicasOf(topic, replicaAssignment),
      config: entriesOf(topic, configEntries ?? []),
    }));
    if (topics.length === 0) return true;
    const results = await this.ask('CreateTopics', { topics: fields, validateOnly }, { timeout });
    const errors = results.sort(byTopic).flatMap(({ name, result }) => {
      const error = errorOf(result);
      return error instanceof KafkaJSProtocolError ? [new KafkaJSCreateTopicError(error, name, { cause: error.cause })] : (error ?? []);
    });
    if (errors.length > 0) {
      if (errors.every((error) => (error as KafkaJSProtocolError).type === 'TOPIC_ALREADY_EXISTS')) return false;
      throw new KafkaJSAggregateError('Topic creation errors', errors);
    }
    if (waitForLeaders && !validateOnly)
      await this.#leaders(
        fields.map(({ topic }) => topic),
        timeout,
      );
    return true;
  }

  /** Brokers hear of a topic a moment after the controller has made it. */
  async #leaders(topics: string[], timeout?: number): Promise<void> {
    const end = now() + (timeout ?? LEADERS_MS);
    for (;;) {
      const described = await this.ask('DescribeTopics', { topics }, { timeout });
      if (described.every(({ result }) => 'Ok' in result && result.Ok.partitions.every(({ leader }) => leader !== null))) return;
      if (now() >= end) throw new KafkaJSTimeout('The topics were made, but have no leaders yet');
      await pause(50);
    }
  }

  /**
   * Deletes topics with their messages. Rejects with the first error by the name of the topic. A topic that no broker has
   * heard of is tried again for a second, because it may be on its way; then that is a KafkaJSNumberOfRetriesExceeded.
   */
  async deleteTopics({ topics, timeout }: { topics: string[] } & AdminCall): Promise<void> {
    checkArray('topics', topics);
    if (topics.some((topic) => typeof topic !== 'string')) refuse('Invalid topics array, the names must be a valid string');
    let left = [...topics];
    await this.retry(async () => {
      if (left.length === 0) return;
      const failed = (await this.ask('DeleteTopics', { topics: left }, { timeout })).filter(({ result }) => 'Err' in result).sort(byTopic);
      left = failed.map(({ name }) => name);
      failed.forEach(({ result }) => valueOf(result));
    });
  }

  /** Adds partitions; resolves with true. Rejects with the first error by the name of the topic; the other topics have grown. */
  async createPartitions({
    topicPartitions,
    validateOnly = false,
    timeout,
  }: { topicPartitions: ITopicPartitionConfig[]; validateOnly?: boolean } & AdminCall): Promise<boolean> {
    checkTopics('topic partitions', topicPartitions);
    if (topicPartitions.length === 0) refuse('Empty topic partitions array');
    const topics = topicPartitions.map(({ topic, count, assignments }) => ({
      topic,
      total: toCount(`count of topic ${topic}`, count, 1),
      replicas: brokersOf(topic, assignments ?? []),
    }));
    (await this.ask('CreatePartitions', { topics, validateOnly }, { timeout })).sort(byTopic).forEach(({ result }) => valueOf(result));
    return true;
  }

  /**
   * Partitions, leaders and replicas of these topics; of all when none is named. Rejects for a topic that does not exist.
   * @param request.leaderless partitions that have no leader are told, with the leader -1; default false: they are waited for
   */
  async fetchTopicMetadata({ topics = [], leaderless = false, timeout }: { topics?: string[]; leaderless?: boolean } & AdminCall = {}): Promise<{
    topics: ITopicMetadata[];
  }> {
    checkArray('topics', topics);
    const given = [...topics];
    for (const topic of given) checkName('topic', topic);
    const described = await this.retry(
      async () => {
        const found = await (given.length > 0 ? this.describe(given, { timeout }) : this.#describeAll(timeout));
        if (!leaderless && found.some(({ partitions }) => partitions.some(({ leader }) => leader === null))) throw new KafkaJSProtocolError(LEADERLESS);
        return found;
      },
      new Set([LEADERLESS.type]),
    );
    return {
      topics: described.map(({ name, partitions }) => ({
        name,
        partitions: partitions.map(({ partition, leader, replicas, inSync, offline }) => ({
          partitionErrorCode: leader === null ? LEADERLESS.code : 0,
          partitionId: partition,
          leader: leader ?? -1,
          replicas,
          isr: inSync,
          offlineReplicas: offline,
        })),
      })),
    };
  }

  /** Topics that are deleted meanwhile are left out. */
  async #describeAll(timeout: number | undefined): Promise<(TopicDescription & { name: string })[]> {
    const described = await this.ask('DescribeTopics', { topics: await this.listTopics({ timeout }) }, { timeout });
    return described.flatMap(({ name, result }) => {
      const gone = (errorOf(result) as KafkaJSProtocolError | undefined)?.type === 'UNKNOWN_TOPIC_OR_PARTITION';
      return gone ? [] : [{ name, ...valueOf(result) }];
    });
  }

  /** Rejects for a topic that no broker has heard of. @internal */
  protected async describe(topics: string[], call: AdminCall): Promise<(TopicDescription & { name: string })[]> {
    return (await this.ask('DescribeTopics', { topics }, call)).map(({ name, result }) => ({ name, ...valueOf(result) }));
  }

  /** The brokers that are up, and which of them takes the controller's requests; null while none does. */
  async describeCluster(
    call?: AdminCall,
  ): Promise<{ brokers: { nodeId: number; host: string; port: number }[]; controller: number | null; clusterId: string }> {
    const { id, controller, brokers } = await this.ask('DescribeCluster', {}, call);
    return { brokers: brokers.map(({ id: nodeId, host, port }) => ({ nodeId, host, port })), controller, clusterId: id };
  }

  /**
   * Has leaders elected: the preferred ones, or `unclean` for partitions without one, which may lose messages. Resolves with
   * the partitions whose leader changed or could not be changed; the others have the right one already.
   * @param request.topics default: all
   */
  async electLeaders({ topics, unclean = false, timeout }: { topics?: TopicPartitions[]; unclean?: boolean } & AdminCall = {}): Promise<ElectedPartition[]> {
    if (topics != null) checkArray('topics', topics);
    const partitions = topics?.flatMap(({ topic, partitions: of }) => {
      checkName('topic', topic);
      checkArray('partitions', of);
      return of.map((partition) => ({ topic, partition: checkAdminPartition(topic, partition) }));
    });
    const election = unclean ? 'unclean' : 'preferred';
    const results = await this.ask('ElectLeaders', partitions ? { election, partitions } : { election }, { timeout });
    return results
      .map(({ topic, partition, result }) => ({ topic, partition, error: errorOf(result) }))
      .filter(({ error }) => (error as KafkaJSProtocolError | undefined)?.type !== 'ELECTION_NOT_NEEDED')
      .map(({ error, ...place }) => (error ? { ...place, error } : place));
  }

  /** @throws KafkaJSNotImplemented */
  async alterPartitionReassignments(_request: { topics: PartitionReassignment[] } & AdminCall): Promise<void> {
    throw new KafkaJSNotImplemented(`alterPartitionReassignments is not supported: ${REASSIGN}`);
  }

  /** @throws KafkaJSNotImplemented */
  async listPartitionReassignments(_request?: { topics?: TopicPartitions[] } & AdminCall): Promise<ListPartitionReassignmentsResponse> {
    throw new KafkaJSNotImplemented(`listPartitionReassignments is not supported: ${REASSIGN}`);
  }
}

/** The brokers of each partition from 0 on. */
function replicasOf(topic: string, assignment: ReplicaAssignment[]): number[][] {
  checkArray(`replicaAssignment of topic ${topic}`, assignment);
  const sorted = assignment
    .map(({ partition, replicas }) => ({ partition: checkAdminPartition(topic, partition), replicas }))
    .sort((a, b) => a.partition - b.partition);
  if (sorted.some(({ partition }, index) => partition !== index))
    refuse(`Invalid replicaAssignment of topic ${topic}: it must name every partition from 0 on once`);
  return brokersOf(
    topic,
    sorted.map(({ replicas }) => replicas),
  );
}

/** The ids of brokers, partition by partition. */
function brokersOf(topic: string, assignments: unknown): number[][] {
  checkArray(`assignments of topic ${topic}`, assignments);
  return assignments.map((replicas: unknown) => {
    checkArray(`replicas of topic ${topic}`, replicas);
    return replicas.map((id: unknown) => toCount(`broker of topic ${topic}`, id, 0));
  });
}

function entriesOf(topic: string, entries: unknown): [string, string][] {
  const wrong = (how: string): never => refuse(`Invalid configEntries for topic "${topic}"${how}`);
  if (!Array.isArray(entries)) return wrong(', must be an array');
  return entries.map((entry, index) => {
    if (typeof entry !== 'object' || entry === null) wrong(`. Entry ${index} must be an object`);
    for (const property of ['name', 'value']) if (typeof entry[property] !== 'string') wrong(`. Entry ${index} must have a valid "${property}" property`);
    return [entry.name, entry.value];
  });
}
