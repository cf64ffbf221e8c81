// Whether Kafka answers: one look for all who want to know.

import type { KafkaAdmin } from 'kafka-native';
import { ProxyError } from '../errors';
import type { Cluster } from '../http/api';
import { within } from '../within';

/** Milliseconds that a look may take. */
const PATIENCE = 3000;
/** Milliseconds for which an answer counts as of now. */
const NOW = 1000;
/** Milliseconds after which an answer is not fresh any more; after half of them one who asks has it looked for again. */
const FRESH = 10_000;

/** Milliseconds before what it does not tell is asked for again. */
const MISSING = 30_000;

/** Times are of `performance.now()`. */
export class KafkaLook {
  readonly #admin: () => Promise<KafkaAdmin>;
  readonly #patience: number;
  readonly #fresh: number;
  #looking: Promise<readonly string[] | undefined> | undefined;
  #topics: readonly string[] = [];
  #answered = Number.NEGATIVE_INFINITY;
  #looked = Number.NEGATIVE_INFINITY;
  #error: string | undefined;
  #cluster: { answer: Promise<Cluster | undefined>; until: number } | undefined;

  constructor(admin: () => Promise<KafkaAdmin>, { patience = PATIENCE, fresh = FRESH } = {}) {
    this.#admin = admin;
    this.#patience = patience;
    this.#fresh = fresh;
  }

  /** The names of all topics; undefined: Kafka does not answer. Never rejects. Calls during a look, or just after, share its answer. */
  topics(): Promise<readonly string[] | undefined> {
    if (this.#looking) return this.#looking;
    if (performance.now() - this.#looked < NOW) return Promise.resolve(this.#error === undefined ? this.#topics : undefined);
    this.#looking = this.#look().finally(() => {
      this.#looking = undefined;
    });
    return this.#looking;
  }

  async #look(): Promise<readonly string[] | undefined> {
    try {
      this.#topics = await within(this.#patience, async () => (await this.#admin()).listTopics({ timeout: this.#patience }));
      this.#error = undefined;
      this.#answered = this.#looked = performance.now();
      return this.#topics;
    } catch (error) {
      this.#error = ProxyError.of(error).code;
      this.#looked = performance.now();
      return undefined;
    }
  }

  /** Its brokers; undefined: it does not answer. Never rejects. Calls while it is asked, or just after, share the answer. */
  cluster(): Promise<Cluster | undefined> {
    if (this.#cluster && performance.now() < this.#cluster.until) return this.#cluster.answer;
    const asked = { answer: this.#describe(), until: Number.POSITIVE_INFINITY };
    this.#cluster = asked;
    void asked.answer.then((answer) => {
      asked.until = performance.now() + (answer?.missing ? MISSING : NOW);
    });
    return asked.answer;
  }

  async #describe(): Promise<Cluster | undefined> {
    if (!(await this.fresh())) return undefined;
    try {
      const { clusterId, controller, brokers } = await within(this.#patience, async () => (await this.#admin()).describeCluster({ timeout: this.#patience }));
      return { id: clusterId, controller, brokers: brokers.map(({ nodeId: id, host, port }) => ({ id, host, port })) };
    } catch (error) {
      if (!(await this.fresh())) return undefined;
      const missing = `Kafka answers, but does not tell of its brokers (${ProxyError.of(error).code}).`;
      return { id: null, controller: null, brokers: [], missing };
    }
  }

  /** Milliseconds since Kafka has answered; null: not yet. */
  get age(): number | null {
    return this.#answered === Number.NEGATIVE_INFINITY ? null : performance.now() - this.#answered;
  }

  /** Whether Kafka has answered a moment ago. Asks it, where that is not known. */
  async fresh(): Promise<boolean> {
    const { age } = this;
    if (age !== null && age < this.#fresh / 2 && this.#error === undefined) return true;
    const looked = this.topics();
    // While the answer is fresh, nobody waits for the next one.
    if (age !== null && age < this.#fresh) return true;
    return (await looked) !== undefined;
  }
}
