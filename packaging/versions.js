'use strict';
// All packages and crates have one version.
//
//   node packaging/versions.js          says it, or fails and lists who differs
//   node packaging/versions.js 2.1.0    sets it everywhere, lock files included

const { execFileSync } = require('node:child_process');
const { readFileSync, writeFileSync } = require('node:fs');
const { join, relative, resolve } = require('node:path');
const { publishable } = require('./package.js');

const root = resolve(__dirname, '..');
const cargoToml = join(root, 'Cargo.toml');
/** The workspace's own version, and those by which its crates ask for one another. */
const inCargo = /^(version = "|kafka-native[a-z-]* = \{ path = .*? version = ")([^"]+)(")/gm;
const packageFiles = () => publishable().map((folder) => join(folder, 'package.json'));

/** Every place that names the version: `[where, version]`. */
function versions() {
  const found = [...readFileSync(cargoToml, 'utf8').matchAll(inCargo)].map(([line, , version]) => [`Cargo.toml: ${line}`, version]);
  const siblings = new Set(packageFiles().map((file) => JSON.parse(readFileSync(file, 'utf8')).name));
  for (const file of packageFiles()) {
    const manifest = JSON.parse(readFileSync(file, 'utf8'));
    const where = relative(root, file);
    found.push([where, manifest.version]);
    for (const kind of ['dependencies', 'peerDependencies', 'optionalDependencies']) {
      for (const [name, range] of Object.entries(manifest[kind] ?? {})) {
        if (siblings.has(name)) found.push([`${where}: ${name}`, range.replace(/^[\^~]/, '')]);
      }
    }
  }
  const lock = JSON.parse(readFileSync(join(root, 'package-lock.json'), 'utf8')).packages;
  for (const file of packageFiles()) {
    const folder = relative(root, resolve(file, '..')).replaceAll('\\', '/');
    found.push([`package-lock.json: ${folder}`, lock[folder]?.version]);
  }
  const locked = readFileSync(join(root, 'Cargo.lock'), 'utf8').matchAll(/^name = "(kafka-native[a-z-]*)"\nversion = "(.*)"/gm);
  for (const [, name, version] of locked) found.push([`Cargo.lock: ${name}`, version]);
  return found;
}

function setVersion(version) {
  if (!/^\d+\.\d+\.\d+(-[\w.]+)?$/.test(version)) throw new Error(`not a version: ${version}`);
  const edit = (file, change) => writeFileSync(file, change(readFileSync(file, 'utf8')));
  edit(cargoToml, (text) => text.replace(inCargo, `$1${version}$3`));
  const names = packageFiles().map((file) => JSON.parse(readFileSync(file, 'utf8')).name);
  for (const file of packageFiles()) {
    edit(file, (text) => {
      const own = text.replace(/^ {2}"version": "[^"]*"/m, `  "version": "${version}"`);
      return names.reduce((all, name) => all.replace(new RegExp(`("${name}": "[\\^~]?)\\d[^"]*"`, 'g'), `$1${version}"`), own);
    });
  }
  execFileSync('cargo', ['update', '--workspace', '--offline'], { cwd: root, stdio: 'inherit' });
  execFileSync('npm', ['install', '--package-lock-only', '--ignore-scripts'], { cwd: root, stdio: 'inherit' });
}

function main(/** @type {string[]} */ [version]) {
  if (version) setVersion(version);
  const found = versions();
  const all = new Set(found.map(([, each]) => each));
  if (all.size === 1) return console.log([...all][0]);
  console.error(found.map(([where, each]) => `${each}  ${where}`).join('\n'));
  process.exitCode = 1;
}

if (require.main === module) main(process.argv.slice(2));
module.exports = { versions };
