// Which groups there are, who is in them, and how far they are.

import type { KafkaAdmin } from 'kafka-native';
import { AssignerProtocol } from 'kafka-native';
import type { Context } from '../context';
import { CloseCode, ProxyError } from '../errors';
import type { Ends } from '../log/topic-log';
import type { GroupDetail, Groups, GroupSummary } from './api';
import { groupOf } from './names';
import { byName, permitted } from './permitted';
import type { Ask, Route } from './router';

type Description = Awaited<ReturnType<KafkaAdmin['describeGroups']>>['groups'][number];

/** Groups that are asked for together, and topics at the same time. */
const TOGETHER = 100;
const TOPICS = 16;

export const groups: readonly Route[] = [
  { method: 'GET', path: '/groups', answer: list },
  { method: 'GET', path: '/groups/:group', answer: detail },
];

async function list(ask: Ask): Promise<Groups> {
  const { context } = ask;
  const admin = await context.admin();
  const { groups: found } = await admin.listGroups();
  const ids = found.map(({ groupId }) => groupId).sort(byName);
  const allowed = await permitted(ask, ids, (group) => ({ operation: 'group', group }));
  const parts = Array.from({ length: Math.ceil(allowed.length / TOGETHER) }, (_, i) => allowed.slice(i * TOGETHER, (i + 1) * TOGETHER));
  // Of those whose coordinator does not answer the names are told.
  const described = await Promise.all(
    parts.map((part) =>
      admin.describeGroups(part).then(
        ({ groups: all }) => all,
        () => [],
      ),
    ),
  );
  const byId = new Map(described.flat().map((each) => [each.groupId, each]));
  return {
    groups: allowed.flatMap((group) => {
      const description = byId.get(group);
      // It was deleted meanwhile.
      return description?.state === 'Dead' ? [] : [summaryOf(context, group, description)];
    }),
  };
}

function summaryOf(context: Context, group: string, description: Description | undefined): GroupSummary {
  const { state = null, protocol, members } = description ?? {};
  return { group, state, protocol: protocol || null, members: members?.length ?? null, lag: context.samples.group(group)?.lag ?? null };
}

async function detail(ask: Ask): Promise<GroupDetail> {
  const { context, identity } = ask;
  const group = groupOf(ask);
  await context.allow(identity, { operation: 'group', group });
  const admin = await context.admin();
  const [described, committed] = await Promise.all([
    admin.describeGroups([group]),
    admin.fetchOffsets({ groupId: group }).catch((error: unknown) => {
      if (ProxyError.of(error).code === 'GROUP_ID_NOT_FOUND') return [];
      throw error;
    }),
  ]);
  const description = described.groups[0]!;
  if (description.state === 'Dead' && committed.length === 0) throw unknownGroup(group);
  const assignments = description.members.map(({ memberId, clientId, clientHost, memberAssignment }) => ({
    member: memberId,
    client: clientId,
    host: clientHost.replace(/^\//, ''),
    partitions: partitionsOf(memberAssignment),
  }));
  const offsets = await offsetsOf(context, committed, assignments);
  // One that is not known would make the sum too small.
  const known = offsets.some(({ offset, end }) => offset !== null && end === null) ? [] : offsets.flatMap(({ lag }) => lag ?? []);
  const lag = known.length > 0 ? known.reduce((sum, each) => sum + each, 0) : null;
  return { ...summaryOf(context, group, description), lag, assignments, offsets };
}

/** None of what is no consumer's: members of Kafka Connect write it in their own way, and others whatever they want. */
function partitionsOf(bytes: Buffer): { topic: string; partition: number }[] {
  return Object.entries(assignmentOf(bytes))
    .flatMap(([topic, partitions]) => partitions.map((partition) => ({ topic, partition })))
    .sort((a, b) => byName(a.topic, b.topic) || a.partition - b.partition);
}

function assignmentOf(bytes: Buffer): Record<string, number[]> {
  try {
    return AssignerProtocol.MemberAssignment.decode(bytes)?.assignment ?? {};
  } catch {
    return {};
  }
}

/** Partitions that it has committed, or that its members have, each with where it ends. */
async function offsetsOf(
  context: Context,
  committed: Awaited<ReturnType<KafkaAdmin['fetchOffsets']>>,
  assignments: GroupDetail['assignments'],
): Promise<GroupDetail['offsets']> {
  const topics = new Map<string, Map<number, { offset: number | null; member: string | null }>>();
  const place = (topic: string, partition: number): { offset: number | null; member: string | null } => {
    let its = topics.get(topic);
    if (!its) topics.set(topic, (its = new Map()));
    let there = its.get(partition);
    if (!there) its.set(partition, (there = { offset: null, member: null }));
    return there;
  };
  for (const { topic, partitions } of committed) {
    for (const { partition, offset } of partitions) if (Number(offset) >= 0) place(topic, partition).offset = Number(offset);
  }
  for (const { member, partitions } of assignments) for (const { topic, partition } of partitions) place(topic, partition).member = member;
  const names = [...topics.keys()].sort(byName);
  const ends = new Map<string, ReadonlyMap<number, Ends | null>>();
  let next = 0;
  const ask = async (): Promise<void> => {
    while (next < names.length) {
      const topic = names[next++]!;
      try {
        ends.set(topic, await context.logs.knownEnds(topic));
      } catch (error) {
        // A topic that was deleted has no lag.
        if (ProxyError.of(error).close !== CloseCode.UnknownTopic) throw error;
      }
    }
  };
  await Promise.all(Array.from({ length: Math.min(TOPICS, names.length) }, ask));
  return names.flatMap((topic) =>
    [...topics.get(topic)!]
      .sort(([a], [b]) => a - b)
      .flatMap(([partition, { offset, member }]) => {
        const its = ends.get(topic)?.get(partition);
        if (its === undefined) return [];
        const { low, end } = its ?? { low: null, end: null };
        const lag = offset === null || its === null ? null : Math.max(its.end - Math.max(offset, its.low), 0);
        return [{ topic, partition, offset, low, end, lag, member }];
      }),
  );
}

export function unknownGroup(group: string): ProxyError {
  return new ProxyError('GROUP_ID_NOT_FOUND', `There is no group ${group}: it comes with its first member, or its first commit.`, true, CloseCode.UnknownTopic);
}
