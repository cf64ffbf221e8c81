'use strict';
// Writes THIRD-PARTY-NOTICES: the licence of everything that is linked into the addon and the crates, on any platform.
//
//   node packaging/notices.js      run it after Cargo.lock changed; a test compares

const { execFileSync } = require('node:child_process');
const { readdirSync, readFileSync, writeFileSync } = require('node:fs');
const { join, resolve } = require('node:path');
const { platforms } = require('./platforms.js');

const root = resolve(__dirname, '..');
const file = join(root, 'THIRD-PARTY-NOTICES');

/**
 * The C libraries: the crate that vendors each, its licence in there, and what says its version where the crate's own version
 * does not. librdkafka's file has the licences of what it carries itself: lz4, snappy, cJSON and more.
 *
 * @type {{ name: string, crate: string, licence: string, path: string, version?: [string, RegExp] }[]}
 */
const libraries = [
  { name: 'librdkafka', crate: 'rdkafka-sys', licence: 'BSD-2-Clause, and those of its parts', path: 'librdkafka/LICENSES.txt' },
  { name: 'OpenSSL', crate: 'openssl-src', licence: 'Apache-2.0', path: 'openssl/LICENSE.txt' },
  { name: 'zlib', crate: 'libz-sys', licence: 'Zlib', path: 'src/zlib/LICENSE', version: ['src/zlib/zlib.h', /define ZLIB_VERSION "(.*?)"/] },
  { name: 'zstd', crate: 'zstd-sys', licence: 'BSD-3-Clause', path: 'zstd/LICENSE' },
];

/** Where a crate offers a choice, the first of these that it has is the one that is used, and whose text is given. */
const preferred = [/^LICENSE-MIT$/i, /^LICENSE(\.md|\.txt)?$/i, /^LICENSE-APACHE$/i];
/** The licences of others' code in a crate. */
const besides = /^LICENSE-THIRD-PARTY$/i;

/** The licence of the crates without a file of their own, and of Rust's standard library: they name it in their metadata. */
const mit = (holder) => `Copyright (c) ${holder}

Permission is hereby granted, free of charge, to any person obtaining a copy of this software and associated documentation
files (the "Software"), to deal in the Software without restriction, including without limitation the rights to use, copy,
modify, merge, publish, distribute, sublicense, and/or sell copies of the Software, and to permit persons to whom the
Software is furnished to do so, subject to the following conditions:

The above copyright notice and this permission notice shall be included in all copies or substantial portions of the Software.

THE SOFTWARE IS PROVIDED "AS IS", WITHOUT WARRANTY OF ANY KIND, EXPRESS OR IMPLIED, INCLUDING BUT NOT LIMITED TO THE
WARRANTIES OF MERCHANTABILITY, FITNESS FOR A PARTICULAR PURPOSE AND NONINFRINGEMENT. IN NO EVENT SHALL THE AUTHORS OR
COPYRIGHT HOLDERS BE LIABLE FOR ANY CLAIM, DAMAGES OR OTHER LIABILITY, WHETHER IN AN ACTION OF CONTRACT, TORT OR
OTHERWISE, ARISING FROM, OUT OF OR IN CONNECTION WITH THE SOFTWARE OR THE USE OR OTHER DEALINGS IN THE SOFTWARE.`;

/** Cargo's metadata of the packages that a build for `target` has. */
function metadata(target) {
  const args = ['metadata', '--format-version', '1', '--locked', '--filter-platform', target];
  return JSON.parse(execFileSync('cargo', args, { cwd: root, encoding: 'utf8', maxBuffer: 1 << 28, stdio: ['ignore', 'pipe', 'inherit'] }));
}

/** The packages that end up in the addon or in the core crate: no build scripts, no macros, none of ours. */
function linked() {
  const found = new Map();
  const vendored = new Map();
  for (const { target } of platforms) {
    const { packages, resolve: graph, workspace_members: ours } = metadata(target);
    const byId = new Map(packages.map((each) => [each.id, each]));
    const nodes = new Map(graph.nodes.map((each) => [each.id, each]));
    for (const each of packages) vendored.set(each.name, each);
    const seen = new Set();
    const visit = (id) => {
      const each = byId.get(id);
      if (seen.has(id) || each.targets.some(({ kind }) => kind.includes('proc-macro'))) return;
      seen.add(id);
      if (!ours.includes(id)) found.set(`${each.name} ${each.version}`, each);
      for (const { pkg, dep_kinds: kinds } of nodes.get(id).deps) if (kinds.some(({ kind }) => kind === null)) visit(pkg);
    };
    ours.forEach(visit);
  }
  const byName = (a, b) => (a.name === b.name ? (a.version < b.version ? -1 : 1) : a.name < b.name ? -1 : 1);
  return { crates: [...found.values()].sort(byName), vendored };
}

const folder = (crate) => resolve(crate.manifest_path, '..');
const tidy = (text) =>
  text
    .replaceAll('\r\n', '\n')
    .replace(/[ \t]+$/gm, '')
    .replace(/^\n+|\s+$/g, '');

function textOf(crate) {
  const files = readdirSync(folder(crate));
  const name = preferred.map((pattern) => files.find((each) => pattern.test(each))).find(Boolean);
  const more = files.filter((each) => besides.test(each));
  if (name) return [name, ...more].map((each) => tidy(readFileSync(join(folder(crate), each), 'utf8'))).join('\n\n');
  if (crate.license !== 'MIT')
    throw new Error(`${crate.name} ${crate.version} (${crate.license}) has no licence file: say in packaging/notices.js which text holds`);
  return mit(crate.authors.map((each) => each.replace(/ <.*>/, '')).join(', ') || `the authors of ${crate.name}`);
}

/** A crate's version has that of its C library behind a plus: `4.10.0+2.12.1`, `2.1.2+zstd.1.5.7`. */
function versionOf(library, crate) {
  if (!library.version) return crate.version.replace(/^.*\+(zstd\.)?/, '');
  const [path, pattern] = library.version;
  return pattern.exec(readFileSync(join(folder(crate), path), 'utf8'))[1];
}

function notices() {
  const { crates, vendored } = linked();
  const parts = libraries.map((library) => {
    const crate = vendored.get(library.crate);
    if (!crate) throw new Error(`${library.crate} is no longer part of the build: its row in packaging/notices.js can go`);
    const text = tidy(readFileSync(join(folder(crate), library.path), 'utf8'));
    return { names: [`${library.name} ${versionOf(library, crate)} (${library.licence})`], text };
  });
  parts.push({ names: ["Rust's standard library (MIT OR Apache-2.0)"], text: mit('The Rust Project Contributors') });
  const byText = new Map();
  for (const crate of crates) {
    const text = textOf(crate);
    if (!byText.has(text)) byText.set(text, { names: [], text });
    byText.get(text).names.push(`${crate.name} ${crate.version} (${crate.license})`);
  }
  parts.push(...byText.values());

  const line = '='.repeat(100);
  return [
    'kafka-native is under the MIT licence (LICENSE). Linked into it are the works of others listed here, each with its licence.',
    'Where one offers a choice of licences, the text given is the one chosen. Written by packaging/notices.js.',
    '',
    ...parts.flatMap(({ names }) => names.map((name) => `- ${name}`)),
    '',
    ...parts.flatMap(({ names, text }) => [line, ...names, line, '', text, '']),
  ].join('\n');
}

if (require.main === module) writeFileSync(file, notices());
module.exports = { file, libraries, notices };
