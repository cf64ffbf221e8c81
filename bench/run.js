'use strict';
// npm run bench [-- --rounds N --messages N]: kafka-native beside a plain C loop over the same librdkafka, on the real Kafka.
//
// Each contender is a process of its own; rounds are interleaved; the figures are medians with their spread. Trust the
// ratios: both columns were measured in the same minutes on the same machine.

const { execFileSync, spawnSync } = require('node:child_process');
const os = require('node:os');
const { join } = require('node:path');
const { parseArgs } = require('node:util');
const { KafkaCluster } = require('@kafka-native/kafka-for-tests');
const { Admin } = require('kafka-native');

const { values: options } = parseArgs({
  options: { rounds: { type: 'string', default: '5' }, messages: { type: 'string', default: '1000000' } },
});
const [rounds, messages] = [Number(options.rounds), Number(options.messages)];
const PARTITIONS = 4;
const root = join(__dirname, '..');
const loop = join(process.env.CARGO_TARGET_DIR ?? join(root, 'target'), 'release/examples/c_loop');

/** Runs one contender; its last line is its report. */
function run(command, args) {
  const child = spawnSync(command, args.map(String), { encoding: 'utf8', stdio: ['ignore', 'pipe', 'inherit'] });
  if (child.status !== 0) throw new Error(`${command} ${args.join(' ')} ended with ${child.signal ?? child.status}`);
  return JSON.parse(child.stdout.trim().split('\n').at(-1));
}
const ours = (file, ...args) => run(process.execPath, [join(__dirname, file), ...args]);
const theirs = (...args) => run(loop, args);

function median(values) {
  const sorted = values.toSorted((a, b) => a - b);
  return sorted[Math.floor(sorted.length / 2)];
}

/** 'median (lowest-highest)' */
function spread(values, digits) {
  const text = (value) => value.toFixed(digits);
  return `${text(median(values))} (${text(Math.min(...values))}-${text(Math.max(...values))})`;
}

async function main() {
  execFileSync('cargo', ['build', '--release', '-p', 'kafka-native-librdkafka', '--example', 'c_loop'], { cwd: root, stdio: 'inherit' });
  const cluster = process.env.KAFKA_BROKER ? undefined : await KafkaCluster.start({ heap: 'bench' });
  const broker = process.env.KAFKA_BROKER ?? cluster.brokers;
  const admin = new Admin({ broker });
  try {
    await admin.createTopic('bench-backlog', { partitions: PARTITIONS, replication: 1 });
    theirs('produce', broker, 'bench-backlog', PARTITIONS, messages, 1000, 100_000, 0.5);
    const all = { consume: [[], []], produce: [[], []], latency: [[], []], start: [] };
    for (let round = 0; round < rounds; round++) {
      process.stderr.write(`round ${round + 1} of ${rounds}\n`);
      const topic = `bench-${round}`;
      await admin.createTopic(topic, { partitions: PARTITIONS, replication: 1 });
      await admin.createTopic(`${topic}-lone`, { partitions: 1, replication: 1 });
      all.consume[0].push(ours('consume.js', broker, 'bench-backlog', messages));
      all.consume[1].push(theirs('consume', broker, 'bench-backlog', PARTITIONS, messages));
      all.produce[0].push(ours('produce.js', broker, topic, PARTITIONS, messages));
      all.produce[1].push(theirs('produce', broker, topic, PARTITIONS, messages, 1000, 100_000, 0.5));
      all.latency[0].push(ours('latency.js', broker, `${topic}-lone`, 500));
      all.latency[1].push(theirs('latency', broker, `${topic}-lone`, 500));
      all.start.push(ours('start.js', broker, 'bench-backlog', 5));
      await admin.deleteTopic(topic);
    }
    print(all);
  } finally {
    admin.close();
    await cluster?.stop({ wipe: true });
  }
}

function print(all) {
  const rate = (list) => list.map((figures) => figures.messages / figures.seconds / 1e6);
  const cost = (list) => list.map((figures) => (figures.cpu / figures.messages) * 1e9);
  const pick = (list, ...path) => list.map((figures) => path.reduce((value, key) => value[key], figures));
  const rows = [];
  const row = (what, [mine, base], digits) =>
    rows.push({ what, 'kafka-native': spread(mine, digits), 'C loop': base ? spread(base, digits) : '', ratio: base ? (median(mine) / median(base)).toFixed(2) : '' });
  const both = (pair, figure) => pair.map(figure);
  row('consume, M msg/s from the first message', both(all.consume, rate), 2);
  row('consume, ns of CPU a message', both(all.consume, cost), 0);
  row('consume, peak RSS MB', both(all.consume, (list) => pick(list, 'rss')), 0);
  row('consume, event-loop delay p99 ms', [pick(all.consume[0], 'delay')], 1);
  row('produce, M msg/s', both(all.produce, rate), 2);
  row('produce, ns of CPU a message', both(all.produce, cost), 0);
  row('produce, peak RSS MB', both(all.produce, (list) => pick(list, 'rss')), 0);
  row('lone message p50 ms', both(all.latency, (list) => pick(list, 'p50')), 2);
  row('lone message p99 ms', both(all.latency, (list) => pick(list, 'p99')), 2);
  row('start() to first callback, no offsets, p50 ms', [pick(all.start, 'fresh', 'p50')], 0);
  row('start() to first callback, recorded offsets, p50 ms', [pick(all.start, 'recorded', 'p50')], 0);
  console.log(`${messages} messages of 100 bytes, ${PARTITIONS} partitions, ${rounds} rounds: median (lowest-highest)`);
  console.log(`${os.cpus()[0].model}, ${os.cpus().length} cores shared with the broker, Node ${process.version}, Linux ${os.release()}`);
  console.table(Object.fromEntries(rows.map(({ what, ...figures }) => [what, figures])));
}

main();
