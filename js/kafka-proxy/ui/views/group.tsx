// A group: how far it is behind, and has been; who its members are, and what they have; and setting its offsets.

import type { JSX } from 'preact';
import { useMemo, useState } from 'preact/hooks';
import type { GroupDetail, LagHistory } from '../../src/http/api';
import { Chart, COLORS, type Line } from '../parts/chart';
import { Answer, Facts, Heading, Note } from '../parts/pieces';
import { usePolled } from '../parts/polled';
import { Table, type Column } from '../parts/table';
import { compact, count, Foreign, NOT_KNOWN, plural } from '../parts/text';
import { to } from '../route';
import { path } from '../server';
import { GroupState } from './groups';
import { Reset } from './reset';

type Place = GroupDetail['offsets'][number];
type Member = GroupDetail['assignments'][number];

export function GroupView({ group }: { group: string }): JSX.Element {
  const [resetting, reset] = useState(false);
  const detail = usePolled<GroupDetail>(path`groups/${group}`, 3000);
  const topics = useMemo(() => [...new Set(detail.data?.offsets.map(({ topic }) => topic) ?? [])], [detail.data]);
  return (
    <>
      <Heading
        beside={
          detail.data && (
            <div class="actions">
              <button type="button" onClick={() => reset(true)}>
                Reset offsets …
              </button>
            </div>
          )
        }
      >
        Group <Foreign text={group} />
      </Heading>
      <Answer of={detail}>
        {(now) => (
          <>
            <Facts
              facts={[
                ['Lag', count(now.lag), 'messages behind the ends of its partitions'],
                ['State', <GroupState state={now.state} />, now.state === 'Empty' ? 'nobody reads in it' : undefined],
                ['Members', count(now.members ?? now.assignments.length), now.protocol ? `by ${now.protocol}` : undefined],
              ].map(([name, value, more]) => (more === undefined ? [name, value] : [name, value, more]) as [string, JSX.Element, string?])}
            />
            <LagOverTime group={group} />
            <section aria-labelledby="offsets">
              <h2 id="offsets">Offsets</h2>
              <Offsets offsets={now.offsets} assignments={now.assignments} />
            </section>
            <section aria-labelledby="members">
              <h2 id="members">Members</h2>
              <Members members={now.assignments} />
            </section>
          </>
        )}
      </Answer>
      {resetting && detail.data && (
        <Reset
          group={group}
          topics={topics}
          members={detail.data.members ?? detail.data.assignments.length}
          onClose={() => {
            reset(false);
            detail.again();
          }}
        />
      )}
    </>
  );
}

/** The whole, and the topics that are behind most. */
function LagOverTime({ group }: { group: string }): JSX.Element {
  const history = usePolled<LagHistory>(path`groups/${group}/history`, 3000);
  const [at, lines] = useMemo((): [number[], Line[]] => {
    const measured = history.data?.history ?? [];
    const latest = measured.at(-1)?.topics ?? {};
    const names = Object.keys(latest).sort((a, b) => latest[b]! - latest[a]!);
    const total = { name: 'All topics', values: measured.map(({ lag }) => lag) };
    const each = names
      .slice(0, COLORS - 1)
      .map((name) => ({ name, values: measured.map(({ topics }) => (Object.hasOwn(topics, name) ? topics[name]! : null)) }));
    return [measured.map((point) => point.at), names.length === 1 ? each : [total, ...each]];
  }, [history.data]);
  return (
    <section aria-labelledby="lag">
      <h2 id="lag">Lag over time</h2>
      <Answer of={history}>{() => <Chart title="Messages behind" at={at} lines={lines} format={compact} />}</Answer>
      <p class="hint">It is measured as long as somebody looks, an alert watches the group, or a client reads in it through this proxy.</p>
    </section>
  );
}

function Offsets({ offsets, assignments }: { offsets: Place[]; assignments: Member[] }): JSX.Element {
  const columns = useMemo<Column<Place>[]>(() => {
    const clients = new Map(assignments.map(({ member, client }) => [member, client]));
    const clientOf = ({ member }: Place): string | null => (member === null ? null : (clients.get(member) ?? member));
    return [
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
      { title: 'Partition', numeric: true, by: ({ partition }) => partition, cell: ({ partition }) => partition },
      { title: 'Committed', numeric: true, by: ({ offset }) => offset, cell: ({ offset }) => (offset === null ? 'none' : count(offset)) },
      { title: 'First', numeric: true, by: ({ low }) => low, cell: ({ low }) => count(low) },
      { title: 'End', numeric: true, by: ({ end }) => end, cell: ({ end }) => count(end) },
      { title: 'Lag', numeric: true, by: ({ lag }) => lag, cell: ({ lag }) => count(lag) },
      {
        title: 'Member',
        by: clientOf,
        cell: (place) => {
          const client = clientOf(place);
          return client === null ? NOT_KNOWN : <Foreign text={client} />;
        },
      },
    ];
  }, [assignments]);
  return (
    <Table
      caption="Offsets"
      columns={columns}
      rows={offsets}
      id={({ topic, partition }) => `${topic}/${partition}`}
      sorted={{ column: 5, down: true }}
      empty="The group has committed nothing that you may see."
    />
  );
}

const MEMBERS: Column<Member>[] = [
  { title: 'Client', names: true, by: ({ client }) => client, cell: ({ client }) => <Foreign text={client} /> },
  { title: 'Address', by: ({ host }) => host, cell: ({ host }) => <Foreign text={host} /> },
  { title: 'Partitions', numeric: true, by: ({ partitions }) => partitions.length, cell: ({ partitions }) => count(partitions.length) },
  { title: 'Which', cell: ({ partitions }) => <Foreign text={summary(partitions)} /> },
  { title: 'Member', by: ({ member }) => member, cell: ({ member }) => <Foreign text={member} /> },
];

function Members({ members }: { members: Member[] }): JSX.Element {
  if (members.length === 0) return <Note>The group has no members: nobody reads in it now.</Note>;
  return <Table caption={plural(members.length, 'member')} columns={MEMBERS} rows={members} id={({ member }) => member} sorted={{ column: 0, down: false }} />;
}

/** `orders 0, 1, 2; prices 0` */
function summary(partitions: Member['partitions']): string {
  const byTopic = new Map<string, number[]>();
  for (const { topic, partition } of partitions) byTopic.set(topic, [...(byTopic.get(topic) ?? []), partition]);
  return [...byTopic].map(([topic, numbers]) => `${topic} ${numbers.sort((a, b) => a - b).join(', ')}`).join('; ') || 'none';
}
