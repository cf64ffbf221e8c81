import type { AssignedPartition } from './assignment';

/** Calls that wait until partitions are read, and processed, up to an offset. @internal */
export class Reached {
  readonly #waiting = new Set<{ targets: Map<AssignedPartition, number>; settle: (error?: Error) => void }>();
  readonly #inGroup: boolean;

  constructor(inGroup: boolean) {
    this.#inGroup = inGroup;
  }

  /** Something was processed, told or taken away. Partitions that a group takes away can come back. */
  look(): void {
    for (const { targets, settle } of this.#waiting) {
      for (const [assigned, target] of targets) if (assigned.gone ? !this.#inGroup : processed(assigned) >= target) targets.delete(assigned);
      if (targets.size === 0) settle();
    }
  }

  /** A group was divided anew: what came back is waited for, what went to others is not. */
  divided(find: (assigned: AssignedPartition) => AssignedPartition | undefined): void {
    for (const { targets } of this.#waiting) {
      for (const [assigned, target] of [...targets]) {
        if (!assigned.gone) continue;
        targets.delete(assigned);
        const back = find(assigned);
        if (back) targets.set(back, target);
      }
    }
    this.look();
  }

  /** Resolves when all are; a partition that goes is waited for no longer. */
  wait(targets: Map<AssignedPartition, number>, signal: AbortSignal | undefined): Promise<void> {
    return new Promise((resolve, reject) => {
      const onAbort = (): void => waiting.settle(signal!.reason as Error);
      const waiting = {
        targets,
        settle: (error?: Error): void => {
          this.#waiting.delete(waiting);
          signal?.removeEventListener('abort', onAbort);
          if (error === undefined) resolve();
          else reject(error);
        },
      };
      this.#waiting.add(waiting);
      signal?.addEventListener('abort', onAbort, { once: true });
      if (signal?.aborted) onAbort();
      else this.look();
    });
  }

  end(error: Error): void {
    for (const { settle } of this.#waiting) settle(error);
  }
}

/**
 * The offset below which everything is processed; behind the last message that is only what is no message. -1 before anything was heard of a
 * partition since it was put where it begins, which can be behind the end of its log: then it begins elsewhere.
 */
export function processed({ runs, delivery, next, told, heard, paused }: AssignedPartition): number {
  if (!heard && !paused) return -1;
  return runs.length === 0 && !delivery ? Math.max(next, told) : next;
}
