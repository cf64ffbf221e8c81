// Partitions, dealt to readers.

/**
 * Deals `items` to `takers` evenly: nobody has more than one more than another. A taker that has an item (`current`) keeps it where that is
 * even, so that as few as possible move. The same input gives the same answer.
 */
export function deal<Item, Taker>(items: readonly Item[], takers: readonly Taker[], current: (item: Item) => Taker | undefined): Map<Item, Taker> {
  const dealt = new Map<Item, Taker>();
  if (takers.length === 0) return dealt;
  const had = new Map<Taker, Item[]>(takers.map((taker) => [taker, []]));
  for (const item of items) {
    const taker = current(item);
    if (taker !== undefined) had.get(taker)?.push(item);
  }
  const least = Math.floor(items.length / takers.length);
  let more = items.length % takers.length;
  const missing: [Taker, number][] = [];
  // Takers with most may have one more than the least: then it moves less.
  for (const taker of [...takers].sort((a, b) => had.get(b)!.length - had.get(a)!.length)) {
    const share = more > 0 ? least + 1 : least;
    if (more > 0) more--;
    const kept = had.get(taker)!.slice(0, share);
    for (const item of kept) dealt.set(item, taker);
    if (kept.length < share) missing.push([taker, share - kept.length]);
  }
  const left = items.filter((item) => !dealt.has(item)).values();
  for (const [taker, count] of missing) for (let i = 0; i < count; i++) dealt.set(left.next().value!, taker);
  return dealt;
}
