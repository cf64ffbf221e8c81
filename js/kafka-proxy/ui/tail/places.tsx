// From where, and what of it, messages are read.

import type { JSX } from 'preact';
import { useState } from 'preact/hooks';
import { Field } from '../parts/pieces';
import type { Wish } from './stream';

type From = 'newest' | 'oldest' | 'time' | 'offset';

/** A local time as `<input type=datetime-local>` has it. */
function local(at: number): string {
  return new Date(at - new Date(at).getTimezoneOffset() * 60_000).toISOString().slice(0, 19);
}

export function Places({ partitions, onGo }: { partitions: number | undefined; onGo: (wish: Wish) => void }): JSX.Element {
  const [from, setFrom] = useState<From>('newest');
  const [partition, setPartition] = useState('');
  const [time, setTime] = useState(() => local(Date.now() - 3_600_000));
  const [offset, setOffset] = useState('0');
  const [key, setKey] = useState('');
  const go = (event: Event): void => {
    event.preventDefault();
    // An offset is one of a partition.
    const of = partition === '' ? (from === 'offset' ? 0 : undefined) : Number(partition);
    const begin = from === 'time' ? { timestamp: new Date(time).getTime() } : from === 'offset' ? { offset: Number(offset) } : from;
    onGo({ from: begin, partition: of, key: key === '' ? undefined : key });
  };
  return (
    <form class="tools card" onSubmit={go} aria-label="What is read">
      <Field label="From">
        {(attributes) => (
          <select {...attributes} value={from} onChange={(event) => setFrom(event.currentTarget.value as From)}>
            <option value="newest">Newest, live</option>
            <option value="oldest">Oldest</option>
            <option value="time">A time</option>
            <option value="offset">An offset</option>
          </select>
        )}
      </Field>
      {from === 'time' && (
        <Field label="Time (local)">
          {(attributes) => (
            <input {...attributes} type="datetime-local" step="1" required value={time} onInput={(event) => setTime(event.currentTarget.value)} />
          )}
        </Field>
      )}
      {from === 'offset' && (
        <Field label="Offset">
          {(attributes) => (
            <input
              {...attributes}
              type="number"
              min="0"
              max={Number.MAX_SAFE_INTEGER}
              required
              value={offset}
              onInput={(event) => setOffset(event.currentTarget.value)}
            />
          )}
        </Field>
      )}
      <Field label="Partition">
        {(attributes) => (
          <input
            {...attributes}
            type="number"
            min="0"
            max={(partitions ?? 1_000_000) - 1}
            placeholder={from === 'offset' ? '0' : 'all'}
            value={partition}
            onInput={(event) => setPartition(event.currentTarget.value)}
          />
        )}
      </Field>
      <Field label="Only this key">
        {(attributes) => (
          <input {...attributes} type="text" placeholder="any, or exactly this" value={key} onInput={(event) => setKey(event.currentTarget.value)} />
        )}
      </Field>
      <button type="submit">Go</button>
    </form>
  );
}
