// Makes dist/ui of the page's sources: the files that src/http/page.ts serves.

import { mkdir, readdir, readFile, rm, writeFile } from 'node:fs/promises';
import { createRequire } from 'node:module';
import { dirname, join } from 'node:path';
import { fileURLToPath } from 'node:url';
import { gzipSync } from 'node:zlib';
import { build } from 'esbuild';

const HERE = dirname(fileURLToPath(import.meta.url));
const OUT = join(HERE, '..', 'dist', 'ui');
/** What esbuild puts into the page besides our own. */
const LIBRARIES = ['preact', 'uplot', '@msgpack/msgpack'];

await rm(OUT, { recursive: true, force: true });
await mkdir(OUT, { recursive: true });
const { metafile } = await build({
  entryPoints: { page: join(HERE, 'main.tsx') },
  outdir: OUT,
  entryNames: '[name]-[hash]',
  bundle: true,
  minify: true,
  format: 'esm',
  target: ['es2022', 'chrome123', 'firefox120', 'safari17.5'],
  jsx: 'automatic',
  jsxImportSource: 'preact',
  legalComments: 'none',
  logLevel: 'warning',
  metafile: true,
});

const names = await readdir(OUT);
const [script, style] = ['js', 'css'].map((type) => names.find((name) => name.endsWith(`.${type}`)));
const html = await readFile(join(HERE, 'index.html'), 'utf8');
await writeFile(join(OUT, 'index.html'), html.replace('page.js', script).replace('page.css', style));
await writeFile(join(OUT, 'icon.svg'), await readFile(join(HERE, 'icon.svg')));
await writeFile(join(OUT, 'LICENSES.txt'), await licences(Object.keys(metafile.inputs)));
for (const name of await readdir(OUT)) await writeFile(join(OUT, `${name}.gz`), gzipSync(await readFile(join(OUT, name)), { level: 9 }));

/** The licences of the libraries in the page. Throws when one is in it that is not listed here. */
async function licences(inputs) {
  const used = new Set(inputs.flatMap((path) => path.match(/node_modules\/((?:@[^/]+\/)?[^/]+)\//)?.[1] ?? []));
  for (const name of used) if (!LIBRARIES.includes(name)) throw new Error(`${name} is in the page, and its licence is not`);
  const parts = [...used].sort().map(async (name) => {
    const folder = folderOf(name);
    const { version, license } = JSON.parse(await readFile(join(folder, 'package.json'), 'utf8'));
    return `${name} ${version} (${license})\n\n${await readFile(join(folder, 'LICENSE'), 'utf8')}`;
  });
  return `The page of kafka-proxy has in it, beside its own:\n\n${(await Promise.all(parts)).join('\n\n')}`;
}

function folderOf(name) {
  const entry = createRequire(import.meta.url).resolve(name);
  return entry.slice(0, entry.lastIndexOf(`node_modules/${name}/`) + `node_modules/${name}`.length);
}
