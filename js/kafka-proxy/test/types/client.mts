// Code that a user writes compiles, and wrong code does not.

import * as codec from '@msgpack/msgpack';
import { KafkaProxyClient, KafkaProxyError, ProduceError, type Message, type Place, type Subscription, type Table } from 'kafka-proxy/client';
import { WebSocket } from 'ws';

const client = new KafkaProxyClient('ws://localhost', { WebSocket, headers: { authorization: 'x' }, protocol: 'msgpack', codec, reconnect: { min: 1 } });
const page: KafkaProxyClient = new KafkaProxyClient(new URL('wss://localhost'));
await client.connect();
const off: () => void = client.on('close', ({ code, reason, reconnecting }) => console.log(code + 1, reason.length, !reconnecting));
client.once('error', (error: KafkaProxyError) => console.log(error.code, error.retriable, error.maybeWritten));
// @ts-expect-error there is no such event
client.on('closed', () => {});

for await (const message of client.subscribe({ topics: ['t'] })) {
  const value: string | null = message.value;
  const key: string | null = message.key;
  const place: [string, number, number, number, boolean] = [message.topic, message.partition, message.offset, message.timestamp, message.tombstone];
  message.ack();
  message.nack(10);
}
for await (const { value } of client.subscribe<{ total: number }>({ pattern: 't*', value: 'json', from: { timestamp: 1 } })) value.total.toFixed();
for await (const { value } of client.subscribe({ topics: ['t'], value: 'binary', from: { offsets: [{ topic: 't', partition: 0, offset: 1 }] } })) value?.byteLength;
// @ts-expect-error the value is text
for await (const { value } of client.subscribe({ topics: ['t'], value: 'text' })) value?.byteLength;
// @ts-expect-error there is no such form
client.subscribe({ topics: ['t'], value: 'xml' });

const subscription: Subscription = client.subscribe({ topics: ['t'], group: 'g', ack: 'manual', only: { any: [{ key: 'a' }, { not: { header: 'h', absent: true } }] } });
subscription.on('message', (message: Message) => subscription.ack(message));
subscription.on('batch', ({ topic, partition, messages }) => messages.map(({ value }) => value?.length));
subscription.on('committed', ({ topic, partition, offset }: Place) => {});
const offset: number = await subscription.seek({ topic: 't', partition: 0 }, { timestamp: 1 });
const lags: number[] = (await subscription.lag()).map(({ end, lag }) => end - lag);
await subscription.close();

try {
  const [first] = await client.produce('t', [{ value: { a: 1 }, key: new Uint8Array(1), headers: { a: ['b', null] } }, { value: null }]);
  const partition: number | undefined = first?.partition;
} catch (error) {
  if (error instanceof ProduceError) for (const result of error.results) if ('error' in result) result.error.code.length;
}
// @ts-expect-error a message has a value
await client.produce('t', [{ key: 'a' }]);

const table: Table<{ price: number }> = await client.table<{ price: number }>('t', { value: 'json' });
for (const [key, { price }] of table) console.log(key.length, price.toFixed());
table.on('change', ({ key, value, previous }) => console.log(key, value?.price, previous?.price));
const texts: Table<string> = await client.table('t');
