'use strict';
const assert = require('node:assert/strict');
const { existsSync, readdirSync, readFileSync } = require('node:fs');
const path = require('node:path');
const { test } = require('node:test');

const SRC = path.join(__dirname, '../src');

/** Other files that a source file imports, types and what is loaded lazily included. */
function importsOf(file) {
  const named = [...readFileSync(file, 'utf8').matchAll(/(?:\bfrom|\bimport\(|\brequire\()\s*'(\.[^']+)'/g)].map(([, name]) => path.resolve(path.dirname(file), name));
  return named.map((name) => [`${name}.ts`, path.join(name, 'index.ts')].find(existsSync)).filter(Boolean);
}

test('who owns whom is seen from the imports: they go round in no circle', () => {
  const files = readdirSync(SRC, { recursive: true }).filter((name) => name.endsWith('.ts')).map((name) => path.join(SRC, name));
  const done = new Set();
  const walk = (file, from) => {
    const circle = from.indexOf(file);
    assert.ok(circle < 0, `a circle: ${[...from.slice(circle), file].map((each) => path.relative(SRC, each)).join(' -> ')}`);
    if (done.has(file)) return;
    for (const next of importsOf(file)) walk(next, [...from, file]);
    done.add(file);
  };
  for (const file of files) walk(file, []);
  assert.ok(done.has(path.join(SRC, 'kafka/consumer/session.ts')));
});
