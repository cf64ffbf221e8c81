'use strict';
// The programs of the pages, run as printed: only the brokers' addresses are others.

const assert = require('node:assert/strict');
const { EventEmitter } = require('node:events');
const fs = require('node:fs');
const path = require('node:path');
const { describe, test } = require('node:test');

const ROOT = path.join(__dirname, '../..');
const ADDRESSES = /broker-1:9092', 'broker-2:9092|localhost:9092/g;
const QUIET = { log() {}, error() {}, warn() {} };
const AsyncFunction = /** @type {FunctionConstructor} */ ((async () => {}).constructor);

/** All that is printed of a language on a page, in order; indented as that of a list is. @param {string} page @param {string} language */
function printed(page, language) {
  const text = fs.readFileSync(path.join(ROOT, page), 'utf8');
  const blocks = text.matchAll(new RegExp(`^( *)\`\`\`${language}\\b.*?\\n(.*?)^\\1\`\`\`$`, 'gms'));
  return [...blocks].map(([, indent, code]) => code.replaceAll(new RegExp(`^${indent}`, 'gm'), ''));
}

/** The pages below a folder that have programs. @returns {string[]} */
function pages(folder = '.') {
  return fs.readdirSync(path.join(ROOT, folder), { withFileTypes: true }).flatMap((entry) => {
    const name = path.join(folder, entry.name);
    if (entry.isDirectory()) return /^\.|^node_modules$|^target$|^dist$/.test(entry.name) ? [] : pages(name);
    return name.endsWith('.md') && printed(name, 'js').length > 0 ? [name] : [];
  });
}

/**
 * Tries the programs of a page in order, a test each, named by how it begins. Each is called with `run`, which runs the program with names that it
 * uses and does not declare, and returns those that it declares and the test wants; and with its text.
 *
 * @param {string} page
 * @param {() => string} broker for every address of one
 * @param {Record<string, (t: any, run: (given?: object, gives?: string[]) => Promise<any>, code: string) => unknown>} programs
 */
function plays(page, broker, programs) {
  describe(page, () => {
    const codes = printed(page, 'js');
    test('has the programs that are tried here', () => assert.deepEqual(codes.map((code) => code.split('\n')[0]), Object.keys(programs)));
    for (const [at, [begin, program]] of Object.entries(programs).entries()) {
      const run = (given = {}, gives = []) => play(codes[at].replaceAll(ADDRESSES, broker), { require, console: QUIET, ...given }, gives);
      test(begin, async (t) => void (await program(t, run, codes[at])));
    }
  });
}

/** ESM's imports are made requires: a function cannot have them. */
function play(code, given, gives) {
  const body = code.replaceAll(/^import (\{.*?\}) from ('.*?');$/gm, 'const $1 = require($2);');
  return new AsyncFunction(...Object.keys(given), `{ ${body}\nreturn { ${gives.join(', ')} }; }`)(...Object.values(given));
}

/** The process of a program: its environment, and the signals that it listens to. */
class Process extends EventEmitter {
  env = {};
}

module.exports = { Process, pages, plays, printed };
