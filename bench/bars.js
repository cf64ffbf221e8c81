'use strict';
// Goals of the project. The results show a missed bar; it is no error.

const { CONTENDERS } = require('./contenders.js');

const BASELINE = 'c-loop';
const APIS = ['kafka-native', 'classic'];

/**
 * @typedef {{ what: string, contender: string, measured?: number, limit?: number, atLeast: boolean, met?: boolean, note?: string }} Bar
 *
 * @param {Record<string, { contenders: Record<string, { figures?: import('./shapes.js').Figures }> }>} shapes as in the results
 * @returns {Bar[]} without `measured` or `limit`: the run did not measure it
 */
function bars(shapes) {
  /** @type {Bar[]} */
  const list = [];
  const median = (shape, contender, figure) => shapes[shape]?.contenders[contender]?.figures?.[figure]?.median;
  /** The best of the contenders of these kinds. */
  const best = (shape, figure, kinds) => {
    const found = Object.keys(CONTENDERS).filter((name) => kinds.includes(CONTENDERS[name].kind));
    const values = found.map((name) => median(shape, name, figure)).filter((value) => value !== undefined);
    return values.length > 0 ? Math.max(...values) : undefined;
  };
  const bar = (what, contender, atLeast, measured, limit) => {
    const known = measured !== undefined && limit !== undefined && Number.isFinite(limit);
    list.push({ what, contender, atLeast, measured, limit, ...(known && { met: atLeast ? measured >= limit : measured <= limit }) });
  };
  const times = (factor, value) => (value === undefined ? undefined : factor * value);
  const toBaseline = (shape, contender, figure, factor, atLeast, what) =>
    bar(
      `${what}: at ${atLeast ? 'least' : 'most'} ${factor} times the C loop's`,
      contender,
      atLeast,
      median(shape, contender, figure),
      times(factor, median(shape, BASELINE, figure)),
    );
  const toPeers = (shape, contender, figure, factor, kinds, what) =>
    bar(`${what}: at least ${factor} times`, contender, true, median(shape, contender, figure), times(factor, best(shape, figure, kinds)));
  const below = (shape, contender, figure, limit, what) => bar(`${what}: at most ${limit}`, contender, false, median(shape, contender, figure), limit);

  const peers = ['binding', 'javascript'];
  for (const api of APIS) {
    toBaseline('consume', api, 'rate', 0.9, true, 'consume 100 B, msg/s from the first message');
    toBaseline('consume', api, 'cpu', api === 'classic' ? 1.7 : 1.5, false, 'consume 100 B, CPU a message');
    toBaseline('produce', api, 'rate', 0.85, true, 'produce batches of 1000, msg/s');
    toBaseline('produce', api, 'cpu', 1.4, false, 'produce batches of 1000, CPU a message');
    for (const [shape, size] of [
      ['produce-headers', 1000],
      ['produce-headers-10', 10],
    ]) {
      toBaseline(shape, api, 'rate', 0.8, true, `produce batches of ${size} with keys and headers, msg/s`);
      toBaseline(shape, api, 'cpu', 1.6, false, `produce batches of ${size} with keys and headers, CPU a message`);
    }
  }
  const ours = 'kafka-native';
  toPeers('awaited-batches', ours, 'perCpu', 2.5, peers, "awaited batches of 100, msg per CPU second, the best client's");
  toPeers('awaited-batches', ours, 'rate', 1, peers, "awaited batches of 100, msg/s, the best client's");
  toBaseline('awaited-singles', ours, 'rate', 0.444, true, 'awaited single sends, msg/s (400 k where the C loop does 900 k)');
  toPeers('awaited-singles', ours, 'rate', 1, peers, "awaited single sends, msg/s, the best client's");
  toPeers('awaited-singles', ours, 'perCpu', 1, peers, "awaited single sends, msg per CPU second, the best client's");
  for (const api of APIS) {
    toPeers('consume', api, 'perCpu', 5, ['binding'], "consume 100 B, msg per CPU second, the best binding's");
    toPeers('consume', api, 'perCpu', 3, ['javascript'], "consume 100 B, msg per CPU second, the best pure JavaScript's");
    const lone = median('latency-100', BASELINE, 'p50');
    bar("a lone message, p50 ms: at most 0.3 above the C loop's", api, false, median('latency-100', api, 'p50'), lone === undefined ? undefined : lone + 0.3);
    toBaseline('latency-100', api, 'p99', 1.5, false, 'a lone message, p99 ms');
    below('consume', api, 'delay', 4, 'event-loop delay p99 ms while consuming a backlog');
    below('produce', api, 'delay', 5, 'event-loop delay p99 ms while producing at full speed');
    below('produce', api, 'rss', 130, 'RSS peak while producing at full speed, MB');
    below('start-recorded', api, 'first', 25, 'start to first message with recorded offsets, ms');
    below('start-fresh', api, 'first', 40, 'start to first message without recorded offsets, ms');
    below('consume', api, 'rss', 100, 'RSS peak on a backlog of 1 M messages, MB');
  }
  below('usual-each-message', ours, 'beside', 1.5, 'the usual program, µs of CPU a message beside parsing, with `eachMessage`');
  below('usual-produce', ours, 'cpu', 3.5, 'the usual program, µs of CPU a message with key and headers, sent one by one');
  for (const shape of ['usual-each-message', 'usual-each-batch', 'usual-produce']) {
    below(shape, ours, 'delay', 5, `${shape}: event-loop delay p99 ms`);
    below(shape, ours, 'rss', shape === 'usual-produce' ? 130 : 120, `${shape}: RSS peak, MB`);
  }
  below('start-producer', ours, 'first', 40, 'producer, from new to the first acknowledgement, ms');
  below('start-fresh', ours, 'require', 40, 'require, ms');
  return list;
}

module.exports = { bars };
