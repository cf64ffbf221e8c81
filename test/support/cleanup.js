'use strict';
// Cleanup after a test, last in first out: clients leave before the broker that they need. (`t.after` goes first in, first out.)

/** @type {WeakMap<object, (() => unknown)[]>} */
const stacks = new WeakMap();

/**
 * Calls `undo` when the test is over, behind those that come after it. Each is called, also when one fails; then the test fails.
 *
 * @param {Pick<import('node:test').TestContext, 'after'>} t
 * @param {() => unknown} undo
 */
function cleanup(t, undo) {
  const known = stacks.get(t);
  if (known) return void known.push(undo);
  const stack = [undo];
  stacks.set(t, stack);
  t.after(async () => {
    const errors = [];
    for (let last = stack.pop(); last; last = stack.pop()) {
      try {
        await last();
      } catch (error) {
        errors.push(error);
      }
    }
    stacks.delete(t);
    if (errors.length > 0) throw errors[0];
  });
}

module.exports = { cleanup };
