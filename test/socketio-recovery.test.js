'use strict';
// Connection state recovery over Kafka: clients whose connections break come back to any server, and to what they have missed.

const assert = require('node:assert');
const { after, afterEach, before, describe, test } = require('node:test');
const { real } = require('./support/clusters.js');
const { once } = require('node:events');
const { setTimeout: delay } = require('node:timers/promises');
const { io: connect } = require('socket.io-client');
const { Emitter, createAdapter } = require('socket.io-kafka');
const { OrderedOutgoing } = require('../js/socket.io-kafka/dist/recovery/outgoing.js');
const { Peer, Peers, SILENT, kafkaOf, newKey } = require('./support/socketio.js');
const { Killable, Visitor } = require('./support/socketio-recovery.js');
const { eventually } = require('./support/watch.js');
const { PATIENCE, within } = require('./support/flow.js');

const RECOVERY = { connectionStateRecovery: {} };

describe('connection state recovery', () => {
  /** @type {any} */ let cluster;
  /** @type {(() => unknown)[]} */ let ends = [];
  before(async () => (cluster = await real({ own: true })));
  after(() => cluster?.close());
  afterEach(async () => {
    for (const end of ends.splice(0).reverse()) await end();
  });

  /** Servers in this process. @param {any} [options] */
  async function servers({ count = 2, server, ...options } = {}) {
    const peers = await Peers.start(cluster, { count, server: { ...RECOVERY, ...server }, ...options });
    ends.push(() => peers.close());
    return peers.all;
  }

  /** @param {any} peer @param {any} [options] */
  async function visitor(peer, options) {
    const made = await Visitor.connect(peer.port, options);
    ends.push(() => made.close());
    return made;
  }

  /** The socket of a visitor. */
  const socketOf = (peer, { id, nsp }) => eventually(PATIENCE, `the socket ${id}`, () => peer.io.of(nsp).sockets.get(id));

  /** Everything that was sent before by this server has come. */
  let marks = 0;
  async function settled(peer, ...visitors) {
    const mark = ++marks;
    for (const nsp of new Set(visitors.map((one) => one.nsp))) peer.io.of(nsp).emit('mark', mark);
    await Promise.all(visitors.map((one) => one.hears('mark', (number) => number === mark)));
  }

  test('a client comes back to another server with its id, rooms, data and all it has missed, once and in order', async () => {
    const [one, two] = await servers();
    const client = await visitor(one);
    const { id } = client;
    const socket = await socketOf(one, client);
    socket.join(['red', 7]);
    socket.data = { name: 'Zoë', list: [1, { deep: true }] };
    socket.emit('before', 'text');
    await client.hears('before');
    const ended = new Promise((resolve) => socket.once('disconnect', resolve));
    await client.break();
    await ended;
    two.io.emit('m', 0);
    two.io.to('red').emit('m', 1);
    one.io.to('blue').emit('m', 'not in this room');
    two.io.to(7).emit('m', 2);
    two.io.except('red').emit('m', 'left out');
    two.io.in(id).emit('m', 3, Buffer.from([0, 255, 10]), { bytes: new Uint8Array([1]) });
    two.io.volatile.emit('m', 'volatile');
    two.io.timeout(50).emit('m', 'with an answer', () => {});
    two.io.to(['red', '7', 7]).emit('m', 4, 'a string at the end');
    assert.equal(await client.come(two.port), true);
    assert.equal(client.id, id);
    two.io.emit('m', 5);
    await settled(two, client);
    assert.deepEqual(client.events('m'), [[0], [1], [2], [3, Buffer.from([0, 255, 10]), { bytes: Buffer.from([1]) }], [4, 'a string at the end'], [5]]);
    const back = await socketOf(two, client);
    assert.equal(back.recovered, true);
    assert.deepEqual([...back.rooms].sort(), [id, 'red', 7].sort());
    assert.deepEqual(back.data, { name: 'Zoë', list: [1, { deep: true }] });
    const offsets = client.heard.all.map((event) => event.at(-1));
    assert.ok(
      offsets.every((offset) => /^.+-\d+-\d+$/.test(offset)),
      `${offsets}`,
    );
    // And so on, to the same server too.
    assert.equal(await client.move(two.port), true);
    assert.equal(await client.move(one.port), true);
    one.io.to(7).emit('m', 6);
    await settled(one, client);
    assert.equal(client.events('m').length, 7);
    assert.deepEqual([...(await socketOf(one, client)).rooms].sort(), [id, 'red', 7].sort());
  });

  test('what an Emitter sends while a client is away is not missed, in its place among what servers send', async () => {
    const key = newKey();
    const [one, two] = await servers({ key });
    const client = await visitor(one);
    const { id } = client;
    const emitter = new Emitter(kafkaOf(cluster), { key });
    ends.push(() => emitter.close());
    const sends = async (n) => {
      emitter.to(id).emit('m', n);
      await eventually(PATIENCE, 'it is written', () => emitter.stats().queued === 0);
      two.io.emit('m', n + 1);
      await eventually(PATIENCE, 'it is written', () => two.adapter().stats().queued.records === 0);
    };
    await sends(0);
    await client.hears('m', (n) => n === 1);
    await client.break();
    await sends(2);
    assert.equal(await client.come(two.port), true);
    await sends(4);
    await client.hears('m', (n) => n === 5);
    assert.deepEqual(client.events('m').flat(), [0, 1, 2, 3, 4, 5]);
  });

  test("the adapter's own calls keep and restore a session, with what was missed, its place behind each", async () => {
    const [one, two] = await servers();
    const [first, second] = [one, two].map((peer) => peer.adapter());
    const client = await visitor(one);
    one.io.emit('m', 0);
    await client.hears('m');
    const { offset } = client.knows;
    first.persistSession({ sid: 'sid', pid: 'pid', rooms: ['sid', 'red'], data: { name: 'x' } });
    one.io.to('red').emit('m', 1);
    one.io.to('blue').emit('m', 2);
    await settled(one, client);
    two.io.emit('m', 3);
    await settled(two, client);
    const { missedPackets, ...session } = await second.restoreSession('pid', offset);
    assert.deepEqual(session, { sid: 'sid', pid: 'pid', rooms: ['sid', 'red'], data: { name: 'x' } });
    const missed = missedPackets.filter(([event]) => event === 'm');
    assert.deepEqual(
      [...missed].map(([, number]) => number),
      [1, 3],
    );
    for (const packet of missed) assert.match(packet.at(-1), /^.+-\d+-\d+$/);
  });

  test('a client whose server does not know yet that it is gone is restored as it is now, and its old socket ends without a trace', async () => {
    const [one, two] = await servers();
    for (const to of [two, one]) {
      const client = await visitor(one);
      const { id } = client;
      const socket = await socketOf(one, client);
      const reasons = [];
      socket.on('disconnect', (reason) => reasons.push(reason));
      socket.join('late');
      one.io.emit('before');
      await client.hears('before');
      // No record says it but the one that its server writes when it is asked.
      socket.data.newest = true;
      const other = await visitor(one, { nsp: '/', forceNew: false, multiplex: true });
      client.vanish(to.port);
      one.io.to('late').emit('m', 'on its way');
      assert.equal(await client.come(to.port), true);
      assert.equal(client.id, id);
      await settled(two, client, other);
      assert.deepEqual(client.events('m'), [['on its way']]);
      const back = await socketOf(to, client);
      assert.deepEqual([...back.rooms].sort(), [id, 'late'].sort());
      assert.equal(back.data.newest, true);
      assert.equal(reasons.length, 1);
      assert.equal(socket.connected, false);
      assert.equal(one.io.of('/').sockets.get(id), to === one ? back : undefined);
      // The old socket changes nothing any more.
      socket.disconnect(true);
      assert.equal(await client.move(one.port), true);
      assert.ok((await socketOf(one, client)).rooms.has('late'));
    }
  });

  test('of two connections with one session, both let in slowly, one is recovered and the other begins anew, and both stay', async () => {
    const gates = [];
    let gated = false;
    const peers = await servers({ server: { connectionStateRecovery: { skipMiddlewares: false } } });
    for (const { io } of peers) io.use((_, next) => (gated ? gates.push(next) : next()));
    const [one, two] = peers;
    const client = await visitor(one);
    one.io.emit('before');
    await client.hears('before');
    const { id } = client;
    await client.break();
    gated = true;
    const first = client.come(one.port);
    await eventually(PATIENCE, 'the first waits for its middleware', () => gates.length === 1);
    const twin = new Visitor(two.port);
    ends.push(() => twin.close());
    twin.knows = client.knows;
    const second = twin.come(two.port);
    // It begins anew while the first is not let in: as long as that takes.
    await eventually(PATIENCE, 'the second waits for its middleware', () => gates.length === 2);
    for (const next of gates) next();
    assert.deepEqual([await first, await second], [true, false]);
    assert.equal(client.id, id);
    assert.notEqual(twin.id, id);
    await settled(one, client, twin);
    assert.deepEqual([client.socket.connected, twin.socket.connected], [true, true]);
  });

  test('a session whose data cannot be written is recovered without them, and an error says so', async () => {
    const [one, two] = await servers();
    const errors = [];
    one.adapter().on('error', ({ message }) => errors.push(message));
    const client = await visitor(one);
    const socket = await socketOf(one, client);
    const circle = {};
    circle.circle = circle;
    socket.data = { circle };
    socket.join('red');
    one.io.emit('before');
    await client.hears('before');
    await client.break();
    two.io.to('red').emit('m', 1);
    assert.equal(await client.come(two.port), true);
    await settled(two, client);
    assert.deepEqual(client.events('m'), [[1]]);
    assert.match(errors[0], /the data of the socket .* cannot be written, it is recovered without/);
  });

  test('a listener that throws on a disconnect is reported, and keeps nobody from coming back', async () => {
    const [one, two] = await servers();
    // Of those in ten seconds the first is reported.
    const errors = [];
    one.adapter().on('error', ({ message }) => errors.push(message));
    for (const to of [one, two]) {
      const client = await visitor(one);
      const socket = await socketOf(one, client);
      one.io.emit('before');
      await client.hears('before');
      let left = false;
      socket.once('disconnect', () => {
        left = true;
        throw new Error('of the program');
      });
      client.vanish(to.port);
      assert.equal(await client.come(to.port), true);
      await eventually(PATIENCE, 'the listener is called', () => left);
      assert.match(errors[0], /a listener failed on a disconnect: of the program/);
      assert.equal(one.adapter().stats().unreadable, 0);
    }
  });

  test('a server that closes behind its claim of a session gives it back as it is, at whatever moment that is', async () => {
    const key = newKey();
    const [one, three] = await servers({ key });
    const kinds = [
      ...['open', 'broken'].flatMap((how) => [0, 1, 2, 4, 8].map((wait) => [how, wait])),
      ...[10, 20, 40, 80].map((wait) => ['broken, and it reads the log again', wait]),
    ];
    for (const [how, wait] of kinds) {
      const again = how.includes('again');
      const options = { key, logger: SILENT, ...(again && { maxRecoveryBytes: 10_000 }) };
      const two = await Peer.start(createAdapter(kafkaOf(cluster), options), RECOVERY);
      ends.push(() => two.close());
      await two.adapter().init();
      const client = await visitor(one);
      const { id } = client;
      const socket = await socketOf(one, client);
      one.io.emit('before', id);
      await client.hears('before', (text) => text === id);
      const { pid, offset } = client.knows;
      if (how === 'open') client.vanish(three.port);
      else await client.break();
      if (again) {
        for (let n = 0; n < 20; n++) one.io.to('nobody').emit('m', 'x'.repeat(1000));
        await settled(one, await visitor(two));
      }
      const restored = two
        .adapter()
        .restoreSession(pid, offset)
        .then(
          () => 'has it',
          () => 'has it not',
        );
      if (wait > 0) await delay(wait);
      const late = socket.connected;
      socket.join('late');
      await two.adapter().close();
      const kept = await Promise.race([restored, new Promise((resolve) => setImmediate(resolve, 'waits'))]);
      // A session that socket.io has got by then it writes itself, when its socket ends; there is none here.
      if (kept === 'has it') continue;
      assert.equal(await client.come(three.port), true, `${how}, ${wait} ms: ${kept}`);
      assert.equal(client.id, id);
      if (late) assert.ok((await socketOf(three, client)).rooms.has('late'), `${how}, ${wait} ms`);
    }
  });

  test('of two clients that come with one session at one time exactly one has it', async () => {
    const [one, two] = await servers();
    for (let round = 0; round < 12; round++) {
      const client = await visitor(one);
      one.io.emit('before', round);
      await client.hears('before', (number) => number === round);
      const { knows } = client;
      // Known to be gone, or not.
      if (round % 2 === 0) await client.break();
      const both = [one, two].map(({ port }) => {
        const made = new Visitor(port);
        made.knows = knows;
        ends.push(() => made.close());
        return made;
      });
      const came = await Promise.all([both[0].come(one.port), both[1].come(two.port)]);
      assert.ok(came.includes(true), `round ${round}`);
      // Whoever comes second and later may be the client on its next connection: then the first one's has ended.
      const holders = () => [one, two].flatMap(({ io }) => [...io.of('/').sockets.values()]).filter(({ pid }) => pid === knows.pid);
      await eventually(PATIENCE, 'one has it', () => holders().length === 1);
      if (came.every(Boolean)) await eventually(PATIENCE, 'the other is gone', () => both.some(({ socket }) => !socket.connected));
      one.io.in(holders()[0].id).emit('m', round);
      const hearing = () => both.filter((made) => made.events('m').some(([number]) => number === round));
      await eventually(PATIENCE, 'one of them hears', () => hearing().length > 0);
      assert.equal(hearing().length, 1);
    }
  });

  test('what a client says of itself that is not so makes it begin anew, at once, and throws nowhere', async () => {
    const [one, two] = await servers();
    const client = await visitor(one);
    one.io.emit('before');
    await client.hears('before');
    const elsewhere = await visitor(one, { nsp: '/' });
    const { pid, offset } = client.knows;
    const [, tag, at] = /^(.+)-0-(\d+)$/.exec(offset);
    const lies = [
      '',
      'x',
      '0',
      `${tag}-1-${at}`,
      `${tag}-0-${'9'.repeat(15)}`,
      `${tag}-0--1`,
      `${tag.slice(1)}x-0-${at}`,
      'ü☃'.repeat(1000),
      `${offset}~`,
      `${offset}~zz.1`,
      'z'.repeat(100_000),
    ];
    for (const lie of lies) {
      const liar = new Visitor(two.port);
      ends.push(() => liar.close());
      liar.knows = { pid: `unknown-${lies.indexOf(lie)}`, offset: lie };
      assert.equal(await liar.come(two.port), false, lie.slice(0, 50));
    }
    for (const unknown of ['', 'unknown', 'x'.repeat(50_000), '__proto__', 'constructor']) {
      const liar = new Visitor(two.port);
      ends.push(() => liar.close());
      liar.knows = { pid: unknown, offset };
      assert.equal(await liar.come(two.port), false, unknown.slice(0, 50));
    }
    // Of another namespace.
    one.io.of('/other');
    two.io.of('/other');
    const other = new Visitor(two.port, { nsp: '/other' });
    ends.push(() => other.close());
    other.knows = { pid, offset };
    assert.equal(await other.come(two.port), false);
    // Ended by the client itself.
    const { knows } = elsewhere;
    elsewhere.socket.disconnect();
    await eventually(PATIENCE, 'its socket has ended', () => one.io.of('/').sockets.size === 1);
    await settled(one, client);
    const after = new Visitor(two.port);
    ends.push(() => after.close());
    after.knows = { pid: knows.pid, offset };
    assert.equal(await after.come(two.port), false);
    // And the one that was told so much about comes back.
    assert.equal(await client.move(two.port), true);
  });

  test('a session is over after maxDisconnectionDuration, and its server being killed changes nothing in that', async (t) => {
    const key = newKey();
    const server = { connectionStateRecovery: { maxDisconnectionDuration: 5000 } };
    const options = { ...kafkaOf(cluster), key, server };
    const [one, two] = [await Killable.start(t, options), await Killable.start(t, options)];
    const clients = [await visitor(one), await visitor(one), await visitor(two)];
    for (const client of clients) await client.hears('welcome');
    // A quiet one that stays is refreshed.
    const stays = clients[2];
    const [ended, killed] = clients;
    await ended.break();
    await one.kill();
    const sessions = async () => (await two.do('stats')).recovery.sessions;
    await eventually(PATIENCE, 'one session is left', async () => (await sessions()) === 1);
    for (const client of [ended, killed]) {
      await client.break();
      assert.equal(await client.come(two.port), false);
    }
    assert.equal(await stays.move(two.port), true);
  });

  test('what a server keeps stays within maxRecoveryBytes, and a quiet client with an old offset comes back', async () => {
    const [one, two] = await servers({ maxRecoveryBytes: 60_000 });
    const [quiet, away] = [await visitor(one), await visitor(one)];
    one.io.emit('before');
    await quiet.hears('before');
    await away.hears('before');
    await away.break();
    const text = 'x'.repeat(1000);
    for (let i = 0; i < 30; i++) two.io.to('nobody').emit('m', text);
    await settled(two, quiet);
    assert.equal(await away.come(one.port), true, 'there was room for what it has missed');
    await quiet.break();
    for (let i = 0; i < 100; i++) two.io.to('nobody').emit('m', text);
    await settled(two, away);
    const { recovery } = one.adapter().stats();
    assert.ok(recovery.ringBytes + recovery.sessionBytes <= 60_000, JSON.stringify(recovery));
    assert.equal(await quiet.come(one.port), true, 'the log has what there was no room for');
  });

  test('packets that a server had no room for come from the log, once and in order, for all who come back and from whatever place', async () => {
    const [one, two] = await servers({ maxRecoveryBytes: 30_000 });
    const text = 'x'.repeat(1000);
    let sent = 0;
    const emit = (count) => {
      for (let i = 0; i < count; i++) {
        two.io.emit('m', sent++);
        one.io.to('nobody').emit('m', 'for others', text);
      }
    };
    const clients = [];
    for (let i = 0; i < 5; i++) {
      const client = await visitor(two);
      clients.push(client);
      emit(10);
      await settled(two, client);
      await client.break();
    }
    // In another namespace, and volatile: nobody has missed these.
    two.io.of('/other').emit('m', 'elsewhere');
    two.io.volatile.emit('m', 'volatile');
    emit(10);
    await settled(two, await visitor(two));
    const { recovery } = one.adapter().stats();
    assert.ok(recovery.packets < 2 * sent, 'there was no room for all of them');
    // Events that are sent while the log is read come behind.
    const came = Promise.all(clients.map((client) => client.come(one.port)));
    emit(10);
    assert.deepEqual(await came, [true, true, true, true, true]);
    await settled(one, ...clients);
    clients.forEach((client, i) =>
      assert.deepEqual(
        client.events('m').map(([number]) => number),
        Array.from({ length: sent - 10 * i }, (_, n) => n + 10 * i),
      ),
    );
  });

  test('a client that has missed too much begins anew, and no other that comes with it does', async () => {
    const [one] = await servers({ count: 1, maxRecoveryBytes: 20_000 });
    const onlooker = await visitor(one);
    const clients = [];
    for (let i = 0; i < 2; i++) {
      const client = await visitor(one);
      clients.push(client);
      one.io.emit('before');
      await client.hears('before');
      await client.break();
      for (let n = 0; n < 10; n++) one.io.emit('m', n, 'x'.repeat(1000));
      await settled(one, onlooker);
    }
    for (let n = 0; n < 20; n++) one.io.to('nobody').emit('m', n, 'x'.repeat(1000));
    await settled(one, onlooker);
    assert.deepEqual(await Promise.all(clients.map((client) => client.come(one.port))), [false, true]);
    await settled(one, clients[1]);
    assert.deepEqual(
      clients[1].events('m').map(([n]) => n),
      [0, 1, 2, 3, 4, 5, 6, 7, 8, 9],
    );
  });

  test('a client begins anew where the log has lost what a server had no room for, and where that is too much', async () => {
    const reasons = { lost: /the log has lost them/, 'too much': /more bytes than maxRecoveryBytes/ };
    for (const how of Object.keys(reasons)) {
      const key = newKey();
      const lines = [];
      const logger = { ...SILENT, debug: (line) => lines.push(line) };
      const [one] = await servers({ key, count: 1, maxRecoveryBytes: 10_000, logger });
      const client = await visitor(one);
      one.io.emit('before');
      await client.hears('before');
      await client.break();
      for (let i = 0; i < 30; i++) one.io.emit('m', i, 'x'.repeat(1000));
      await settled(one, await visitor(one));
      if (how === 'lost') await cluster.admin.deleteRecords(key, 0, (await cluster.admin.watermarks(key, 0)).high - 5);
      assert.equal(await client.come(one.port), false, how);
      assert.match(lines.join(), reasons[how]);
    }
  });

  test('no more than maxRecoveryBytes is held for a client that middlewares do not let in: then it has to come again', async () => {
    const [one, two] = await servers({ server: { connectionStateRecovery: { skipMiddlewares: false } }, maxRecoveryBytes: 60_000 });
    const gates = [];
    let gated = false;
    two.io.use((_, next) => (gated ? gates.push(next) : next()));
    const client = await visitor(one);
    const onlooker = await visitor(two);
    one.io.emit('before');
    await client.hears('before');
    await client.break();
    gated = true;
    const gone = new Promise((resolve) => client.socket.once('disconnect', resolve));
    const coming = client.come(two.port);
    await eventually(PATIENCE, 'the middleware is called', () => gates.length === 1);
    for (let i = 0; i < 20; i++) one.io.emit('m', 'x'.repeat(5000));
    await settled(one, onlooker);
    gates[0]();
    assert.equal(await coming, true);
    await gone;
    assert.deepEqual(client.events('m'), []);
    gated = false;
    assert.equal(await client.come(two.port), false, 'they are beyond what is kept');
  });

  test('what comes between the claim and the connection is held for as long as middlewares take, and is not had twice when the client goes before', async () => {
    const [one, two] = await servers({ server: { connectionStateRecovery: { skipMiddlewares: false } } });
    const gates = [];
    let gated = false;
    two.io.use((_, next) => (gated ? gates.push(next) : next()));
    const client = await visitor(one);
    const { id } = client;
    // Packets that it hears of the other server have been handled by its own.
    const onlooker = await visitor(two);
    (await socketOf(one, client)).join(['red', 'gone']);
    one.io.emit('before');
    await client.hears('before');
    await client.break();
    one.io.to('red').emit('m', 0);
    gated = true;
    const first = client.come(two.port);
    await eventually(PATIENCE, 'the middleware is called', () => gates.length === 1);
    one.io.to('red').emit('m', 1);
    one.io.in(id).socketsJoin('blue');
    one.io.in(id).socketsLeave('gone');
    one.io.to('gone').emit('m', 'it has left');
    one.io.to('blue').emit('m', 2);
    await settled(one, onlooker);
    // It goes before it is let in; it comes again while the middleware still thinks.
    client.socket.io.engine.transport.ws.terminate();
    await assert.rejects(first);
    const second = client.come(two.port);
    await eventually(PATIENCE, 'the middleware is called again', () => gates.length === 2);
    one.io.to('blue').emit('m', 3);
    await settled(one, onlooker);
    gates[0]();
    gates[1]();
    assert.equal(await second, true);
    gated = false;
    two.io.to('red').emit('m', 4);
    await settled(two, client);
    assert.deepEqual(client.events('m'), [[0], [1], [2], [3], [4]]);
    assert.deepEqual([...(await socketOf(two, client)).rooms].sort(), [id, 'blue', 'red'].sort());
    assert.equal(await client.move(one.port), true);
    assert.equal(client.id, id);
  });

  test('what a client has missed comes before what its new server sends to it: a little of it in one write before its CONNECT packet, much of it behind', async () => {
    const [one, two] = await servers();
    const writes = [];
    for (const { io } of [one, two]) {
      io.on('connection', (socket) => socket.recovered && socket.emit('m', 'hello again'));
      io.engine.on('connection', ({ transport }) => {
        const send = transport.send.bind(transport);
        transport.send = (packets) => {
          writes.push(packets.filter(({ type }) => type === 'message').length);
          send(packets);
        };
      });
    }
    const client = await visitor(one);
    one.io.emit('m', 0);
    await client.hears('m');
    for (const peer of [two, one, one, two]) {
      for (const [length, order] of [
        [1, [1, 2, 3, 'CONNECT', 'hello again']],
        [1000, ['CONNECT', 1, 2, 3, 'hello again']],
      ]) {
        await client.break();
        for (let n = 1; n <= 3; n++) one.io.emit('m', n, 'x'.repeat(length));
        // Else the other server's claim may come between them in the log.
        await eventually(PATIENCE, 'they are written', () => one.adapter().stats().queued.records === 0);
        const packets = [];
        const take = ({ type, data }) => packets.push(type === 0 ? 'CONNECT' : data[1]);
        client.socket.io.on('packet', take);
        writes.length = 0;
        assert.equal(await client.come(peer.port), true);
        await settled(peer, client);
        client.socket.io.off('packet', take);
        assert.deepEqual(packets.slice(0, 5), order);
        if (length === 1) assert.ok(writes.includes(4), `${writes}`);
      }
    }
  });

  test('a client that a middleware refuses begins anew', async () => {
    const [one, two] = await servers({ server: { connectionStateRecovery: { skipMiddlewares: false } } });
    let refuses = true;
    two.io.use((_, next) => next(refuses ? new Error('not you') : undefined));
    const client = await visitor(one);
    one.io.emit('before');
    await client.hears('before');
    await client.break();
    await assert.rejects(client.come(two.port), /not you/);
    refuses = false;
    client.socket.disconnect();
    assert.equal(await client.come(two.port), false);
  });

  test('a client comes back to many namespaces, also to dynamic ones', async () => {
    const [one, two] = await servers();
    const names = ['/', '/a', '/dyn-1', '/dyn-2'];
    for (const { io } of [one, two]) {
      io.of('/a');
      io.of(/^\/dyn-\d$/);
    }
    const clients = [];
    for (const nsp of names) clients.push(await visitor(one, { nsp }));
    for (const nsp of names) one.io.of(nsp).emit('before', nsp);
    for (const client of clients) await client.hears('before', (nsp) => nsp === client.nsp);
    for (const client of clients) await client.break();
    for (const nsp of names) one.io.of(nsp).emit('m', nsp);
    for (const client of clients) assert.equal(await client.come(two.port), true, client.nsp);
    for (const client of clients) {
      two.io.of(client.nsp).emit('m', 'more');
      await client.hears('m', (text) => text === 'more');
      assert.deepEqual(client.events('m'), [[client.nsp], ['more']]);
    }
  });

  test('one connection with several namespaces that moves without a word comes back in all of them', async () => {
    const [one, two] = await servers();
    for (const { io } of [one, two]) io.of('/a');
    const client = connect(`http://127.0.0.1:${one.port}/`, { transports: ['websocket'], forceNew: true, reconnection: false });
    const more = client.io.socket('/a');
    ends.push(() => (client.disconnect(), more.disconnect()));
    const heard = [];
    await Promise.all([client, more].map((socket) => once(socket, 'connect')));
    for (const nsp of ['/', '/a']) one.io.of(nsp).emit('before');
    await Promise.all([client, more].map((socket) => once(socket, 'before')));
    const again = connect(`http://127.0.0.1:${two.port}/`, { transports: ['websocket'], forceNew: true, reconnection: false, autoConnect: false });
    const moreAgain = again.io.socket('/a');
    ends.push(() => (again.disconnect(), moreAgain.disconnect()));
    Object.assign(again, { _pid: client._pid, _lastOffset: client._lastOffset });
    Object.assign(moreAgain, { _pid: more._pid, _lastOffset: more._lastOffset });
    again.onAny((...event) => heard.push(event));
    again.connect();
    moreAgain.connect();
    await Promise.all([again, moreAgain].map((socket) => once(socket, 'connect')));
    assert.deepEqual([again.recovered, moreAgain.recovered], [true, true]);
  });

  test('servers that are killed or restarted lose no session: it comes back from the log alone', async (t) => {
    const options = { ...kafkaOf(cluster), key: newKey() };
    let all = [await Killable.start(t, options), await Killable.start(t, options)];
    const clients = await Promise.all([0, 1, 0, 1].map((i) => visitor(all[i])));
    for (const client of clients) {
      await client.hears('welcome');
      client.socket.emit('join', 'red');
      client.socket.emit('join', 7);
      await client.hears('joined', (room) => room === 7);
    }
    const ids = clients.map(({ id }) => id);
    let sent = 0;
    for (const how of ['kill', 'close', 'kill']) {
      for (let i = 0; i < 20; i++) await all[i % 2].do('emit', { rooms: i % 2 ? ['red'] : [], event: ['m', sent++] });
      await Promise.all(clients.map((client) => client.hears('m', (number) => number === sent - 1)));
      for (const client of clients.slice(2)) await client.break();
      for (let i = 0; i < 20; i++) await all[0].do('emit', { rooms: [7], event: ['m', sent++] });
      // It is in the log when somebody has it.
      await Promise.all(clients.slice(0, 2).map((client) => client.hears('m', (number) => number === sent - 1)));
      for (const server of all) await (how === 'kill' ? server.kill() : server.do('close'));
      for (const client of clients) await client.break();
      all = [await Killable.start(t, options), await Killable.start(t, options)];
      for (const [i, client] of clients.entries()) assert.equal(await client.come(all[i % 2].port), true, `${how}, client ${i}`);
      await all[1].do('emit', { rooms: ['red'], event: ['m', sent++] });
      await Promise.all(clients.map((client) => client.hears('m', (number) => number === sent - 1)));
      for (const client of clients) {
        const got = client.events('m').map(([number]) => number);
        assert.deepEqual(
          got,
          clients[0].events('m').map(([number]) => number),
          `${how}: the order is the log's`,
        );
        assert.deepEqual(
          got.toSorted((a, b) => a - b),
          Array.from({ length: sent }, (_, number) => number),
          how,
        );
        const [[recovered, rooms, data]] = client.events('welcome').slice(-1);
        assert.deepEqual([recovered, rooms.toSorted(), data], [true, [client.id, 'red', 7].toSorted(), { born: client.id }]);
      }
    }
    assert.deepEqual(
      clients.map(({ id }) => id),
      ids,
    );
  });

  test('clients of a server that stood still until the log had lost records come again with their old places, and have all from another', async (t) => {
    const options = { ...kafkaOf(cluster), key: newKey() };
    const [still, goes] = await Promise.all([Killable.start(t, options), Killable.start(t, options)]);
    const [client, quiet, witness] = [await visitor(still), await visitor(still), await visitor(goes)];
    await goes.do('emit', { event: ['m', 0] });
    for (const each of [client, quiet, witness]) await each.hears('m');
    still.process.kill('SIGSTOP');
    for (let n = 1; n <= 20; n++) await goes.do('emit', { event: ['m', n] });
    await witness.hears('m', (n) => n === 20);
    const { high } = await cluster.admin.watermarks(options.key, 0);
    await cluster.admin.deleteRecords(options.key, 0, high);
    const closed = [client, quiet].map(({ socket }) => new Promise((resolve) => socket.once('disconnect', resolve)));
    still.process.kill('SIGCONT');
    await goes.do('emit', { event: ['m', 21] });
    await within(PATIENCE, 'both are closed', () => Promise.all(closed));
    const { lines } = await still.do('stats');
    assert.ok(
      lines.some(([level, text]) => level === 'error' && /has lost the records from \d+ to \d+ before they were read/.test(text)),
      lines,
    );
    // Nothing behind the gap came.
    const before = client.events('m').length;
    assert.deepEqual(
      client.events('m').flat(),
      Array.from({ length: before }, (_, n) => n),
    );
    assert.equal(await client.come(goes.port), true);
    await client.hears('m', (n) => n === 21);
    assert.deepEqual(
      client.events('m').flat(),
      Array.from({ length: 22 }, (_, n) => n),
    );
    // The server itself does not have them.
    assert.equal(await quiet.come(still.port), false);
  });

  test('what went out before it is in the log takes no more than maxQueuedBytes, however long Kafka is away', async () => {
    const late = [];
    const outgoing = new OrderedOutgoing(1, 100_000, ({ number }) => late.push(number));
    const body = (number) => JSON.stringify([3, 'me', number, 0, 'x'.repeat(10_000), 0]);
    for (let number = 0; number < 100; number++) outgoing.logged(number, body(number));
    await eventually(PATIENCE, 'all went out', () => late.length === 100);
    const kept = () => [...outgoing.unread()].map(({ number }) => number);
    assert.deepEqual(kept(), [91, 92, 93, 94, 95, 96, 97, 98, 99]);
    assert.equal(outgoing.early, 99);
    outgoing.read(98, () => assert.fail('it went out already'));
    assert.deepEqual(kept(), [99]);
    // One that is larger than all stays alone.
    outgoing.logged(100, JSON.stringify([3, 'me', 100, 0, 'x'.repeat(200_000), 0]));
    await eventually(PATIENCE, 'it went out', () => late.length === 101);
    assert.deepEqual(kept(), [100]);
    outgoing.read(100, () => assert.fail('it went out already'));
    assert.equal(outgoing.early, undefined);
  });

  test('a topic that is deleted and made anew makes clients begin anew', async (t) => {
    const key = newKey();
    const [one, two] = await servers({ key });
    const client = await visitor(one);
    one.io.emit('before');
    await client.hears('before');
    await client.break();
    await cluster.admin.deleteTopic(key);
    await eventually(PATIENCE, 'the topic is gone', async () => !(await cluster.admin.listTopics?.())?.includes?.(key));
    await cluster.admin.createTopic(key, { partitions: 1, replication: 1 });
    const [three] = await servers({ key, count: 1 });
    assert.equal(await client.come(three.port), false);
    void two;
  });

  test('while Kafka is away local clients get what is sent in time, and whoever moves meanwhile or afterwards has nothing twice and misses nothing', async () => {
    const own = await real({ own: true });
    try {
      const peers = await Peers.start(own, { count: 2, server: RECOVERY, publishTimeout: 100 });
      ends.push(() => peers.close());
      const [one, two] = peers.all;
      const [stays, moves, goes, other] = [await visitor(one), await visitor(one), await visitor(one), await visitor(two)];
      const all = [stays, moves, goes, other];
      one.io.emit('m', 0);
      await Promise.all(all.map((client) => client.hears('m', (number) => number === 0)));
      const { nodes } = own.kafka;
      nodes[0].pause();
      for (let i = 1; i <= 5; i++) one.io.emit('m', i);
      await stays.hears('m', (number) => number === 5);
      assert.equal(other.events('m').length, 1);
      await Promise.all([moves, goes].map((client) => client.hears('m', (number) => number === 5)));
      // Gone while Kafka is away: it comes back when that does.
      await moves.break();
      const coming = moves.come(two.port);
      // Gone without a word, with fewer packets than its server has written.
      const known = goes.knows;
      for (let i = 6; i <= 8; i++) one.io.emit('m', i);
      await stays.hears('m', (number) => number === 8);
      nodes[0].resume();
      assert.equal(await coming, true);
      goes.vanish(two.port);
      void known;
      assert.equal(await goes.come(two.port), true);
      one.io.emit('m', 9);
      two.io.emit('m', 10);
      await settled(one, ...all);
      await settled(two, ...all);
      for (const client of all)
        assert.deepEqual(
          client
            .events('m')
            .map(([number]) => number)
            .toSorted((a, b) => a - b),
          [0, 1, 2, 3, 4, 5, 6, 7, 8, 9, 10],
        );
      for (const client of all)
        assert.deepEqual(
          client
            .events('m')
            .map(([number]) => number)
            .filter((number) => number < 10),
          [0, 1, 2, 3, 4, 5, 6, 7, 8, 9],
        );
      for (const [i, client] of all.entries()) assert.equal(await client.move([two, one][i % 2].port), true);
      await settled(one, ...all);
      for (const client of all) assert.equal(client.events('m').length, 11);
    } finally {
      own.kafka.nodes[0].resume();
      for (const end of ends.splice(0).reverse()) await end();
      await own.close();
    }
  });
});
