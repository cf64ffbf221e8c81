'use strict';
// Random programs on three servers at once, judged by a model. Each server moves clients in and out of rooms of its own, and broadcasts to them; what
// it does is one after the other for every client, wherever that is. So the model can say exactly what each client hears of each server, in
// which order, however the servers' doings mix. SEED=... repeats a run, STEPS=... makes it longer.

const { after, before, test } = require('node:test');
const assert = require('node:assert/strict');
const { cleanup } = require('./support/cleanup.js');
const { real } = require('./support/clusters.js');
const { random } = require('./support/random.js');
const { Peers } = require('./support/socketio.js');

const seed = Number(process.env.SEED ?? 14);
const STEPS = Number(process.env.STEPS ?? 1500);
const CLIENTS = 4;

/** @type {any} */ let cluster;
before(async () => (cluster = await real()));
after(() => cluster?.close());

/** Events that the clients of all servers must hear of one server. */
class Model {
  /** @param {{ name: string, server: number }[]} clients */
  constructor(clients) {
    this.rooms = new Map(clients.map(({ name }) => [name, new Set([name])]));
    this.servers = new Map(clients.map(({ name, server }) => [name, server]));
    this.expected = new Map(clients.map(({ name }) => [name, /** @type {{ n: number, maybe: boolean }[]} */ ([])]));
  }

  /** Clients that a filter means; `server` is the one that a local doing is for. */
  meant({ rooms, except, server }) {
    return [...this.rooms]
      .filter(
        ([name, joined]) =>
          (server === undefined || this.servers.get(name) === server) &&
          (rooms.length === 0 || rooms.some((room) => joined.has(room))) &&
          !except.some((room) => joined.has(room)),
      )
      .map(([name]) => name);
  }

  emit(n, filter, maybe) {
    for (const name of this.meant(filter)) this.expected.get(name)?.push({ n, maybe });
  }

  join(filter, rooms) {
    for (const name of this.meant(filter)) for (const room of rooms) this.rooms.get(name)?.add(room);
  }

  leave(filter, rooms) {
    for (const name of this.meant(filter)) for (const room of rooms) this.rooms.get(name)?.delete(room);
  }
}

for (const [how, options] of /** @type {const} */ ([
  ['in the root namespace', { nsp: '/' }],
  ['in a namespace of a topic with several partitions', { nsp: '/ordered', partitions: 5 }],
  ['with connection state recovery', { nsp: '/', server: { connectionStateRecovery: {} } }],
])) {
  test(`every client hears of each server what it must, in its order, ${how}`, async (t) => {
    const { nsp, ...more } = options;
    const peers = await Peers.start(cluster, more);
    cleanup(t, () => peers.close());
    for (const { io } of peers.all) io.of(nsp);
    await peers.ready(nsp);
    const clients = await Promise.all(
      Array.from({ length: 3 * CLIENTS }, async (_, i) => {
        const server = i % 3;
        const client = await peers.all[server].client({ nsp });
        return { client, name: client.id, server };
      }),
    );
    const models = await Promise.all(peers.all.map((_, server) => program(peers, nsp, server, clients)));
    await peers.settled(nsp);
    for (const [server, model] of models.entries()) {
      for (const { client, name } of clients) {
        const heard = client
          .events('n')
          .filter(([from]) => from === server)
          .map(([, n]) => n);
        const expected = model.expected.get(name) ?? [];
        // A volatile packet may be lost, and nothing else may.
        let at = 0;
        const judged = expected.filter(({ n, maybe }) => (!maybe || heard[at] === n ? ++at : false)).map(({ n }) => n);
        assert.deepEqual(
          heard,
          judged,
          `client ${name} of server ${clients.find((one) => one.name === name)?.server} and what server ${server} sent; SEED=${seed}`,
        );
      }
    }
    const all = clients.reduce((sum, { client }) => sum + client.events('n').length, 0);
    assert.ok(all > STEPS, `only ${all} events were heard: the programs do not try much`);
  });
}

/** The steps of one server. */
async function program(peers, nsp, server, clients) {
  const chance = random(seed + server);
  const below = (count) => Math.floor(chance() * count);
  const pick = (list) => list[below(list.length)];
  const some = (list, most) => Array.from({ length: below(most + 1) }, () => pick(list));
  const model = new Model(clients);
  // Rooms of this server alone; a number is another room than its digits.
  const rooms = [`${server}-a`, `${server}-b`, `${server}-c`, 100 + server, String(100 + server)];
  const names = clients.map(({ name }) => name);
  const own = clients.filter((one) => one.server === server);
  const peer = peers.all[server];
  for (let n = 0; n < STEPS; n++) {
    const filter = { rooms: some([...rooms, pick(names)], 2), except: chance() < 0.3 ? some([...rooms, pick(names)], 2) : [], server: undefined };
    let those = peer.io.of(nsp).to(filter.rooms).except(filter.except);
    if (chance() < 0.2) {
      // As a socket does it: all but itself.
      const { client, name } = pick(own);
      filter.except.push(name);
      those = peer.socket(client, nsp).to(filter.rooms).except(filter.except);
    }
    if (chance() < 0.1) {
      filter.server = server;
      those = those.local;
    }
    const what = chance();
    if (what < 0.6) {
      const isVolatile = chance() < 0.1;
      if (isVolatile) those = those.volatile;
      if (chance() < 0.2) those = those.compress(chance() < 0.5);
      those.emit('n', server, n, ...(chance() < 0.1 ? [Buffer.from([n % 256])] : []));
      model.emit(n, filter, isVolatile);
    } else if (what < 0.75) {
      const joined = [pick(rooms), ...some(rooms, 1)];
      those.socketsJoin(joined);
      model.join(filter, joined);
    } else if (what < 0.95) {
      const left = [pick(rooms), ...some(rooms, 1)];
      those.socketsLeave(left);
      model.leave(filter, left);
    } else {
      // Others get their turn: what they send comes in between.
      await new Promise((resolve) => setTimeout(resolve, below(4)));
    }
  }
  return model;
}
