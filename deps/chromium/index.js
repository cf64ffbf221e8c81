'use strict';

const fs = require('node:fs');
const path = require('node:path');

/** Names of the program: by Debian, by Ubuntu, by Google. */
const NAMES = ['chromium', 'chromium-browser', 'google-chrome'];

/** The path of the browser: what CHROMIUM names, or else the first of the names that PATH has. Throws when there is none. */
function executable() {
  const names = process.env.CHROMIUM ? [process.env.CHROMIUM] : NAMES;
  const folders = (process.env.PATH ?? '').split(path.delimiter);
  const files = names.flatMap((name) => (name.includes(path.sep) ? path.resolve(name) : folders.map((folder) => path.join(folder, name))));
  const found = files.find(isExecutable);
  if (found) return found;
  throw new Error(`there is no '${names.join("' or '")}': apt-get install chromium, or name one with CHROMIUM`);
}

/**
 * Starts the browser, without a window. It ends with this process, however that ends.
 *
 * @param {Omit<import('playwright-core').LaunchOptions, 'executablePath'>} [options]
 * @returns {Promise<import('playwright-core').Browser>}
 */
async function launch({ args = [], ...options } = {}) {
  const executablePath = executable();
  const { chromium } = require('playwright-core');
  // Root, which tests in containers are, has no sandbox; the pages are our own.
  return chromium.launch({ ...options, executablePath, args: ['--no-sandbox', ...args] });
}

/** @param {string} file */
function isExecutable(file) {
  try {
    fs.accessSync(file, fs.constants.X_OK);
    return fs.statSync(file).isFile();
  } catch {
    return false;
  }
}

module.exports = { NAMES, executable, launch };
