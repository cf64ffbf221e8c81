'use strict';
// Jobs that every npm package brings for `npm test`.

const fs = require('node:fs');
const path = require('node:path');
const { ROOT } = require('../terminal.js');
const { single } = require('./job.js');

/** Compiles what users of the packages would write. @param {{ env: NodeJS.ProcessEnv, strict: boolean }} how */
function typesOfPackages(how) {
  const folders = fs.readdirSync(path.join(ROOT, 'js')).map((name) => `js/${name}/test/types`);
  const tsc = 'node_modules/typescript/bin/tsc';
  return folders.filter((folder) => fs.existsSync(path.join(ROOT, folder))).map((folder) => single(folder, [process.execPath, tsc, '-p', folder], how));
}

module.exports = { typesOfPackages };
