// JSON that can be folded. Numbers stay as they were written.

import type { JSX } from 'preact';
import { useState } from 'preact/hooks';
import { count, Foreign } from '../parts/text';

/** Children that are shown at once, and levels that are open. */
const SOME = 100;
const OPEN = 2;

/** A number that JavaScript would change. */
class Digits {
  constructor(readonly text: string) {}
}

/** undefined: it is no JSON, or too deep. */
export function parse(text: string): { document: unknown } | undefined {
  const exact = (_: string, value: unknown, context?: { source?: string }): unknown =>
    typeof value === 'number' && context?.source !== undefined && String(value) !== context.source ? new Digits(context.source) : value;
  try {
    return { document: JSON.parse(text, exact as (key: string, value: unknown) => unknown) };
  } catch {
    return undefined;
  }
}

export function Json({ value, name, depth = 0 }: { value: unknown; name?: string | undefined; depth?: number }): JSX.Element {
  const [open, setOpen] = useState(depth < OPEN);
  const [most, setMost] = useState(SOME);
  const label = name !== undefined && (
    <span class="name">
      <Foreign text={name} />:{' '}
    </span>
  );
  if (typeof value !== 'object' || value === null || value instanceof Digits) {
    return (
      <div class="leaf">
        {label}
        <Leaf value={value} />
      </div>
    );
  }
  const list = Array.isArray(value);
  const entries = Object.entries(value);
  const size = list ? `[${count(entries.length)}]` : `{${count(entries.length)}}`;
  if (entries.length === 0) {
    return (
      <div class="leaf">
        {label}
        {list ? '[]' : '{}'}
      </div>
    );
  }
  return (
    <details open={open} onToggle={(event) => event.target === event.currentTarget && setOpen(event.currentTarget.open)}>
      <summary>
        {label}
        <span class="soft">{size}</span>
      </summary>
      {open && entries.slice(0, most).map(([key, child]) => <Json key={key} name={key} value={child} depth={depth + 1} />)}
      {open && entries.length > most && (
        <button type="button" class="plain" onClick={() => setMost(most + 10 * SOME)}>
          {count(entries.length - most)} more
        </button>
      )}
    </details>
  );
}

function Leaf({ value }: { value: unknown }): JSX.Element {
  if (typeof value === 'string') {
    return (
      <span class="text">
        "<Foreign text={value} most={20_000} />"
      </span>
    );
  }
  return <span class="other">{value instanceof Digits ? value.text : String(value)}</span>;
}
