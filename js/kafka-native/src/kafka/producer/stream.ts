import type { Writable } from 'node:stream';
import { lazily } from '../lazily';
import type { Message, ProducerRecord, SendOptions } from './messages';

export interface ProducerStreamOptions extends SendOptions {
  topic: string;
  /** Messages that may wait in the stream before `write` returns false; default 1000. They are sent together. */
  highWaterMark?: number;
}

/** A written chunk: a message, or its value. */
export type StreamedMessage = Message | string | Uint8Array;

/**
 * A stream of messages into a topic. Messages that gather while a send is under way are the next one; the stream ends, or is destroyed
 * with the error, when they are written or have failed.
 * @internal
 */
export function producerStream(
  producer: { send(record: ProducerRecord): Promise<unknown> },
  { highWaterMark = 1000, ...record }: ProducerStreamOptions,
): Writable {
  const send = (messages: StreamedMessage[], done: (error?: Error | null) => void): void => {
    const whole = messages.map((message) => (typeof message === 'string' || message instanceof Uint8Array ? { value: message } : message));
    producer.send({ ...record, messages: whole }).then(() => done(), done);
  };
  return new (lazily.stream().Writable)({
    objectMode: true,
    highWaterMark,
    write: (message, _, done) => send([message], done),
    writev: (chunks, done) =>
      send(
        chunks.map(({ chunk }) => chunk),
        done,
      ),
  });
}
