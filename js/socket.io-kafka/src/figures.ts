/** Counters of a bus. */
export class Figures {
  /** Records that were read, and were for this server. */
  read = 0;
  /** Records that a rule left out in Rust. */
  leftOut = 0;
  /** Records that were not written. */
  dropped = 0;
  /** Records that were no records. */
  unreadable = 0;
  /** Troubles that were told, or would have been. */
  errors = 0;
  /** Packets that local clients got before their place in the log was known. */
  early = 0;
  recovered = 0;
  notRecovered = 0;
  /** By partition of the log, the records that are not read yet, as of its last batch. */
  readonly lags = new Map<number, number>();
  /** The newest acknowledgements' milliseconds, in a ring. */
  readonly #acknowledged: number[] = [];
  #at = 0;
  #acknowledgements = 0;

  acknowledged(ms: number): void {
    this.#acknowledged[this.#at] = ms;
    this.#at = (this.#at + 1) % 1000;
    this.#acknowledgements++;
  }

  /** Of the last thousand sends. */
  latency(): { count: number; p50: number; p99: number } {
    const sorted = [...this.#acknowledged].sort((a, b) => a - b);
    const at = (share: number): number => sorted[Math.min(Math.floor(sorted.length * share), sorted.length - 1)] ?? 0;
    return { count: this.#acknowledgements, p50: at(0.5), p99: at(0.99) };
  }
}
