'use strict';
// Contents of the tarballs, and that all of them belong together.

const assert = require('node:assert/strict');
const { execFileSync } = require('node:child_process');
const { existsSync, readFileSync } = require('node:fs');
const { basename, join } = require('node:path');
const { test } = require('node:test');
const { platformName } = require('../../js/kafka-native/dist/platform.js');
const { file: noticesFile, notices } = require('../../packaging/notices.js');
const { publishable } = require('../../packaging/package.js');
const { platforms } = require('../../packaging/platforms.js');
const { versions } = require('../../packaging/versions.js');
const { ROOT, tarballs } = require('./support.js');

const listed = (tarball) =>
  execFileSync('tar', ['-tzf', tarball], { encoding: 'utf8' })
    .trim()
    .split('\n')
    .map((name) => name.replace(/^package\//, ''));
const content = (tarball, name) => execFileSync('tar', ['-xzOf', tarball, `package/${name}`], { encoding: 'utf8' });
const manifest = (tarball) => JSON.parse(content(tarball, 'package.json'));
const read = (...path) => readFileSync(join(ROOT, ...path), 'utf8');

test('there is a tarball of every publishable package and of this platform', () => {
  const names = publishable().map((folder) => JSON.parse(readFileSync(join(folder, 'package.json'), 'utf8')).name);
  assert.deepEqual(
    tarballs()
      .map((each) => manifest(each).name)
      .sort(),
    [...names, `@kafka-native/${platformName()}`].sort(),
  );
});

test('each carries the licence, those of others, and a page', () => {
  for (const tarball of tarballs()) {
    assert.equal(content(tarball, 'LICENSE'), read('LICENSE'), tarball);
    assert.equal(content(tarball, 'THIRD-PARTY-NOTICES'), read('THIRD-PARTY-NOTICES'), tarball);
    assert.match(content(tarball, 'README.md'), /kafka-native/);
  }
});

test('none runs anything when it is installed, and none brings others along', () => {
  for (const tarball of tarballs()) {
    const { scripts, dependencies, devDependencies, bundledDependencies, gypfile } = manifest(tarball);
    assert.deepEqual([scripts, devDependencies, bundledDependencies, gypfile], [undefined, undefined, undefined, undefined], tarball);
    // npm builds whatever has this file.
    assert.ok(!listed(tarball).includes('binding.gyp'));
    if (manifest(tarball).name === 'kafka-native') assert.equal(dependencies, undefined);
  }
});

test('they have no tests, sources, maps or builds of a work tree', () => {
  for (const tarball of tarballs()) {
    const own = [`kafka_native.${platformName()}.node`];
    const files = listed(tarball);
    const unwanted = files.filter((name) => /(^|\/)(test|tests|src|scripts|node_modules)\/|\.map$|\.tsbuildinfo$|\.node$|(?<!\.d)\.[cm]?ts$/.test(name));
    assert.deepEqual(unwanted, manifest(tarball).os ? own : [], tarball);
    assert.ok(!files.some((name) => /\.js$/.test(name) && content(tarball, name).includes('sourceMappingURL')));
  }
});

test('kafka-native: each of its compiled files has a source', () => {
  const tarball = tarballs().find((each) => manifest(each).name === 'kafka-native');
  const compiled = listed(tarball).filter((name) => /^dist\/.*\.js$/.test(name));
  assert.ok(compiled.length > 10);
  const stale = compiled.filter((name) => !existsSync(join(ROOT, 'js/kafka-native', name.replace(/^dist/, 'src').replace(/\.js$/, '.ts'))));
  assert.deepEqual(stale, [], 'left by an older build: remove js/kafka-native/dist and build again');
});

test('kafka-native asks for every platform, at its own version', () => {
  const { version, optionalDependencies, engines } = manifest(tarballs().find((each) => manifest(each).name === 'kafka-native'));
  assert.deepEqual(optionalDependencies, Object.fromEntries(platforms.map(({ name }) => [`@kafka-native/${name}`, version])));
  assert.deepEqual(engines, { node: '>=20' });
});

test("this platform's package says where it fits", () => {
  const { name, os, cpu, libc, main, version } = manifest(tarballs().find((each) => manifest(each).os));
  const platform = platforms.find((each) => each.name === platformName());
  assert.deepEqual(
    { name, os, cpu, libc, main },
    {
      name: `@kafka-native/${platform.name}`,
      os: [platform.os],
      cpu: [platform.cpu],
      libc: platform.libc && [platform.libc],
      main: `kafka_native.${platform.name}.node`,
    },
  );
  assert.equal(version, manifest(tarballs()[0]).version);
});

test('all versions are one, and the changelog has it', () => {
  const all = new Set([...versions(), ...tarballs().map((each) => [basename(each), manifest(each).version])].map(([, version]) => version));
  assert.equal(all.size, 1, JSON.stringify(versions(), null, 1));
  assert.match(read('CHANGELOG.md'), new RegExp(`^## ${[...all][0].replaceAll('.', '\\.')}`, 'm'));
});

test('THIRD-PARTY-NOTICES has everything that is linked in, with its version', () => {
  const names = (text) => text.split('\n').filter((line) => line.startsWith('- '));
  const [now, written] = [notices(), readFileSync(noticesFile, 'utf8')];
  assert.ok(names(now).length > 40);
  assert.deepEqual(names(written), names(now), 'run npm run package:notices');
  assert.equal(written, now, 'run npm run package:notices');
  for (const library of ['librdkafka', 'OpenSSL', 'zlib', 'zstd', 'lz4', 'snappy', 'cJSON', 'tinycthread']) assert.match(written, new RegExp(library, 'i'));
});

test('the pages for users name the librdkafka that is built in', () => {
  const [, version] = /^name = "rdkafka-sys"\nversion = ".*\+(.*)"/m.exec(read('Cargo.lock'));
  assert.ok(read('README.md').includes(`librdkafka/blob/v${version}/CONFIGURATION.md`), `the README's link to CONFIGURATION.md is not of ${version}`);
  assert.ok(read('CHANGELOG.md').includes(`librdkafka ${version}`), `CHANGELOG.md does not say librdkafka ${version}`);
});

test('tokio is a default feature of the core, and not in the addon', () => {
  const features = (crate) => execFileSync('cargo', ['tree', '--locked', '-e', 'normal', '-p', crate], { cwd: ROOT, encoding: 'utf8' });
  assert.match(features('kafka-native'), /tokio v/);
  assert.doesNotMatch(features('kafka-native-napi'), /tokio/);
});
