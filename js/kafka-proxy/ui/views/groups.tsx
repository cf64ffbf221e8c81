// All consumer groups that may be seen.

import type { JSX } from 'preact';
import { useMemo, useState } from 'preact/hooks';
import type { Groups, GroupSummary } from '../../src/http/api';
import { Answer, Field, Heading } from '../parts/pieces';
import { usePolled } from '../parts/polled';
import { Table, type Column } from '../parts/table';
import { count, Foreign, NOT_KNOWN, plural } from '../parts/text';
import { to } from '../route';

const COLUMNS: Column<GroupSummary>[] = [
  {
    title: 'Group',
    names: true,
    by: ({ group }) => group,
    cell: ({ group }) => (
      <a href={to('groups', group)}>
        <Foreign text={group} />
      </a>
    ),
  },
  { title: 'State', by: ({ state }) => state, cell: ({ state }) => <GroupState state={state} /> },
  { title: 'Members', numeric: true, by: ({ members }) => members, cell: ({ members }) => count(members) },
  { title: 'Lag', numeric: true, by: ({ lag }) => lag, cell: ({ lag }) => count(lag) },
  { title: 'Protocol', by: ({ protocol }) => protocol, cell: ({ protocol }) => (protocol ? <Foreign text={protocol} /> : NOT_KNOWN) },
];

/** Kafka's word. */
export function GroupState({ state }: { state: string | null }): JSX.Element {
  if (state === null) return <span>{NOT_KNOWN}</span>;
  const kind = state === 'Stable' ? 'good' : /rebalanc|reconcil|assign/i.test(state) ? 'warn' : '';
  return (
    <span class={`word ${kind}`}>
      <Foreign text={state} />
    </span>
  );
}

export function GroupsView(): JSX.Element {
  const [wanted, want] = useState('');
  const groups = usePolled<Groups>('groups', 5000);
  const all = groups.data?.groups;
  const shown = useMemo(() => {
    const words = wanted.toLowerCase().split(/\s+/).filter(Boolean);
    return all?.filter(({ group }) => words.every((word) => group.toLowerCase().includes(word))) ?? [];
  }, [all, wanted]);
  return (
    <>
      <Heading>Groups</Heading>
      <Answer of={groups}>
        {({ groups: { length } }) => (
          <>
            <div class="tools">
              <Field label="Find groups">
                {(attributes) => (
                  <input {...attributes} type="search" placeholder="Part of the name" value={wanted} onInput={(event) => want(event.currentTarget.value)} />
                )}
              </Field>
              <p role="status" class="soft">
                {shown.length === length ? plural(length, 'group') : `${count(shown.length)} of ${plural(length, 'group')}`}
              </p>
            </div>
            <Table
              caption="Groups"
              columns={COLUMNS}
              rows={shown}
              id={({ group }) => group}
              sorted={{ column: 0, down: false }}
              class="tall"
              empty={length === 0 ? 'There is no group that you may see.' : 'No group has such a name.'}
            />
            <p class="hint">Lag is how many messages lie between what a group has committed and the ends of its partitions. “–” is not known yet.</p>
          </>
        )}
      </Answer>
    </>
  );
}
