'use strict';
// Clients that mean harm, by the ten thousand, and one beside them that doesn't. SEED repeats them.

const assert = require('node:assert/strict');
const net = require('node:net');
const { once } = require('node:events');
const { after, before, test } = require('node:test');
const { encode } = require('@msgpack/msgpack');
const { Child } = require('./support/child.js');
const { real } = require('./support/clusters.js');
const { PATIENCE, within } = require('./support/flow.js');
const { opened } = require('./support/proxy.js');
const { random, seed } = require('./support/random.js');
const { eventually } = require('./support/watch.js');

const URLS = 3000;
const FRAMES = 7000;
/** Connections at a time. */
const CROWD = 40;

const chance = random(seed);
const below = (n) => Math.floor(chance() * n);
const any = (list) => list[below(list.length)];
const bytes = (n) => Buffer.from(Array.from({ length: n }, () => below(256)));

let child;
let port;
let friend;
let topic;
const cleanup = [];
before(async () => {
  const cluster = await real();
  topic = await cluster.topic(1);
  child = new Child(
    /** @type {any} */ ({ after: (end) => cleanup.push(end) }),
    'proxy-server.js',
    { brokers: cluster.options().broker, closeTimeout: 1000 },
    { execArgv: ['--expose-gc'] },
  );
  cleanup.push(() => cluster.close());
  ({ port } = await child.says('listening'));
  friend = new Friend(await opened(`ws://127.0.0.1:${port}`));
  await eventually(PATIENCE, 'an answer to the good client', () => friend.answers > 0);
  await figures();
});
after(async () => {
  for (const end of cleanup) await end();
});

/** Writes to Kafka one message behind the other, and wants an answer to each. */
class Friend {
  answers = 0;
  #stopped = false;

  constructor(ws) {
    this.ws = ws;
    this.working = this.#work();
    this.working.catch(() => {});
  }

  async #work() {
    const done = [];
    const closed = this.ws.closed.then(() => assert.fail('the good client was closed'));
    closed.catch(() => {});
    this.ws.on('message', (data) => {
      const { type, id, code } = JSON.parse(String(data));
      if (id !== undefined) done.push({ type, id, code });
    });
    for (let id = 1; !this.#stopped; id++) {
      this.ws.send(JSON.stringify({ type: 'produce', id, topic, messages: [{ value: `message ${id}` }] }));
      await within(PATIENCE, `an answer to ${id}`, async () => {
        while (done.length < id) await Promise.race([once(this.ws, 'message'), closed]);
      });
      assert.deepEqual(done[id - 1], { type: 'produced', id, code: undefined });
      this.answers = id;
      if (this.ws.heard) this.ws.heard.length = 0;
      await new Promise((resolve) => setTimeout(resolve, 5));
    }
  }

  async stop() {
    this.#stopped = true;
    await this.working;
  }
}

async function figures() {
  child.tell('figures');
  return child.says('figures');
}

const KEY = 'Sec-WebSocket-Key: AAAAAAAAAAAAAAAAAAAAAA==\r\n';
const upgrade = (target, { protocol = '', more = '', method = 'GET', version = '13', key = KEY, host = 'Host: localhost\r\n', http = 'HTTP/1.1' } = {}) =>
  Buffer.from(
    `${method} ${target} ${http}\r\n${host}Connection: Upgrade\r\nUpgrade: websocket\r\nSec-WebSocket-Version: ${version}\r\n${key}${protocol && `Sec-WebSocket-Protocol: ${protocol}\r\n`}${more}\r\n`,
    'latin1',
  );

/** One connection: what was written to it, and what came back until it was closed. */
async function talk(data, { cut } = {}) {
  const socket = net.connect(port, '127.0.0.1');
  socket.on('error', () => {});
  const heard = [];
  socket.on('data', (chunk) => heard.push(chunk));
  const closed = new Promise((resolve) => socket.once('close', resolve));
  socket.write(cut === undefined ? data : data.subarray(0, cut));
  return { socket, closed, heard: () => Buffer.concat(heard) };
}

function hostileTarget() {
  const part = () =>
    any([
      '/',
      '//',
      '///',
      '/../..',
      '/.',
      '%',
      '%00',
      '%zz',
      '%2e%2e%2f',
      '%ff%fe',
      '\u00e4\u20ac'.slice(0, 1),
      '\\',
      '?',
      '&',
      '=',
      '#',
      ';',
      'topic=t',
      'topic=',
      'topic',
      'topic=a&topic=b',
      'topic[]=x',
      'partition=-1',
      'partition=99999999999999',
      'offset=NaN',
      'offset=1e309',
      'consumerGroup=',
      '__proto__=x',
      'constructor[prototype]=x',
      'toString',
      '\x7f',
      '\x80\xff',
      `x=${'y'.repeat(below(300))}`,
      bytes(below(8))
        .toString('latin1')
        .replace(/[\0\r\n ]/g, '%00'),
    ]);
  const form = any(['/', '/', '/?', '', 'http://elsewhere/?', 'http://', 'https://[::1', '*', 'ws://x:y@z/?', '//evil.example/?', 'localhost:443']);
  const text = form + Array.from({ length: below(12) }, part).join('');
  return chance() < 0.03 ? `/?${'topic=t&'.repeat(3000)}` : text.replace(/ /g, '%20') || '/';
}

test('hostile URLs and headers are answered or cut off, whoever vanishes in the middle', async () => {
  const statuses = new Map();
  const client = async () => {
    const odd = {
      protocol: any([
        'kafka.v2.json',
        'kafka.v2.json',
        'kafka.v2.msgpack',
        ',',
        'kafka.v2.json,,',
        'kafka.v2.json, kafka.v2.json',
        ' ',
        'a b',
        'x'.repeat(5000),
      ]),
      method: any(['GET', 'GET', 'GET', 'GET', 'POST', 'CONNECT', 'OPTIONS', 'PRI', 'get']),
      version: any(['13', '13', '13', '8', '12', '-1', 'x', '']),
      key: any([KEY, KEY, KEY, '', `${KEY}${KEY}`, 'Sec-WebSocket-Key: x\r\n']),
      host: any([
        'Host: localhost\r\n',
        'Host: localhost\r\n',
        'Host: localhost\r\n',
        '',
        'Host: \r\n',
        'Host: evil.example\r\n',
        'Host: localhost\r\nHost: evil.example\r\n',
        'Host: [::1\r\n',
        `Host: ${'a'.repeat(9000)}\r\n`,
      ]),
      http: any(['HTTP/1.1', 'HTTP/1.1', 'HTTP/1.1', 'HTTP/1.0', 'HTTP/2.0', 'HTTP/9', '']),
      more: any([
        '',
        '',
        '',
        'Content-Length: 5\r\n',
        'Content-Length: -1\r\n',
        'Transfer-Encoding: chunked\r\n',
        'Origin: null\r\n',
        'Origin: \xff\r\n',
        'Authorization: Basic \xff\xfe\r\n',
        'Expect: 100-continue\r\n',
        'Sec-WebSocket-Extensions: permessage-deflate; server_max_window_bits=99\r\n',
        `X: ${'y'.repeat(20_000)}\r\n`,
        'X\0: y\r\n',
      ]),
    };
    const usual = chance() < 0.5;
    const data = upgrade(hostileTarget(), usual ? { protocol: 'kafka.v2.json' } : odd);
    const cut = chance() < 0.15 ? below(data.length) : undefined;
    const { socket, closed, heard } = await talk(data, { cut });
    if (cut !== undefined) {
      // It vanishes, now or in a moment.
      if (chance() < 0.5) await new Promise((resolve) => setTimeout(resolve, below(4)));
      if (chance() < 0.5) socket.resetAndDestroy();
      else socket.destroy();
      return;
    }
    await within(
      PATIENCE,
      () => `an answer to ${data.toString('latin1').slice(0, 500)}`,
      async () => {
        while (heard().length === 0 && !socket.closed) await Promise.race([once(socket, 'data').catch(() => closed), closed]);
      },
    );
    const answer = heard().toString('latin1');
    const status = /^HTTP\/1\.1 (\d{3}) /.exec(answer)?.[1] ?? (answer === '' ? 'cut' : answer.slice(0, 40));
    statuses.set(status, (statuses.get(status) ?? 0) + 1);
    socket[any(['destroy', 'resetAndDestroy', 'end'])]();
    if (!socket.closed) {
      socket.resume();
      setTimeout(() => socket.destroy(), 50).unref();
    }
  };
  await crowd(URLS, client);
  const known = ['101', '400', '403', '404', '405', '408', '426', '431', '505', 'cut'];
  for (const status of statuses.keys()) assert.ok(known.includes(status), `${status}; SEED=${seed}`);
  assert.ok((statuses.get('101') ?? 0) > 100 && (statuses.get('400') ?? 0) > 100, JSON.stringify([...statuses]));
});

/** A frame as a client writes it, right or wrong. */
function frame({
  fin = true,
  rsv = 0,
  opcode = 1,
  masked = true,
  payload = Buffer.alloc(0),
  length = payload.length,
  form = length > 65_535 ? 127 : length > 125 ? 126 : length,
} = {}) {
  const head = [(fin ? 0x80 : 0) | (rsv << 4) | opcode, (masked ? 0x80 : 0) | form];
  const size = form === 126 ? Buffer.alloc(2) : Buffer.alloc(form === 127 ? 8 : 0);
  if (form === 126) size.writeUInt16BE(length & 0xffff);
  if (form === 127) size.writeBigUInt64BE(BigInt(length));
  const mask = masked ? bytes(4) : Buffer.alloc(0);
  const body = masked ? Buffer.from(payload.map((byte, i) => byte ^ mask[i & 3])) : payload;
  return Buffer.concat([Buffer.from(head), size, mask, body]);
}

function hostileValue(depth = 0) {
  const kinds = [null, true, 0, -1, 1e308, 2 ** 53, 0.5, '', 'x', '\ud800', '\0', '__proto__', 'a'.repeat(below(200)), [], {}];
  if (depth > 2 || chance() < 0.5) return any(kinds);
  const inner = () => hostileValue(depth + 1);
  if (chance() < 0.5) return Array.from({ length: below(4) }, inner);
  return Object.fromEntries(
    Array.from({ length: below(4) }, () => [any(['type', 'id', 'topic', '__proto__', 'constructor', 'messages', 'offset', 'timestamp', '']), inner()]),
  );
}

function hostileMessage() {
  const types = ['subscribe', 'unsubscribe', 'credit', 'pause', 'resume', 'seek', 'lag', 'ack', 'nack', 'produce', 'hello', '__proto__', 'toString', ''];
  const message = { type: any(types), id: chance() < 0.7 ? any([1, 'a', 2]) : hostileValue() };
  const fields = [
    'topics',
    'topic',
    'pattern',
    'group',
    'from',
    'partitions',
    'partition',
    'offset',
    'only',
    'key',
    'value',
    'headers',
    'credit',
    'messages',
    'bytes',
    'slow',
    'table',
    'lag',
    'delay',
    '__proto__',
    'keyBase64',
    'x',
  ];
  for (let i = below(6); i > 0; i--) message[any(fields)] = hostileValue();
  if (chance() < 0.1) return { ...message, type: 'subscribe', pattern: any(['(a+)+$', '[', '*', '\\', '(?=', 'x'.repeat(5000), '.*.*.*.*.*.*.*b']) };
  if (chance() < 0.1)
    return {
      ...message,
      type: 'produce',
      topic: any([topic, 'nowhere', '', '../t', 'x'.repeat(300), '\0']),
      messages: [{ value: hostileValue(), key: hostileValue(), headers: hostileValue(), partition: any([0, 0, 5, -1, 2 ** 40]) }],
    };
  return message;
}

function hostileFrame(protocol) {
  const json = () => Buffer.from(JSON.stringify(hostileMessage()));
  const pack = () => {
    try {
      return Buffer.from(encode(hostileMessage()));
    } catch {
      return bytes(20);
    }
  };
  const message = () => (protocol === 'kafka.v2.msgpack' ? frame({ opcode: 2, payload: pack() }) : frame({ payload: json() }));
  return any([
    message,
    message,
    message,
    message,
    message,
    message,
    () => frame({ opcode: any([1, 2]), payload: bytes(below(200)) }),
    () => frame({ opcode: below(16), rsv: below(8), fin: chance() < 0.7, masked: chance() < 0.9, payload: bytes(below(140)) }),
    () => frame({ payload: Buffer.from('['.repeat(below(100_000))) }),
    () => frame({ payload: Buffer.from(`{"type":"subscribe","id":1,"topics":${'['.repeat(5000)}${']'.repeat(5000)}}`) }),
    () => frame({ opcode: 2, payload: Buffer.concat([Buffer.from([any([0xdd, 0xdf, 0xdb, 0xc6])]), bytes(4)]) }),
    () => frame({ opcode: 2, payload: Buffer.alloc(below(60_000), 0x91) }),
    () => frame({ opcode: any([1, 2, 0]), length: any([2 ** 20, 2 ** 20 + 1, 2 ** 31, 2 ** 32, Number.MAX_SAFE_INTEGER]), form: 127, payload: bytes(10) }),
    () => frame({ opcode: 1, form: any([126, 127]), length: below(126), payload: bytes(10) }),
    () => Buffer.concat(Array.from({ length: below(40) }, (_, i) => frame({ opcode: i === 0 ? 1 : 0, fin: false, payload: bytes(below(3)) }))),
    () => frame({ opcode: 9, payload: bytes(below(200)) }),
    () => Buffer.concat(Array.from({ length: 50 }, () => frame({ opcode: any([9, 10]), payload: bytes(below(125)) }))),
    () => frame({ opcode: 8, payload: any([Buffer.alloc(0), bytes(1), bytes(2), Buffer.from([3, 232, 0xff]), Buffer.from([0x0f, 0xa0]), bytes(125)]) }),
    () => bytes(below(50)),
    () => message().subarray(0, below(6)),
  ])();
}

/** The code of the first close frame in what the server has written behind the upgrade; its frames are whole and not masked. */
function closeCode(data) {
  for (let at = data.indexOf('\r\n\r\n') + 4; at < data.length; ) {
    const opcode = data[at] & 15;
    let length = data[at + 1] & 127;
    let head = 2;
    if (length === 126) [length, head] = [data.readUInt16BE(at + 2), 4];
    else if (length === 127) [length, head] = [Number(data.readBigUInt64BE(at + 2)), 10];
    if (opcode === 8) return length === 0 ? 1005 : data.readUInt16BE(at + head);
    at += head + length;
  }
  return undefined;
}

test('hostile frames end with a close code that says why, or with an error of the protocol', async () => {
  const codes = new Map();
  let frames = 0;
  const client = async () => {
    const protocol = any(['kafka.v2.json', 'kafka.v2.json', 'kafka.v2.msgpack', '']);
    const { socket, closed, heard } = await talk(upgrade(`/?topic=${topic}&consumerGroup=${below(5)}`, { protocol }));
    await within(PATIENCE, 'the upgrade', async () => {
      while (!heard().includes('\r\n\r\n') && !socket.closed) await Promise.race([once(socket, 'data').catch(() => closed), closed]);
    });
    for (let i = 1 + below(30); i > 0 && socket.writable; i--, frames++) {
      const data = hostileFrame(protocol);
      // In pieces, too.
      const middle = chance() < 0.2 ? below(data.length) : 0;
      if (middle > 0) {
        socket.write(data.subarray(0, middle));
        await new Promise((resolve) => setImmediate(resolve));
      }
      socket.write(data.subarray(middle));
      if (chance() < 0.2) await new Promise((resolve) => setTimeout(resolve, 1));
    }
    if (chance() < 0.2) return void socket.resetAndDestroy();
    // A close frame ends it if nothing else does; behind half a frame it is cut off.
    socket.write(frame({ opcode: 8, payload: Buffer.from([3, 232]) }));
    const timer = setTimeout(() => socket.end(), 500);
    await within(PATIENCE, 'the proxy closes it', () => closed);
    clearTimeout(timer);
    const code = closeCode(heard()) ?? 'none';
    codes.set(code, (codes.get(code) ?? 0) + 1);
  };
  while (frames < FRAMES) await crowd(CROWD * 2, client);
  const told = `${JSON.stringify([...codes])}; SEED=${seed}`;
  for (const code of [1002, 1009, 4400]) assert.ok((codes.get(code) ?? 0) > 0, told);
  // A client's own code comes back to it; these two it does not send.
  assert.equal(codes.get(1011), undefined, `1011 is a defect of the proxy: ${told}`);
  assert.equal(codes.get(1001), undefined, told);
});

test('who is silent, or writes its request byte by byte, is cut off, and has no place until then', async () => {
  const silent = await Promise.all(Array.from({ length: 50 }, () => talk(Buffer.alloc(0))));
  const slow = await Promise.all(Array.from({ length: 50 }, () => talk(Buffer.from('GET / HTTP/1.1\r\nHost: localhost\r\n'))));
  const drip = setInterval(() => {
    for (const { socket } of slow) if (socket.writable) socket.write('x');
  }, 100);
  try {
    await within(PATIENCE, 'all are cut off', () => Promise.all([...silent, ...slow].map(({ closed }) => closed)));
  } finally {
    clearInterval(drip);
  }
});

test('afterwards nothing of them is left, nothing is in the log, and the good client was served all the while', async () => {
  const earlier = friend.answers;
  await eventually(PATIENCE, 'the good client goes on', () => friend.answers > earlier + 10);
  // Closed sockets are let go within closeTimeout.
  const sockets = ({ resources }) => resources.filter((name) => name === 'TCPSocketWrap').length;
  let now = await figures();
  const told = [...now.log];
  await eventually(PATIENCE, 'all sockets but one are gone', async () => {
    now = await figures();
    told.push(...now.log);
    return sockets(now) === 1;
  });
  // Each connection is worth a line, and a group whose pattern fits no topic.
  assert.deepEqual(
    told.filter((line) => !line.startsWith('info audit {') && !line.includes('Subscribed topic not available: ^')),
    [],
    `SEED=${seed}`,
  );
  const settled = now;
  // The same again: what grew was warming up.
  await crowd(500, async () => {
    const { socket, closed } = await talk(
      Buffer.concat([upgrade(hostileTarget(), { protocol: 'kafka.v2.json' }), hostileFrame('kafka.v2.json'), hostileFrame('kafka.v2.json')]),
    );
    await new Promise((resolve) => setTimeout(resolve, below(20)));
    socket.resetAndDestroy();
    await closed;
  });
  await eventually(PATIENCE, 'all sockets but one are gone', async () => sockets((now = await figures())) === 1);
  const grown = (now.heapUsed + now.external - settled.heapUsed - settled.external) / 1024 / 1024;
  assert.ok(grown < 4, `${grown} MB more`);
  const kinds = ({ resources }) => resources.filter((name) => name !== 'Timeout' && name !== 'Immediate').sort();
  assert.deepEqual(kinds(now), kinds(settled));
  await friend.stop();
  assert.ok(friend.answers > 100, `${friend.answers} answers`);
  friend.ws.close();
  child.tell('close');
  await child.exits();
});

/** So many, some at a time. */
async function crowd(count, client) {
  let left = count;
  await Promise.all(
    Array.from({ length: CROWD }, async () => {
      while (left-- > 0) await client();
    }),
  );
}
