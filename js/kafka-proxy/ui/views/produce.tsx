// Writes a message. What was typed stays, whatever comes of it.

import type { JSX } from 'preact';
import { useRef, useState } from 'preact/hooks';
import type { TopicDetail, Written } from '../../src/http/api';
import { Field, Heading, Trouble } from '../parts/pieces';
import { usePolled } from '../parts/polled';
import { Foreign } from '../parts/text';
import { to } from '../route';
import { ask, Failed, path } from '../server';

type Form = 'text' | 'json' | 'base64' | 'tombstone';
type Header = { name: string; value: string };
interface Draft {
  key: string;
  keyForm: 'text' | 'base64';
  value: string;
  form: Form;
  partition: string;
  headers: Header[];
}

const NEW: Draft = { key: '', keyForm: 'text', value: '', form: 'text', partition: '', headers: [] };
const FORMS: [Form, string][] = [
  ['text', 'Text'],
  ['json', 'JSON, checked'],
  ['base64', 'Base64'],
  ['tombstone', 'Tombstone'],
];
/** As long as the page is open: who looks at the messages, and comes back, goes on. */
const drafts = new Map<string, Draft>();
const MOST_DRAFTS = 20;

export function ProduceView({ topic }: { topic: string }): JSX.Element {
  const about = usePolled<TopicDetail>(path`topics/${topic}`, 30_000);
  const [draft, setDraft] = useState(drafts.get(topic) ?? NEW);
  const [done, setDone] = useState<{ partition: number; offset: number }>();
  const [error, setError] = useState<Failed>();
  const [wrong, setWrong] = useState<Problems>({});
  const [busy, setBusy] = useState(false);
  const edit = (change: Partial<Draft>): void => {
    const next = { ...draft, ...change };
    setDraft(next);
    setWrong({});
    keep(topic, next);
  };
  const submit = async (event: Event): Promise<void> => {
    event.preventDefault();
    if (busy) return;
    const problems = check(draft);
    setWrong(problems);
    setDone(undefined);
    setError(undefined);
    if (Object.keys(problems).length > 0) return;
    setBusy(true);
    try {
      const { results } = await ask<Written>(path`topics/${topic}/messages`, { messages: [messageOf(draft)] });
      const [result] = results;
      if (result && 'partition' in result) setDone(result);
      else setError(Failed.of(result?.error ?? { code: 'NO_RESULT', message: 'The proxy has not said what became of it.' }));
    } catch (problem) {
      const failed = Failed.of(problem);
      // A request that nobody has answered may have been done.
      const lost = failed.code === 'UNREACHABLE';
      setError(lost ? new Failed(failed.code, 'There was no answer: the message is written, or not. Look before you write it again.', 0, true) : failed);
    }
    setBusy(false);
  };
  return (
    <div class="narrow">
      <Heading
        beside={
          <a class="button" href={to('topics', topic, 'messages')}>
            Messages
          </a>
        }
      >
        Write to <Foreign text={topic} />
      </Heading>
      <form class="card" onSubmit={submit} noValidate>
        <Key draft={draft} edit={edit} wrong={wrong.key} />
        <Value draft={draft} edit={edit} wrong={wrong.value} />
        <Headers headers={draft.headers} onChange={(headers) => edit({ headers })} />
        <Field label="Partition" hint="Empty: by the key, as Kafka's own clients do; without a key any." error={wrong.partition}>
          {(attributes) => (
            <input
              {...attributes}
              type="number"
              min="0"
              max={about.data ? about.data.partitions - 1 : undefined}
              value={draft.partition}
              onInput={(event) => edit({ partition: event.currentTarget.value })}
            />
          )}
        </Field>
        <div class="actions">
          <button type="submit" class="main" aria-disabled={busy}>
            {busy ? 'Writing …' : 'Write'}
          </button>
          <button type="button" onClick={() => edit(NEW)}>
            Empty the form
          </button>
        </div>
        <div role="status">
          {done && (
            <p class="done">
              Written: partition {done.partition}, offset {done.offset}.
            </p>
          )}
        </div>
        <Trouble error={error} />
      </form>
    </div>
  );
}

interface Part {
  draft: Draft;
  edit: (change: Partial<Draft>) => void;
  wrong: string | undefined;
}

function Key({ draft: { key, keyForm }, edit, wrong }: Part): JSX.Element {
  return (
    <>
      <fieldset class="choice">
        <legend>Key is</legend>
        {(['text', 'base64'] as const).map((form) => (
          <label key={form}>
            <input type="radio" name="key" checked={keyForm === form} onChange={() => edit({ keyForm: form })} /> {form === 'text' ? 'Text' : 'Base64'}
          </label>
        ))}
      </fieldset>
      <Field label="Key" hint="Empty: no key." error={wrong}>
        {(attributes) => <input {...attributes} type="text" spellcheck={false} value={key} onInput={(event) => edit({ key: event.currentTarget.value })} />}
      </Field>
    </>
  );
}

function Value({ draft: { value, form }, edit, wrong }: Part): JSX.Element {
  return (
    <>
      <fieldset class="choice">
        <legend>Value is</legend>
        {FORMS.map(([name, title]) => (
          <label key={name}>
            <input type="radio" name="value" checked={form === name} onChange={() => edit({ form: name })} /> {title}
          </label>
        ))}
      </fieldset>
      {form === 'tombstone' ? (
        <p class="note">No value: in a compacted topic it says that the key's entry is gone.</p>
      ) : (
        <Field label="Value" error={wrong}>
          {(attributes) => <textarea {...attributes} spellcheck={false} value={value} onInput={(event) => edit({ value: event.currentTarget.value })} />}
        </Field>
      )}
    </>
  );
}

function Headers({ headers, onChange }: { headers: Header[]; onChange: (headers: Header[]) => void }): JSX.Element {
  const add = useRef<HTMLButtonElement>(null);
  const change = (i: number, part: Partial<Header>): void => onChange(headers.map((header, j) => (i === j ? { ...header, ...part } : header)));
  return (
    <fieldset class="choice rows">
      <legend>Headers</legend>
      {headers.map(({ name, value }, i) => (
        <div class="header" key={i}>
          <input
            type="text"
            aria-label={`Name of header ${i + 1}`}
            placeholder="Name"
            value={name}
            onInput={(event) => change(i, { name: event.currentTarget.value })}
          />
          <input
            type="text"
            aria-label={`Value of header ${i + 1}`}
            placeholder="Value"
            value={value}
            onInput={(event) => change(i, { value: event.currentTarget.value })}
          />
          <button
            type="button"
            class="quiet"
            aria-label={`Remove header ${i + 1}`}
            onClick={() => {
              // The button may go; the focus stays here.
              add.current?.focus();
              onChange(headers.filter((_, j) => j !== i));
            }}
          >
            Remove
          </button>
        </div>
      ))}
      <button ref={add} type="button" class="quiet" onClick={() => onChange([...headers, { name: '', value: '' }])}>
        Add a header
      </button>
    </fieldset>
  );
}

type Problems = { key?: string; value?: string; partition?: string };

function check({ key, keyForm, value, form, partition }: Draft): Problems {
  const problems: Problems = {};
  if (keyForm === 'base64' && !isBase64(key)) problems.key = 'This is no base64.';
  if (form === 'base64' && !isBase64(value)) problems.value = 'This is no base64.';
  if (form === 'json') {
    try {
      JSON.parse(value);
    } catch (error) {
      problems.value = `This is no JSON: ${(error as Error).message}`;
    }
  }
  if (!/^\d*$/.test(partition)) problems.partition = 'A partition is a whole number, from 0.';
  return problems;
}

function isBase64(text: string): boolean {
  try {
    atob(text);
    return true;
  } catch {
    return false;
  }
}

/** As protocol 2 has it. JSON is written as it was typed. */
function messageOf({ key, keyForm, value, form, partition, headers }: Draft): object {
  const byName = new Map<string, string[]>();
  for (const { name, value } of headers) if (name !== '') byName.set(name, [...(byName.get(name) ?? []), value]);
  return {
    ...(key === '' ? {} : keyForm === 'text' ? { key } : { keyBase64: bare(key) }),
    ...(form === 'tombstone' ? { value: null } : form === 'base64' ? { valueBase64: bare(value) } : { value }),
    ...(partition !== '' && { partition: Number(partition) }),
    ...(byName.size > 0 && { headers: Object.fromEntries([...byName].map(([name, all]) => [name, all.length > 1 ? all : all[0]])) }),
  };
}

/** Without the ends of lines that tools put into it. */
function bare(base64: string): string {
  return btoa(atob(base64));
}

function keep(topic: string, draft: Draft): void {
  drafts.delete(topic);
  if (draft !== NEW) drafts.set(topic, draft);
  const [oldest] = drafts.keys();
  if (drafts.size > MOST_DRAFTS && oldest !== undefined) drafts.delete(oldest);
}
