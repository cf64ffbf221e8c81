'use strict';

/**
 * Runs jobs, so many at a time, in the order they came.
 *
 * @template T
 */
class WorkQueue {
  #waiting = [];
  #running = 0;

  /**
   * @param {object} options
   * @param {(job: T) => Promise<unknown>} options.work
   * @param {number} options.concurrency
   * @param {(size: number) => void} options.onSize hears, after every change, how many jobs wait
   */
  constructor({ work, concurrency, onSize }) {
    this.work = work;
    this.concurrency = concurrency;
    this.onSize = onSize;
  }

  /**
   * Resolves when the job is done.
   *
   * @param {T} job
   */
  push(job) {
    return new Promise((resolve, reject) => {
      this.#waiting.push({ job, resolve, reject });
      this.#next();
    });
  }

  #next() {
    if (this.#running < this.concurrency && this.#waiting.length > 0) {
      const { job, resolve, reject } = this.#waiting.shift();
      this.#running++;
      this.work(job)
        .then(resolve, reject)
        .finally(() => {
          this.#running--;
          this.#next();
        });
    }
    this.onSize(this.#waiting.length);
  }
}

module.exports = { WorkQueue };
