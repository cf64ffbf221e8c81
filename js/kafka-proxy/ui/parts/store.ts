// A value that components follow.

import { useEffect, useState } from 'preact/hooks';

export class Store<T> {
  #value: T;
  readonly #followers = new Set<(value: T) => void>();

  constructor(value: T) {
    this.#value = value;
  }

  get value(): T {
    return this.#value;
  }

  set(value: T): void {
    if (Object.is(value, this.#value)) return;
    this.#value = value;
    for (const follower of [...this.#followers]) follower(value);
  }

  follow(follower: (value: T) => void): () => void {
    this.#followers.add(follower);
    return () => void this.#followers.delete(follower);
  }

  /** In a component: the value, and again when it changes. */
  use(): T {
    const [value, set] = useState(this.#value);
    useEffect(() => {
      set(this.#value);
      return this.follow((next) => set(() => next));
    }, [this]);
    return value;
  }
}
