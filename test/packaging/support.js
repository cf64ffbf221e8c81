'use strict';
// An empty folder with the tarballs installed, and programs in it that see neither the network nor the work tree.

const { execFileSync, spawn, spawnSync } = require('node:child_process');
const { cpSync, existsSync, mkdirSync, mkdtempSync, readFileSync, readdirSync, rmSync, symlinkSync, writeFileSync } = require('node:fs');
const { tmpdir } = require('node:os');
const { join, resolve } = require('node:path');
const { test } = require('node:test');

const ROOT = resolve(__dirname, '../..');
const PACKAGES = join(ROOT, 'dist-packages');

/** @returns {string[]} what `npm run package` made */
function tarballs() {
  const files = existsSync(PACKAGES) ? readdirSync(PACKAGES).filter((name) => name.endsWith('.tgz')) : [];
  if (files.length === 0) throw new Error(`${PACKAGES} has no tarballs: run npm run package first`);
  return files.map((name) => join(PACKAGES, name));
}

const where = (program) => spawnSync('/bin/sh', ['-c', `PATH=$PATH:/usr/sbin:/sbin command -v ${program}`], { encoding: 'utf8' }).stdout?.trim() || program;
/** A network namespace with nothing but loopback, for the embedded cluster. Not every system has or allows one. */
const NAMESPACE = [where('unshare'), '--net', '--map-root-user', '/bin/sh', '-c', `${where('ip')} link set lo up && exec "$@"`, 'sh'];
const isolated = spawnSync(NAMESPACE[0], [...NAMESPACE.slice(1), '/bin/true']).status === 0;

/**
 * A folder as a user's first one: empty, outside the work tree, and nothing on the path but this Node.
 * Its npm has an empty cache and a registry that is not there, so that nothing can come from the network even where no
 * namespace can be made.
 */
class Folder {
  constructor() {
    this.path = mkdtempSync(join(tmpdir(), 'kafka-native-empty-'));
    this.bin = join(this.path, '.bin');
    mkdirSync(this.bin);
    symlinkSync(process.execPath, join(this.bin, process.platform === 'win32' ? 'node.exe' : 'node'));
  }

  /** npm install of kafka-native's tarballs, as the README says it. */
  async install() {
    writeFileSync(join(this.path, 'package.json'), '{ "private": true, "type": "commonjs" }\n');
    await this.npm('install', ...tarballs().filter((file) => /\/kafka-native-[^/]*$/.test(file)));
  }

  /** A package that stands on kafka-native, with copies of what it and the others need from the registry. */
  installBeside(name, ...others) {
    const modules = join(this.path, 'node_modules');
    mkdirSync(join(modules, name));
    const tarball = tarballs().find((file) => file.startsWith(join(PACKAGES, `${name}-`)));
    execFileSync('tar', ['-xzf', tarball, '--strip-components=1', '-C', join(modules, name)]);
    const { dependencies = {}, peerDependencies = {} } = JSON.parse(readFileSync(join(modules, name, 'package.json'), 'utf8'));
    const wanted = [...others, ...Object.keys({ ...dependencies, ...peerDependencies })];
    for (const each of wanted) {
      const [from, to] = [join(ROOT, 'node_modules', each), join(modules, each)];
      if (existsSync(to) || !existsSync(from)) continue;
      cpSync(from, to, { recursive: true, dereference: true });
      // And what those need that lie in it.
      const manifests = readdirSync(from, { recursive: true }).filter((file) => /^(.*node_modules\/(@[^/]+\/)?[^/]+\/)?package\.json$/.test(file));
      for (const file of manifests) wanted.push(...Object.keys(JSON.parse(readFileSync(join(from, file), 'utf8')).dependencies ?? {}));
    }
  }

  /** This machine's npm, wherever it is. */
  npm(...args) {
    const npm = process.env.npm_execpath ?? spawnSync('npm', ['root', '--global'], { encoding: 'utf8' }).stdout.trim().concat('/npm/bin/npm-cli.js');
    return this.run(process.execPath, [npm, ...args]);
  }

  add(...files) {
    for (const file of files) cpSync(file, join(this.path, file.replace(/^.*[\\/]/, '')));
  }

  /**
   * Runs a program to its end.
   *
   * @returns {Promise<{ code: number | null, signal: string | null, stdout: string, stderr: string }>} resolves when it ended
   *   with `code`; rejects with all it wrote otherwise
   */
  run(command, args, { code = 0, env = {}, ms = 60_000 } = {}) {
    const [program, ...rest] = [...(isolated ? NAMESPACE : []), command, ...args];
    const child = spawn(program, rest, {
      cwd: this.path,
      env: {
        PATH: this.bin,
        HOME: this.path,
        SystemRoot: process.env.SystemRoot,
        npm_config_registry: 'http://127.0.0.1:9/',
        npm_config_offline: 'true',
        ...env,
      },
      stdio: ['ignore', 'pipe', 'pipe'],
      detached: true,
    });
    let stdout = '';
    let stderr = '';
    child.stdout.on('data', (text) => (stdout += text));
    child.stderr.on('data', (text) => (stderr += text));
    // With its workers, which would hold the pipes open.
    const late = setTimeout(() => process.kill(-child.pid, 'SIGKILL'), ms);
    return new Promise((done, failed) => {
      child.on('error', failed);
      child.on('close', (ended, signal) => {
        clearTimeout(late);
        if (ended === code) return done({ code: ended, signal, stdout, stderr });
        failed(new Error(`${command} ${args.join(' ')} ended with ${signal ?? ended}, not ${code}, and wrote:\n${stdout}${stderr}`));
      });
    });
  }

  remove() {
    rmSync(this.path, { recursive: true, force: true });
  }
}

/**
 * Tests: a program with types compiles against what is installed, as each kind of module.
 *
 * @param {() => Folder} folder
 * @param {string} program its file
 */
function typesCompile(folder, program) {
  for (const { what, source, options } of [
    { what: 'node16, CommonJS', source: 'typed.cts', options: { module: 'node16', moduleResolution: 'node16' } },
    { what: 'node16, ESM', source: 'typed.mts', options: { module: 'node16', moduleResolution: 'node16' } },
    { what: 'bundler', source: 'typed.ts', options: { module: 'esnext', moduleResolution: 'bundler' } },
  ]) {
    test(`TypeScript, moduleResolution ${what}: compiles`, async () => {
      const { path } = folder();
      cpSync(program, join(path, source));
      const types = { types: ['node'], typeRoots: [join(ROOT, 'node_modules/@types')], skipLibCheck: true };
      const compilerOptions = { ...options, ...types, target: 'es2022', strict: true, noEmit: true };
      writeFileSync(join(path, 'tsconfig.json'), JSON.stringify({ compilerOptions, files: [source] }));
      await folder().run(process.execPath, [join(ROOT, 'node_modules/typescript/bin/tsc'), '-p', path]);
    });
  }
}

module.exports = { Folder, PACKAGES, ROOT, isolated, tarballs, typesCompile };
