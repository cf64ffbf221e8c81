'use strict';
// Batches as documents: any options, any messages, memory that somebody has written into. A document is whole, or there is an error
// that can be understood. See rounds.js for how a round is repeated.

const msgpack = require('@msgpack/msgpack');
const { Batch, BatchFormat } = require('kafka-native');
const { main, wrongWith } = require('./rounds.js');
const values = require('./values.js');

const ENCODINGS = ['text', 'json', 'base64', 'binary', false, undefined];
const FIELDS = ['topic', 'partition', 'offset', 'timestamp', 'key', 'value', 'headers'];

main(__filename, async ({ chance, found }) => {
  const below = (end) => Math.floor(chance() * end);
  const one = (list) => list[below(list.length)];
  const { any, text, bytes } = values(chance);
  /** Mostly what may be given. */
  const likely = (make) => (chance() < 0.97 ? make() : any());
  const field = () => likely(() => one([null, undefined, text(), bytes(), Buffer.from(Array.from({ length: below(40) }, () => below(256)))]));
  const rule = (depth = 0) =>
    likely(() =>
      one([
        () => ({ key: one([field(), [field(), field()]]) }),
        () => ({ header: one(['a', text()]), is: one([field(), [field()]]) }),
        () => ({ header: 'a', absent: true }),
        () => (depth < 5 ? { [one(['all', 'any'])]: [rule(depth + 1), rule(depth + 1)] } : { all: [] }),
        () => ({ not: depth < 5 ? rule(depth + 1) : { key: null } }),
      ])(),
    );
  const attempt = (work) => {
    try {
      return work();
    } catch (error) {
      const wrong = wrongWith(error);
      if (wrong) found(wrong);
      return undefined;
    }
  };

  for (let n = 0; n < 50; n++) {
    const messages = Array.from({ length: 1 + below(6) }, (_, i) =>
      likely(() => ({ offset: likely(() => i), timestamp: likely(() => one([undefined, below(1e13)])), key: field(), value: field(), headers: likely(() => one([undefined, { a: field(), [text()]: [field(), field()] }])) })),
    );
    const batch = attempt(() => Batch.of('t', below(9), likely(() => messages)));
    if (!batch) continue;
    const memory = new Uint8Array(batch.columns.data.buffer);
    if (chance() < 0.5) for (let i = below(4); i >= 0; i--) memory[below(memory.length)] = below(256);
    const codec = likely(() => one(['json', 'ndjson', 'msgpack']));
    const options = likely(() => ({
      key: likely(() => one(ENCODINGS)),
      value: likely(() => one(ENCODINGS)),
      headers: likely(() => one(ENCODINGS)),
      names: likely(() => one([undefined, Object.fromEntries(FIELDS.filter(() => chance() < 0.6).map((name) => [name, `${name}${text()}`]))])),
      numbers: likely(() => one([true, false])),
      sparse: likely(() => one([true, false])),
      invalid: likely(() => one(['base64', 'null', 'replace'])),
      only: likely(() => one([undefined, rule()])),
    }));
    const format = attempt(() => new BatchFormat(codec, options));
    if (!format) continue;
    const range = likely(() => ({ begin: likely(() => undefined), end: likely(() => undefined), before: likely(() => one([undefined, '', text()])), after: likely(() => one([undefined, bytes()])) }));
    attempt(() => batch.encode(format, range));
    const document = attempt(() => batch.encode(format));
    if (!document) continue;
    try {
      const read = { json: () => JSON.parse(String(document)), ndjson: () => String(document).split('\n').slice(0, -1).map((line) => JSON.parse(line)), msgpack: () => msgpack.decode(document) }[codec]();
      if (read.length !== document.count) found(`it has ${read.length} messages, not ${document.count}`);
    } catch (error) {
      // A header may have this name, and this decoder does not take it.
      if (!/__proto__/.test(error.message)) found(`no ${codec}: ${error.message}: ${document.toString('latin1').slice(0, 500)}`);
    }
  }
});
