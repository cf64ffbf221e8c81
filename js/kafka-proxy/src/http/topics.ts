// Which topics there are, and how they are.

import type { KafkaAdmin } from 'kafka-native';
import type { Context } from '../context';
import { ProxyError } from '../errors';
import { INTERNAL } from '../log/logs';
import type { TopicDetail, Topics, TopicSummary } from './api';
import { one, topicOf, unknownTopic } from './names';
import { byName, permitted } from './permitted';
import type { Ask, Route } from './router';

type Metadata = Awaited<ReturnType<KafkaAdmin['fetchTopicMetadata']>>['topics'][number];

export const topics: readonly Route[] = [
  { method: 'GET', path: '/topics', answer: list },
  { method: 'GET', path: '/topics/:topic', answer: detail },
];

async function list(ask: Ask): Promise<Topics> {
  const { context, query } = ask;
  const internal = one(query, 'internal') === 'true';
  const admin = await context.admin();
  // One request for all, whatever their number.
  const { topics: found } = await admin.fetchTopicMetadata({ leaderless: true });
  const shown = found.filter(({ name }) => internal || !INTERNAL.has(name)).sort((a, b) => byName(a.name, b.name));
  const allowed = await permitted(ask, shown, ({ name }) => ({ operation: 'read', topic: name }));
  return { topics: allowed.map((topic) => summaryOf(context, topic)) };
}

function summaryOf(context: Context, { name, partitions }: Metadata): TopicSummary {
  const { messages = null, rate = { messages: null, bytes: null } } = context.samples.topic(name) ?? {};
  return {
    topic: name,
    partitions: partitions.length,
    replicas: Math.max(0, ...partitions.map(({ replicas }) => replicas.length)),
    underReplicated: partitions.filter(({ replicas, isr }) => isr.length < replicas.length).length,
    offline: partitions.filter(({ leader }) => leader < 0).length,
    messages,
    rate,
  };
}

async function detail(ask: Ask): Promise<TopicDetail> {
  const { context, identity } = ask;
  const topic = topicOf(ask);
  await context.allow(identity, { operation: 'read', topic });
  const admin = await context.admin();
  const [metadata] = await admin.fetchTopicMetadata({ topics: [topic], leaderless: true }).then(
    ({ topics: found }) => found,
    (error: unknown) => {
      throw ProxyError.of(error).code === 'UNKNOWN_TOPIC_OR_PARTITION' ? unknownTopic(topic) : error;
    },
  );
  const summary = summaryOf(context, metadata!);
  // A partition without a leader has nobody who knows where it ends.
  const ends = summary.offline > 0 ? undefined : await context.logs.ends(topic);
  const details = metadata!.partitions
    .map(({ partitionId: partition, leader, replicas, isr }) => {
      const { low, end } = ends?.get(partition) ?? { low: -1, end: -1 };
      return { partition, leader, replicas, isr, low, end };
    })
    .sort((a, b) => a.partition - b.partition);
  return { ...summary, ...(ends && { messages: details.reduce((sum, { low, end }) => sum + end - low, 0) }), details };
}
