'use strict';
// The addon as it is published: what it shows, what it needs, and how large it is. ELF has its say here; other systems have theirs
// in the release workflow, where each loads what it built.

const assert = require('node:assert/strict');
const { execFileSync } = require('node:child_process');
const { mkdtempSync, readdirSync, rmSync, statSync } = require('node:fs');
const { tmpdir } = require('node:os');
const { join } = require('node:path');
const { after, before, describe, test } = require('node:test');
const { platformName } = require('../../../js/kafka-native/dist/platform.js');
const { platforms } = require('../../../packaging/platforms.js');
const { tarballs } = require('../../packaging/support.js');

const MB = 1e6;
const platform = platforms.find(({ name }) => name === platformName());
const tarball = tarballs().find((file) => file.includes(`-${platform.name}-`));
let folder;
let addon;
/** Lines of readelf, which comes with the compiler that built it. */
const readelf = (...args) => execFileSync('readelf', ['--wide', ...args, addon], { encoding: 'utf8', maxBuffer: 1 << 26 }).split('\n');

before(() => {
  folder = mkdtempSync(join(tmpdir(), 'kafka-native-addon-'));
  execFileSync('tar', ['-xzf', tarball, '-C', folder]);
  const [file] = readdirSync(join(folder, 'package')).filter((name) => name.endsWith('.node'));
  addon = join(folder, 'package', file);
});
after(() => rmSync(folder, { recursive: true }));

// The README says these figures, rounded up.
test('its size stays within what the README says', (t) => {
  const [file, packed] = [statSync(addon).size, statSync(tarball).size];
  t.diagnostic(`addon ${(file / MB).toFixed(1)} MB, tarball ${(packed / MB).toFixed(1)} MB`);
  assert.ok(file < 13 * MB, `the addon has ${file} bytes`);
  assert.ok(packed < 5 * MB, `its tarball has ${packed} bytes`);
});

describe('on Linux', { skip: process.platform !== 'linux' && 'reads ELF' }, () => {
  test('it exports its entry for Node-API and nothing else: OpenSSL and librdkafka are its own', () => {
    const rows = readelf('--dyn-syms').map((line) => line.trim().split(/\s+/));
    const exported = rows.filter(([, , , , bind, , index]) => /GLOBAL|WEAK/.test(bind ?? '') && index !== 'UND').map((row) => row[7]);
    assert.deepEqual(exported, ['napi_register_module_v1']);
  });

  test('what it takes from elsewhere is libc and Node-API, no OpenSSL that Node or the system has', () => {
    const rows = readelf('--dyn-syms').map((line) => line.trim().split(/\s+/));
    const taken = rows
      .filter(([, , , , , , index]) => index === 'UND')
      .map((row) => row[7])
      .filter(Boolean);
    assert.ok(taken.length > 50);
    // zstd's own hooks for tracing: weak, and defined by nobody.
    assert.deepEqual(
      taken.filter((name) => !name.startsWith('ZSTD_trace_') && /^(SSL|TLS|EVP|OPENSSL|CRYPTO|X509|BIO|ERR|RAND|rd_|ZSTD|LZ4|inflate|deflate)/.test(name)),
      [],
    );
  });

  test('it needs no library but libc', () => {
    const needed = readelf('--dynamic').flatMap((line) => /\(NEEDED\).*\[(.*)\]/.exec(line)?.[1] ?? []);
    const libc = platform.libc === 'musl' ? /^(libc\.musl-.*|libc|libgcc_s)\.so/ : /^(libc|libm|libpthread|libdl|ld-linux-.*)\.so\.\d$/;
    assert.deepEqual(
      needed.filter((name) => !libc.test(name)),
      [],
    );
  });

  test('it needs no glibc newer than promised', { skip: !platform.glibc && 'musl has no versions' }, (t) => {
    const versions = readelf('--version-info').flatMap((line) => /Name: GLIBC_(\S+)/.exec(line)?.[1] ?? []);
    const newest = versions.sort((a, b) => a.localeCompare(b, 'en', { numeric: true })).at(-1);
    t.diagnostic(`needs glibc ${newest}`);
    assert.ok(newest.localeCompare(platform.glibc, 'en', { numeric: true }) <= 0, `it needs glibc ${newest}, promised is ${platform.glibc}`);
  });

  test('it is stripped, and stays loaded once it is', () => {
    assert.deepEqual(
      readelf('--sections').filter((line) => / \.(symtab|debug_\w+) /.test(line)),
      [],
    );
    assert.ok(readelf('--dynamic').some((line) => /FLAGS_1.*NODELETE/.test(line)));
  });
});
