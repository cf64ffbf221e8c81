// How far a group is behind.

import type { Ends } from '../log/topic-log';

/** The next offset of each partition; a negative one, or none: it has not committed there. */
export type Committed = Map<number, number>;

export interface GroupLag {
  /** null: the group has committed nothing, and has no members here. */
  lag: number | null;
  topics: Record<string, number>;
}

/** @param topics those that a group has committed or wants; without `ends` it is deleted, and nobody is behind there */
export function lagOf(topics: readonly { topic: string; committed: Committed; ends: ReadonlyMap<number, Ends> | undefined }[]): GroupLag {
  // A name may be `__proto__`.
  const by: Record<string, number> = Object.create(null);
  let sum = 0;
  for (const { topic, committed, ends } of topics) {
    if (!ends) continue;
    let lag = 0;
    for (const [partition, { low, end }] of ends) {
      // Messages that retention has taken do not come any more; of a partition without a commit all is to come.
      const next = Math.max(committed.get(partition) ?? low, low);
      lag += Math.max(end - next, 0);
    }
    by[topic] = lag;
    sum += lag;
  }
  return { lag: topics.length === 0 ? null : sum, topics: by };
}
