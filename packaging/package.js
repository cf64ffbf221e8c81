'use strict';
// Makes dist-packages/: the tarballs of all publishable packages, and of this machine's platform.
//
//   npm run package
//   npm run package -- --built     with the addon of the work tree, for a try: it may need a newer system than is promised

const { spawnSync } = require('node:child_process');
const { cpSync, existsSync, mkdirSync, readFileSync, readdirSync, rmSync, statSync, writeFileSync } = require('node:fs');
const { basename, join, resolve } = require('node:path');
const { buildAddon, builtAddon } = require('./addon.js');
const { file: notices } = require('./notices.js');
const { platforms } = require('./platforms.js');

const root = resolve(__dirname, '..');
const output = join(root, 'dist-packages');
const stage = join(root, 'target', 'packaging', 'stage');

const read = (file) => JSON.parse(readFileSync(file, 'utf8'));

/** The folders of the packages that are published. */
function publishable() {
  const folders = readdirSync(join(root, 'js')).map((name) => join(root, 'js', name));
  return folders.filter((folder) => existsSync(join(folder, 'package.json')) && !read(join(folder, 'package.json')).private);
}

/** A package as it is published: what `files` names, with licences, without what only a work tree needs. */
function stageFolder(folder) {
  const { scripts, devDependencies, ...manifest } = read(join(folder, 'package.json'));
  const to = join(stage, basename(folder));
  const but = manifest.files.filter((name) => name.startsWith('!')).map((name) => join(folder, name.slice(1)));
  for (const name of [...manifest.files, 'README.md'].filter((name) => !name.startsWith('!')))
    cpSync(join(folder, name), join(to, name), { recursive: true, filter: (file) => !but.includes(file) });
  if (manifest.name === 'kafka-native') {
    // Here and not in js/kafka-native/package.json: until a version is published, `npm ci` in the work tree would look for packages
    // that are nowhere, or whose name somebody else took.
    const names = platforms.map(({ name }) => [`@kafka-native/${name}`, manifest.version]);
    manifest.optionalDependencies = { ...manifest.optionalDependencies, ...Object.fromEntries(names) };
  }
  return seal(to, manifest);
}

/** The package of one platform: its addon, and what lets npm choose. @param {import('./platforms.js').Platform} platform @param {string} addon */
function stagePlatform({ name, os, cpu, libc }, addon) {
  const { version, license, repository, engines } = read(join(root, 'js/kafka-native/package.json'));
  const to = join(stage, name);
  mkdirSync(to, { recursive: true });
  cpSync(addon, join(to, basename(addon)));
  writeFileSync(
    join(to, 'README.md'),
    `# @kafka-native/${name}\n\nThe addon of [kafka-native](https://www.npmjs.com/package/kafka-native) for ${name}. It is installed by that package.\n`,
  );
  return seal(to, {
    name: `@kafka-native/${name}`,
    version,
    description: `The addon of kafka-native for ${name}`,
    license,
    repository: { ...repository, directory: 'packaging' },
    engines,
    os: [os],
    cpu: [cpu],
    ...(libc && { libc: [libc] }),
    main: basename(addon),
    files: [basename(addon)],
  });
}

function seal(folder, manifest) {
  const licences = ['LICENSE', basename(notices)];
  for (const name of licences) cpSync(join(root, name), join(folder, name));
  writeFileSync(join(folder, 'package.json'), `${JSON.stringify({ ...manifest, files: [...manifest.files, ...licences] }, null, 2)}\n`);
  return folder;
}

/** @returns {string} the tarball's name */
function pack(folder) {
  // npm says where it is when it runs a script; on Windows nothing else starts without a shell.
  const [command, first] = process.env.npm_execpath ? [process.execPath, [process.env.npm_execpath]] : ['npm', []];
  const { error, status, stdout } = spawnSync(command, [...first, 'pack', '--silent', '--pack-destination', output], {
    cwd: folder,
    encoding: 'utf8',
    stdio: ['ignore', 'pipe', 'inherit'],
  });
  if (error) throw error;
  if (status !== 0) throw new Error(`npm pack in ${folder} ended with ${status}`);
  return stdout.trim();
}

function main() {
  const { platformName } = require('../js/kafka-native/dist/platform.js');
  const platform = platforms.find(({ name }) => name === platformName());
  if (!platform) throw new Error(`${platformName()} is no platform that is published: see packaging/platforms.js`);

  const addon = (process.argv.includes('--built') ? builtAddon : buildAddon)(platform);
  for (const folder of [stage, output]) rmSync(folder, { recursive: true, force: true });
  mkdirSync(output);
  for (const folder of [stagePlatform(platform, addon), ...publishable().map(stageFolder)]) {
    const tarball = join(output, pack(folder));
    console.log(`${tarball}  ${(statSync(tarball).size / 1e6).toFixed(1)} MB`);
  }
}

if (require.main === module) main();
module.exports = { output, publishable };
