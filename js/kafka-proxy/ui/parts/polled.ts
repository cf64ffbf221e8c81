// What a view shows is asked again and again, as long as somebody looks.

import { useEffect, useState } from 'preact/hooks';
import { ask, Failed } from '../server';

const LONGEST = 30_000;

export interface Polled<T> {
  /** The last answer, also when a later one has failed. */
  data: T | undefined;
  error: Failed | undefined;
  /** Asks now. */
  again: () => void;
}

interface Shown<T> {
  path: string | undefined;
  data?: T | undefined;
  error?: Failed | undefined;
}

/** Asks for a path every so many milliseconds; less often while it fails, and not at all while the tab is hidden. undefined: nothing is asked. */
export function usePolled<T>(path: string | undefined, every = 3000): Polled<T> {
  const [shown, show] = useState<Shown<T>>({ path });
  const [round, setRound] = useState(0);
  useEffect(() => {
    if (path === undefined) return;
    const ending = new AbortController();
    let timer: ReturnType<typeof setTimeout> | undefined;
    let failures = 0;
    let asking = false;
    let due = 0;
    const go = async (): Promise<void> => {
      if (asking || ending.signal.aborted || document.hidden) return;
      clearTimeout(timer);
      asking = true;
      try {
        const data = await ask<T>(path, undefined, ending.signal);
        failures = 0;
        if (!ending.signal.aborted) show({ path, data });
      } catch (error) {
        if (ending.signal.aborted) return;
        failures++;
        const failed = Failed.of(error);
        show((before) => ({ path, data: before.path === path && failed.retriable ? before.data : undefined, error: failed }));
      }
      asking = false;
      const wait = Math.min(every * 2 ** Math.min(failures, 5), Math.max(LONGEST, every));
      due = Date.now() + wait;
      timer = setTimeout(go, wait);
    };
    const seen = (): void => {
      if (!document.hidden && Date.now() >= due) void go();
    };
    const online = (): void => void go();
    document.addEventListener('visibilitychange', seen);
    addEventListener('online', online);
    void go();
    return () => {
      ending.abort();
      clearTimeout(timer);
      document.removeEventListener('visibilitychange', seen);
      removeEventListener('online', online);
    };
  }, [path, every, round]);
  const now: Shown<T> = shown.path === path ? shown : { path };
  return { data: now.data, error: now.error, again: () => setRound((before) => before + 1) };
}
