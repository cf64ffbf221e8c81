import type { OptionReader } from '../options';

/** librdkafka's statistics: its STATISTICS.md describes them. */
export type Statistics = Record<string, any>;

/** Milliseconds between two statistics of a client that has somebody for them. @internal */
export function statisticsInterval(read: OptionReader): number {
  return read.integer('statistics_interval_ms', 5000, 0, 86_400_000);
}

/** Adds `rdkafka_stats`, which is parsed when it is first read: it can be hundreds of kilobytes. @internal */
export function withStatistics<T extends object>(figures: T, json: string): T & { readonly rdkafka_stats: Statistics } {
  let parsed: Statistics | undefined;
  return Object.defineProperty(figures, 'rdkafka_stats', {
    get: () => (parsed ??= JSON.parse(json) as Statistics),
    enumerable: true,
  }) as T & { readonly rdkafka_stats: Statistics };
}
