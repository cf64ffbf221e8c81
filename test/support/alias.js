'use strict';
// Programs of `programs/` in a folder where `kafkajs` is kafka-native-kafkajs, as an alias or an override of npm makes it.

const fs = require('node:fs');
const path = require('node:path');
const { Child } = require('./child.js');
const { folder } = require('./flow.js');

const MODULES = path.join(__dirname, '../../node_modules');

/**
 * @param {import('node:test').TestContext} t
 * @param {string} program
 * @param {object} options
 */
function aliased(t, program, options) {
  const home = folder(t);
  const modules = path.join(home, 'node_modules');
  fs.mkdirSync(modules);
  for (const name of fs.readdirSync(MODULES)) fs.symlinkSync(path.join(MODULES, name === 'kafkajs' ? 'kafka-native-kafkajs' : name), path.join(modules, name));
  fs.symlinkSync(path.join(__dirname, '../programs', program), path.join(home, program));
  // Linked files are found where the links are.
  return new Child(t, path.join(home, program), options, { execArgv: ['--preserve-symlinks', '--preserve-symlinks-main'] });
}

module.exports = { aliased };
