'use strict';
// A random program over servers in processes of their own: emits, joins, leaves, broken transports, kills, restarts, brokers that pause.
// Every client counts every message, and a reference says which it must get, which it may get, and which it must not. SEED repeats a program.

const assert = require('node:assert');
const { after, before, test } = require('node:test');
const { setTimeout: delay } = require('node:timers/promises');
const { Kafka } = require('kafka-native');
const { cleanup } = require('../../support/cleanup.js');
const { real } = require('../../support/clusters.js');
const { random, seed } = require('../../support/random.js');
const { kafkaOf, newKey } = require('../../support/socketio.js');
const { Killable, Visitor } = require('../../support/socketio-recovery.js');

const SERVERS = 3;
const CLIENTS = 10;
const STEPS = Number(process.env.STEPS ?? 4000);
const ROOMS = ['red', 'green', 7];

/** @typedef {{ id: number, from: string, order: number, rooms: any[], except: any[], inLog: boolean, gone: boolean, must: Set<Model>, may: Set<Model> }} Message */

/** The known state of a client. */
class Model {
  /** By room: true, false, or undefined while it changes. */
  rooms = new Map(ROOMS.map((room) => [room, /** @type {boolean | undefined} */ (false)]));
  /** Messages that it has, by number. */
  got = new Set();
  /** It began anew so often. */
  anew = 0;
  connected = true;
  busy = false;

  /** @param {string} name @param {Visitor} visitor */
  constructor(name, visitor) {
    this.name = name;
    this.visitor = visitor;
  }

  /** true, false or undefined: nobody knows. @param {{ rooms: any[], except: any[] }} message */
  gets({ rooms, except }) {
    const known = (room) => (room === this.visitor.id ? true : this.rooms.has(room) ? this.rooms.get(room) : false);
    const into = rooms.length === 0 ? [true] : rooms.map(known);
    const out = except.map(known);
    if (out.includes(true)) return false;
    if (!into.includes(true) && !into.includes(undefined)) return false;
    return into.includes(true) && !out.includes(undefined) ? true : undefined;
  }
}

/** Hears when every broker answers for every other again. Pauses that are one behind the other are an outage, and behind 5 s of one a client may begin anew. */
class Probe {
  /** @param {import('node:test').TestContext} t */
  static async start(t) {
    const topic = await cluster.topic(3, { replication: 3 });
    const producer = new Kafka({ brokers: [cluster.options().broker] }).producer();
    await producer.connect();
    cleanup(t, () => producer.disconnect());
    return new Probe(topic, producer);
  }

  constructor(topic, producer) {
    Object.assign(this, { topic, producer });
  }

  /** Each partition has a leader of its own, and its message waits for the replicas in sync. */
  answered() {
    return this.producer.send({ topic: this.topic, messages: [0, 1, 2].map((partition) => ({ partition, value: 'there?' })) });
  }
}

/** @type {any} */ let cluster;
before(async () => (cluster = await real({ own: true, nodes: 3 })));
after(() => cluster?.close());

test(`a random program loses nothing, gives nothing twice and keeps the order (SEED=${seed})`, async (t) => {
  const next = random(seed);
  const pick = (list) => list[Math.floor(next() * list.length)];
  const key = newKey();
  const history = [];
  const note = (...words) => void history.push(`${history.length}: ${words.map((word) => (typeof word === 'string' ? word : JSON.stringify(word))).join(' ')}`);
  const options = { ...kafkaOf(cluster), key, replicationFactor: 3, publishTimeout: 300 };
  const probe = await Probe.start(t);
  const start = async () => {
    const server = await Killable.start(t, options);
    server.ended.then(({ code, signal }) => {
      if (code !== 0 && signal !== 'SIGKILL') problems.push(`${names.get(server)} ended by itself: ${code ?? signal}, ${server.stderr.slice(-3000)}`);
    });
    return server;
  };
  const names = new Map();
  /** @type {string[]} */ const problems = [];
  const servers = await Promise.all(Array.from({ length: SERVERS }, start));
  for (const [i, server] of servers.entries()) names.set(server, `server ${i}`);
  /** @type {Message[]} */ const messages = [];
  const offsets = new Map();

  const clients = [];
  for (let i = 0; i < CLIENTS; i++) {
    const visitor = await Visitor.connect(servers[i % SERVERS].port);
    const model = new Model(`client ${i}`, visitor);
    cleanup(t, () => visitor.close());
    await visitor.hears('welcome');
    let last = -1;
    const newest = new Map();
    visitor.heard.on('call', () => {
      const [event, number, ...rest] = visitor.heard.all.at(-1);
      if (event !== 'm') return;
      const message = messages[number];
      const offset = /** @type {string} */ (rest.at(-1));
      const place = /^.+-(\d+)(~.*)?$/.exec(offset);
      if (place === null) return void problems.push(`${model.name} got ${number} with the offset ${offset}`);
      if (model.got.has(number)) problems.push(`${model.name} got ${number} twice, now with ${offset}`);
      model.got.add(number);
      // Messages of one server come in its order.
      if ((newest.get(message.from) ?? -1) > message.order) problems.push(`${model.name} got ${number} of ${message.from} behind a later one`);
      newest.set(message.from, message.order);
      if (place[2] !== undefined) return;
      // And everything that is in the log in the log's.
      message.inLog = true;
      const at = Number(place[1]);
      if (at <= last) problems.push(`${model.name} got ${number} at ${at} behind ${last}`);
      last = at;
      if ((offsets.get(number) ?? at) !== at) problems.push(`${number} is at ${at} and at ${offsets.get(number)}`);
      offsets.set(number, at);
    });
    clients.push(model);
  }

  let order = 0;
  let started = SERVERS;
  const send = async (server, rooms, except) => {
    const message = { id: messages.length, from: names.get(server), order: order++, rooms, except, inLog: false, gone: false, must: new Set(), may: new Set() };
    messages.push(message);
    for (const client of clients) {
      const gets = client.gets(message);
      if (gets) message.must.add(client);
      else if (gets === undefined) message.may.add(client);
    }
    note('emit', message.id, names.get(server), rooms, except);
    await server.do('emit', { rooms, except, event: ['m', message.id, 'text'] }).catch(() => {});
  };
  /** Messages under way come or do not. */
  const unsure = (client, room) => {
    for (const message of messages) {
      if (client.got.has(message.id)) continue;
      if (message.must.delete(client) || [...message.rooms, ...message.except].includes(room)) message.may.add(client);
    }
  };

  let killed = false;
  const pending = new Set();
  const background = (work) => {
    const done = work.catch((error) => problems.push(error.stack)).finally(() => pending.delete(done));
    pending.add(done);
  };

  const change = async (client, room, join) => {
    client.busy = true;
    client.rooms.set(room, undefined);
    unsure(client, room);
    const server = pick(servers);
    const direct = next() < 0.5;
    note(client.name, join ? 'joins' : 'leaves', room, direct ? 'itself' : `by ${names.get(server)}`);
    const seen = client.visitor.heard.all.length;
    const since = (name, text) =>
      client.visitor.heard.until((event) => (event[0] === name && event[1] === text && client.visitor.heard.all.indexOf(event) >= seen) || event[0] === 'over');
    const left = new Promise((resolve) => client.visitor.socket.once('disconnect', () => resolve('left')));
    let done;
    if (direct) {
      client.visitor.socket.emit(join ? 'join' : 'leave', room);
      done = since(join ? 'joined' : 'left', room);
    } else {
      const mark = `${client.name}-${seen}`;
      await server.do('move', { rooms: [client.visitor.id], [join ? 'join' : 'leave']: room }).catch(() => {});
      await server.do('emit', { rooms: [client.visitor.id], event: ['mark', mark] }).catch(() => {});
      done = since('mark', mark);
      // A server that was killed may have said nothing.
      server.ended.then(() => done.catch(() => {}));
      done = Promise.race([done, server.ended.then(() => 'left')]);
    }
    done.catch(() => {});
    if ((await Promise.race([done, left])) === 'left') {
      note(client.name, 'was left while it changed its rooms');
      if (!client.visitor.socket.connected) return back(client, false);
    } else {
      client.rooms.set(room, join);
    }
    client.busy = false;
  };

  const welcome = async (client, came) => {
    const { socket } = client.visitor;
    const left = new Promise((_, reject) => {
      if (socket.connected) socket.once('disconnect', () => reject(new Error('left again')));
      else reject(new Error('left again'));
    });
    left.catch(() => {});
    await Promise.race([
      left,
      client.visitor.heard.until((event) => (client.visitor.heard.all.indexOf(event) >= came && event[0] === 'welcome') || event[0] === 'over'),
    ]);
  };

  let over = false;
  const back = async (client, ghost) => {
    client.busy = true;
    if (!ghost) await client.visitor.break();
    await delay(next() * 300);
    if (ghost) {
      client.visitor.vanish(servers[0].port);
      watch(client);
    }
    while (!over) {
      const server = pick(servers);
      const { id } = client.visitor;
      const came = client.visitor.heard.all.length;
      const before = client.visitor.knows;
      try {
        const recovered = await client.visitor.come(server.port);
        note(client.name, 'came to', names.get(server), recovered ? 'and was recovered' : 'ANEW', JSON.stringify(before), id);
        if (recovered) {
          await welcome(client, came);
          // Of a server that was killed the newest record counts: what was changed behind it is as before.
          const [, , rooms] = client.visitor.heard.all.findLast(([event]) => event === 'welcome');
          for (const room of killed ? ROOMS : []) {
            if (client.rooms.get(room) === rooms.includes(room)) continue;
            client.rooms.set(room, rooms.includes(room));
            for (const message of messages) {
              if (![...message.rooms, ...message.except].includes(room)) continue;
              message.must.delete(client);
              message.may.add(client);
            }
          }
        } else {
          client.anew++;
          problems.push(`${client.name} began anew`);
          for (const message of messages)
            if (!client.got.has(message.id)) {
              message.must.delete(client);
              message.may.add(client);
            }
          for (const room of ROOMS) client.rooms.set(room, false);
          await welcome(client, came);
        }
        break;
      } catch (error) {
        note(client.name, 'could not come to', names.get(server), error.message);
        await delay(20);
      }
    }
    client.busy = false;
  };

  const watch = (client) => {
    const { socket } = client.visitor;
    socket.on('disconnect', (reason) => {
      if (over || client.busy || client.visitor.socket !== socket) return;
      note(client.name, 'was left:', reason);
      background(back(client, false));
    });
  };
  for (const client of clients) watch(client);

  const restart = async (i, how) => {
    const old = servers[i];
    note(how, names.get(old));
    const fresh = await start();
    names.set(fresh, `server ${started++}`);
    servers[i] = fresh;
    if (how === 'kill') {
      killed = true;
      await old.kill();
      for (const message of messages) if (message.from === names.get(old)) message.gone = true;
    } else {
      await old.do('close');
    }
  };

  let restarting = false;
  let paused = false;
  for (let step = 0; step < STEPS && problems.length === 0; step++) {
    const dice = next();
    const idle = clients.filter(({ busy }) => !busy);
    if (dice < 0.7) {
      const what = next();
      const rooms = what < 0.3 ? [] : what < 0.6 ? [pick(ROOMS)] : what < 0.8 ? [pick(ROOMS), pick(ROOMS)] : [pick(clients).visitor.id];
      const except = next() < 0.3 ? [pick(ROOMS)] : [];
      await send(pick(servers), rooms.includes('undefined') ? [] : rooms, except);
    } else if (dice < 0.82 && idle.length > 0) {
      const client = pick(idle);
      const room = pick(ROOMS);
      background(change(client, room, !client.rooms.get(room)));
    } else if (dice < 0.95 && idle.length > 0) {
      background(back(pick(idle), next() < 0.2));
    } else if (dice < 0.97 && !restarting) {
      restarting = true;
      const i = Math.floor(next() * SERVERS);
      background(restart(i, next() < 0.6 ? 'kill' : 'close').finally(() => (restarting = false)));
    } else if (dice < 0.98 && !paused) {
      paused = true;
      const node = pick(cluster.kafka.nodes);
      note('pause', node.id);
      node.pause();
      const pause = async () => {
        await delay(200 + next() * 1200);
        node.resume();
        note('resume', node.id);
        await probe.answered();
        note('Kafka answers');
        paused = false;
      };
      background(pause());
    }
    await delay(next() * 20);
  }
  while (pending.size > 0) await Promise.all(pending);
  // Connected clients get what was sent; others come back for it.
  for (const server of problems.length > 0 ? [] : servers) {
    const mark = `end of ${names.get(server)}`;
    await server.do('emit', { event: ['mark', mark] });
    await Promise.all(clients.map((client) => client.visitor.hears('mark', (text) => text === mark)));
  }
  // Clients that still wait for something wait no longer, and nobody comes back.
  over = true;
  for (const client of clients) client.visitor.heard.take(['over']);
  for (const message of messages) {
    for (const client of clients) {
      const got = client.got.has(message.id);
      if (!got && message.must.has(client) && (!message.gone || message.inLog)) problems.push(`${client.name} never got ${message.id}`);
      if (got && !message.must.has(client) && !message.may.has(client)) problems.push(`${client.name} got ${message.id}, which is not for it`);
    }
  }
  const anew = clients.reduce((sum, client) => sum + client.anew, 0);
  const visits = clients.flatMap(({ visitor }) => visitor.visits.slice(1));
  const told = await Promise.all(servers.map((server) => server.do('stats')));
  t.diagnostic(`${messages.length} messages, ${visits.length} visits, ${anew} anew, early: ${told.map(({ recovery }) => recovery.early)}`);
  if (process.env.HISTORY) console.error(history.join('\n'));
  assert.deepEqual(problems, [], `SEED=${seed}\n${history.slice(-150).join('\n')}\n${JSON.stringify(told.map(({ lines }) => lines))}`);
  assert.equal(anew, 0, `SEED=${seed}\n${history.filter((line) => /ANEW|kill|close|pause|resume/.test(line)).join('\n')}`);
});
