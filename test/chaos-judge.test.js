'use strict';
// The judge of the chaos run finds what is wrong: each defect is put into a run that is well.

const assert = require('node:assert/strict');
const fs = require('node:fs');
const path = require('node:path');
const { test } = require('node:test');
const { judge } = require('./chaos/judge.js');
const { Ledger, readAcknowledged, readProcessed } = require('./chaos/ledger.js');
const { folder } = require('./support/flow.js');

/** Two sessions of ten messages in two partitions of `in`, a result of each in `out`, an end mark in each partition. */
function evidence() {
  const values = (session, partition) => Array.from({ length: 5 }, (_, n) => `${session}/${n * 2 + partition}`);
  const partition = (all) => [...all, 'end'].map((value, offset) => ({ offset, value }));
  const log = new Map();
  for (const p of [0, 1]) {
    const all = [...values('one-1', p), ...values('two-1', p)];
    log.set(`in/${p}`, partition(all));
    // A transaction's marker takes an offset that no reader sees.
    log.set(
      `out/${p}`,
      partition(all.map((value) => `${value}!`)).map(({ offset, value }) => ({ offset: offset + (offset > 4 ? 1 : 0), value })),
    );
  }
  const seen = () =>
    new Map(
      [...log].filter(([place]) => place.startsWith('in/')).map(([place, messages]) => [place, new Map(messages.map(({ offset, value }) => [offset, value]))]),
    );
  return {
    log,
    acknowledged: [
      { topic: 'in', session: 'one-1', from: 0, to: 10 },
      { topic: 'in', session: 'two-1', from: 0, to: 4 },
    ],
    idempotent: ['in'],
    transactions: [{ input: 'in', output: 'out' }],
    readers: [{ name: 'reader', topics: ['in'], seen: seen() }],
    killed: [
      {
        name: 'reader',
        next: new Map([
          ['in/0', 4],
          ['in/1', 0],
        ]),
        seen: seen(),
      },
    ],
  };
}

test('a run that is well has no findings', () => assert.deepEqual(judge(evidence()), []));

const defects = {
  'an acknowledged message is not in the log': ({ log }) => log.get('in/0').splice(2, 1),
  'a message of an idempotent producer is there more than once': ({ log }) => log.get('in/0').push({ offset: 11, value: 'one-1/4' }),
  "an idempotent producer's order was changed": ({ log }) => {
    const messages = log.get('in/1');
    [messages[1].value, messages[2].value] = [messages[2].value, messages[1].value];
  },
  'a transaction did not happen exactly once: one-1/4: 0': ({ log }) => log.get('out/0').splice(2, 1),
  'a transaction did not happen exactly once: one-1/4: 2': ({ log }) => log.get('out/0').push({ offset: 20, value: 'one-1/4!' }),
  'a result without its message': ({ log }) => log.get('out/0').push({ offset: 20, value: 'one-1/77!' }),
  'reader has not seen a message': ({ readers }) => readers[0].seen.get('in/1').delete(3),
  'reader has not seen a message: in/0': ({ readers }) => readers[0].seen.delete('in/0'),
  'reader has seen something else': ({ readers }) => readers[0].seen.get('in/1').set(3, 'two-1/99'),
  'reader has seen what is not in the log': ({ readers }) => readers[0].seen.get('in/1').set(99, 'two-1/99'),
  'reader has committed past what it processed': ({ killed }) => killed[0].seen.get('in/0').delete(3),
};

for (const [finding, breaks] of Object.entries(defects)) {
  test(`it finds: ${finding}`, () => {
    const broken = evidence();
    breaks(broken);
    const findings = judge(broken);
    assert.ok(
      findings.some((text) => text.startsWith(finding)),
      findings.join('\n'),
    );
  });
}

test('what a ledger has is what was written before the kill, without a line that it cut off', (t) => {
  const directory = folder(t);
  new Ledger(directory, 'sent.one.1').acknowledged('in', 'one-1', 5, 9);
  new Ledger(directory, 'read.group.a.1').processed('in', 1, [
    { offset: 7, value: 'one-1/3' },
    { offset: 8, value: 'one-1/4' },
  ]);
  new Ledger(directory, 'read.group.b.1').processed('in', 1, [{ offset: 8, value: 'one-1/4' }]);
  new Ledger(directory, 'read.grouped.a.1').processed('in', 1, [{ offset: 9, value: 'one-1/5' }]);
  fs.appendFileSync(path.join(directory, 'read.group.b.1'), 'in 1 10 one-1/');
  assert.deepEqual(readAcknowledged(directory), [{ topic: 'in', session: 'one-1', from: 5, to: 9 }]);
  assert.deepEqual(
    readProcessed(directory, 'group'),
    new Map([
      [
        'in/1',
        new Map([
          [7, 'one-1/3'],
          [8, 'one-1/4'],
        ]),
      ],
    ]),
  );
});
