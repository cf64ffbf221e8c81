interface Topic {
  /** The topic as a whole is paused, but for `resumed`. */
  all: boolean;
  readonly paused: Set<number>;
  readonly resumed: Set<number>;
}

/** Partitions a program paused, assigned or not; kept over rebalances. The rules are KafkaJS's. @internal */
export class PauseList {
  readonly #topics = new Map<string, Topic>();

  /** Without `partitions`: the topic, with partitions that come later. */
  pause(topics: readonly { topic: string; partitions?: number[] }[]): void {
    for (const { topic, partitions } of topics) {
      const state = this.#state(topic);
      if (!partitions) {
        state.all = true;
        state.paused.clear();
        state.resumed.clear();
      } else {
        for (const partition of partitions) {
          state.paused.add(partition);
          state.resumed.delete(partition);
        }
      }
    }
  }

  resume(topics: readonly { topic: string; partitions?: number[] }[]): void {
    for (const { topic, partitions } of topics) {
      if (!partitions) {
        this.#topics.delete(topic);
        continue;
      }
      const state = this.#state(topic);
      for (const partition of partitions) {
        state.paused.delete(partition);
        if (state.all) state.resumed.add(partition);
      }
    }
  }

  has(topic: string, partition: number): boolean {
    const state = this.#topics.get(topic);
    return state !== undefined && (state.paused.has(partition) || (state.all && !state.resumed.has(partition)));
  }

  #state(topic: string): Topic {
    let state = this.#topics.get(topic);
    if (!state) this.#topics.set(topic, (state = { all: false, paused: new Set(), resumed: new Set() }));
    return state;
  }
}
