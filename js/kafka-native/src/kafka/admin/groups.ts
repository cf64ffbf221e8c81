import type { GroupDescription as NativeGroupDescription, Placed, TopicPartition } from '../../admin-requests';
import { AssignerProtocol, type Assignment } from '../assigner-protocol';
import {
  KafkaJSAggregateError,
  KafkaJSDeleteGroupsError,
  KafkaJSNonRetriableError,
  KafkaJSProtocolError,
  KafkaJSRequestTimeoutError,
  toKafkaJSError,
} from '../errors';
import { fromData } from '../../errors';
import { BEGIN, END } from '../../logical';
import { partitionsByTopic } from '../partitions';
import { codeOf, failureOf, UNKNOWN } from '../protocol-codes';
import { checkArray, checkName, checkWhole, errorOf, refuse, valueOf, type AdminCall } from './connection';
import { OffsetAdmin, type SeekEntry } from './offsets';
import { checkAdminOffset, checkAdminPartition, shown } from '../given';

export interface GroupOverview {
  groupId: string;
  /** `consumer`; empty for a group that is only committed to. */
  protocolType: string;
}
export type ConsumerGroupState = 'Unknown' | 'PreparingRebalance' | 'CompletingRebalance' | 'Stable' | 'Dead' | 'Empty';
export interface MemberDescription {
  memberId: string;
  clientId: string;
  clientHost: string;
  /** For AssignerProtocol.MemberMetadata: the topics of which it has partitions. librdkafka does not tell its subscription. */
  memberMetadata: Buffer;
  /** For AssignerProtocol.MemberAssignment. */
  memberAssignment: Buffer;
}
export interface GroupDescription {
  errorCode?: number;
  groupId: string;
  /** `Dead`: there is none. */
  state: ConsumerGroupState;
  protocolType: string;
  /** The assigner. */
  protocol: string;
  members: MemberDescription[];
}
export interface DeleteGroupsResult {
  groupId: string;
  errorCode?: number;
  error?: KafkaJSProtocolError;
}
export type FetchOffsetsPartition = SeekEntry & { metadata: string | null };

/** Consumer groups, and what they committed. */
export abstract class GroupAdmin extends OffsetAdmin {
  /** The consumer groups of all brokers. Rejects when a broker does not tell. */
  async listGroups(call?: AdminCall): Promise<{ groups: GroupOverview[] }> {
    const { groups, errors } = await this.ask('ListGroups', {}, call);
    if (errors[0]) throw toKafkaJSError(fromData(errors[0]));
    return { groups: groups.map(({ group, simple }) => ({ groupId: group, protocolType: simple ? '' : 'consumer' })) };
  }

  /** Groups of either protocol, in the order of the ids; one that does not exist is `Dead`. Rejects with the first error. */
  async describeGroups(groupIds: string[], call?: AdminCall): Promise<{ groups: GroupDescription[] }> {
    checkArray('groupIds', groupIds);
    const ids = [...groupIds];
    for (const id of ids) checkName('groupId', id);
    if (ids.length === 0) return { groups: [] };
    const groups = await this.retry(
      async () =>
        new Map(
          (await this.ask('DescribeGroups', { groups: [...new Set(ids)] }, call)).map(({ name, result }) => {
            const error = errorOf(result);
            if (error && (error as KafkaJSProtocolError).type !== 'GROUP_ID_NOT_FOUND') throw error;
            return [name, descriptionOf(name, error ? undefined : valueOf(result))];
          }),
        ),
    );
    return { groups: ids.map((id) => groups.get(id)!) };
  }

  /** Deletes groups with what they committed. Rejects with a KafkaJSDeleteGroupsError that has those that were not deleted. */
  async deleteGroups(groupIds: string[], call?: AdminCall): Promise<DeleteGroupsResult[]> {
    checkArray('groupIds', groupIds);
    const ids = [...groupIds];
    if (ids.some((id) => typeof id !== 'string')) refuse(`Invalid groupId name: ${shown(ids.find((id) => typeof id !== 'string'))}`);
    if (ids.length === 0) return [];
    const failed = (await this.ask('DeleteGroups', { groups: [...new Set(ids)] }, call)).flatMap(({ name: groupId, result }) => {
      const error = errorOf(result);
      if (error === undefined) return [];
      // An answer that did not come has no code of a broker.
      const errorCode =
        error instanceof KafkaJSProtocolError ? error.code : error instanceof KafkaJSRequestTimeoutError ? codeOf('REQUEST_TIMED_OUT') : UNKNOWN;
      return [{ groupId, errorCode, error }];
    });
    if (failed.length > 0) throw new KafkaJSDeleteGroupsError('Some groups were not deleted', failed);
    return ids.map((groupId) => ({ groupId, errorCode: 0 }));
  }

  /**
   * Offsets that a group committed, '-1' for nothing.
   * @param request.topics default: those that it committed, without the partitions where it did not
   * @param request.resolveOffsets turns '-1' and '-2' into the end and the begin of the log, and commits that
   */
  async fetchOffsets({
    groupId,
    topics = [],
    resolveOffsets = false,
    timeout,
  }: { groupId: string; topics?: string[]; resolveOffsets?: boolean } & AdminCall): Promise<{ topic: string; partitions: FetchOffsetsPartition[] }[]> {
    checkName('groupId', groupId);
    if (!Array.isArray(topics)) refuse('Expected topics array to be set');
    checkWhole('topics', topics);
    const named = [...topics];
    const partitions: TopicPartition[] = [];
    for (const topic of named) checkName('topic', topic);
    for (const topic of named) partitions.push(...(await this.partitionsOf(topic, { timeout })).map((partition) => ({ topic, partition })));
    const offsets = await this.retry(async () =>
      (await this.ask('ListGroupOffsets', named.length > 0 ? { group: groupId, partitions } : { group: groupId }, { timeout })).map(({ result, ...place }) => ({
        ...place,
        ...valueOf(result),
      })),
    );
    const byTopic = new Map<string, FetchOffsetsPartition[]>(named.map((topic) => [topic, []]));
    for (const { topic, partition, offset, metadata } of offsets) {
      byTopic.set(topic, [...(byTopic.get(topic) ?? []), { partition, offset: String(offset ?? END), metadata: metadata || null }]);
    }
    const fetched = [...byTopic].map(([topic, list]) => ({ topic, partitions: list.sort((a, b) => a.partition - b.partition) }));
    if (resolveOffsets) {
      for (const { topic, partitions: list } of fetched) {
        const committed = await this.#commit(groupId, topic, list, { timeout });
        list.forEach((entry, index) => (entry.offset = String(committed[index])));
      }
    }
    return fetched;
  }

  /**
   * Commits in the name of a group without members; '-1' and '-2' commit the end and the begin of the log. Rejects with a
   * KafkaJSNonRetriableError while the group has members, with UNKNOWN_TOPIC_OR_PARTITION for partitions that do not exist.
   */
  async setOffsets({ groupId, topic, partitions, timeout }: { groupId: string; topic: string; partitions: SeekEntry[] } & AdminCall): Promise<void> {
    checkName('groupId', groupId);
    checkName('topic', topic);
    if (!partitions || partitions.length === 0) refuse('Invalid partitions');
    checkArray('partitions', partitions);
    await this.#commit(groupId, topic, partitions, { timeout });
  }

  /** Returns the real offsets that were committed. */
  async #commit(group: string, topic: string, entries: SeekEntry[], call: AdminCall): Promise<number[]> {
    const wanted = entries.map(({ partition, offset }) => ({ partition: checkAdminPartition(topic, partition), offset: checkAdminOffset(offset) }));
    const existing = await this.partitionsOf(topic, call);
    const unknown = wanted.find(({ partition }) => !existing.includes(partition));
    if (unknown) throw new KafkaJSProtocolError(failureOf('UNKNOWN_TOPIC_OR_PARTITION', `Topic ${topic} has no partition ${unknown.partition}`));
    const {
      groups: [description],
    } = await this.describeGroups([group], call);
    if (!['Empty', 'Dead'].includes(description!.state)) {
      throw new KafkaJSNonRetriableError(`The consumer group must have no running instances, current state: ${description!.state}`);
    }
    for (const at of [END, BEGIN]) {
      const logical = wanted.filter(({ offset }) => offset === at);
      const real = await this.listOffsets(
        topic,
        logical.map(({ partition }) => partition),
        at,
        call,
      );
      for (const entry of logical) entry.offset = real.find(({ partition }) => partition === entry.partition)!.offset!;
    }
    const offsets = wanted.map((entry) => ({ topic, ...entry }));
    // The group's coordinator may hear of a new topic later than others.
    await this.retry(async () => (await this.ask('AlterGroupOffsets', { group, offsets }, call)).forEach(({ result }) => valueOf(result)));
    return wanted.map(({ offset }) => offset);
  }

  /** Commits the begin (`earliest`) or the end of every partition of a topic, in the name of a group without members. */
  async resetOffsets({ groupId, topic, earliest = false, timeout }: { groupId: string; topic: string; earliest?: boolean } & AdminCall): Promise<void> {
    checkName('groupId', groupId);
    checkName('topic', topic);
    const partitions = (await this.partitionsOf(topic, { timeout })).map((partition) => ({ partition, offset: String(earliest ? BEGIN : END) }));
    await this.setOffsets({ groupId, topic, partitions, timeout });
  }

  /**
   * Forgets what a group committed for partitions of a topic that no member reads. Rejects with a KafkaJSAggregateError of one
   * error a partition.
   * @param request.partitions default: all
   */
  async deleteOffsets({ groupId, topic, partitions, timeout }: { groupId: string; topic: string; partitions?: number[] } & AdminCall): Promise<void> {
    checkName('groupId', groupId);
    checkName('topic', topic);
    if (partitions != null) checkArray('partitions', partitions);
    const numbers = partitions?.map((partition) => checkAdminPartition(topic, partition)) ?? (await this.partitionsOf(topic, { timeout }));
    const places = numbers.map((partition) => ({ topic, partition }));
    const results: Placed[] = await this.ask('DeleteGroupOffsets', { group: groupId, partitions: places }, { timeout });
    const errors = results.flatMap(({ result }) => errorOf(result) ?? []);
    if (errors.length > 0) throw new KafkaJSAggregateError(`Some offsets of group ${groupId} were not deleted`, errors);
  }
}

function descriptionOf(groupId: string, group: NativeGroupDescription | undefined): GroupDescription {
  if (!group || group.state === 'Dead') return { errorCode: 0, groupId, state: 'Dead', protocolType: '', protocol: '', members: [] };
  return {
    errorCode: 0,
    groupId,
    state: group.state as ConsumerGroupState,
    protocolType: group.simple ? '' : 'consumer',
    protocol: group.assignor,
    members: group.members.map(({ id, clientId, host, assignment }) => {
      const topics = partitionsByTopic(assignment);
      const partitions: Assignment = Object.fromEntries(topics);
      return {
        memberId: id,
        clientId,
        clientHost: host,
        memberMetadata: AssignerProtocol.MemberMetadata.encode({ version: 0, topics: [...topics.keys()] }),
        memberAssignment: AssignerProtocol.MemberAssignment.encode({ version: 0, assignment: partitions }),
      };
    }),
  };
}
