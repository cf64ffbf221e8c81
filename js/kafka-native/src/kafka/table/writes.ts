import { KafkaJSError } from '../errors';
import type { RecordMetadata } from '../producer/messages';

/** How far a partition is applied, and who waits for more. */
class Place {
  /** Behind the last message that was applied. */
  next = 0;
  readonly waiting = new Map<number, { resolve: () => void; reject: (error: Error) => void }>();
  /** Why messages were not applied that came while a write had no answer yet: one of them may be that write. */
  readonly refused = new Map<number, Error>();
}

/** Writes that wait until they are read back. @internal */
export class Writes {
  #places: Place[] = [];
  /** Writes that have no answer yet. */
  #unanswered = 0;
  #ended: Error | undefined;
  readonly #readAll: () => Promise<unknown>;

  /** @param readAll resolves when everything is applied that the topic has */
  constructor(readAll: () => Promise<unknown>) {
    this.#readAll = readAll;
  }

  /** Resolves when what is sent was applied, at its very place. */
  async readBack(send: () => Promise<RecordMetadata[]>): Promise<void> {
    // A message written now lies behind all that is applied; where it does not, the topic is another one of the same name.
    const places = this.#places;
    const begun = places.map(({ next }) => next);
    let applied: Promise<unknown> | undefined;
    this.#unanswered++;
    try {
      const [written] = await send();
      if (this.#ended) throw this.#ended;
      if (this.#places !== places) throw deleted();
      const { partition } = written!;
      const offset = Number(written!.baseOffset ?? -1);
      if (offset < 0) {
        // Sent again after its answer was lost: the broker has it, and does not say where.
        applied = this.#readAll();
      } else {
        const place = this.#at(partition);
        const refused = place.refused.get(offset);
        if (refused) throw refused;
        if (offset < place.next && offset >= (begun[partition] ?? 0)) return;
        applied = new Promise<void>((resolve, reject) => place.waiting.set(offset, { resolve, reject }));
      }
    } finally {
      if (--this.#unanswered === 0) for (const place of this.#places) place?.refused.clear();
    }
    await applied;
  }

  /** The partition is applied up to this offset, which is the last one. */
  applied(partition: number, offset: number): void {
    const place = this.#at(partition);
    place.next = offset + 1;
    if (place.waiting.size === 0) return;
    for (const [at, { resolve }] of place.waiting) {
      if (at > offset) continue;
      place.waiting.delete(at);
      resolve();
    }
  }

  /** The message at this offset is not applied. */
  refused(partition: number, offset: number, error: Error): void {
    const place = this.#at(partition);
    if (this.#unanswered > 0) place.refused.set(offset, error);
    place.waiting.get(offset)?.reject(error);
    place.waiting.delete(offset);
  }

  /** The topic is deleted, with what was written to it. */
  deleted(): void {
    this.#reject(deleted());
  }

  end(error: Error): void {
    this.#ended = error;
    this.#reject(error);
  }

  #reject(error: Error): void {
    const places = this.#places;
    this.#places = [];
    for (const place of places) for (const { reject } of place?.waiting.values() ?? []) reject(error);
  }

  #at(partition: number): Place {
    return (this.#places[partition] ??= new Place());
  }
}

function deleted(): Error {
  return new KafkaJSError('Table.set: the topic was deleted before the message was read back: set it again if the topic was made anew');
}
