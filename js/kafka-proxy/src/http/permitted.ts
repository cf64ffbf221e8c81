// Which of many somebody may see.

import type { Access } from '../access';
import type { Context } from '../context';
import type { Identity } from '../doors/identity';
import { CloseCode, ProxyError } from '../errors';

/** Questions to `authorize` at the same time. */
const ASKING = 32;

/** Those for which it is allowed, in their order. Rejects when it cannot be found out, and when nobody waits for it any more. */
export async function permitted<T>(
  { context, identity, gone }: { context: Context; identity: Identity; gone: AbortSignal },
  all: readonly T[],
  access: (each: T) => Access,
): Promise<T[]> {
  const allowed = new Array<boolean>(all.length).fill(false);
  let next = 0;
  const ask = async (): Promise<void> => {
    while (next < all.length) {
      if (gone.aborted) throw new ProxyError('CLOSING', 'The client has gone, or the proxy ends.', true, CloseCode.GoingAway);
      const at = next++;
      try {
        await context.allow(identity, access(all[at]!));
        allowed[at] = true;
      } catch (error) {
        if (!(error instanceof ProxyError) || error.close !== CloseCode.Forbidden) throw error;
      }
    }
  };
  await Promise.all(Array.from({ length: Math.min(ASKING, all.length) }, ask));
  return all.filter((_, at) => allowed[at]);
}

/** In the order of code units: the same everywhere. */
export function byName(a: string, b: string): number {
  return a < b ? -1 : a > b ? 1 : 0;
}
