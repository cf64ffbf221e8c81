import { performance as clock } from 'node:perf_hooks';
import * as timers from 'node:timers';
import * as promises from 'node:timers/promises';

// As they were when the package was loaded: a test framework that replaces them, in the globals or in their modules, must not stop the clients.
export const { clearInterval, clearTimeout, setImmediate, setInterval, setTimeout } = timers;
/** Resolves after so many milliseconds. @internal */
export const pause = promises.setTimeout;
/** @internal */
export const { nextTick } = process;
/** Milliseconds since the process began. @internal */
export const now = clock.now.bind(clock);
