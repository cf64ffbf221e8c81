import { setInterval } from './clock';
import type { OnEvent } from './binding';
import { binding } from './loader';

/*
 * The addon's own callbacks do not keep the process alive: what does is this one timer per environment (main thread or
 * worker), referenced while anything is under way.
 */
const timer = setInterval(() => {}, 2 ** 31 - 1).unref();
/** The clients that have something under way, and how much. */
const busy = new Map<object, number>();

/** Keeps the process alive, and the client, whether the user refers to it or not, until the same number of `release`s. */
export function hold(client: object): void {
  if (busy.size === 0) timer.ref();
  busy.set(client, (busy.get(client) ?? 0) + 1);
}

export function release(client: object): void {
  const left = busy.get(client)! - 1;
  if (left > 0) busy.set(client, left);
  else busy.delete(client);
  if (busy.size === 0) timer.unref();
}

let watching = false;

/**
 * `process.exit()` and an uncaught exception end the process without the addon's clean-up: the one listener of this
 * environment writes the pending offsets and delivers what producers accepted, for at most half a second. Every client calls this
 * when it is made.
 */
export function watchExit(): void {
  if (watching) return;
  watching = true;
  process.on('exit', () => binding.shutdown(500));
}

const listening = new Set<object>();

/**
 * A client's receiver of events, as the addon gets it. The addon holds it as long as the client's native object
 * lives, which the client holds: were the receiver to hold the client, none would ever be collected. One that nobody refers
 * to is, with this receiver, and the finalizer of its native object ends its threads.
 */
export function weakly(onEvent: OnEvent): OnEvent {
  const weak = new WeakRef(onEvent);
  return (...told) => weak.deref()?.(...told);
}

/** A callback of the user's hears this client, idle or not: it lives on, whether the user refers to it or not, until `letGo`. */
export function keep(client: object): void {
  listening.add(client);
}

/** The client was stopped: it is collected when the user and the callbacks that still run have let go, too. */
export function letGo(client: object): void {
  listening.delete(client);
}
