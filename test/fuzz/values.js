'use strict';
// Values that a program can give: plain ones, strange ones, and those that are programs themselves.

const { Planted } = require('./rounds.js');

/** @param {() => number} chance */
module.exports = (chance) => {
  const below = (n) => Math.floor(chance() * n);
  const one = (list) => list[below(list.length)];
  const plant = (where) => () => { throw new Planted(where); };

  const text = () => one([
    () => '', () => 'x', () => 'plain text', () => '\ud800', () => 'a\udc00b', () => '\0', () => 'a\0b', () => '日本語🙂', () => '__proto__', () => 'constructor', () => 'toString',
    () => 'y'.repeat(below(60)), () => 'z'.repeat(below(3000)), () => 'ü'.repeat(below(9000)), () => 'L'.repeat(below(80_000)), () => String(chance()),
  ])();

  /** Bytes in every kind of memory; all of them can be sent. */
  const bytes = () => {
    const length = one([0, 1, 7, 100, 5000]);
    const filled = one([
      () => Buffer.alloc(length), () => Buffer.allocUnsafe(length), () => new Uint8Array(length), () => new Uint8Array(new ArrayBuffer(length + 8), 3, length),
      () => new Uint8Array(new SharedArrayBuffer(length)), () => new Uint8Array(new ArrayBuffer(length, { maxByteLength: 2 * length + 1 })),
      () => new Uint8Array(new SharedArrayBuffer(length, { maxByteLength: 2 * length + 1 })),
      () => new (class Own extends Uint8Array { get length() { return 3; } })(length),
      () => Object.defineProperty(Buffer.alloc(length), 'length', { value: one([-1, 2, 9999, NaN, 'x']) }),
    ])();
    for (let i = 0; i < length; i++) filled[i] = below(256);
    return filled;
  };

  const detached = () => {
    const gone = new Uint8Array(8);
    structuredClone(gone.buffer, { transfer: [gone.buffer] });
    return gone;
  };
  const shrunk = () => {
    const buffer = new ArrayBuffer(8, { maxByteLength: 16 });
    const view = new Uint8Array(buffer, 4, 4);
    buffer.resize(2);
    return view;
  };
  const throwing = () => one([
    () => ({ toString: plant('toString'), valueOf: plant('valueOf'), toJSON: plant('toJSON'), [Symbol.toPrimitive]: plant('toPrimitive') }),
    () => ({ get value() { throw new Planted('value'); }, get topic() { throw new Planted('topic'); }, get length() { throw new Planted('length'); } }),
    () => new Proxy({}, { get: plant('get'), has: plant('has'), ownKeys: plant('ownKeys'), getPrototypeOf: plant('getPrototypeOf') }),
    () => new Proxy([], { get: (target, name) => (name === 'length' ? 2 : plant('an element')()) }),
    () => ({ [Symbol.iterator]: plant('iterator') }),
  ])();

  /** Anything at all. */
  const any = (depth = 0) => one([
    () => undefined, () => null, () => true, () => false, () => 0, () => -0, () => -1, () => 1, () => 1.5, () => NaN, () => Infinity, () => -Infinity, () => 2 ** 31, () => 2 ** 53, () => -(2 ** 53),
    () => 1e308, () => 10n, () => 2n ** 70n, () => Symbol('s'), () => () => {}, () => async () => {}, () => class {}, () => {},
    text, text, bytes, detached, shrunk, throwing, throwing,
    () => ({}), () => Object.create(null), () => Object.freeze({ topic: 't', partition: 0 }), () => [], () => new Array(3), () => [[]], () => Object.freeze(['t']),
    () => new Date(NaN), () => new Date(0), () => new Map([['topic', 't']]), () => new Set(['t']), () => /x/g, () => new Error('an error'), () => new Float64Array(3), () => new DataView(new ArrayBuffer(3)),
    () => new Proxy({}, {}), () => new Proxy(['t'], {}), () => new Proxy(() => {}, {}), () => new Proxy(new Uint8Array(3), {}), () => new WeakMap(), () => Promise.resolve(1), () => globalThis,
    () => ({ then() {} }), () => ({ then(resolve, reject) { resolve(1); resolve(2); reject(new Planted('then')); } }), () => ({ get then() { throw new Planted('then'); } }),
    () => AbortSignal.abort(new Planted('a signal')), () => new AbortController().signal, () => ({ aborted: false }), () => new String('t'), () => new Number(1),
    () => (depth < 3 ? [any(depth + 1), any(depth + 1)] : []),
    () => (depth < 3 ? Object.fromEntries(['topic', 'topics', 'partition', 'partitions', 'messages', 'offset', 'value'].filter(() => chance() < 0.4).map((name) => [name, any(depth + 1)])) : {}),
    () => (depth < 3 ? JSON.parse('{"__proto__": {"topic": "t"}, "constructor": 1}') : {}),
  ])();

  return { any, below, bytes, one, text };
};
