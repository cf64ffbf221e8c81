'use strict';
// All servers are replaced under traffic, one behind the other: some close, some are killed. Every client counts every message.
// NODES=3 restarts the brokers meanwhile, too; SERVERS and CLIENTS are how many there are.

const assert = require('node:assert/strict');
const { after, before, test } = require('node:test');
const { io: connect } = require('socket.io-client');
const { cleanup } = require('./support/cleanup.js');
const { real } = require('./support/clusters.js');
const { PATIENCE, within } = require('./support/flow.js');
const { kafkaOf, newKey } = require('./support/socketio.js');
const { Killable } = require('./support/socketio-recovery.js');
const { Calls } = require('./support/watch.js');

const NODES = Number(process.env.NODES ?? 1);
const SERVERS = Number(process.env.SERVERS ?? 2);
const CLIENTS = Number(process.env.CLIENTS ?? 8);

/** @type {any} */ let cluster;
before(async () => (cluster = await real(NODES > 1 ? { own: true, nodes: NODES } : {})));
after(() => cluster?.close());

const numbers = (count) => Array.from({ length: count }, (_, n) => n);

/** A client that comes back by itself, to any of the servers that there are. */
class Traveller {
  connections = 0;
  recovered = 0;
  heard = new Calls();

  /** @param {import('node:test').TestContext} t @param {() => number[]} ports of the servers as they are */
  constructor(t, ports) {
    // As behind a balancer, which does not know of every server that it is about to end.
    const any = () => `http://127.0.0.1:${ports()[Math.floor(Math.random() * ports().length)]}`;
    this.socket = connect(any(), { transports: ['websocket'], forceNew: true, reconnectionDelay: 20, reconnectionDelayMax: 200 });
    this.socket.io.on('reconnect_attempt', () => /** @type {any} */ ((this.socket.io).uri = any()));
    this.socket.on('connect', () => {
      this.connections++;
      if (this.socket.recovered) this.recovered++;
      this.heard.take(['connect']);
    });
    this.socket.onAny((...event) => this.heard.take(event));
    cleanup(t, () => this.socket.disconnect());
  }

  hears(event, what, fits = /** @type {(...args: any[]) => unknown} */ (() => true)) {
    return this.heard.until(([name, ...args]) => name === event && fits(...args), PATIENCE, /** @type {any} */ (what));
  }

  events(name) {
    return this.heard.all.filter(([event]) => event === name).map(([, n]) => n);
  }

  async back() {
    if (this.socket.connected) return;
    await within(PATIENCE, 'a client is back', () => new Promise((resolve) => this.socket.once('connect', () => resolve(undefined))));
  }
}

test('servers that are replaced under traffic, closed or killed: no client loses a message, or has one twice, or in another order', async (t) => {
  const options = { ...kafkaOf(cluster), key: newKey(), replicationFactor: NODES };
  /** The events of all servers: each has its own. */
  const events = [];
  const start = async () => {
    const server = await Killable.start(t, options);
    const event = `from ${events.length}`;
    events.push(event);
    await server.do('stream', { event, every: 10 });
    return { server, event };
  };
  // One stays; the others are replaced.
  const stays = await start();
  const servers = await Promise.all(Array.from({ length: SERVERS }, start));
  // Whoever comes has heard from nobody what was sent before.
  const clients = Array.from({ length: CLIENTS }, () => new Traveller(t, () => servers.map(({ server }) => server.port)));
  await Promise.all(clients.map((client) => client.hears('welcome', 'a client is welcome')));
  /** Until each client has heard ten more of a server. */
  const hearMore = (event) =>
    Promise.all(
      clients.map((client) => {
        const goal = client.events(event).length + 10;
        return client.hears(event, `${goal} of '${event}'`, () => client.events(event).length >= goal);
      }),
    );
  /** By the event, the last number that its server has sent, unless it was killed. */
  const last = new Map();
  for (const [i, old] of [...servers.entries()]) {
    await hearMore(old.event);
    servers[i] = await start();
    const ends = async () => {
      if (i % 2 === 1) return old.server.kill();
      last.set(old.event, (await old.server.do('stop', { event: old.event })) - 1);
      await old.server.do('close');
      await old.server.exits();
    };
    const node = NODES > 1 ? cluster.kafka.nodes[i % NODES] : undefined;
    await Promise.all([ends(), node?.stop().then(() => node.start())]);
    await Promise.all(clients.map((client) => client.back()));
    await hearMore(servers[i].event);
  }
  for (const { server, event } of [stays, ...servers]) {
    const number = await server.do('stop', { event });
    await server.do('emit', { event: [event, number] });
    last.set(event, number);
  }
  await Promise.all(clients.flatMap((client) => [...last].map(([event, number]) => client.hears(event, `the last of '${event}'`, (n) => n === number))));
  const anew = clients.filter(({ connections, recovered }) => recovered !== connections - 1);
  assert.equal(anew.length, 0, `${anew.map(({ connections, recovered }) => `${recovered} of ${connections - 1}`)}`);
  for (const event of events) {
    for (const client of clients) {
      const got = client.events(event);
      // What was sent before it came it does not have. A server that is killed takes with it what it had not written: for all clients alike.
      const first = got[0] ?? 0;
      assert.deepEqual(
        got,
        numbers(got.length).map((n) => n + first),
        event,
      );
      assert.equal(got.at(-1), clients[0].events(event).at(-1), event);
    }
  }
  const times = clients.reduce((sum, { connections }) => sum + connections - 1, 0);
  assert.ok(times >= CLIENTS, `${times} times back`);
  t.diagnostic(`${[...last.values()].reduce((sum, number) => sum + number, 0)} messages, ${times} times back`);
});
