'use strict';
// npm run bench: kafka-native beside a plain C loop and the other clients, on the real Kafka. README.md says what is measured.

const { execFileSync, spawnSync } = require('node:child_process');
const { existsSync, mkdtempSync, readFileSync, rmSync } = require('node:fs');
const os = require('node:os');
const { join, relative, resolve } = require('node:path');
const { parseArgs } = require('node:util');
const { KafkaCluster } = require('@kafka-native/kafka-for-tests');
const { Admin } = require('kafka-native');
const { fill, makeTopic } = require('./backlog.js');
const { bars } = require('./bars.js');
const { CONTENDERS, EVERYONE, OURS } = require('./contenders.js');
const { number, summary } = require('./figures.js');
const { install, installed, node } = require('./install.js');
const { tell, write } = require('./report.js');
const { SHAPES, scaled } = require('./shapes.js');

const ROOT = join(__dirname, '..');
const C_LOOP = join(process.env.CARGO_TARGET_DIR ?? join(ROOT, 'target'), 'release/examples/c_loop');
/** Milliseconds after which a contender that has not ended is killed. */
const PATIENCE = 60_000;

const HELP = `npm run bench [-- OPTIONS]

  --quick             only the shapes that the bars are about, only kafka-native and the C loop, 3 rounds
  --rounds N          default 5
  --messages N        what a million is; default 1000000
  --shapes A,B        of: ${Object.keys(SHAPES).join(', ')}
  --contenders A,B    of: ${EVERYONE.join(', ')}; or all
  --out FOLDER        default: bench/results for a whole run, target/bench for one that an option above narrows
`;

const say = (text) => process.stderr.write(`${text}\n`);

/** The settings of the command line. */
function settings() {
  const { values } = parseArgs({
    options: {
      ...{ quick: { type: 'boolean' }, rounds: { type: 'string' }, messages: { type: 'string', default: '1000000' }, help: { type: 'boolean' } },
      ...{ shapes: { type: 'string' }, contenders: { type: 'string' }, out: { type: 'string' } },
    },
  });
  if (values.help) {
    console.log(HELP);
    process.exit();
  }
  const count = (option, text) => {
    if (!/^[1-9]\d*$/.test(text)) throw new Error(`--${option} takes a number from 1, not '${text}'`);
    return Number(text);
  };
  const names = (option, known) => {
    const list = values[option]?.split(',').filter(Boolean);
    const unknown = list?.filter((name) => !known.includes(name));
    if (unknown?.length > 0) throw new Error(`--${option} does not know ${unknown.join(', ')}; there are: ${known.join(', ')}`);
    return list;
  };
  const contenders = values.contenders === 'all' ? EVERYONE : (names('contenders', EVERYONE) ?? (values.quick ? OURS : undefined));
  const narrowed = values.quick || values.rounds || values.shapes || values.contenders || values.messages !== '1000000';
  return {
    rounds: count('rounds', values.rounds ?? (values.quick ? '3' : '5')),
    factor: count('messages', values.messages) / 1e6,
    shapes: names('shapes', Object.keys(SHAPES)) ?? Object.keys(SHAPES).filter((name) => !values.quick || SHAPES[name].quick),
    /** Of a shape. */
    contenders: (shape) => (contenders ?? shape.contenders).filter((name) => !shape.not?.[name]),
    out: resolve(values.out ?? join(ROOT, narrowed ? 'target/bench' : 'bench/results')),
  };
}

/**
 * One contender does one task, in a process of its own.
 *
 * @returns {{ report: import('./shapes.js').Report, error?: undefined } | { report?: undefined, error: string }} what it measured
 */
function run(contender, task) {
  const [command, args] =
    contender === 'c-loop'
      ? [C_LOOP, Object.entries(task).map(([name, value]) => `${name}=${value}`)]
      : [node(), [join(__dirname, 'work.js'), contender, JSON.stringify(task)]];
  const { stdout, stderr, status, signal, error } = spawnSync(command, args, {
    encoding: 'utf8',
    timeout: PATIENCE,
    killSignal: 'SIGKILL',
    maxBuffer: 2 ** 28,
  });
  const line = stdout?.split('\n').findLast((text) => text.startsWith('{'));
  // Another's client that crashes behind its report has done its task.
  if (line && (status === 0 || !OURS.includes(contender))) {
    const report = JSON.parse(line);
    return report.error ? { error: report.error } : { report };
  }
  const how = error && 'code' in error && error.code === 'ETIMEDOUT' ? `was not done after ${PATIENCE / 1000} s` : `ended with ${signal ?? status}`;
  return { error: `${how} ${stderr?.trim().split('\n').at(-1) ?? ''}`.trim() };
}

/** This machine, and what ran on it, for the results. */
function surroundings(ownCluster) {
  const says = (command, ...args) => spawnSync(command, args, { encoding: 'utf8', cwd: ROOT }).stdout?.trim();
  const found = (file, pattern) => (existsSync(file) ? pattern.exec(readFileSync(file, 'utf8'))?.[1] : undefined);
  return {
    machine: {
      cpu: os.cpus()[0].model,
      cores: os.cpus().length,
      memory: Math.round(os.totalmem() / 2 ** 30),
      system: found('/etc/os-release', /^PRETTY_NAME="(.*)"/m) ?? os.type(),
      kernel: os.release().split('-')[0],
      emptyNode: Number(says(node(), '-p', `require(${JSON.stringify(join(__dirname, 'measure.js'))}).rss()`)),
    },
    versions: {
      'kafka-native': `${require('kafka-native/package.json').version} at ${says('git', 'describe', '--always', '--dirty')}`,
      librdkafka: found(join(ROOT, 'Cargo.lock'), /name = "rdkafka-sys"\nversion = ".*\+(.*)"/),
      Kafka: ownCluster ? found(join(ROOT, 'deps/kafka/pom.xml'), /<kafka\.version>(.*)<\/kafka\.version>/) : 'of KAFKA_BROKER',
      Node: says(node(), '--version'),
    },
  };
}

/** Makes the topics that the shapes read, and adds them to `topics`; equal backlogs are one topic. */
async function makeBacklogs(broker, admin, shapes, topics) {
  for (const { backlog } of Object.values(shapes)) {
    const key = JSON.stringify(backlog);
    if (backlog === undefined || topics.has(key)) continue;
    const topic = `bench-backlog-${process.pid}-${topics.size}`;
    say(`backlog of ${number(backlog.messages)} messages of ${backlog.size} B in ${backlog.partitions} partitions, codec ${backlog.codec}`);
    await makeTopic(broker, admin, topic, backlog.partitions);
    topics.set(key, topic);
    await fill(broker, topic, backlog);
  }
}

async function main() {
  const { rounds, factor, out, ...chosen } = settings();
  const given = process.env.KAFKA_BROKER;
  if (given) say('KAFKA_BROKER is a listener without TLS: shapes with TLS are left out');
  const names = chosen.shapes.filter((name) => !given || !SHAPES[name].task.tls);
  const shapes = Object.fromEntries(names.map((name) => [name, scaled(SHAPES[name], factor)]));
  const wanted = EVERYONE.filter((name) => Object.values(shapes).some((shape) => chosen.contenders(shape).includes(name)));
  if (wanted.includes('c-loop')) {
    execFileSync('cargo', ['build', '--release', '--quiet', '-p', 'kafka-native-librdkafka', '--example', 'c_loop'], { cwd: ROOT, stdio: 'inherit' });
  }
  if (wanted.some((name) => CONTENDERS[name].package)) install(say);
  const contenders = Object.fromEntries(wanted.map((name) => [name, installed(name)]));

  const security = Object.values(shapes).some(({ task }) => task.tls);
  const cluster = given ? undefined : await KafkaCluster.start({ heap: 'bench', security });
  const broker = cluster?.brokers ?? String(given);
  const admin = new Admin({ broker });
  /** @type {import('./shapes.js').Results} */
  const results = { date: new Date().toISOString(), ...surroundings(cluster !== undefined), settings: { rounds, factor }, contenders, shapes: {}, bars: [] };
  for (const [name, shape] of Object.entries(shapes)) {
    const here = chosen.contenders(shape).filter((contender) => !contenders[contender].problem);
    results.shapes[name] = { ...shape, contenders: Object.fromEntries(here.map((contender) => [contender, { rounds: [], errors: [], figures: {} }])) };
  }
  const topics = new Map();
  try {
    await makeBacklogs(broker, admin, shapes, topics);
    let runs = 0;
    for (let round = 0; round < rounds; round++) {
      for (const [name, { backlog, task }] of Object.entries(shapes)) {
        const entries = Object.entries(results.shapes[name].contenders);
        // Nobody is always the first, or always behind the same other.
        const turned = [...entries.slice(round % entries.length), ...entries.slice(0, round % entries.length)];
        for (const [contender, entry] of turned) {
          const topic = topics.get(JSON.stringify(backlog)) ?? `bench-${process.pid}-${runs++}`;
          if (!backlog) await makeTopic(broker, admin, topic, task.partitions);
          // The group, and the directory of offset files.
          const state = mkdtempSync(join(os.tmpdir(), 'kafka-native-bench-'));
          const door = task.tls && cluster?.tls ? { broker: cluster.listeners.ssl, ca: cluster.tls.ca } : { broker };
          const { report, error } = run(contender, { ...task, ...door, topic, state });
          rmSync(state, { recursive: true });
          if (!backlog) await admin.deleteTopic(topic);
          if (report) entry.rounds.push(report);
          else entry.errors.push(error);
          entry.figures = summary(entry.rounds);
          say(`${round + 1}/${rounds}  ${name.padEnd(24)}${contender.padEnd(16)}${report ? glance(report) : `failed: ${error.split('\n')[0]}`}`);
        }
      }
      results.bars = bars(results.shapes);
      write(out, results);
    }
  } finally {
    // On a cluster that goes on, too.
    if (!cluster) for (const topic of topics.values()) await admin.deleteTopic(topic);
    admin.close();
    await cluster?.stop({ wipe: true });
  }
  console.log(tell(results.bars));
  console.log(`\nThe results are in ${relative(process.cwd(), out) || '.'}`);
}

/** A report in one line. */
function glance(report) {
  return Object.entries(summary([report]))
    .filter(([name]) => ['rate', 'cpu', 'p50', 'p99', 'require', 'first', 'rss'].includes(name))
    .map(([name, { median }]) => `${name} ${number(median)}`)
    .join('  ');
}

main();
