import type { Outgoing } from './outbox';
import { Header, RecordType, type Body } from './record';

/** One that is refused, or lost, is written again behind so many milliseconds: rights may come later. */
const AGAIN_MS = 5000;

interface EchoesOptions {
  topic: string;
  headers: Record<string, string>;
  encode(type: number, data: null): { body: Body; number: number };
  write(record: Outgoing): void;
}

/** Records that this server reads itself, of which nothing but its type is to be said: what is before them in the log was read, then. */
export class Echoes {
  readonly #options: EchoesOptions;
  /** By number, who waits. */
  readonly #waiting = new Map<number, () => void>();
  #ended = false;

  constructor(options: EchoesOptions) {
    this.#options = options;
  }

  /** Resolves when a record that is written now has been read, or when this server has stopped. */
  write(partition: number | undefined): Promise<void> {
    return new Promise((resolve) => {
      const write = (): void => this.#write(RecordType.Echo, '', partition, done);
      const again = setInterval(write, AGAIN_MS);
      const done = (): void => {
        clearInterval(again);
        resolve();
      };
      write();
    });
  }

  /** The same for a record that says something: it is written again only where it is known that it was not written. */
  say(type: RecordType, namespace: string, partition: number | undefined): Promise<void> {
    return new Promise((resolve) => {
      const write = (): void => {
        if (this.#ended) return resolve();
        this.#write(type, namespace, partition, resolve, () => setTimeout(write, AGAIN_MS).unref());
      };
      write();
    });
  }

  #write(type: RecordType, key: string, partition: number | undefined, onRead: () => void, onRefused?: () => void): void {
    const { topic, headers, encode, write } = this.#options;
    const { body, number } = encode(type, null);
    this.#waiting.set(number, onRead);
    const onSettled = (error?: Error): void => {
      if (!error || !onRefused) return;
      this.#waiting.delete(number);
      onRefused();
    };
    write({ topic, key, value: body, headers: { ...headers, [Header.Echo]: '' }, partition, onSettled });
  }

  /** A record of this server was read. */
  read(number: number): void {
    this.#waiting.get(number)?.();
    this.#waiting.delete(number);
  }

  /** From now on nothing is written again. */
  end(): void {
    this.#ended = true;
  }

  /** Nothing is read any more: nobody waits longer. */
  release(): void {
    for (const done of this.#waiting.values()) done();
  }
}
