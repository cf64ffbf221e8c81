// Offsets of a group, set to another place.

import { z } from 'zod';
import type { KafkaAdmin } from 'kafka-native';
import type { Context } from '../context';
import { CloseCode, ProxyError } from '../errors';
import { refused } from '../v2/messages';
import type { Ends } from '../log/topic-log';
import type { Reset } from './api';
import { jsonOf } from './body';
import { bad, groupOf } from './names';
import type { Ask, Route } from './router';

export const resets: readonly Route[] = [{ method: 'POST', path: '/groups/:group/offsets', answer: reset }];

const partition = z
  .int()
  .min(0)
  .max(2 ** 31 - 1);
const offset = z.int().min(0);
const WISH = z.strictObject({
  topic: z.string().regex(/^[\w.-]{1,249}$/, 'must be the name of a topic'),
  partitions: z.array(partition).min(1).max(100_000).optional(),
  to: z.union(
    [
      z.enum(['earliest', 'latest']),
      z.strictObject({ timestamp: offset }),
      z.strictObject({ offsets: z.array(z.strictObject({ partition, offset })).min(1).max(100_000) }),
      z.strictObject({ by: z.int() }),
    ],
    "must be 'earliest', 'latest', {timestamp}, {offsets: [{partition, offset}]} or {by}",
  ),
  dryRun: z.boolean().optional(),
});
type Wish = z.infer<typeof WISH>;
/** Partitions that an error names. */
const NAMED = 20;
/** The states in which nobody commits. */
const UNUSED: readonly string[] = ['Empty', 'Dead'];

async function reset(ask: Ask): Promise<Reset> {
  const { context, identity } = ask;
  const group = groupOf(ask);
  await context.allow(identity, { operation: 'admin', group });
  const { success, data: wish, error } = WISH.safeParse(jsonOf(await ask.body()));
  if (!success) throw bad(`${refused(error)}.`);
  const { topic, dryRun = false } = wish;
  const admin = await context.admin();
  await refuseMembers(admin, group);
  const ends = await context.logs.knownEnds(topic);
  const before = await committedOf(admin, group, topic);
  const wanted = await wantedOf(context, wish, ends, before);
  const offsets = wanted.map(([number, place]) => {
    const { low, end } = ends.get(number)!;
    const set = Math.min(Math.max(place, low), end);
    return { partition: number, before: before.get(number) ?? null, offset: set, ...(set !== place && { wanted: place }) };
  });
  if (!dryRun) {
    const partitions = offsets.map(({ partition: number, offset: set }) => ({ partition: number, offset: String(set) }));
    try {
      await admin.setOffsets({ groupId: group, topic, partitions });
    } catch (failed) {
      // A member may have come meanwhile.
      await refuseMembers(admin, group);
      throw failed;
    }
    context.audit.acted(identity, 'set offsets', { group, topic, offsets });
  }
  return { group, topic, dryRun, offsets };
}

/** @throws ProxyError while the group has members: they would go on where they are, and commit that */
async function refuseMembers(admin: KafkaAdmin, group: string): Promise<void> {
  const [description] = (await admin.describeGroups([group])).groups;
  if (UNUSED.includes(description!.state)) return;
  const why = `The group ${group} is ${description!.state} and has ${description!.members.length} members: stop its consumers, wait until it is Empty, and ask again.`;
  throw new ProxyError('NON_EMPTY_GROUP', why, true, CloseCode.Replaced);
}

async function committedOf(admin: KafkaAdmin, group: string, topic: string): Promise<Map<number, number>> {
  const [fetched] = await admin.fetchOffsets({ groupId: group, topics: [topic] }).catch((error: unknown) => {
    if (ProxyError.of(error).code === 'GROUP_ID_NOT_FOUND') return [];
    throw error;
  });
  const committed = (fetched?.partitions ?? []).filter((each) => Number(each.offset) >= 0);
  return new Map(committed.map((each) => [each.partition, Number(each.offset)]));
}

/** The places that are asked for, whether the log has them or not. @throws ProxyError */
async function wantedOf(
  context: Context,
  { topic, partitions, to }: Wish,
  ends: ReadonlyMap<number, Ends | null>,
  before: ReadonlyMap<number, number>,
): Promise<[number, number][]> {
  if (typeof to === 'object' && 'offsets' in to) {
    const wanted = new Map(to.offsets.map((each) => [each.partition, each.offset]));
    if (partitions || wanted.size < to.offsets.length) throw bad('to.offsets names each partition once, and partitions are not there then.');
    refuseUnknown(topic, ends, [...wanted.keys()]);
    return [...wanted];
  }
  const numbers = [...new Set(partitions ?? [...ends.keys()].sort((a, b) => a - b))];
  refuseUnknown(topic, ends, numbers);
  const times = typeof to === 'object' && 'timestamp' in to ? await context.logs.times(topic, to.timestamp, true) : undefined;
  // A leader may have gone meanwhile.
  if (times)
    refuseLeaderless(
      topic,
      numbers.filter((number) => !times.has(number)),
    );
  return numbers.map((number) => {
    const { low, end } = ends.get(number)!;
    if (to === 'earliest') return [number, low];
    if (to === 'latest') return [number, end];
    if ('timestamp' in to) return [number, times!.get(number)!];
    const committed = before.get(number);
    if (committed === undefined) throw bad(`The group has committed nothing for ${topic}/${number} that could be moved: name another place.`);
    return [number, committed + to.by];
  });
}

/** @throws ProxyError for a partition that there is not, and where nobody knows which offsets its log has */
function refuseUnknown(topic: string, ends: ReadonlyMap<number, Ends | null>, numbers: readonly number[]): void {
  const missing = numbers.find((number) => !ends.has(number));
  if (missing !== undefined) throw new ProxyError('UNKNOWN_TOPIC_OR_PARTITION', `the topic ${topic} has no partition ${missing}`, true, CloseCode.UnknownTopic);
  refuseLeaderless(
    topic,
    numbers.filter((number) => ends.get(number) === null),
  );
}

function refuseLeaderless(topic: string, numbers: readonly number[]): void {
  if (numbers.length === 0) return;
  const named = numbers.slice(0, NAMED).join(', ') + (numbers.length > NAMED ? ` and ${numbers.length - NAMED} more` : '');
  const why = `These partitions of ${topic} have no leader now, and nobody knows which offsets they have: ${named}. Nothing is set: ask again when their brokers are back, or name the other partitions.`;
  throw new ProxyError('LEADER_NOT_AVAILABLE', why, true, CloseCode.Internal);
}
