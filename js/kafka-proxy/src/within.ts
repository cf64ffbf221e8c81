// Work that gets so much time and no more.

// From the module, not from the globals: fake timers of a test framework must not stop it.
import { clearTimeout, setTimeout } from 'node:timers';

/** There was no answer in time. */
export class Late extends Error {}

/** Rejects with {@link Late} when there is no answer in time, or before `ending` is aborted; what comes later, an error too, is left. */
export async function within<T>(milliseconds: number, ask: () => T | PromiseLike<T>, ending?: AbortSignal): Promise<T> {
  let timer: NodeJS.Timeout | undefined;
  let end = (): void => {};
  const late = new Promise<never>((_, reject) => {
    timer = setTimeout(() => reject(new Late(`no answer in ${milliseconds} ms`)), milliseconds);
    end = () => reject(new Late('no answer before the end'));
    ending?.addEventListener('abort', end);
  });
  try {
    return await Promise.race([(async () => ask())(), late]);
  } finally {
    clearTimeout(timer);
    ending?.removeEventListener('abort', end);
  }
}
