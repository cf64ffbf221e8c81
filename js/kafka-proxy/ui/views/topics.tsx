// All topics that may be read.

import type { JSX } from 'preact';
import { useMemo, useState } from 'preact/hooks';
import type { Topics, TopicSummary } from '../../src/http/api';
import { Answer, Field, Heading } from '../parts/pieces';
import { usePolled } from '../parts/polled';
import { Table, type Column } from '../parts/table';
import { byteRate, count, Foreign, plain, plural, rate } from '../parts/text';
import { to } from '../route';

const COLUMNS: Column<TopicSummary>[] = [
  {
    title: 'Topic',
    names: true,
    by: ({ topic }) => topic,
    cell: ({ topic }) => (
      <a href={to('topics', topic)}>
        <Foreign text={topic} />
      </a>
    ),
  },
  { title: 'State', by: (topic) => -topic.offline * 1e6 - topic.underReplicated, cell: (topic) => <Health {...topic} /> },
  { title: 'Messages', numeric: true, by: ({ messages }) => messages, cell: ({ messages }) => count(messages) },
  { title: 'Written', numeric: true, by: ({ rate }) => rate.messages, cell: (topic) => rate(topic.rate.messages) },
  { title: 'Bytes', numeric: true, by: ({ rate }) => rate.bytes, cell: (topic) => byteRate(topic.rate.bytes) },
  { title: 'Partitions', numeric: true, by: ({ partitions }) => partitions, cell: ({ partitions }) => count(partitions) },
  { title: 'Replicas', numeric: true, by: ({ replicas }) => replicas, cell: ({ replicas }) => count(replicas) },
  {
    title: 'Look',
    cell: ({ topic }) => (
      <a href={to('topics', topic, 'messages')} aria-label={`Messages of ${plain(topic)}`}>
        Messages
      </a>
    ),
  },
];

export function Health({ underReplicated, offline }: Pick<TopicSummary, 'underReplicated' | 'offline'>): JSX.Element {
  if (offline > 0) return <span class="word bad">{plural(offline, 'partition')} without leader</span>;
  if (underReplicated > 0) return <span class="word warn">{count(underReplicated)} under-replicated</span>;
  return <span class="word good">in sync</span>;
}

export function TopicsView(): JSX.Element {
  const [wanted, want] = useState('');
  const topics = usePolled<Topics>('topics', 5000);
  const all = topics.data?.topics;
  const shown = useMemo(() => {
    const words = wanted.toLowerCase().split(/\s+/).filter(Boolean);
    return all?.filter(({ topic }) => words.every((word) => topic.toLowerCase().includes(word))) ?? [];
  }, [all, wanted]);
  return (
    <>
      <Heading>Topics</Heading>
      <Answer of={topics}>
        {({ topics: { length } }) => (
          <>
            <div class="tools">
              <Field label="Find topics">
                {(attributes) => (
                  <input {...attributes} type="search" placeholder="Part of the name" value={wanted} onInput={(event) => want(event.currentTarget.value)} />
                )}
              </Field>
              <p role="status" class="soft">
                {shown.length === length ? plural(length, 'topic') : `${count(shown.length)} of ${plural(length, 'topic')}`}
              </p>
            </div>
            <Table
              caption="Topics"
              columns={COLUMNS}
              rows={shown}
              id={({ topic }) => topic}
              sorted={{ column: 0, down: false }}
              class="tall"
              empty={length === 0 ? 'There is no topic that you may read.' : 'No topic has such a name.'}
            />
            <p class="hint">“–” is not known: bytes a second are known of topics that somebody reads through this proxy, and rates need a few seconds.</p>
          </>
        )}
      </Answer>
    </>
  );
}
