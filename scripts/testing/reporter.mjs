// A reporter for node:test: one line of JSON for each test, written as it happens, so that they stand when the process is killed.
//
// { begun: name } and { ended: name } say when; { test, ms, how, error } is the result, `test` being its name behind those of its suites.

export default async function* report(events) {
  const path = [];
  for await (const { type, data } of events) {
    if (type === 'test:dequeue') yield line({ begun: data.name });
    else if (type === 'test:complete') yield line({ ended: data.name });
    else if (type === 'test:start') path.splice(data.nesting, Infinity, data.name);
    else if (type === 'test:pass' || type === 'test:fail') {
      const { details = {}, nesting } = data;
      const how = data.skip !== undefined || data.todo !== undefined ? 'skipped' : type === 'test:pass' ? 'passed' : 'failed';
      const result = { test: path.slice(0, nesting + 1).join(' › '), suite: details.type === 'suite', ms: details.duration_ms, how };
      yield line(how === 'failed' ? { ...result, error: errorOf(details.error ?? {}) } : result);
    }
  }
}

const line = (/** @type {object} */ value) => `${JSON.stringify(value)}\n`;

/** The failure in words; `because` is node's word for its kind. */
function errorOf(error) {
  const { cause } = error;
  const text = cause instanceof Error ? cause.stack : typeof cause === 'object' && cause?.stack ? cause.stack : String(cause ?? error.message);
  return { text, because: error.failureType, code: cause?.code, exitCode: error.exitCode, signal: error.signal };
}
