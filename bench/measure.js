'use strict';
// Measurements that a contender's process makes of itself.

const { readFileSync } = require('node:fs');
const { PerformanceObserver, monitorEventLoopDelay } = require('node:perf_hooks');

/** Seconds. */
const now = () => performance.now() / 1000;

/** User and system seconds of the whole process, all threads. */
function cpu() {
  const { user, system } = process.cpuUsage();
  return (user + system) / 1e6;
}

/** Seconds that the JavaScript thread has run; undefined where there is no /proc. To be called on that thread. */
function threadCpu() {
  try {
    return Number(readFileSync('/proc/thread-self/schedstat', 'utf8').split(' ')[0]) / 1e9;
  } catch {
    return undefined;
  }
}

/** MB, the highest since the program began: `getrusage` counts what the process was before `exec`, a copy of its parent, too. */
function rss() {
  if (process.platform !== 'linux') return process.resourceUsage().maxRSS / 1024;
  return Number(/^VmHWM:\s+(\d+)/m.exec(readFileSync('/proc/self/status', 'utf8'))?.[1]) / 1024;
}

/** Of the whole process, with those of Node itself; undefined where there is no /proc. */
function threads() {
  if (process.platform !== 'linux') return undefined;
  return Number(/^Threads:\s+(\d+)/m.exec(readFileSync('/proc/self/status', 'utf8'))?.[1]);
}

/** Time and CPU since the clients were made, and since messages flow. */
class Meter {
  #begin = { time: now(), cpu: cpu(), thread: threadCpu() };
  #flow;
  /** When the last client had its first message. */
  #start = NaN;
  #delay = monitorEventLoopDelay({ resolution: 1 });
  #gc = 0;
  #observer = new PerformanceObserver((list) => this.#collected(list.getEntries()));

  /**
   * A client has its first messages; those of the first client flow from now on. A producer's, of which none is here, do from now on.
   *
   * @param {number} messages how many are here already: a client may have fetched and decoded very many before its first call
   */
  flow(messages) {
    if (messages > 0) this.#start = now();
    if (this.#flow) return;
    this.#flow = { time: now(), cpu: cpu(), messages };
    this.#observer.observe({ entryTypes: ['gc'] });
    this.#delay.enable();
  }

  #collected(entries) {
    for (const { duration } of entries) this.#gc += duration;
  }

  /**
   * Seconds; milliseconds for `delay` and `gc`; MB for `rss`.
   *
   * @param {number} messages
   */
  end(messages) {
    const [time, used, thread] = [now(), cpu(), threadCpu()];
    this.#delay.disable();
    this.#collected(this.#observer.takeRecords());
    this.#observer.disconnect();
    return {
      messages,
      flowMessages: messages - this.#flow.messages,
      seconds: time - this.#flow.time,
      start: this.#start - this.#begin.time,
      cpu: used - this.#begin.cpu,
      flowCpu: used - this.#flow.cpu,
      thread: thread === undefined || this.#begin.thread === undefined ? undefined : thread - this.#begin.thread,
      // Of the time between two ticks of a timer of one millisecond, so an idle loop has 1.1 here. It may not have ticked.
      delay: this.#delay.count > 0 ? this.#delay.percentile(99) / 1e6 : undefined,
      gc: this.#gc,
      rss: rss(),
      threads: threads(),
    };
  }
}

module.exports = { Meter, now, rss, threadCpu };
