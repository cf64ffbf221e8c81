'use strict';
// Arguments of events that socket.io sends to the clients of its own server, one way or another: those of other servers must get the same.

class Point {
  constructor(x, y) {
    Object.assign(this, { x, y });
  }
  get sum() {
    return 0;
  }
}

class Money {
  #cents = 5;
  toJSON() {
    return { cents: this.#cents };
  }
}

const nested = (depth) => (depth === 0 ? 'bottom' : { in: [nested(depth - 1)] });

/** @type {Record<string, () => unknown[]>} each makes the arguments of an event */
const values = {
  nothing: () => [],
  'undefined and null': () => [undefined, null, { a: undefined, b: null, c: [undefined, null, 1] }, undefined],
  numbers: () => [0, -0, 1.5, -1, 2 ** 31, 2 ** 32, -(2 ** 31) - 1, 2 ** 53, Number.MAX_VALUE, Number.MIN_VALUE, 1e21],
  'numbers that are none': () => [Number.NaN, Infinity, -Infinity, { x: Number.NaN }],
  text: () => ['', 'plain', 'ü€🚀', '\u0000', '\u2028', 'x'.repeat(100_000)],
  'half a surrogate': () => ['\ud800', { '\udc00': '\udfff' }],
  'a text at the end that looks like an offset': () => ['0-17', '17'],
  booleans: () => [true, false],
  dates: () => [new Date(0), { at: new Date(1_700_000_000_123) }, [new Date(-1)]],
  'a date that is none': () => [{ at: new Date(Number.NaN) }],
  holes: () => {
    const list = [1, 2, 3];
    delete list[1];
    return [list];
  },
  classes: () => [new Point(1, 2), [new Point(3, 4)]],
  'an object with toJSON': () => [new Money(), { price: new Money(), list: [new Money()] }, { toJSON: () => 'text' }, { toJSON: () => undefined }],
  'toJSON beside bytes': () => [{ price: { toJSON: () => 3 }, bytes: Buffer.from([1]) }],
  'bytes out of toJSON': () => [{ toJSON: () => ({ bytes: Buffer.from([9]) }) }],
  'maps, sets, expressions, errors': () => [
    new Map([[1, 2]]),
    new Set([1]),
    /x/g,
    new Error('hidden'),
    Object.create(null, { own: { value: 1, enumerable: true } }),
  ],
  boxed: () => [Object('text'), Object(5), Object(false)],
  'functions and symbols': () => [{ f() {}, s: Symbol('s'), [Symbol('key')]: 1, list: [() => {}, Symbol('s')] }],
  'keys of all kinds': () => [JSON.parse('{"__proto__":{"polluted":true},"constructor":1,"":2,"0":3,"-1":4,"ü":5}')],
  'what looks like a placeholder': () => [{ _placeholder: 'x', num: 0 }],
  deep: () => [nested(300)],
  'an inherited key': () => [Object.assign(Object.create({ inherited: 1 }), { own: 2 })],
  'a getter': () => [
    {
      get computed() {
        return 5;
      },
    },
  ],
  'a Buffer': () => [Buffer.from([0, 1, 254, 255])],
  'an empty Buffer': () => [Buffer.alloc(0), { x: new Uint8Array() }],
  'a Buffer in a pool': () => [Buffer.from('pooled bytes').subarray(2, 6)],
  'a Uint8Array that is a view': () => [new Uint8Array([1, 2, 3, 4]).subarray(1, 3)],
  'an ArrayBuffer': () => [new Uint8Array([5, 6]).buffer, { deep: [new Uint8Array([7]).buffer] }],
  'other typed arrays': () => [new Uint16Array([1, 258]), new Float64Array([1.5]), new DataView(new ArrayBuffer(3), 1)],
  'bytes beside everything': () => [
    1,
    Buffer.from([1]),
    'x',
    [Buffer.from([2]), { deep: new Uint8Array([3]), nothing: null, no: undefined }],
    new Date(5),
    { at: new Date(6), bytes: Buffer.from([4]) },
    null,
    undefined,
  ],
  'bytes beside what is no data': () => [Buffer.from([1]), { f() {}, n: Number.NaN, e: [undefined, () => {}] }],
  'the same bytes twice': () => {
    const bytes = Buffer.from('twice');
    return [bytes, { again: bytes, list: [bytes, bytes] }];
  },
  'many bytes': () => [Buffer.alloc(700_000, 'many bytes')],
};

module.exports = { values };
