// A reporter for node:test: one line of JSON, { passed, failed, skipped }, at the end.

export default async function* count(events) {
  const sum = { passed: 0, failed: 0, skipped: 0 };
  for await (const { type, data } of events) {
    if ((type !== 'test:pass' && type !== 'test:fail') || data.details?.type === 'suite') continue;
    if (data.skip !== undefined || data.todo !== undefined) sum.skipped++;
    else if (type === 'test:pass') sum.passed++;
    else sum.failed++;
  }
  yield `${JSON.stringify(sum)}\n`;
}
