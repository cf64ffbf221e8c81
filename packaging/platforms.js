'use strict';
// The one table of platforms. A row is all that a platform needs: its npm package, the optional dependency on it and its job in
// the release workflow are made from it.

/**
 * `name` is what src/platform.ts of kafka-native answers there, and the package's name behind `@kafka-native/`. `os`, `cpu` and
 * `libc` let npm choose. `target` is Rust's name.
 *
 * The addon may need at most what Node 20 itself needs there: `glibc`, `macos`.
 *
 * `runner` is GitHub's machine of the release; with `image` everything happens in that container.
 *
 * @typedef {{ name: string, os: string, cpu: string, libc?: string, target: string, glibc?: string, macos?: string, runner: string, image?: string }} Platform
 *
 * @type {Platform[]}
 */
const platforms = [
  { name: 'linux-x64-gnu', os: 'linux', cpu: 'x64', libc: 'glibc', target: 'x86_64-unknown-linux-gnu', glibc: '2.28', runner: 'ubuntu-24.04' },
  { name: 'linux-arm64-gnu', os: 'linux', cpu: 'arm64', libc: 'glibc', target: 'aarch64-unknown-linux-gnu', glibc: '2.28', runner: 'ubuntu-24.04-arm' },
  { name: 'linux-x64-musl', os: 'linux', cpu: 'x64', libc: 'musl', target: 'x86_64-unknown-linux-musl', runner: 'ubuntu-24.04', image: 'node:22-alpine' },
  {
    name: 'linux-arm64-musl',
    os: 'linux',
    cpu: 'arm64',
    libc: 'musl',
    target: 'aarch64-unknown-linux-musl',
    runner: 'ubuntu-24.04-arm',
    image: 'node:22-alpine',
  },
  { name: 'darwin-arm64', os: 'darwin', cpu: 'arm64', target: 'aarch64-apple-darwin', macos: '11.0', runner: 'macos-15' },
  { name: 'darwin-x64', os: 'darwin', cpu: 'x64', target: 'x86_64-apple-darwin', macos: '11.0', runner: 'macos-15-intel' },
  { name: 'win32-x64-msvc', os: 'win32', cpu: 'x64', target: 'x86_64-pc-windows-msvc', runner: 'windows-2025' },
];

module.exports = { platforms };
