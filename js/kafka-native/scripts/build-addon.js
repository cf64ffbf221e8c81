'use strict';
// Builds the addon and puts it where src/loader.ts looks for a development build: beside dist. Arguments go to cargo, such as
// `--features gssapi`.
const { spawnSync } = require('node:child_process');
const { copyFileSync, existsSync, mkdirSync, renameSync } = require('node:fs');
const { join, resolve } = require('node:path');
const { platformName } = require('../dist/platform.js');
const addonTypes = require('./addon-types.js');

const root = resolve(__dirname, '../../..');
const target = process.env.CARGO_TARGET_DIR ?? join(root, 'target');
const types = join(target, 'addon-types');
mkdirSync(types, { recursive: true });

function cargo(env = {}) {
  const args = ['build', '--release', '-p', 'kafka-native-napi', ...process.argv.slice(2)];
  const ended = spawnSync('cargo', args, { cwd: root, stdio: 'inherit', env: { ...process.env, NAPI_TYPE_DEF_TMP_FOLDER: types, ...env } });
  if (ended.error) throw ended.error;
  if (ended.status !== 0) process.exit(ended.status ?? 1);
}
cargo();
const declared = join(types, 'kafka-native-napi');
// Written when the crate is compiled: once more where somebody removed it.
if (!existsSync(declared)) cargo({ NAPI_FORCE_BUILD_KAFKA_NATIVE_NAPI: String(Date.now()) });

const library = { darwin: 'libkafka_native_napi.dylib', win32: 'kafka_native_napi.dll' }[process.platform] ?? 'libkafka_native_napi.so';
const addon = join(__dirname, '..', `kafka_native.${platformName()}.node`);
// Renamed into place: a process that has the old one loaded keeps it whole.
const fresh = `${addon}.${process.pid}`;
copyFileSync(join(target, 'release', library), fresh);
renameSync(fresh, addon);
console.log(addon);
addonTypes.check(declared);
