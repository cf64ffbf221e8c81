'use strict';
// A file with results, and the offsets that they stand for.

const fs = require('node:fs/promises');
const path = require('node:path');

/**
 * { balances: { account: amount }, offsets: { partition: offset } } in one JSON file that is replaced as a whole. So a
 * balance and the offset of the last payment in it are always of one moment, whenever the process dies.
 *
 * A database does the same better: there, write both in one transaction.
 */
class Ledger {
  balances = {};
  offsets = {};

  /** @param {string} file */
  constructor(file) {
    this.file = file;
  }

  /** @param {string} file */
  static async open(file) {
    const ledger = new Ledger(file);
    const text = await fs.readFile(file, 'utf8').catch((error) => {
      if (error.code !== 'ENOENT') throw error;
    });
    return text === undefined ? ledger : Object.assign(ledger, JSON.parse(text));
  }

  /**
   * Books payments and their offsets, all or nothing, and resolves when that is on disk.
   *
   * @param {{ partition: number, offset: number, payload: string }[]} messages
   */
  async book(messages) {
    const balances = { ...this.balances };
    const offsets = { ...this.offsets };
    for (const { partition, offset, payload } of messages) {
      if (offset <= (offsets[partition] ?? -1)) continue; // a repeat: it is in the balance already
      const { account, amount } = JSON.parse(payload);
      balances[account] = (balances[account] ?? 0) + amount;
      offsets[partition] = offset;
    }
    await replace(this.file, JSON.stringify({ balances, offsets }));
    Object.assign(this, { balances, offsets });
  }
}

/** Write, sync, rename, sync the folder: after a crash the file is the old one or the new one, whole. */
async function replace(file, text) {
  const handle = await fs.open(`${file}.new`, 'w');
  try {
    await handle.writeFile(text);
    await handle.sync();
  } finally {
    await handle.close();
  }
  await fs.rename(`${file}.new`, file);
  const folder = await fs.open(path.dirname(file), 'r');
  try {
    await folder.sync();
  } finally {
    await folder.close();
  }
}

module.exports = { Ledger };
