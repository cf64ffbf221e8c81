'use strict';
// Compares what clients wrote down with what lies in Kafka. Knows no client and no cluster: what it is given is plain data.

/** So many findings of a kind are told; the rest is counted. */
const TOLD = 5;

/** Findings, by kind. */
class Findings {
  #kinds = new Map();

  add(kind, text) {
    const list = this.#kinds.get(kind) ?? [];
    this.#kinds.set(kind, list);
    list.push(text);
  }

  list() {
    return [...this.#kinds].flatMap(([kind, all]) => [
      ...all.slice(0, TOLD).map((text) => `${kind}: ${text}`),
      ...(all.length > TOLD ? [`${kind}: ${all.length - TOLD} more`] : []),
    ]);
  }
}

/**
 * The log, as an independent client reads it: committed messages only.
 *
 * @typedef {Map<string, { offset: number, value: string }[]>} Log 'topic/partition' -> messages, by offset
 */

const topicOf = (place) => place.slice(0, place.lastIndexOf('/'));
const inTopic = (log, topic) => [...log].filter(([place]) => topicOf(place) === topic);
/** 'session/n' of a producer's message; the others (the end marks) are nobody's. */
const parse = (value) => /^(.+)\/(\d+)$/.exec(value)?.slice(1);

/** How often each message of a topic is in the log. */
function counted(log, topic) {
  const count = new Map();
  for (const [, messages] of inTopic(log, topic)) for (const { value } of messages) count.set(value, (count.get(value) ?? 0) + 1);
  return count;
}

/** Every acknowledged message is in the log of its topic. */
function judgeAcknowledged(findings, log, acknowledged) {
  const counts = new Map();
  for (const { topic, session, from, to } of acknowledged) {
    if (!counts.has(topic)) counts.set(topic, counted(log, topic));
    for (let n = from; n < to; n++) {
      if (!counts.get(topic).has(`${session}/${n}`)) findings.add('an acknowledged message is not in the log', `${session}/${n} of ${topic}`);
    }
  }
}

/** Messages of an idempotent producer are there once and, in each partition, in the order of its session. */
function judgeOnceInOrder(findings, log, topic) {
  for (const [value, count] of counted(log, topic)) {
    if (parse(value) && count > 1) findings.add('a message of an idempotent producer is there more than once', `${value}, ${count} times`);
  }
  for (const [place, messages] of inTopic(log, topic)) {
    const last = new Map();
    for (const { offset, value } of messages) {
      const [session, n] = parse(value) ?? [];
      if (session === undefined) continue;
      if (Number(n) < (last.get(session) ?? -1)) findings.add('an idempotent producer\'s order was changed', `${value} at ${place}@${offset}, behind ${last.get(session)}`);
      last.set(session, Math.max(Number(n), last.get(session) ?? -1));
    }
  }
}

/** A reader has processed every message of its topics, and nothing that is not there. */
function judgeReader(findings, log, name, topics, seen) {
  for (const topic of topics) {
    for (const [place, messages] of inTopic(log, topic)) {
      const offsets = seen.get(place) ?? new Map();
      const known = new Map(messages.map(({ offset, value }) => [offset, value]));
      for (const [offset, value] of known) {
        if (!offsets.has(offset)) findings.add(`${name} has not seen a message`, `${place}@${offset}`);
        else if (offsets.get(offset) !== value) findings.add(`${name} has seen something else`, `${place}@${offset}: ${offsets.get(offset)}, not ${value}`);
      }
      for (const offset of offsets.keys()) if (!known.has(offset)) findings.add(`${name} has seen what is not in the log`, `${place}@${offset}`);
    }
  }
}

/**
 * When all lives of a reader had been killed: the next offset to be read lies behind nothing that was not processed.
 *
 * @param {Map<string, number>} next 'topic/partition' -> the offset that the next life begins at
 */
function judgeCommitted(findings, log, name, next, seen) {
  for (const [place, offset] of next) {
    const offsets = seen.get(place) ?? new Map();
    for (const message of log.get(place) ?? []) {
      if (message.offset < offset && !offsets.has(message.offset)) findings.add(`${name} has committed past what it processed`, `${place}@${message.offset}, committed ${offset}`);
    }
  }
}

/** The output topic of transactions has exactly one result for each message of the input topic. */
function judgeTransactions(findings, log, input, output) {
  const wanted = counted(log, input);
  const results = counted(log, output);
  for (const [value, count] of wanted) {
    const result = results.get(`${value}!`) ?? 0;
    if (parse(value) && result !== count) findings.add('a transaction did not happen exactly once', `${value}: ${result} results`);
  }
  for (const value of results.keys()) {
    if (value.endsWith('!') && !wanted.has(value.slice(0, -1))) findings.add('a result without its message', value);
  }
}

/**
 * @param {object} evidence
 * @param {Log} evidence.log
 * @param {{ topic: string, session: string, from: number, to: number }[]} evidence.acknowledged
 * @param {string[]} evidence.idempotent topics that only idempotent producers write to
 * @param {{ input: string, output: string }[]} evidence.transactions
 * @param {{ name: string, topics: string[], seen: Map<string, Map<number, string>> }[]} evidence.readers
 * @param {{ name: string, next: Map<string, number>, seen: Map<string, Map<number, string>> }[]} evidence.killed
 * @returns {string[]} what is wrong; nothing is well
 */
function judge({ log, acknowledged, idempotent, transactions, readers, killed }) {
  const findings = new Findings();
  judgeAcknowledged(findings, log, acknowledged);
  for (const topic of idempotent) judgeOnceInOrder(findings, log, topic);
  for (const { input, output } of transactions) judgeTransactions(findings, log, input, output);
  for (const { name, topics, seen } of readers) judgeReader(findings, log, name, topics, seen);
  for (const { name, next, seen } of killed) judgeCommitted(findings, log, name, next, seen);
  return findings.list();
}

/** How many messages of its topics a reader has not seen. */
function missing(log, topics, seen) {
  let count = 0;
  for (const topic of topics) for (const [place, messages] of inTopic(log, topic)) for (const { offset } of messages) if (!seen.get(place)?.has(offset)) count++;
  return count;
}

module.exports = { judge, missing };
