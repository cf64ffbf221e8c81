// Who is connected, by what, and what they get.

import type { JSX } from 'preact';
import { useEffect, useState } from 'preact/hooks';
import type { SocketFigures, Sockets } from '../../src/http/api';
import { Answer, Heading } from '../parts/pieces';
import { usePolled } from '../parts/polled';
import { Table, type Column } from '../parts/table';
import { byteRate, bytes, compact, count, duration, Foreign, NOT_KNOWN, plural, rate } from '../parts/text';

const SECOND = 1000;
const MOST = 5;

const columns = (now: number): Column<SocketFigures>[] => [
  {
    title: 'Who',
    names: true,
    by: ({ name }) => name,
    cell: ({ name, way }) => (name === null ? <span class="soft">{way === 'none' ? 'anybody' : 'without a name'}</span> : <Foreign text={name} />),
  },
  { title: 'By', by: ({ way }) => way, cell: ({ way }) => (way === 'none' ? NOT_KNOWN : way) },
  { title: 'Address', by: ({ address }) => address, cell: ({ address }) => <Foreign text={address} /> },
  { title: 'Protocol', by: ({ protocol }) => protocol, cell: ({ protocol }) => <Foreign text={protocol} /> },
  { title: 'Open for', numeric: true, by: ({ since }) => now - since, cell: ({ since }) => duration(now - since) },
  { title: 'Reads', cell: ({ reads, more }) => <Foreign text={reading(reads, more)} /> },
  { title: 'To it', numeric: true, by: ({ sent }) => sent.rate.messages ?? sent.messages, cell: ({ sent }) => rate(sent.rate.messages) },
  { title: 'Bytes to it', numeric: true, by: ({ sent }) => sent.rate.bytes ?? sent.bytes, cell: ({ sent }) => byteRate(sent.rate.bytes) },
  { title: 'In all', numeric: true, by: ({ sent }) => sent.messages, cell: ({ sent }) => compact(sent.messages) },
  { title: 'From it', numeric: true, by: ({ received }) => received.messages, cell: ({ received }) => compact(received.messages) },
  { title: 'Waiting', numeric: true, by: ({ buffered }) => buffered, cell: ({ buffered }) => bytes(buffered) },
  { title: 'Id', by: ({ id }) => id, cell: ({ id }) => <Foreign text={id} /> },
];

export function SocketsView(): JSX.Element {
  const sockets = usePolled<Sockets>('sockets', 2000);
  const [now, tick] = useState(Date.now);
  useEffect(() => {
    const timer = setInterval(() => tick(Date.now()), SECOND);
    return () => clearInterval(timer);
  }, []);
  return (
    <>
      <Heading>Sockets</Heading>
      <Answer of={sockets}>
        {({ sockets, total }) => (
          <>
            <p role="status" class="soft">
              {sockets.length < total ? `${count(sockets.length)} of ${plural(total, 'socket')}` : plural(total, 'socket')}
            </p>
            <Table
              caption="Sockets"
              columns={columns(now)}
              rows={sockets}
              id={({ id }) => id}
              sorted={{ column: 4, down: true }}
              class="tall"
              empty="No client is connected. The live messages of a topic, in this page, are a socket, too."
            />
          </>
        )}
      </Answer>
    </>
  );
}

/** `orders, prices; group shop: orders` */
function reading(reads: SocketFigures['reads'], more = 0): string {
  if (reads.length === 0) return 'nothing';
  const parts = reads.slice(0, MOST).map(({ topics, pattern, group, more = 0 }) => {
    const left = topics.length + more - MOST;
    const which = pattern ?? `${topics.slice(0, MOST).join(', ')}${left > 0 ? ` and ${left} more` : ''}`;
    return group === undefined ? which : `group ${group}: ${which}`;
  });
  const left = reads.length + more - MOST;
  return `${parts.join('; ')}${left > 0 ? ` and ${left} more` : ''}`;
}
