// Kafka's figures of topics and groups, asked while somebody looks.

import type { KafkaAdmin } from 'kafka-native';
import type { LagHistory, Rate } from '../http/api';
import type { Log } from '../options';
import type { Ends } from '../log/topic-log';
import type { KafkaLook } from './kafka-look';
import { lagOf, type Committed, type GroupLag } from './lag';
import { Ring } from './ring';
import { UNKNOWN, type Exchange, type Traffic } from './traffic';

/** Milliseconds for which it goes on when nobody asks any more, and for which is kept what nobody asks for. */
const LOOKED = 15_000;
const KEPT = 60_000;
/** Of a group's lag: as long as its history. */
const GROUP_KEPT = 600_000;
/** Milliseconds between the begins of two rounds: while somebody looks, and while only alerts and the proxy's own groups do. */
const PACE = 2000;
const SLOW_PACE = 5000;
/** A round rests at least so many times as long as Kafka was busy with it: one fifth of the time at the most. */
const REST = 4;
const LONGEST_REST = 60_000;
/** Milliseconds that a round may take; the others are first in the next one. */
const ROUND = 30_000;
/** Questions at once, and milliseconds for each. */
const AT_ONCE = 8;
const PATIENCE = 3000;
/** So many are watched at the most. */
const MOST_TOPICS = 20_000;
const MOST_GROUPS = 1000;
/** Entries of a group's history, and topics of an entry: those that lag most. */
export const HISTORY = 120;
const HISTORY_TOPICS = 20;

/** Facts that the proxy itself knows. */
export interface Known {
  /** Groups that have members here, and the topics that those want. */
  readonly groups: () => Iterable<{ group: string; topics: readonly string[] }>;
  /** Traffic of the whole topic; undefined: the topic is not read. */
  readonly read: (topic: string) => Traffic | undefined;
  readonly counted: (topic: string) => Exchange | undefined;
}

interface Point {
  at: number;
  end: number;
  read: { from: Traffic; bytes: number } | undefined;
  messages: number;
  bytes: number;
}

class Topic {
  asked = 0;
  /** When it was told last; undefined: never. */
  at: number | undefined;
  /** The last round that has asked for it. */
  round = 0;
  there: boolean | undefined;
  ends = new Map<number, Ends>();
  messages: number | null = null;
  /** When its ends grew, as far as it was watched. */
  grown = 0;
  readonly points = new Ring<Point>(6);
}

class Group {
  asked = 0;
  at: number | undefined;
  lag: GroupLag | undefined;
  /** Members, if somebody wants to know. */
  members: { wanted: number; at: number | undefined; count: number } = { wanted: Number.NEGATIVE_INFINITY, at: undefined, count: 0 };
  /** Topics that somebody wants, although the group may have committed nothing there. */
  readonly wanted = new Map<string, number>();
  recorded = Number.NEGATIVE_INFINITY;
  history: Ring<LagHistory['history'][number]> | undefined;
}

/** Times are of `performance.now()`. */
export class Samples {
  readonly #admin: () => Promise<KafkaAdmin>;
  readonly #look: KafkaLook;
  readonly #known: Known;
  readonly #log: Log;
  readonly #pace: number;
  readonly #patience: number;
  readonly #topics = new Map<string, Topic>();
  readonly #groups = new Map<string, Group>();
  #running: Promise<void> | undefined;
  #rounds = 0;
  #next = 0;
  /** Milliseconds that questions of this round took which were answered, one beside the other. */
  #busy = 0;
  /** Between the ends of the last two rounds. */
  #gap = 0;
  #ended = 0;
  /** When somebody looked, other than an alert. */
  #looked = Number.NEGATIVE_INFINITY;
  #closed = false;

  constructor(admin: () => Promise<KafkaAdmin>, look: KafkaLook, known: Known, log: Log, { pace = PACE, patience = PATIENCE } = {}) {
    this.#pace = pace;
    this.#patience = patience;
    this.#admin = admin;
    this.#look = look;
    this.#known = known;
    this.#log = log;
  }

  /**
   * Figures known last; they are asked for from now on, and some seconds longer. undefined: not asked yet. `age`: milliseconds since Kafka has said it.
   */
  topic(name: string): { messages: number | null; rate: Rate; age: number | null } | undefined {
    this.#looked = performance.now();
    const topic = this.#watch(name);
    if (topic?.at === undefined) return undefined;
    return { messages: topic.there ? topic.messages : null, rate: this.#rateOf(topic), age: performance.now() - topic.at };
  }

  /** The same, of a group. */
  group(name: string): { lag: number | null; age: number | null } | undefined {
    this.#looked = performance.now();
    const group = this.#watchGroup(name);
    if (group?.at === undefined) return undefined;
    return { lag: group.lag?.lag ?? null, age: performance.now() - group.at };
  }

  /** For an alert. undefined: not known now. */
  lag(name: string, topic?: string): GroupLag | undefined {
    const group = this.#watchGroup(name);
    if (topic !== undefined) group?.wanted.set(topic, performance.now());
    return group && this.#isFresh(group.at) ? group.lag : undefined;
  }

  /** For an alert. undefined: not known now. */
  members(name: string): number | undefined {
    const group = this.#watchGroup(name);
    if (!group) return undefined;
    group.members.wanted = performance.now();
    return this.#isFresh(group.members.at) ? group.members.count : undefined;
  }

  /** Milliseconds for which a topic has got no message, as far as it was watched; 'gone': there is no such topic; undefined: not known now. */
  silence(name: string): number | 'gone' | undefined {
    const topic = this.#watch(name);
    if (!topic || !this.#isFresh(topic.at)) return undefined;
    return topic.there ? performance.now() - topic.grown : 'gone';
  }

  /** A group's lag over time; it is recorded while somebody asks for this, and some seconds longer. */
  history(name: string): LagHistory['history'] {
    this.#looked = performance.now();
    const group = this.#watchGroup(name);
    if (!group) return [];
    group.recorded = performance.now();
    return [...(group.history ?? [])];
  }

  /** Groups whose lag is known, with it. */
  *lags(): Iterable<[group: string, lag: GroupLag]> {
    for (const [name, group] of this.#groups) if (group.lag?.lag != null && this.#isFresh(group.at)) yield [name, group.lag];
  }

  #watch(name: string): Topic | undefined {
    let topic = this.#topics.get(name);
    if (!topic) {
      if (this.#topics.size >= MOST_TOPICS) return undefined;
      this.#topics.set(name, (topic = new Topic()));
    }
    topic.asked = performance.now();
    return topic;
  }

  #watchGroup(name: string): Group | undefined {
    let group = this.#groups.get(name);
    if (!group) {
      if (this.#groups.size >= MOST_GROUPS) return undefined;
      this.#groups.set(name, (group = new Group()));
    }
    group.asked = performance.now();
    return group;
  }

  #isFresh(at: number | undefined): boolean {
    return at !== undefined && performance.now() - at <= Math.max(LOOKED, 3 * this.#gap);
  }

  /** By successive ends. */
  #rateOf({ points, at }: Topic): Rate {
    const { oldest, newest } = points;
    if (!oldest || !newest || oldest === newest || !this.#isFresh(at)) return UNKNOWN;
    const seconds = (newest.at - oldest.at) / 1000;
    const messages = newest.end - oldest.end;
    const bytes = (): number | null => {
      if (newest.read && oldest.read?.from === newest.read.from) return newest.read.bytes - oldest.read.bytes;
      const own = newest.messages - oldest.messages;
      // Messages that others write have a size that is not known here.
      return messages === 0 ? 0 : own > 0 && own >= messages * 0.9 ? ((newest.bytes - oldest.bytes) / own) * messages : null;
    };
    const read = bytes();
    return { messages: messages / seconds, bytes: read === null ? null : read / seconds };
  }

  /** Once a second: begins a round, if one is due. Two are never under way. */
  tick(): void {
    const now = performance.now();
    if (this.#closed || this.#running || now < this.#next) return;
    for (const { group, topics } of this.#known.groups()) {
      const own = this.#watchGroup(group);
      if (!own) continue;
      own.recorded = now;
      for (const topic of topics) own.wanted.set(topic, now);
    }
    this.#prune(now);
    const topics = [...this.#topics].filter(([, { asked }]) => now - asked < LOOKED);
    const groups = [...this.#groups].filter(([, { asked }]) => now - asked < LOOKED);
    if (topics.length === 0 && groups.length === 0) return;
    this.#running = this.#round(topics, groups)
      .catch((error: Error) => this.#log.debug(`Kafka was not asked for figures: ${error.message}`))
      .finally(() => {
        const end = performance.now();
        this.#gap = this.#ended > 0 ? Math.min(end - this.#ended, ROUND + LONGEST_REST) : 0;
        this.#ended = end;
        const pace = end - this.#looked < LOOKED ? this.#pace : SLOW_PACE;
        this.#next = Math.max(now + pace, end + Math.min((REST * this.#busy) / AT_ONCE, LONGEST_REST));
        this.#running = undefined;
      });
  }

  /** Every few seconds. */
  record(at: number): void {
    const now = performance.now();
    for (const group of this.#groups.values()) {
      if (now - group.recorded > LOOKED) continue;
      group.history ??= new Ring(HISTORY);
      const fresh = this.#isFresh(group.at) ? group.lag : undefined;
      const most = Object.entries(fresh?.topics ?? {});
      if (most.length > HISTORY_TOPICS) most.sort((a, b) => b[1] - a[1]).splice(HISTORY_TOPICS);
      group.history.push({ at, lag: fresh?.lag ?? null, topics: Object.fromEntries(most) });
    }
  }

  #prune(now: number): void {
    for (const [name, { asked }] of this.#topics) if (now - asked > KEPT) this.#topics.delete(name);
    for (const [name, { asked, history, wanted }] of this.#groups) {
      if (now - asked > (history ? GROUP_KEPT : KEPT)) this.#groups.delete(name);
      for (const [topic, last] of wanted) if (now - last > LOOKED) wanted.delete(topic);
    }
  }

  async #round(asked: [string, Topic][], groups: [string, Group][]): Promise<void> {
    const names = await this.#look.topics();
    if (!names) return;
    const admin = await this.#admin();
    const there = new Set(names);
    const round = ++this.#rounds;
    const over = performance.now() + ROUND;
    this.#busy = 0;
    const committed = new Map<Group, Map<string, Committed>>();
    const topics = new Map(asked);
    await Promise.all([
      this.#each(oldestFirst(groups), over, async ([name, group]) => {
        const offsets = await admin.fetchOffsets({ groupId: name, timeout: this.#patience });
        const by = new Map<string, Committed>();
        for (const { topic, partitions } of offsets) by.set(topic, new Map(partitions.map(({ partition, offset }) => [partition, Number(offset)])));
        for (const topic of group.wanted.keys()) if (!by.has(topic)) by.set(topic, new Map());
        committed.set(group, by);
        for (const topic of by.keys()) if (!topics.has(topic)) topics.set(topic, this.#topics.get(topic) ?? new Topic());
      }),
      this.#members(admin, groups),
    ]);
    await this.#each(oldestFirst([...topics]), over, async ([name, topic]) => {
      if (there.has(name)) await this.#ask(admin, name, topic, round);
      else {
        topic.there = false;
        topic.at = performance.now();
        topic.round = round;
        topic.points.clear();
      }
    });
    for (const [group, by] of committed) {
      const its = Array.from(by, ([name, offsets]) => ({ name, offsets, topic: topics.get(name)! }));
      // One that did not answer would make the sum too small.
      if (its.some(({ topic }) => topic.round !== round)) continue;
      group.lag = lagOf(its.map(({ name, offsets, topic }) => ({ topic: name, committed: offsets, ends: topic.there ? topic.ends : undefined })));
      group.at = performance.now();
    }
  }

  async #ask(admin: KafkaAdmin, name: string, topic: Topic, round: number): Promise<void> {
    const offsets = await admin.fetchTopicOffsets(name, { readCommitted: true, timeout: this.#patience });
    const now = performance.now();
    let end = 0;
    let messages = 0;
    topic.ends.clear();
    for (const { partition, low, high } of offsets) {
      const ends = { low: Number(low), end: Number(high) };
      end += ends.end;
      messages += Math.max(ends.end - ends.low, 0);
      topic.ends.set(partition, ends);
    }
    const { newest } = topic.points;
    if (newest?.end !== end) topic.grown = now;
    // It was made anew, or was not asked for a while.
    if (newest && (end < newest.end || now - newest.at > KEPT)) topic.points.clear();
    const read = this.#known.read(name);
    const received = this.#known.counted(name)?.received;
    const counted = { messages: received?.messages ?? 0, bytes: received?.bytes ?? 0 };
    topic.points.push({ at: now, end, read: read && { from: read, bytes: read.bytes }, ...counted });
    Object.assign(topic, { there: true, messages, at: now, round });
  }

  /** A few at once, until it is `over`. An item that fails stays as it was. */
  async #each<T>(list: readonly T[], over: number, ask: (item: T) => Promise<void>): Promise<void> {
    const left = list.values();
    const one = async (): Promise<void> => {
      for (const item of left) {
        const begin = performance.now();
        if (begin > over || this.#closed) return;
        await ask(item).catch(() => {});
        const took = performance.now() - begin;
        // A broker that does not answer is not busy with it.
        if (took < this.#patience) this.#busy += took;
      }
    };
    await Promise.all(Array.from({ length: Math.min(AT_ONCE, list.length) }, one));
  }

  async #members(admin: KafkaAdmin, groups: [string, Group][]): Promise<void> {
    const now = performance.now();
    const wanted = new Map(groups.filter(([, { members }]) => now - members.wanted < LOOKED));
    if (wanted.size === 0) return;
    try {
      const described = await admin.describeGroups([...wanted.keys()], { timeout: this.#patience });
      for (const { groupId, members } of described.groups) Object.assign(wanted.get(groupId)!.members, { at: performance.now(), count: members.length });
    } catch (error) {
      this.#log.debug(`Groups could not be described: ${(error as Error).message}`);
    }
  }

  /** No round begins any more; resolves when none is under way. */
  async close(): Promise<void> {
    this.#closed = true;
    await this.#running;
  }
}

/** Those that were told longest ago first: a round may be too short for all. */
function oldestFirst<T extends { at: number | undefined }>(list: [string, T][]): [string, T][] {
  return list.sort(([, a], [, b]) => (a.at ?? 0) - (b.at ?? 0));
}
