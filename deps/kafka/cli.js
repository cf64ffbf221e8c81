#!/usr/bin/env node
'use strict';

const { spawn } = require('node:child_process');
const fs = require('node:fs');
const path = require('node:path');
const readline = require('node:readline');
const { constants } = require('node:os');
const { parseArgs } = require('node:util');
const { makeArchive } = require('./archive.js');
const { KafkaCluster } = require('./cluster.js');
const { checkJava } = require('./java.js');
const { fetchJars } = require('./jars.js');
const { withLock } = require('./lock.js');

const HELP = `Apache Kafka on this machine, without Docker.

A cluster that lives until it is stopped; --name tells several apart:
  start [--nodes 3] [--security] [--port N] [--bench]   start it, or start its stopped nodes again
  status [--json]                                       what runs, and where
  env                                                   export KAFKA_BROKER=..., for eval
  restart [--node N]                                    stop and start
  kill [--node N]                                       SIGKILL, as in a crash
  stop                                                  stop, keeping the data
  wipe                                                  stop, removing the data

A throw-away cluster:
  run [--nodes 3] [--security] -- COMMAND ARGS...       with KAFKA_BROKER and KAFKA_CLUSTER_JSON, for as long as COMMAND runs
  serve [--nodes 3] [--security]                        for as long as standard input is open; prints the cluster as a line
                                                        of JSON, then answers each line (start, stop, kill, pause, resume
                                                        with the numbers of nodes; exit) with {"ok":true} or {"error":...}

  fetch                                                 download Kafka's jars, which the others do when needed

Options:
  --name NAME        the cluster's name (default: default); it lives in .kafka/NAME
  --nodes N          1 (default) or 3
  --security         adds TLS, mutual TLS, SASL, and SASL over TLS listeners
  --acls             denies what no ACL allows, except to the plaintext listener
  --no-auto-create   a topic has to be made before it is used
  --bench            a JVM for benchmarks: 1 GiB of heap, G1, the optimizing compiler
  --port N           the first node's port (default: any free); the other nodes take the next ones
  --node N           one node, 1 to 3 (default: all)
  --json, --help
`;

const CLUSTERS = path.resolve(__dirname, '../../.kafka');

/** @typedef {ReturnType<typeof parse>['values']} Flags */

/** @param {string[]} args */
function parse(args) {
  return parseArgs({
    args,
    allowPositionals: true,
    options: {
      name: { type: 'string', default: 'default' },
      nodes: { type: 'string' },
      node: { type: 'string' },
      port: { type: 'string' },
      security: { type: 'boolean' },
      acls: { type: 'boolean' },
      'no-auto-create': { type: 'boolean' },
      bench: { type: 'boolean' },
      json: { type: 'boolean' },
      help: { type: 'boolean', short: 'h' },
    },
  });
}

/** Each returns the exit code, or nothing for 0. @type {Record<string, (flags: Flags, command: string[]) => Promise<number | void>>} */
const commands = {
  async start(flags) {
    const dir = folder(flags);
    fs.mkdirSync(CLUSTERS, { recursive: true });
    const cluster = await withLock(`${dir}.lock`, () => KafkaCluster.start({ ...clusterOptions(flags), dir, detached: true }));
    console.log(`Kafka is ready at ${cluster.brokers}`);
    for (const [kind, address] of Object.entries(cluster.listeners)) {
      if (kind !== 'plaintext') console.log(`  ${kind.padEnd(14)}${address}`);
    }
    if (cluster.tls) console.log(`  certificates: ${path.dirname(cluster.tls.ca)}`);
    console.log(`Its folder is ${dir}; stop it with: ${self(flags, 'stop')}`);
  },

  async status(flags) {
    const cluster = KafkaCluster.open(folder(flags));
    const status = await cluster?.status();
    if (flags.json) console.log(JSON.stringify(status ?? null, null, 2));
    else if (!status) console.log(`There is no cluster named ${flags.name}; make it with: ${self(flags, 'start')}`);
    else {
      for (const { id, pid, ready, address, log } of status.nodes) {
        const state = ready ? 'ready' : pid ? 'runs, does not answer' : 'stopped';
        console.log(`node ${id}  ${address}  ${state}${pid ? `  pid ${pid}` : ''}  ${log}`);
      }
    }
    return status?.nodes.every(({ ready }) => ready) ? 0 : 1;
  },

  async env(flags) {
    for (const [name, value] of Object.entries(existing(flags).env)) console.log(`export ${name}='${value.replaceAll("'", "'\\''")}'`);
  },

  async restart(flags) {
    const nodes = chosen(flags);
    await Promise.all(nodes.map((node) => node.stop()));
    await Promise.all(nodes.map((node) => node.start()));
    console.log(`Restarted and ready: ${names(nodes)}`);
  },

  async kill(flags) {
    const nodes = chosen(flags);
    await Promise.all(nodes.map((node) => node.kill()));
    console.log(`Killed: ${names(nodes)}. Start again with: ${self(flags, 'start')}`);
  },

  async stop(flags) {
    await existing(flags).stop();
    console.log(`Stopped. Its data is kept until: ${self(flags, 'wipe')}`);
  },

  async wipe(flags) {
    await existing(flags).stop({ wipe: true });
    console.log('Wiped.');
  },

  async fetch() {
    await checkJava();
    console.log((await fetchJars()) ? 'Fetched.' : 'All there.');
    await makeArchive();
  },

  async run(flags, [command, ...args]) {
    if (!command) throw new Error("say what to run after '--'");
    const cluster = await KafkaCluster.start(clusterOptions(flags));
    // Ctrl-C reaches the command, too; it decides when to end.
    process.on('SIGINT', () => {});
    const child = spawn(command, args, { stdio: 'inherit', env: { ...process.env, ...cluster.env } });
    process.on('SIGTERM', () => child.kill('SIGTERM'));
    try {
      return await new Promise((resolve, reject) => {
        child.once('error', (error) => reject(new Error(`cannot run ${command}: ${error.message}`)));
        child.once('exit', (code, signal) => resolve(code ?? 128 + (signal ? constants.signals[signal] : 0)));
      });
    } finally {
      await cluster.stop();
    }
  },

  async serve(flags) {
    // Before the start, so that a line or an end that comes early is not lost.
    const lines = readline.createInterface({ input: process.stdin })[Symbol.asyncIterator]();
    const cluster = await KafkaCluster.start(clusterOptions(flags));
    const say = (/** @type {object} */ message) => process.stdout.write(`${JSON.stringify(message)}\n`);
    // Whoever listened is gone when this fails; standard input tells the same.
    process.stdout.on('error', () => {});
    say(cluster.describe());
    for (let line = await lines.next(); !line.done && line.value.trim() !== 'exit'; line = await lines.next()) {
      say(await obey(cluster, line.value.trim()));
    }
    await cluster.stop();
    // Standard input may still be open.
    process.stdin.destroy();
  },
};

/**
 * One line of `serve`: what to do, and the numbers of the nodes to do it to.
 *
 * @param {InstanceType<typeof KafkaCluster>} cluster
 * @param {string} line
 */
async function obey(cluster, line) {
  const [verb, ...ids] = line.split(/\s+/);
  try {
    if (!['start', 'stop', 'kill', 'pause', 'resume'].includes(verb)) throw new Error(`unknown command '${verb}'`);
    if (ids.length === 0) throw new Error(`'${verb}' needs the number of a node`);
    const action = /** @type {'start' | 'stop' | 'kill' | 'pause' | 'resume'} */ (verb);
    await Promise.all(ids.map((id) => nodeOf(cluster, id)).map((node) => node[action]()));
    return { ok: true };
  } catch (error) {
    return { error: /** @type {Error} */ (error).message };
  }
}

/**
 * @param {Flags} flags
 * @returns {import('./cluster.js').Options}
 */
function clusterOptions(flags) {
  return {
    ...(flags.nodes !== undefined && { nodes: /** @type {1 | 3} */ (wholeNumber('--nodes', flags.nodes)) }),
    ...(flags.port !== undefined && { port: wholeNumber('--port', flags.port) }),
    ...(flags.security && { security: true }),
    ...(flags.acls && { acls: true }),
    ...(flags['no-auto-create'] && { autoCreateTopics: false }),
    ...(flags.bench && { heap: /** @type {const} */ ('bench') }),
  };
}

/**
 * @param {string} option
 * @param {string} value
 */
function wholeNumber(option, value) {
  if (!/^\d+$/.test(value)) throw new Error(`${option} takes a number, not '${value}'`);
  return Number(value);
}

/** @param {Flags} flags */
function folder({ name }) {
  if (!/^[\w.-]*\w$/.test(name)) throw new Error(`'${name}' cannot be a cluster's name: use letters, digits, '-', '_' and '.'`);
  return path.join(CLUSTERS, name);
}

/** @param {Flags} flags */
function existing(flags) {
  const cluster = KafkaCluster.open(folder(flags));
  if (!cluster) throw new Error(`there is no cluster named ${flags.name}; make it with: ${self(flags, 'start')}`);
  return cluster;
}

/** @param {Flags} flags */
function chosen(flags) {
  const cluster = existing(flags);
  return flags.node === undefined ? cluster.nodes : [nodeOf(cluster, flags.node)];
}

/**
 * @param {InstanceType<typeof KafkaCluster>} cluster
 * @param {string} id
 */
function nodeOf(cluster, id) {
  const node = cluster.nodes.find((candidate) => String(candidate.id) === id);
  if (!node) throw new Error(`there is no node ${id}: they are ${names(cluster.nodes)}`);
  return node;
}

/** @param {{ id: number }[]} nodes */
function names(nodes) {
  return nodes.map(({ id }) => `node ${id}`).join(', ');
}

/**
 * How to call a command for the same cluster.
 *
 * @param {Flags} flags
 * @param {string} command
 */
function self({ name }, command) {
  return `node deps/kafka/cli.js ${command}${name === 'default' ? '' : ` --name ${name}`}`;
}

async function main() {
  const args = process.argv.slice(2);
  const dashes = args.indexOf('--');
  const { values, positionals } = parse(dashes < 0 ? args : args.slice(0, dashes));
  const [name] = positionals;
  if (values.help || name === 'help') return void process.stdout.write(HELP);
  const command = Object.hasOwn(commands, name ?? '') ? commands[name] : undefined;
  if (!command || positionals.length > 1) throw new Error(`${name ? `unknown command '${positionals.join(' ')}'` : 'say what to do'}; see --help`);
  process.exitCode = (await command(values, dashes < 0 ? [] : args.slice(dashes + 1))) ?? 0;
}

main().catch((error) => {
  process.stderr.write(`kafka: ${error.message}\n`);
  process.exitCode = 1;
});
