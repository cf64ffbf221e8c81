// From the module, not from the globals: fake timers of a test framework must not stop the clients.
import { setInterval } from 'node:timers';
import type { OnEvent } from './binding';
import { binding } from './loader';

/*
 * The addon's own callbacks do not keep the process alive: what does is this one timer per environment (main thread or
 * worker), referenced while anything is under way.
 */
const timer = setInterval(() => {}, 2 ** 31 - 1).unref();
let holds = 0;

/** Keeps the process alive until the same number of `release`s. */
export function hold(): void {
  if (holds++ === 0) timer.ref();
}

export function release(): void {
  if (--holds === 0) timer.unref();
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

const living = new Set<OnEvent>();

/**
 * What the addon is given as a client's receiver of events. The addon holds it as long as the client's native object
 * lives, which the client holds: were the receiver to hold the client, none would ever be collected, nor the stacks of its
 * ended threads.
 */
export function weakly(onEvent: OnEvent): OnEvent {
  const weak = new WeakRef(onEvent);
  return (kind, a, b, c, d) => weak.deref()?.(kind, a, b, c, d);
}

/** The client of this receiver lives on, whether the user holds it or not, until `letGo`. */
export function keep(onEvent: OnEvent): void {
  living.add(onEvent);
}

/** The client was stopped: it is collected when the user and the callbacks that still run have let go, too. */
export function letGo(onEvent: OnEvent): void {
  living.delete(onEvent);
}
