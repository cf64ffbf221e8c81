'use strict';
// Builds the addon and puts it where src/loader.ts looks for a development build: beside dist. Arguments go to cargo, such as
// `--features gssapi`.
const { spawnSync } = require('node:child_process');
const { copyFileSync, renameSync } = require('node:fs');
const { join, resolve } = require('node:path');
const { platformName } = require('../dist/platform.js');

const root = resolve(__dirname, '../../..');
const cargo = spawnSync('cargo', ['build', '--release', '-p', 'kafka-native-napi', ...process.argv.slice(2)], { cwd: root, stdio: 'inherit' });
if (cargo.error) throw cargo.error;
if (cargo.status !== 0) process.exit(cargo.status ?? 1);

const library = { darwin: 'libkafka_native_napi.dylib', win32: 'kafka_native_napi.dll' }[process.platform] ?? 'libkafka_native_napi.so';
const addon = join(__dirname, '..', `kafka_native.${platformName()}.node`);
// Renamed into place: a process that has the old one loaded keeps it whole.
const fresh = `${addon}.${process.pid}`;
copyFileSync(join(process.env.CARGO_TARGET_DIR ?? join(root, 'target'), 'release', library), fresh);
renameSync(fresh, addon);
console.log(addon);
