// Setting a group's offsets: it asks what to set, shows what that does, and asks once more.

import type { JSX } from 'preact';
import { useEffect, useRef, useState } from 'preact/hooks';
import type { Reset as Outcome } from '../../src/http/api';
import { Dialog, Field, Note, Trouble } from '../parts/pieces';
import { Table, type Column } from '../parts/table';
import { count, Foreign, plain, plural } from '../parts/text';
import { ask, Failed, path } from '../server';

type Where = 'earliest' | 'latest' | 'time' | 'offset';
const WHERES: [Where, string][] = [
  ['earliest', 'The first messages: everything comes again'],
  ['latest', 'The ends: what was not read is skipped'],
  ['time', 'A time'],
  ['offset', 'An offset of one partition'],
];
type Moved = Outcome['offsets'][number];
const COLUMNS: Column<Moved>[] = [
  { title: 'Partition', names: true, numeric: true, by: ({ partition }) => partition, cell: ({ partition }) => partition },
  { title: 'Now', numeric: true, by: ({ before }) => before, cell: ({ before }) => (before === null ? 'none' : count(before)) },
  { title: 'Then', numeric: true, by: ({ offset }) => offset, cell: ({ offset }) => count(offset) },
  { title: 'Effect', cell: ({ before, offset }) => (before === null ? 'begins there' : effect(offset - before)) },
];

const effect = (by: number): string => (by === 0 ? 'none' : by < 0 ? `${plural(-by, 'message')} again` : `${plural(by, 'message')} skipped`);

/** How far the questions have come. */
type Step = { at: 'form' } | { at: 'shown' | 'asked' | 'done'; outcome: Outcome };

export function Reset({ group, topics, members, onClose }: { group: string; topics: string[]; members: number; onClose: () => void }): JSX.Element {
  const [topic, setTopic] = useState(topics[0] ?? '');
  const [where, setWhere] = useState<Where>('earliest');
  const [time, setTime] = useState('');
  const [partition, setPartition] = useState('0');
  const [offset, setOffset] = useState('0');
  const [step, go] = useState<Step>({ at: 'form' });
  const [error, setError] = useState<Failed>();
  const [busy, setBusy] = useState(false);
  const form = useRef<HTMLFormElement>(null);
  const question = useRef<HTMLHeadingElement>(null);
  // What is new is read, and the next Tab goes to its buttons.
  useEffect(() => (question.current ?? form.current)?.focus(), [step.at]);

  const post = async (dryRun: boolean): Promise<void> => {
    if (busy) return;
    setBusy(true);
    setError(undefined);
    try {
      const wish = wishOf(where, time, partition, offset);
      const outcome = await ask<Outcome>(path`groups/${group}/offsets`, { topic, ...wish, dryRun });
      go({ at: dryRun ? 'shown' : 'done', outcome });
    } catch (problem) {
      setError(Failed.of(problem));
      if (!dryRun) go({ at: 'form' });
    }
    setBusy(false);
  };
  const preview = (event: Event): void => {
    event.preventDefault();
    void post(true);
  };
  return (
    <Dialog title="Reset offsets" onClose={onClose}>
      {step.at === 'form' && (
        <form ref={form} tabIndex={-1} aria-label="What is set" onSubmit={preview}>
          {members > 0 && <Note>The group has {plural(members, 'member')}. Kafka sets offsets only of groups without: end them first.</Note>}
          <Field label="Topic">
            {(attributes) => (
              <input {...attributes} type="text" list="reset-topics" required value={topic} onInput={(event) => setTopic(event.currentTarget.value)} />
            )}
          </Field>
          <datalist id="reset-topics">
            {topics.map((name) => (
              <option key={name} value={name}>
                {plain(name)}
              </option>
            ))}
          </datalist>
          <fieldset class="choice">
            <legend>Go on with</legend>
            {WHERES.map(([value, title]) => (
              <label key={value}>
                <input type="radio" name="where" value={value} checked={where === value} onChange={() => setWhere(value)} /> {title}
              </label>
            ))}
          </fieldset>
          {where === 'time' && (
            <Field label="Time" hint="In your time zone: the first message from then on.">
              {(attributes) => (
                <input {...attributes} type="datetime-local" step="1" required value={time} onInput={(event) => setTime(event.currentTarget.value)} />
              )}
            </Field>
          )}
          {where === 'offset' && (
            <div class="tools">
              <Field label="Partition">
                {(attributes) => (
                  <input
                    {...attributes}
                    type="number"
                    min="0"
                    step="1"
                    required
                    value={partition}
                    onInput={(event) => setPartition(event.currentTarget.value)}
                  />
                )}
              </Field>
              <Field label="Offset">
                {(attributes) => (
                  <input {...attributes} type="number" min="0" step="1" required value={offset} onInput={(event) => setOffset(event.currentTarget.value)} />
                )}
              </Field>
            </div>
          )}
          <Trouble error={error} />
          <div class="actions">
            <button type="submit" class="main" aria-disabled={busy}>
              Show what it does
            </button>
          </div>
        </form>
      )}
      {step.at !== 'form' && (
        <>
          <h3 ref={question} tabIndex={-1}>
            {step.at === 'done' ? (
              'Done'
            ) : step.at === 'shown' ? (
              <>
                This would be set for <Foreign text={topic} />
              </>
            ) : (
              'Are you sure?'
            )}
          </h3>
          {step.at === 'asked' ? (
            <p>
              <Foreign text={group} /> goes on elsewhere in <Foreign text={topic} />: {total(step.outcome.offsets)}. This cannot be taken back, but for setting
              them again.
            </p>
          ) : (
            <Table
              caption="Offsets, now and then"
              columns={COLUMNS}
              rows={step.outcome.offsets}
              id={({ partition }) => partition}
              empty="Nothing is to be set."
            />
          )}
          <div class="actions">
            {step.at === 'shown' && (
              <>
                <button type="button" class="danger" onClick={() => go({ ...step, at: 'asked' })}>
                  Set these offsets
                </button>
                <button type="button" onClick={() => go({ at: 'form' })}>
                  Back
                </button>
              </>
            )}
            {step.at === 'asked' && (
              <>
                <button type="button" class="danger" aria-disabled={busy} onClick={() => void post(false)}>
                  Yes, set them
                </button>
                <button type="button" onClick={onClose}>
                  No, leave them
                </button>
              </>
            )}
            {step.at === 'done' && (
              <button type="button" class="main" onClick={onClose}>
                Back to the group
              </button>
            )}
          </div>
        </>
      )}
    </Dialog>
  );
}

function total(moved: Moved[]): string {
  const by = (sign: number): number => moved.reduce((sum, { before, offset }) => sum + Math.max(sign * (offset - (before ?? offset)), 0), 0);
  return `${plural(by(-1), 'message')} again, ${plural(by(1), 'message')} skipped`;
}

/** As the route takes it. */
function wishOf(where: Where, time: string, partition: string, offset: string): object {
  if (where === 'time') return { to: { timestamp: new Date(time).getTime() } };
  if (where === 'offset') return { to: { offsets: [{ partition: Number(partition), offset: Number(offset) }] } };
  return { to: where };
}
