'use strict';
// Moving from KafkaJS: neither the page nor the package leaves out anything of KafkaJS.

const assert = require('node:assert/strict');
const { execFileSync, spawnSync } = require('node:child_process');
const fs = require('node:fs');
const path = require('node:path');
const { test } = require('node:test');
const kafkajs = require('kafkajs');
const ours = require('kafka-native/kafkajs');

const page = fs.readFileSync(path.join(__dirname, '../docs/migrating-from-kafkajs.md'), 'utf8');

/** Exports of KafkaJS's types, with the members of each: top-level declarations, and what is one level inside them. */
function declarations() {
  const text = fs
    .readFileSync(path.join(path.dirname(require.resolve('kafkajs')), 'types/index.d.ts'), 'utf8')
    .replace(/\/\*[^]*?\*\//g, '')
    .replace(/\/\/.*$/gm, '');
  const members = new Map();
  let current;
  let depth = 0;
  for (const line of text.split('\n')) {
    const [, exported, name] = (depth === 0 && /^(export )?(?:type|interface|class|enum|const|var) (\w+)/.exec(line)) || [];
    if (name) members.set(name, (current = Object.assign(new Set(), { exported: exported !== undefined })));
    const [, quoted, plain] = (depth === 1 && /^\s+(?:readonly )?(?:'([^']+)'|(\w+))\??\s*[(:=]/.exec(line)) || [];
    if (quoted ?? plain) current.add(quoted ?? plain);
    for (const char of line) depth += '{('.includes(char) ? 1 : '})'.includes(char) ? -1 : 0;
  }
  return members;
}

const tsc = (...args) => spawnSync(path.join(__dirname, '../node_modules/.bin/tsc'), args, { encoding: 'utf8' });
const types = declarations();
/** The section of the page whose heading names the type. */
const section = (type) => page.split(/^#+ /m).find((part) => part.split('\n')[0].includes(`\`${type}\``)) ?? assert.fail(`no section for ${type}`);

test('the page names everything that KafkaJS exports', () => {
  const exported = [...types].filter(([, members]) => members.exported).map(([name]) => name);
  assert.ok(exported.length > 150, `${exported.length}`);
  assert.deepEqual(new Set([...exported, ...Object.keys(kafkajs)].filter((name) => !page.includes(`\`${name}\``))), new Set());
});

for (const [type, of = type] of [
  ['Kafka'],
  ['KafkaConfig'],
  ['SASLOptions', 'SASLMechanismOptionsMap'],
  ['RetryOptions'],
  ['ProducerConfig'],
  ['Producer'],
  ['Producer', 'Sender'],
  ['ProducerRecord'],
  ['ProducerBatch'],
  ['Message'],
  ['RecordMetadata'],
  ['Transaction'],
  ['ProducerEvents'],
  ['CompressionTypes'],
  ['ConsumerConfig'],
  ['Consumer'],
  ['ConsumerRunConfig'],
  ['EachMessagePayload'],
  ['EachBatchPayload'],
  ['Batch'],
  ['KafkaMessage', 'RecordBatchEntry'],
  ['ConsumerEvents'],
  ['Admin'],
  ['AdminEvents'],
]) {
  test(`the page says of every part of ${of} whether it is the same`, () => {
    const members = [...(types.get(of) ?? assert.fail(`KafkaJS has no ${of}`))];
    assert.ok(members.length > 0);
    assert.deepEqual(
      members.filter((member) => !section(type).includes(`\`${member}\``)),
      [],
    );
  });
}

test("the entry point has KafkaJS's names, and no others", () => {
  assert.deepEqual(Object.keys(ours).sort(), Object.keys(kafkajs).sort());
});

test('import gives the same objects as require', () => {
  const script =
    "import * as named from 'kafka-native/kafkajs'; import whole from 'kafka-native/kafkajs'; import { createRequire } from 'node:module'; const required = createRequire(import.meta.url)('kafka-native/kafkajs'); console.log(whole === required, Object.keys(required).every((name) => named[name] === required[name]))";
  assert.equal(execFileSync(process.execPath, ['--input-type=module', '-e', script], { cwd: __dirname, encoding: 'utf8' }), 'true true\n');
});

test("enumerations have KafkaJS's numbers", () => {
  for (const name of [
    'logLevel',
    'CompressionTypes',
    'ConfigResourceTypes',
    'ConfigSource',
    'AclResourceTypes',
    'AclOperationTypes',
    'AclPermissionTypes',
    'ResourcePatternTypes',
  ]) {
    for (const [key, value] of Object.entries(kafkajs[name])) assert.equal(ours[name][key], value, `${name}.${key}`);
  }
});

test('a program that is typed for KafkaJS compiles with the other import', () => {
  for (const project of ['kafkajs', 'kafka-native']) {
    const { status, stdout } = tsc('-p', path.join(__dirname, 'types', `${project}.json`));
    assert.equal(status, 0, stdout);
  }
});

test('every type of KafkaJS has its name here', () => {
  const names = [...types].filter(([, { exported }]) => exported).map(([name]) => name);
  const file = path.join(__dirname, 'types', `names-${process.pid}.ts`);
  fs.writeFileSync(file, `import type { ${names.join(', ')} } from '../../js/kafka-native/dist/kafkajs';\n`);
  try {
    const { status, stdout } = tsc('--ignoreConfig', '--noEmit', '--skipLibCheck', '--module', 'node20', '--target', 'es2022', '--types', 'node', file);
    assert.equal(status, 0, stdout);
  } finally {
    fs.rmSync(file);
  }
});
