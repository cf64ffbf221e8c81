'use strict';
// The addon as it is published: built for the oldest system that it promises, and stripped.
const { spawnSync } = require('node:child_process');
const { copyFileSync, existsSync, mkdirSync, rmSync } = require('node:fs');
const { homedir } = require('node:os');
const { join, resolve } = require('node:path');

const root = resolve(__dirname, '..');
// Its own target folder: the development build keeps its lock, its files and its C libraries.
const folder = join(root, 'target', 'packaging');
// cargo-zigbuild links against the symbols of an older glibc, so no old distribution is needed. Both are on PyPI.
const zig = ['cargo-zigbuild==0.24.0', 'ziglang==0.17.1'];

function run(command, args, options) {
  const { error, status } = spawnSync(command, args, { cwd: root, stdio: 'inherit', ...options });
  if (error) throw new Error(`${command}: ${error.message}`, { cause: error });
  if (status !== 0) throw new Error(`${command} ${args.join(' ')} ended with ${status}`);
}

/** The folder with the programs of cargo-zigbuild and zig, installed there the first time. */
function toolchain() {
  const venv = join(folder, zig.join('_').replaceAll('==', '-'));
  const bin = join(venv, 'bin');
  if (!existsSync(join(venv, 'complete'))) {
    rmSync(venv, { recursive: true, force: true });
    // On Debian and Ubuntu: apt install python3-venv.
    run('python3', ['-m', 'venv', venv]);
    run(join(bin, 'pip'), ['install', '--quiet', ...zig]);
    mkdirSync(join(venv, 'complete'));
  }
  return bin;
}

/** No path of the machine that builds goes into messages of panics. */
function rustFlags(platform) {
  const cargoHome = process.env.CARGO_HOME ?? join(homedir(), '.cargo');
  const flags = [`--remap-path-prefix=${cargoHome}=cargo`];
  // A shared library on musl links libc dynamically, which is not Rust's default there.
  if (platform.libc === 'musl') flags.push('-Ctarget-feature=-crt-static');
  return flags.join('\x1f');
}

/** Builds the addon of this machine's `platform` and returns the path of its stripped file. */
function buildAddon(platform) {
  const target = join(folder, 'cargo');
  /** @type {NodeJS.ProcessEnv} */
  const env = { ...process.env, CARGO_TARGET_DIR: target, CARGO_ENCODED_RUSTFLAGS: rustFlags(platform) };
  if (platform.macos) env.MACOSX_DEPLOYMENT_TARGET = platform.macos;
  const args = ['--release', '--locked', '-p', 'kafka-native-napi', '--target'];
  if (platform.glibc) {
    env.PATH = `${toolchain()}:${process.env.PATH}`;
    run('cargo-zigbuild', ['zigbuild', ...args, `${platform.target}.${platform.glibc}`], { env });
  } else {
    run('cargo', ['build', ...args, platform.target], { env });
  }

  const library = { darwin: 'libkafka_native_napi.dylib', win32: 'kafka_native_napi.dll' }[platform.os] ?? 'libkafka_native_napi.so';
  return stripped(platform, join(target, platform.target, 'release', library));
}

/** The work tree's own addon, stripped. */
function builtAddon(platform) {
  return stripped(platform, join(root, 'js', 'kafka-native', `kafka_native.${platform.name}.node`));
}

/** A copy of the addon without what only tests and profilers want. */
function stripped(platform, built) {
  mkdirSync(folder, { recursive: true });
  const addon = join(folder, `kafka_native.${platform.name}.node`);
  copyFileSync(built, addon);
  // The profile keeps line tables, as tests and profilers want them; they are most of the file. Windows has them apart.
  if (platform.os === 'linux') run('strip', ['--strip-all', addon]);
  if (platform.os === 'darwin') run('strip', ['-x', addon]);
  return addon;
}

module.exports = { buildAddon, builtAddon };
