// The proxy and its Kafka at a glance.

import type { JSX } from 'preact';
import { useMemo } from 'preact/hooks';
import type { AlertState, Alerts, Cluster, FiguresNow } from '../../src/http/api';
import { Chart } from '../parts/chart';
import { Answer, Facts, Heading, Note } from '../parts/pieces';
import { usePolled } from '../parts/polled';
import { Table, type Column } from '../parts/table';
import { byteRate, bytes, compact, count, duration, Foreign, plural, rate } from '../parts/text';
import { to } from '../route';
import { StateWord } from './alerts';

export function Overview(): JSX.Element {
  const figures = usePolled<FiguresNow>('figures', 2000);
  const alerts = usePolled<Alerts>('alerts', 5000);
  const firing = alerts.data?.alerts.filter(({ state }) => state === 'firing') ?? [];
  return (
    <>
      <Heading>Overview</Heading>
      <Firing alerts={firing} />
      <section aria-labelledby="traffic">
        <h2 id="traffic">Traffic</h2>
        <Answer of={figures}>{(now) => <Traffic now={now} />}</Answer>
      </section>
      <Brokers />
    </>
  );
}

function Firing({ alerts }: { alerts: AlertState[] }): JSX.Element {
  return (
    <div role="status">
      {alerts.length > 0 && (
        <div class="trouble">
          <strong>
            {plural(alerts.length, 'alert')} <a href={to('alerts')}>Show all</a>
          </strong>
          <ul>
            {alerts.slice(0, 5).map(({ name, state, message }) => (
              <li key={name}>
                <StateWord state={state} /> <Foreign text={name} />: <Foreign text={message} />
              </li>
            ))}
          </ul>
        </div>
      )}
    </div>
  );
}

function Traffic({ now }: { now: FiguresNow }): JSX.Element {
  const { sent, received, history } = now;
  const [at, messages, data, sockets] = useMemo(
    () => [
      history.map((each) => each.at),
      [
        { name: 'To clients', values: history.map((each) => each.sent.messages) },
        { name: 'From clients', values: history.map((each) => each.received.messages) },
      ],
      [
        { name: 'To clients', values: history.map((each) => each.sent.bytes) },
        { name: 'From clients', values: history.map((each) => each.received.bytes) },
      ],
      [{ name: 'Sockets', values: history.map((each) => each.sockets) }],
    ],
    [history],
  );
  const refused = Object.entries(now.refused).filter(([, times]) => times > 0);
  return (
    <>
      <Facts
        facts={[
          ['To clients', rate(sent.rate.messages), `${compact(sent.messages)} messages, ${bytes(sent.bytes)} in all`],
          ['From clients', rate(received.rate.messages), `${compact(received.messages)} messages, ${bytes(received.bytes)} in all`],
          [
            'Sockets',
            <a href={to('sockets')}>{count(now.sockets)}</a>,
            refused.length === 0 ? 'none was refused' : `refused: ${refused.map(([status, times]) => `${count(times)} × ${status}`).join(', ')}`,
          ],
          ['Runs for', duration(now.uptime), `${bytes(now.memory)} of memory`],
        ]}
      />
      <div class="charts">
        <Chart title="Messages a second" at={at} lines={messages} format={rate} />
        <Chart title="Bytes a second" at={at} lines={data} format={byteRate} />
        <Chart title="Sockets" at={at} lines={sockets} format={count} />
      </div>
    </>
  );
}

type Broker = Cluster['brokers'][number];

function Brokers(): JSX.Element {
  const cluster = usePolled<Cluster>('cluster', 5000);
  const controller = cluster.data?.controller;
  const columns = useMemo<Column<Broker>[]>(
    () => [
      { title: 'Broker', names: true, numeric: true, by: ({ id }) => id, cell: ({ id }) => id },
      {
        title: 'Address',
        by: ({ host, port }) => `${host}:${port}`,
        cell: ({ host, port }) => (
          <>
            <Foreign text={host} />:{port}
          </>
        ),
      },
      { title: 'Role', by: ({ id }) => (id === controller ? 0 : 1), cell: ({ id }) => (id === controller ? 'controller' : '') },
    ],
    [controller],
  );
  return (
    <section aria-labelledby="brokers">
      <h2 id="brokers">Brokers</h2>
      <Answer of={cluster}>
        {({ id, brokers, missing }) => (
          <>
            {id && (
              <p class="soft">
                Cluster <Foreign text={id} />, {plural(brokers.length, 'broker')}
              </p>
            )}
            {missing && <Note>{missing}</Note>}
            {(brokers.length > 0 || !missing) && (
              <Table caption="Brokers" columns={columns} rows={brokers} id={(broker) => broker.id} empty="No broker is known yet." />
            )}
          </>
        )}
      </Answer>
    </section>
  );
}
