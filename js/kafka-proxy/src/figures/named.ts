// Counters by name: of topics and groups.

/** A counter that can be summed into another of its kind. */
interface Counter<C> {
  readonly messages: number;
  tick(now: number): void;
  add(other: C): void;
}

/** The name of those that have no place of their own. No topic and no group is called so; Prometheus takes it as if there were no label. */
export const OTHER = '';

/**
 * So many names at the most: they come from clients, and what is shown and scraped must not grow with them. In place of the one that is idle
 * longest a new one comes; what that one has counted goes into {@link OTHER}.
 */
export class Named<C extends Counter<C>> extends Map<string, C> {
  readonly #make: () => C;
  readonly #most: number;
  /** The count of each at the last tick, and which tick saw it change last. */
  readonly #seen = new Map<C, { messages: number; tick: number }>();
  #ticks = 0;

  constructor(make: () => C, most = 1000) {
    super();
    this.#make = make;
    this.#most = most;
  }

  of(name: string): C {
    const there = this.get(name);
    if (there) return there;
    if (this.size >= this.#most) this.#retire();
    const made = this.#make();
    this.#seen.set(made, { messages: 0, tick: this.#ticks });
    this.set(name, made);
    return made;
  }

  tick(now: number): void {
    this.#ticks++;
    for (const counter of this.values()) {
      const seen = this.#seen.get(counter);
      if (seen && seen.messages !== counter.messages) {
        seen.messages = counter.messages;
        seen.tick = this.#ticks;
      }
      counter.tick(now);
    }
  }

  #retire(): void {
    let idle: string | undefined;
    let since = Number.POSITIVE_INFINITY;
    for (const [name, counter] of this) {
      const { tick, messages } = this.#seen.get(counter) ?? { tick: Number.POSITIVE_INFINITY, messages: 0 };
      const last = messages === counter.messages ? tick : this.#ticks + 1;
      if (name === OTHER || last >= since) continue;
      idle = name;
      since = last;
    }
    if (idle === undefined) return;
    const counter = this.get(idle)!;
    this.delete(idle);
    this.#seen.delete(counter);
    const other = this.get(OTHER) ?? this.#make();
    other.add(counter);
    this.set(OTHER, other);
  }
}
