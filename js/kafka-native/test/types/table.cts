// As a user writes it for a table; `npm test` compiles it and runs nothing.
import { Kafka, type Table, type TableChange, type TableCodec, type TableMessageError } from 'kafka-native';

interface User {
  name: string;
}
const kafka = new Kafka({ brokers: ['b:9092'] });

export async function program(signal: AbortSignal): Promise<void> {
  const users: Table<string, User> = await kafka.table<string, User>({ topic: 'users', maxEntries: 1000, maxBytes: 1e6, signal, consumer: { readUncommitted: true } });
  const asMap: ReadonlyMap<string, User> = users;
  const name: string | undefined = users.get('ann')?.name;
  for (const [key, { name: of }] of users) key.concat(of);
  users.on('change', ({ key, value, previous, partition, offset }: TableChange<string, User>) => console.log(key, value?.name, previous?.name, partition + 1, offset?.length));
  users.on('error', (error) => 'partition' in error && (error satisfies TableMessageError).offset);
  await users.set('bob', { name: 'Bob' });
  // @ts-expect-error not a user
  await users.set('bob', 5);
  await users.delete('bob');
  await users.caughtUp({ signal });
  const reason: Error | undefined = await users.closed;

  const int: TableCodec<number> = { decode: (bytes) => bytes.readInt32BE(), encode: (value) => String(value) };
  const counts = await kafka.table({ topic: 'counts', key: int, value: (bytes: Buffer, { headers }) => bytes.length + Object.keys(headers).length, producer: kafka.producer() });
  const count: number | undefined = counts.get(5);
  // @ts-expect-error keys are numbers
  counts.get('5');
  // @ts-expect-error an object is no key
  await kafka.table({ topic: 'counts', key: () => ({}) });
  // @ts-expect-error a topic is needed
  await kafka.table({});
  // @ts-expect-error the table's own
  await kafka.table({ topic: 'counts', consumer: { groupId: 'g' } });
  // @ts-expect-error no such event
  counts.on('changed', () => {});
  // @ts-expect-error read only
  counts.clear();
  await using disposed = await kafka.table({ topic: 'json' });
  disposed.get('x').anything;
}
