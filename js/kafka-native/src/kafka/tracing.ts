import * as diagnostics from 'node:diagnostics_channel';

// Bun and older runtimes have no tracing channels.
const make = (name: string) => diagnostics.tracingChannel?.(`kafka-native:${name}`);
const channels = { batch: make('batch'), commit: make('commit'), send: make('send') };

/** Whether anybody follows; asked before a context is made. */
export function traced(name: keyof typeof channels): boolean {
  const channel = channels[name];
  if (channel === undefined) return false;
  const { start, end, asyncStart, asyncEnd, error } = channel;
  return start.hasSubscribers || end.hasSubscribers || asyncStart.hasSubscribers || asyncEnd.hasSubscribers || error.hasSubscribers;
}

/** Runs it inside the tracing channel `kafka-native:<name>`. */
export function trace<T>(name: keyof typeof channels, context: object, run: () => Promise<T>): Promise<T> {
  return traced(name) ? channels[name]!.tracePromise(run, context) : run();
}
