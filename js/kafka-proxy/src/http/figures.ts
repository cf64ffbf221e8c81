// Answers about the proxy itself.

import { version } from '../../package.json';
import { CloseCode, ProxyError } from '../errors';
import type { Exchange, Traffic } from '../figures/traffic';
import type { Alerts, Cluster, Counted, FiguresNow, LagHistory, Rate, SocketFigures, Sockets } from './api';
import { whole } from './answer';
import { groupOf } from './names';
import type { Ask, Route } from './router';

/** Sockets of an answer, unless `limit` says another number; and of each so many subscriptions, with so many topics. */
const SOCKETS = 1000;
const MOST_SOCKETS = 20_000;
const READS = 20;
const TOPICS = 20;

export const FIGURES: readonly Route[] = [
  { method: 'GET', path: '/healthz', open: true, answer: health },
  { method: 'GET', path: '/readyz', open: true, answer: ready },
  { method: 'GET', path: '/metrics', answer: metrics },
  { method: 'GET', path: '/figures', answer: figures },
  { method: 'GET', path: '/sockets', answer: sockets },
  { method: 'GET', path: '/cluster', answer: cluster },
  { method: 'GET', path: '/alerts', answer: alerts },
  { method: 'GET', path: '/groups/:group/history', answer: history },
];

/** The process lives: nobody else is asked. */
function health({ context }: Ask): object {
  return { status: 'ok', version, uptime: Date.now() - context.figures.since };
}

/** Whether clients should be sent here. */
async function ready({ context }: Ask): Promise<object> {
  const { kafka } = context.reports;
  const answers = !context.closing && (await kafka.fresh());
  if (context.closing) throw new ProxyError('CLOSING', 'The proxy ends: take another.', true, CloseCode.GoingAway);
  const { age } = kafka;
  if (answers) return { status: 'ready', kafka: { age: Math.round(age ?? 0) } };
  const since = age === null ? 'has not answered yet' : `has not answered for ${Math.round(age / 1000)} s`;
  throw new ProxyError('KAFKA_UNAVAILABLE', `Kafka ${since}; it is asked again and again. The log of the proxy has more.`, true, CloseCode.Internal);
}

async function metrics({ context, identity, response }: Ask): Promise<void> {
  await context.allow(identity, { operation: 'metrics' });
  const { metrics: all } = context;
  whole(response, 200, all.type, Buffer.from(await all.text()));
}

async function figures({ context, identity }: Ask): Promise<FiguresNow> {
  await context.allow(identity, { operation: 'metrics' });
  const { figures: counted, reports } = context;
  const now = performance.now();
  const { sent, received } = both(counted.all, now);
  return {
    uptime: Date.now() - counted.since,
    memory: process.memoryUsage.rss(),
    sockets: context.sockets.size,
    sent,
    received,
    refused: Object.fromEntries(counted.refused),
    topics: Array.from(counted.topics, ([topic, exchange]) => ({ topic, ...both(exchange, now) })),
    groups: Array.from(counted.groups, ([group, traffic]) => ({ group, sent: told(traffic.sent, now), lag: context.samples.group(group)?.lag ?? null })),
    history: [...reports.history],
  };
}

async function sockets({ context, identity, query }: Ask): Promise<Sockets> {
  await context.allow(identity, { operation: 'admin' });
  const limit = limitOf(query);
  context.reports.look();
  const now = performance.now();
  const shown: SocketFigures[] = [];
  for (const { id, address, identity: who, protocol, since, traffic, buffered, reads } of context.sockets) {
    if (shown.length >= limit) break;
    const all = [...reads];
    shown.push({
      id,
      address,
      name: who.name ?? null,
      way: who.way,
      protocol,
      since,
      ...both(traffic, now),
      buffered,
      reads: all.slice(0, READS).map(({ id: subscription, topics, pattern, group }) => ({
        id: subscription,
        topics: topics.slice(0, TOPICS),
        ...(topics.length > TOPICS && { more: topics.length - TOPICS }),
        ...(pattern !== undefined && { pattern }),
        ...(group !== undefined && { group }),
      })),
      ...(all.length > READS && { more: all.length - READS }),
    });
  }
  return { total: context.sockets.size, sockets: shown };
}

function limitOf(query: URLSearchParams): number {
  const text = query.get('limit') ?? String(SOCKETS);
  if (!/^\d{1,6}$/.test(text) || Number(text) < 1 || Number(text) > MOST_SOCKETS)
    throw new ProxyError('BAD_REQUEST', `limit must be a whole number from 1 to ${MOST_SOCKETS}.`);
  return Number(text);
}

async function cluster({ context, identity }: Ask): Promise<Cluster> {
  await context.allow(identity, { operation: 'admin' });
  const found = await context.reports.kafka.cluster();
  if (found === undefined) throw new ProxyError('KAFKA_UNAVAILABLE', 'Kafka does not answer: try again later.', true, CloseCode.Internal);
  return found;
}

async function alerts({ context, identity }: Ask): Promise<Alerts> {
  await context.allow(identity, { operation: 'metrics' });
  return { alerts: context.reports.alerts.states };
}

async function history(ask: Ask): Promise<LagHistory> {
  const { context, identity } = ask;
  const group = groupOf(ask);
  await context.allow(identity, { operation: 'group', group });
  return { group, history: context.samples.history(group) };
}

type Told = Counted & { rate: Rate };

function both({ sent, received }: Exchange, now: number): { sent: Told; received: Told } {
  return { sent: told(sent, now), received: told(received, now) };
}

function told(traffic: Traffic, now: number): Told {
  const { messages, bytes } = traffic;
  return { messages, bytes, rate: traffic.rate(now) };
}
