// The game: one board on three instances and three brokers.
//
//   npm run game                  three brokers, three instances, the page
//   npm run game -- bots          plays by itself, ends brokers and an instance meanwhile, and proves that nobody missed a move
//   npm run game -- down          ends the brokers and removes the games

import path from 'node:path';
import { fileURLToPath } from 'node:url';
import { parseArgs } from 'node:util';
import { bots } from './bots.js';
import { hostOf, startBrokers, wipe } from './cluster.js';
import { Instances, freePorts } from './instances.js';
import { connection, ensureTopics } from './topic.js';

const INSTANCES = 3;

const HELP = `npm run game -- [COMMAND] [OPTIONS]

  up (default)           three brokers, three instances, the page. Ctrl-C ends the instances; the brokers stay
  bots                   the same with bots, faults, and a report
  down                   ends the brokers and removes their data

  --port N               the first instance's port, the others have the next ones; 0: any free (3001)
  --topic NAME           (game)
  --dir FOLDER           of the brokers (.kafka/game)
  --kafka-ports A,B,C    of the brokers, or 'any' (19092,29092,39092)
  --bots N               at each instance (20)
  --games N              that they play, 1 to 8 (8)
  --rate N               moves a second of each (2)
  --faults LIST          of stop, kill and instance, in order; 'none' (stop,kill,instance)

  MY_IP=192.168.1.5      other machines can play, and reach the brokers; otherwise all listen on 127.0.0.1
  KAFKA_BROKERS=a:9092   brokers that are there already
`;

/** @param {string[]} args */
function read(args) {
  const { values, positionals } = parseArgs({
    args,
    allowPositionals: true,
    options: {
      port: { type: 'string', default: '3001' },
      topic: { type: 'string', default: 'game' },
      dir: { type: 'string', default: fileURLToPath(new URL('../../.kafka/game', import.meta.url)) },
      'kafka-ports': { type: 'string', default: '19092,29092,39092' },
      bots: { type: 'string', default: '20' },
      games: { type: 'string', default: '8' },
      rate: { type: 'string', default: '2' },
      faults: { type: 'string', default: 'stop,kill,instance' },
      help: { type: 'boolean', short: 'h', default: false },
    },
  });
  const number = (/** @type {'port' | 'bots' | 'games' | 'rate'} */ name, least, most) => {
    const value = Number(values[name]);
    if (!Number.isInteger(value) || value < least || value > most) throw new Error(`--${name} takes a number from ${least} to ${most}, not '${values[name]}'`);
    return value;
  };
  const list = values['kafka-ports'].split(',').map(Number);
  if (values['kafka-ports'] !== 'any' && (list.length !== 3 || !list.every((port) => Number.isInteger(port) && port > 0 && port < 65536)))
    throw new Error(`--kafka-ports takes three ports with commas, or 'any', not '${values['kafka-ports']}'`);
  const faults = values.faults === 'none' ? [] : values.faults.split(',');
  const unknown = faults.filter((fault) => !['stop', 'kill', 'instance'].includes(fault));
  if (unknown.length > 0) throw new Error(`--faults takes stop, kill, instance or none, not '${unknown.join()}'`);
  const [command = 'up', ...more] = positionals;
  if (!['up', 'bots', 'down'].includes(command) || more.length > 0) throw new Error(`there is no '${positionals.join(' ')}'; see --help`);
  return {
    command: values.help ? 'help' : command,
    topic: values.topic,
    dir: path.resolve(values.dir),
    kafkaPorts: values['kafka-ports'] === 'any' ? undefined : list,
    port: number('port', 0, 65533),
    play: { bots: number('bots', 1, 60), games: number('games', 1, 8), rate: number('rate', 1, 20), faults },
  };
}

const say = (/** @type {string} */ line) => console.log(line);

/**
 * @param {string[]} args
 * @returns {Promise<number>} the exit code
 */
export async function main(args) {
  const { command, topic, dir, kafkaPorts, port, play } = read(args);
  if (command === 'help') {
    process.stdout.write(HELP);
    return 0;
  }
  if (command === 'down') {
    say((await wipe(dir)) ? 'The brokers are down, and the games are gone.' : 'There are no brokers, and no games.');
    return 0;
  }

  const host = hostOf();
  const given = process.env.KAFKA_BROKERS;
  if (!given) say('The brokers start ...');
  const cluster = given ? undefined : await startBrokers({ dir, host, ports: kafkaPorts });
  const brokers = given ?? /** @type {import('./cluster.js').Cluster} */ (cluster).brokers;
  const kafka = connection(brokers);
  const admin = kafka.admin();
  await admin.connect();
  await ensureTopics(admin, topic);
  say(`brokers: ${brokers}; the log: kcat -b ${brokers} -C -t ${topic} -f '%p-%o %k %s\\n'`);

  const ports = port === 0 ? await freePorts(INSTANCES) : Array.from({ length: INSTANCES }, (_, i) => port + i);
  const instances = new Instances({ ports, host, brokers, topic }, say);
  // Ctrl-C reaches the instances, too; each ends in order. A second one does not wait.
  const ended = new Promise((resolve) => {
    for (const signal of /** @type {const} */ (['SIGINT', 'SIGTERM'])) process.once(signal, () => resolve(instances.stop().then(() => 0)));
  });
  try {
    const playing = (async () => {
      await instances.start();
      say(`Open ${instances.url(1)} and ${instances.url(2)}: one board. Ctrl-C ends it.`);
      if (command === 'bots') return (await bots({ kafka, admin, topic, cluster, instances, say, ...play })) ? 0 : 1;
      return ended;
    })();
    playing.catch(() => {}); // when it was ended
    return /** @type {number} */ (await Promise.race([playing, ended]));
  } finally {
    await instances.stop();
    await admin.disconnect();
    if (cluster) say('The brokers and the games are still there; npm run game -- down ends and removes them.');
  }
}

const self = fileURLToPath(import.meta.url);
// Not when scripts/game.js imports it.
if ([self, path.dirname(self)].includes(path.resolve(process.argv[1] ?? ''))) {
  main(process.argv.slice(2)).then(
    (code) => process.exit(code),
    (error) => {
      console.error(`game: ${error.message}`);
      process.exit(1);
    },
  );
}
