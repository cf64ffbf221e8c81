// What the proxy was told to watch, and how it is.

import type { JSX } from 'preact';
import type { AlertState, Alerts } from '../../src/http/api';
import { Answer, Heading, Note } from '../parts/pieces';
import { usePolled } from '../parts/polled';
import { Table, type Column } from '../parts/table';
import { Foreign, Time } from '../parts/text';

const WORDS: Record<AlertState['state'], [string, string]> = { firing: ['firing', 'bad'], ok: ['ok', 'good'], unknown: ['not known', 'warn'] };
const ORDER = ['firing', 'unknown', 'ok'];

export function StateWord({ state }: { state: AlertState['state'] }): JSX.Element {
  const [word, kind] = WORDS[state] ?? [state, 'warn'];
  return <span class={`word ${kind}`}>{word}</span>;
}

const COLUMNS: Column<AlertState>[] = [
  { title: 'Alert', names: true, by: ({ name }) => name, cell: ({ name }) => <Foreign text={name} /> },
  { title: 'State', by: ({ state }) => ORDER.indexOf(state), cell: ({ state }) => <StateWord state={state} /> },
  { title: 'Since', by: ({ since }) => since, cell: ({ since }) => <Time at={since} clock /> },
  { title: 'What is so', cell: ({ message }) => <Foreign text={message} most={1000} /> },
];

export function AlertsView(): JSX.Element {
  const alerts = usePolled<Alerts>('alerts', 3000);
  return (
    <>
      <Heading>Alerts</Heading>
      <Answer of={alerts}>
        {({ alerts }) =>
          alerts.length === 0 ? (
            <Note>This proxy watches nothing: its option `alerts` says what it should watch, such as the lag of a group.</Note>
          ) : (
            <Table caption="Alerts" columns={COLUMNS} rows={alerts} id={({ name }) => name} sorted={{ column: 1, down: false }} class="wraps" />
          )
        }
      </Answer>
    </>
  );
}
