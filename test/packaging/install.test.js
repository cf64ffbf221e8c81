'use strict';
// A user's installation: the tarballs in an empty folder, without network, compiler or work tree.

const assert = require('node:assert/strict');
const { cpSync, existsSync, mkdirSync, readFileSync, renameSync, writeFileSync } = require('node:fs');
const { join } = require('node:path');
const { after, before, test } = require('node:test');
const { buildSync } = require('esbuild');
const { Folder, ROOT, isolated, tarballs } = require('./support.js');
const { platforms } = require('../../packaging/platforms.js');

const programs = (...names) => names.map((name) => join(__dirname, 'programs', name));
const node = process.execPath;
let folder;

before(async () => {
  folder = new Folder();
  await folder.install();
  folder.add(...programs('round-trip.js', 'require.js', 'import.mjs', 'worker.js', 'cluster.js'));
});
after(() => folder.remove());

test('the tarballs install offline, with the one addon that fits', (t) => {
  t.diagnostic(isolated ? 'in a network namespace of its own' : 'no network namespace here: npm is offline, with an empty cache');
  const modules = join(folder.path, 'node_modules');
  const installed = platforms.filter(({ name }) => existsSync(join(modules, '@kafka-native', name)));
  assert.deepEqual(
    installed.map(({ os, cpu }) => [os, cpu]),
    [[process.platform, process.arch]],
  );
});

test('require: a round trip', async () => {
  assert.match((await folder.run(node, ['require.js'])).stdout, /^1000 there and back$/m);
});

test('import: a round trip, and the same copy as require', async () => {
  assert.match((await folder.run(node, ['import.mjs'])).stdout, /^1000 there and back$/m);
});

test('worker threads: three round trips at the same time', async () => {
  assert.match((await folder.run(node, ['worker.js'])).stdout, /^1000 \+ 1000 \+ 1000 there and back$/m);
});

test('four cluster workers share a topic', async () => {
  assert.match((await folder.run(node, ['cluster.js'])).stdout, /^500 \+ 500 \+ 500 \+ 500 there and back$/m);
});

// The compiler is the work tree's; what it reads is the installed package and the types of Node.
const TYPESCRIPT = join(ROOT, 'node_modules/typescript');
const TYPESCRIPT_5 = join(ROOT, 'test/node_modules/typescript');
const compilers = [
  // The resolution that `module: commonjs` means there.
  { what: 'node10 of TypeScript 5', source: 'typed.ts', output: 'typed.js', compiler: TYPESCRIPT_5, options: { module: 'commonjs', moduleResolution: 'node10' } },
  { what: 'node16, CommonJS', source: 'typed.cts', output: 'typed.cjs', options: { module: 'node16', moduleResolution: 'node16' } },
  { what: 'node16, ESM', source: 'typed.mts', output: 'typed.mjs', options: { module: 'node16', moduleResolution: 'node16' } },
  { what: 'bundler', source: 'typed.ts', output: 'typed.js', type: 'module', options: { module: 'esnext', moduleResolution: 'bundler' } },
];
for (const { what, source, output, type = 'commonjs', compiler = TYPESCRIPT, options } of compilers) {
  test(`TypeScript, moduleResolution ${what}: compiles and runs`, async () => {
    const project = join(folder.path, what.replaceAll(/\W+/g, '-'));
    mkdirSync(project);
    const [typed, kafkajs] = [source, source.replace('typed', 'kafkajs')];
    cpSync(programs('typed.ts')[0], join(project, typed));
    cpSync(programs('kafkajs.ts')[0], join(project, kafkajs));
    writeFileSync(join(project, 'package.json'), JSON.stringify({ type }));
    const compilerOptions = { ...options, target: 'es2022', strict: true, types: ['node'], typeRoots: [join(ROOT, 'node_modules/@types')] };
    writeFileSync(join(project, 'tsconfig.json'), JSON.stringify({ compilerOptions, files: [typed, kafkajs] }));
    await folder.run(node, [join(compiler, 'bin/tsc'), '-p', project]);
    assert.match((await folder.run(node, [join(project, output)])).stdout, /^1000 there and back$/m);
    assert.match((await folder.run(node, [join(project, output.replace('typed', 'kafkajs'))])).stdout, /^10 there and back$/m);
  });
}

test('an alias: what requires kafkajs has kafka-native, with one set of errors', async () => {
  const [tarball] = tarballs().filter((file) => /kafka-native-kafkajs-[\d.]+\.tgz$/.test(file));
  await folder.npm('install', `kafkajs@file:${tarball}`);
  const script =
    "const a = require('kafkajs'); const b = require('kafka-native/kafkajs'); console.log(a === b, require('kafka-native').KafkaJSError === a.KafkaJSError); " +
    "import('kafkajs').then(({ Kafka }) => console.log(Kafka === a.Kafka))";
  assert.equal((await folder.run(node, ['-e', script])).stdout, 'true true\ntrue\n');
});

// Without it esbuild refuses every CommonJS package in an ESM bundle.
const REQUIRE = "import { createRequire } from 'node:module'; const require = createRequire(import.meta.url);";
for (const format of /** @type {const} */ (['cjs', 'esm'])) {
  test(`bundled as ${format}: whole it says what to do where the addon is not, marked external it runs`, async () => {
    const stdin = { contents: "import { MockCluster } from 'kafka-native'; new MockCluster().close(); console.log('it runs')", resolveDir: folder.path };
    const banner = format === 'esm' ? { js: REQUIRE } : {};
    const bundle = (name, external) => buildSync({ stdin, banner, bundle: true, platform: 'node', format, external, outfile: join(folder.path, name), logLevel: 'silent' });
    const extension = format === 'cjs' ? 'cjs' : 'mjs';
    bundle(`whole.${extension}`, []);
    const elsewhere = new Folder();
    try {
      elsewhere.add(join(folder.path, `whole.${extension}`));
      assert.match((await elsewhere.run(node, [`whole.${extension}`], { code: 1 })).stderr, /kafka-native was bundled: .*Mark kafka-native external/);
    } finally {
      elsewhere.remove();
    }
    assert.equal((await folder.run(node, [`whole.${extension}`])).stdout, 'it runs\n', 'beside the package of the platform');
    bundle(`external.${extension}`, ['kafka-native']);
    assert.equal((await folder.run(node, [`external.${extension}`])).stdout, 'it runs\n');
  });
}

for (const [which, says] of [
  [1, [/^\d\/0: hello$/m, /^\d\/\d: world$/m]],
  [2, [/^\d\/0: world$/m]],
]) {
  test(`the README's example ${which} runs as it stands`, { skip: process.platform === 'win32' && 'no Ctrl-C from another process' }, async () => {
    const [, section] = /## First program\s+(.*?)\n## /s.exec(readFileSync(join(ROOT, 'README.md'), 'utf8'));
    const examples = [...section.matchAll(/```js\n(.*?)```/gs)];
    assert.equal(examples.length, 2);
    writeFileSync(join(folder.path, 'first.js'), examples[which - 1][1]);
    writeFileSync(
      join(folder.path, 'first-run.js'),
      `
      const { MockCluster } = require('kafka-native');
      const { spawn } = require('node:child_process');
      const cluster = new MockCluster();
      const child = spawn('node', ['first.js'], { stdio: ['ignore', 'pipe', 'inherit'], env: { ...process.env, KAFKAJS_LOG_LEVEL: 'NOTHING', KAFKA_BROKER: cluster.options.broker } });
      let said = '';
      child.stdout.on('data', (text) => {
        said += text;
        if ([${says}].every((line) => line.test(said))) child.kill('SIGINT');
      });
      child.on('close', (code, signal) => console.log(JSON.stringify({ said, code, signal })));
    `,
    );
    const { said, code, signal } = JSON.parse((await folder.run(node, ['first-run.js'])).stdout.trim().split('\n').at(-1));
    assert.deepEqual([code, signal], [0, null]);
    for (const line of says) assert.match(said, line);
  });
}

test('nothing that fits: the error says which platform it saw, what it tried and what to do', async () => {
  const scope = join(folder.path, 'node_modules/@kafka-native');
  const say = async (before = '') =>
    (await folder.run(node, ['-e', `${before}; try { require('kafka-native') } catch (error) { console.log(error.message) }`])).stdout;
  const [own] = platforms.filter(({ name }) => existsSync(join(scope, name)));
  renameSync(scope, `${scope}-away`);
  try {
    const missing = await say();
    assert.match(
      missing,
      new RegExp(
        `^kafka-native has no addon for ${own.name} \\(Node ${process.versions.node}\\)\\.\nTried:\n  .*kafka_native\\.${own.name}\\.node\n  the package @kafka-native/${own.name}: Cannot find`,
      ),
    );
    assert.match(missing, /npm install --include=optional kafka-native/);

    const unknown = await say("Object.defineProperty(process, 'platform', { value: 'plan9' })");
    assert.match(unknown, /^kafka-native has no addon for plan9-/);
    assert.ok(unknown.includes(`There are addons for ${platforms.map(({ name }) => name).join(', ')}. For another platform build one`), unknown);

    // The libc that the loader sees on Alpine, and on other systems with musl.
    for (const libc of ['/lib/ld-musl-x86_64.so.1', '/usr/lib/libc.so']) {
      const maps = `7f0000000000-7f0000001000 r--p 00000000 fd:00 1234    ${libc}\n7f0000002000-7f0000003000 rw-p 00000000 00:00 0\n`;
      const musl = await say(`
        Object.defineProperty(process, 'platform', { value: 'linux' });
        const fs = require('node:fs');
        const { readFileSync } = fs;
        fs.readFileSync = (file, ...how) => (file === '/proc/self/maps' ? ${JSON.stringify(maps)} : readFileSync(file, ...how))`);
      assert.match(musl, new RegExp(`^kafka-native has no addon for linux-${process.arch}-musl`));
      assert.match(musl, /npm install --include=optional/);
    }
    assert.match(
      await say("Object.defineProperty(process, 'platform', { value: 'win32' })"),
      new RegExp(`^kafka-native has no addon for win32-${process.arch}-msvc`),
    );

    // A file for another system.
    mkdirSync(join(scope, own.name), { recursive: true });
    writeFileSync(join(scope, own.name, 'addon.node'), 'not a library');
    writeFileSync(join(scope, own.name, 'package.json'), '{ "main": "addon.node" }');
    assert.match(await say(), /installed and cannot be loaded, for the reason above/);
  } finally {
    if (existsSync(scope)) renameSync(scope, `${scope}-broken`);
    renameSync(`${scope}-away`, scope);
  }
});
