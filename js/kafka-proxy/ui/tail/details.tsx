// One message, whole.

import type { JSX } from 'preact';
import { useMemo, useState } from 'preact/hooks';
import { Copy, Dialog, useIds } from '../parts/pieces';
import { bytes, count, Foreign, Time } from '../parts/text';
import { base64Of, dump, hexOf, textOf } from './bytes';
import { Json, parse } from './json';
import type { Bytes, Entry } from './ring';

type Form = 'json' | 'text' | 'hex';
const MOST_TEXT = 64 * 1024;
const MOST_HEX = 16 * 1024;

export function Details({ entry, onClose }: { entry: Entry; onClose: () => void }): JSX.Element {
  const { partition, offset, timestamp, key, value, headers } = entry;
  return (
    <Dialog title={`Message ${count(offset)} of partition ${partition}`} onClose={onClose}>
      <dl class="pairs">
        <dt>Time</dt>
        <dd>
          <Time at={timestamp} />
        </dd>
        <dt>Key</dt>
        <dd>
          <Short value={key} none="none" />
        </dd>
        {headers.length > 0 && <dt>Headers</dt>}
        {headers.length > 0 && (
          <dd>
            <ul class="headers">
              {headers.map(([name, of], i) => (
                <li key={i}>
                  <Foreign text={name} />: <Short value={of} none="without a value" />
                </li>
              ))}
            </ul>
          </dd>
        )}
      </dl>
      <h3>Value</h3>
      {value === null ? <p class="soft">None: this is a tombstone. It says that the key's entry is gone.</p> : <Value value={value} />}
      <p class="actions">
        {value && <Copy what="value" text={() => textOf(value) ?? hexOf(value)} />}
        {key && <Copy what="key" text={() => textOf(key) ?? hexOf(key)} />}
        <Copy what="all as JSON" text={() => JSON.stringify(asJson(entry), null, 2)} />
      </p>
    </Dialog>
  );
}

function Short({ value, none }: { value: Bytes; none: string }): JSX.Element {
  if (value === null) return <span class="soft">{none}</span>;
  if (value.length === 0) return <span class="soft">empty</span>;
  const text = textOf(value);
  return text === undefined ? <code>{`0x ${hexOf(value, 256)}${value.length > 256 ? ' …' : ''}`}</code> : <Foreign text={text} most={4000} />;
}

function Value({ value }: { value: Uint8Array }): JSX.Element {
  const text = useMemo(() => textOf(value), [value]);
  const json = useMemo(() => (text === undefined ? undefined : parse(text)), [text]);
  const forms: [Form, string, boolean][] = [
    ['json', 'JSON', json !== undefined],
    ['text', 'Text', text !== undefined],
    ['hex', 'Hex', true],
  ];
  const [form, setForm] = useState<Form>(json ? 'json' : text === undefined ? 'hex' : 'text');
  const group = useIds();
  const most = form === 'hex' ? MOST_HEX : MOST_TEXT;
  return (
    <>
      <fieldset class="choice">
        <legend class="unseen">Shown as</legend>
        {forms.map(([name, title, can]) => (
          <label key={name} class={can ? '' : 'soft'}>
            <input type="radio" name={group} checked={form === name} disabled={!can} onChange={() => setForm(name)} /> {title}
            {!can && (name === 'json' ? ': it is none' : ': it is no UTF-8')}
          </label>
        ))}
        <span class="soft">{bytes(value.length)}</span>
      </fieldset>
      <div class="value-box" tabIndex={0} role="region" aria-label="The value">
        {form === 'json' && json && <Json value={json.document} />}
        {form === 'text' && <pre>{text === '' ? <span class="soft">empty</span> : <Foreign text={text ?? ''} most={most} lines />}</pre>}
        {form === 'hex' && <pre class="hex">{dump(value, most)}</pre>}
      </div>
      {form !== 'json' && value.length > most && (
        <p class="hint">
          The first {count(most)} of {count(value.length)} {form === 'hex' ? 'bytes' : 'bytes or so'} are shown; a copy has all.
        </p>
      )}
    </>
  );
}

/** Bytes that are no text are in base64, as protocol 2 has them. */
function asJson({ partition, offset, timestamp, key, value, headers }: Entry): object {
  const field = (name: string, bytes: Bytes): object => {
    const text = bytes && textOf(bytes);
    return text === undefined ? { [`${name}Base64`]: base64Of(bytes!) } : { [name]: text };
  };
  return {
    partition,
    offset,
    timestamp,
    ...(key && field('key', key)),
    ...field('value', value),
    headers: headers.map(([name, bytes]) => ({ name, ...field('value', bytes) })),
  };
}
