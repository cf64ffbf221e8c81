import type { Readable } from 'node:stream';
import type { Batch, KafkaMessage } from './lazy-batch';
import { lazily } from '../lazily';
import type { MessageRule } from './rule';
import { Demand, type EachBatchPayload } from './runner';

/** How a program reads instead of being called. */
export interface ReadOptions {
  /** Ends the reading, as a `break` does. */
  signal?: AbortSignal;
  /** `'end'`: the reading ends behind everything that lay in the topics when it began; as that of `run`. */
  until?: 'end';
  /** Which messages are read; without it all. `consumer.only()` replaces it. */
  only?: MessageRule | null;
}

/** A message that knows where it is from. */
export interface ReadMessage extends KafkaMessage {
  topic: string;
  partition: number;
}

/** The consumer as a reader sees it. @internal */
export interface Source {
  /** @param onEnd called when the consumer ends: with the error of a crash that is not followed by a restart */
  run(eachBatch: (payload: EachBatchPayload) => Promise<void>, demand: Demand, options: ReadOptions, onEnd: (error?: Error) => void): Promise<void>;
  stop(): Promise<void>;
}

/** Batches one after another, each when it is asked for. The handler of a batch ends when the next is asked for, or the reading ends. @internal */
export async function* payloads(source: Source, options: ReadOptions): AsyncGenerator<EachBatchPayload, void, void> {
  const { signal } = options;
  const demand = new Demand();
  let given: { payload: EachBatchPayload; done: () => void } | undefined;
  let ended = signal?.aborted ?? false;
  let failure: Error | undefined;
  let wake = (): void => {};
  const end = (error?: Error): void => {
    ended = true;
    failure ??= error;
    // Whoever stops the consumer from inside the loop must not wait for the loop.
    given?.done();
    wake();
  };
  const onAbort = (): void => end();
  signal?.addEventListener('abort', onAbort, { once: true });
  try {
    if (!ended) {
      await source.run(
        (payload) =>
          new Promise((done) => {
            given = { payload, done };
            wake();
          }),
        demand,
        options,
        end,
      );
    }
    while (!ended) {
      demand.ask();
      if (!given && !ended) await new Promise<void>((resolve) => (wake = resolve));
      if (!given || ended) break;
      try {
        yield given.payload;
      } finally {
        given.done();
        given = undefined;
      }
    }
    if (failure) throw failure;
  } finally {
    signal?.removeEventListener('abort', onAbort);
    await source.stop();
  }
}

/** @internal */
export async function* batches(source: Source, options: ReadOptions): AsyncGenerator<Batch, void, void> {
  for await (const { batch, resolveOffset } of payloads(source, options)) {
    yield batch;
    resolveOffset(batch.lastOffset());
  }
}

/** @internal */
export async function* messages(source: Source, options: ReadOptions): AsyncGenerator<ReadMessage, void, void> {
  for await (const { batch, resolveOffset, isStale, isRunning } of payloads(source, options)) {
    const { topic, partition } = batch;
    for (const message of batch.read()) {
      const { offset } = message;
      yield Object.assign(message, { topic, partition });
      resolveOffset(offset);
      if (isStale() || !isRunning() || options.signal?.aborted) break;
    }
  }
}

/** Nothing is buffered: what lies in a stream's buffer would count as processed. @internal */
export function readable(source: Source, options: ReadOptions): Readable {
  return lazily.stream().Readable.from(messages(source, options), { objectMode: true, highWaterMark: 0 });
}
