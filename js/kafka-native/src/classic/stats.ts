/** What librdkafka counts: its STATISTICS.md describes it. */
export type Statistics = Record<string, any>;

/** Adds `rdkafka_stats`, which is parsed when it is first read: it can be hundreds of kilobytes. @internal */
export function withStatistics<T extends object>(figures: T, json: string): T & { readonly rdkafka_stats: Statistics } {
  let parsed: Statistics | undefined;
  return Object.defineProperty(figures, 'rdkafka_stats', {
    get: () => (parsed ??= JSON.parse(json) as Statistics),
    enumerable: true,
  }) as T & { readonly rdkafka_stats: Statistics };
}
