// One topic and its partitions.

import type { JSX } from 'preact';
import type { TopicDetail } from '../../src/http/api';
import { Answer, Facts, Heading, Note } from '../parts/pieces';
import { usePolled } from '../parts/polled';
import { Table, type Column } from '../parts/table';
import { byteRate, count, Foreign, plural, rate } from '../parts/text';
import { to } from '../route';
import { path } from '../server';
import { Health } from './topics';

type Partition = TopicDetail['details'][number];

const COLUMNS: Column<Partition>[] = [
  { title: 'Partition', names: true, numeric: true, by: ({ partition }) => partition, cell: ({ partition }) => partition },
  { title: 'State', by: rank, cell: (partition) => <State {...partition} /> },
  { title: 'Leader', numeric: true, by: ({ leader }) => leader, cell: ({ leader }) => (leader < 0 ? 'none' : leader) },
  { title: 'Replicas', by: ({ replicas }) => replicas.join(), cell: ({ replicas }) => replicas.join(', ') },
  { title: 'In sync', by: ({ isr }) => isr.length, cell: ({ isr }) => isr.join(', ') || 'none' },
  { title: 'First offset', numeric: true, by: ({ low }) => low, cell: ({ low }) => offset(low) },
  { title: 'End', numeric: true, by: ({ end }) => end, cell: ({ end }) => offset(end) },
  { title: 'Messages', numeric: true, by: ({ low, end }) => end - low, cell: ({ low, end }) => (low < 0 || end < 0 ? offset(-1) : count(end - low)) },
];

/** A partition without a leader has none. */
function offset(of: number): string {
  return count(of < 0 ? null : of);
}

function missing({ replicas, isr }: Partition): number[] {
  return replicas.filter((broker) => !isr.includes(broker));
}

function rank(partition: Partition): number {
  return partition.leader < 0 ? 0 : missing(partition).length > 0 ? 1 : 2;
}

function State(partition: Partition): JSX.Element {
  if (partition.leader < 0) return <span class="word bad">no leader</span>;
  const behind = missing(partition);
  return behind.length > 0 ? <span class="word warn">{behind.join(', ')} not in sync</span> : <span class="word good">in sync</span>;
}

export function TopicView({ topic }: { topic: string }): JSX.Element {
  const about = usePolled<TopicDetail>(path`topics/${topic}`, 3000);
  return (
    <>
      <Heading
        beside={
          <div class="actions">
            <a class="button" href={to('topics', topic, 'messages')}>
              Messages
            </a>
            <a class="button" href={to('topics', topic, 'produce')}>
              Write a message
            </a>
          </div>
        }
      >
        Topic <Foreign text={topic} />
      </Heading>
      <Answer of={about}>{(now) => <About {...now} />}</Answer>
    </>
  );
}

function About(about: TopicDetail): JSX.Element {
  const { messages, partitions, replicas, rate: written, details } = about;
  return (
    <>
      <Facts
        facts={[
          ['Messages', count(messages), messages === null ? 'not asked yet' : 'between first offset and end; compaction may have left some out'],
          ['Written', rate(written.messages), written.messages === null ? 'known after a few seconds' : 'messages a second'],
          [
            'Bytes',
            byteRate(written.bytes),
            written.bytes === null ? 'not known: Kafka is not asked for them, and nobody reads the topic here' : 'as this proxy reads them',
          ],
          ['Partitions', count(partitions), `${plural(replicas, 'replica')} each`],
        ]}
      />
      <h2>Partitions</h2>
      <p>
        <Health {...about} />
      </p>
      {replicas === 1 && partitions > 0 && <Note>Each partition has one replica: when its broker is away, so are its messages.</Note>}
      <Table
        caption="Partitions"
        columns={COLUMNS}
        rows={details}
        id={({ partition }) => partition}
        sorted={{ column: 0, down: false }}
        class="tall"
        empty="No partition is known yet."
      />
    </>
  );
}
