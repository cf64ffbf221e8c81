'use strict';
// Servers of a cluster have one store of records: those in a process of their own ask the process that started them for its cache.

const CALLS = ['head', 'headBulk', 'get', 'set', 'delete', 'deleteBulk'];

/** deepstream makes it, from `cache: { path }`. */
class ParentsCache {
  description = 'cache of the parent process';
  /** @type {Map<number, (...results: any[]) => void>} */
  #asked = new Map();

  constructor() {
    let last = 0;
    for (const call of CALLS)
      this[call] = (...args) => {
        const done = args.findLast((arg) => typeof arg === 'function');
        this.#asked.set(++last, done);
        process.send?.({ type: 'cache', id: last, call, args: args.slice(0, args.indexOf(done)) });
      };
    process.on('message', (/** @type {any} */ { type, id, results }) => {
      if (type !== 'cache') return;
      this.#asked.get(id)?.(...results);
      this.#asked.delete(id);
    });
  }

  async whenReady() {}
  async close() {}
}

/** In the parent. @param {InstanceType<typeof import('./child.js').Child>} child */
function lend(child, cache) {
  child.on('cache', ({ id, call, args }) => cache[call](...args, (...results) => child.tell({ type: 'cache', id, results })));
}

module.exports = { default: ParentsCache, lend };
