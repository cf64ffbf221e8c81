'use strict';
// The addon's declarations: napi-derive writes a line of JSON for each export while it compiles crates/napi; here they become src/addon-data.ts (what crosses) and src/addon.ts
// (who is called).
const { readFileSync, writeFileSync } = require('node:fs');
const { join } = require('node:path');

const SRC = join(__dirname, '../src');
const HEAD = '// Generated from crates/napi by napi-derive. Do not edit.\n';

/** @param {string} lines what napi-derive wrote */
function declarations(lines) {
  /** @type {{ kind: string, name: string, js_doc: string, def: string }[]} */
  const all = lines
    .trim()
    .split('\n')
    .map((line) => JSON.parse(line));
  const body = (/** @type {string} */ def) =>
    def
      .split('\n')
      .map((line) => {
        const text = line.trim();
        return text.startsWith('*') ? `   ${text}` : text.startsWith('/**') ? `  ${text}` : `  ${text};`;
      })
      .join('\n');
  const members = (/** @type {string} */ name) => all.find((one) => one.kind === 'impl' && one.name === name)?.def ?? '';
  /** @type {Record<string, (one: { name: string, def: string }) => string>} */
  const written = {
    type: ({ name, def }) => `export type ${name} = ${def};`,
    interface: ({ name, def }) => `export interface ${name} {\n${body(def)}\n}`,
    struct: ({ name }) => `export declare class ${name} {\n${body(members(name))}\n}`,
    fn: ({ def }) => `export declare ${def};`,
  };
  const texts = (/** @type {string[]} */ ...kinds) =>
    all
      .filter(({ kind }) => kinds.includes(kind))
      .map((one) => one.js_doc + written[one.kind]?.(one))
      .sort();
  const known = [...Object.keys(written), 'impl'];
  const strange = all.find(({ kind }) => !known.includes(kind));
  if (strange) throw new Error(`no words for an export of kind ${strange.kind}: ${strange.name}`);
  const data = texts('type', 'interface');
  const names = all.filter(({ kind }) => kind === 'type' || kind === 'interface').map(({ name }) => name);
  const calls = texts('struct', 'fn');
  const used = names.filter((name) => calls.some((text) => new RegExp(`\\b${name}\\b`).test(text))).sort();
  const imports = [
    `import type { ${used.join(', ')} } from './addon-data';`,
    "import type { AdminRequests } from './admin-requests';",
    "import type { OnEvent } from './events';",
  ];
  return {
    'addon-data.ts': [HEAD, ...data].join('\n\n').replace('\n\n\n', '\n\n') + '\n',
    'addon.ts': [HEAD + '\n' + imports.join('\n'), ...calls].join('\n\n') + '\n',
  };
}

/**
 * Fails when these files are not what the addon exports; with UPDATE=1 writes them.
 *
 * @param {string} file of napi-derive
 */
function check(file) {
  for (const [name, text] of Object.entries(declarations(readFileSync(file, 'utf8')))) {
    if (process.env.UPDATE) writeFileSync(join(SRC, name), text);
    else if (readFileSync(join(SRC, name), 'utf8') !== text) {
      console.error(`js/kafka-native/src/${name} is not what crates/napi exports. Write it anew: npm run generate`);
      process.exitCode = 1;
    }
  }
}

module.exports = { check };
