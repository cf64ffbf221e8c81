import type { KafkaProducer } from 'kafka-native';
import type { Outgoing } from './outbox';
import { Header } from './record';

/** A server that has the name already is asked, and waited for so long. */
const ANSWER_MS = 400;
const LONGEST_MS = 1200;
/** Then it is said that the own claim has not come back, again and again. */
const SILENCE_MS = 5000;

type Unaddressed = Pick<Outgoing, 'key' | 'value'> & { headers: Record<string, string> };

export interface ClaimOptions {
  /** The claim has not come back yet; `written` says whether Kafka has taken it. */
  onSilent(written: boolean): void;
  /** Somebody refuses later: it lived, and was too slow to say so. */
  onLost(error: Error): void;
}

/**
 * The name of a server, which no other may have while it lives. Newcomers claim it in the log; who has it, or claimed it before, refuses. So of two that
 * come at once the first in the log gets it. Old records count for nothing: a server that was killed does not answer, and its name is free.
 */
export class ServerName {
  readonly #name: string;
  readonly #id: string;
  readonly #address: (record: Unaddressed) => Outgoing;
  #producer: KafkaProducer | undefined;
  /** This node's claim lies in the log. */
  #claimed: (() => void) | undefined;
  #has = false;
  /** Another has claimed the name just before this one: most likely it lives. Its answer is waited for longer. */
  #rival = false;
  #refused: ((error: Error) => void) | undefined;
  #silence: NodeJS.Timeout | undefined;

  constructor(name: string, id: string, address: (record: Unaddressed) => Outgoing) {
    this.#name = name;
    this.#id = id;
    this.#address = address;
  }

  /**
   * Resolves when nobody has refused in time: then what is written is read, too.
   *
   * @throws Error when another server has the name
   */
  async claim(producer: KafkaProducer, { onSilent, onLost }: ClaimOptions): Promise<void> {
    this.#producer = producer;
    let written = false;
    this.#silence = setInterval(() => onSilent(written), SILENCE_MS);
    const begun = performance.now();
    let timer: NodeJS.Timeout | undefined;
    await new Promise<void>((resolve, reject) => {
      this.#refused = reject;
      this.#claimed = () => {
        clearInterval(this.#silence);
        const echo = performance.now() - begun;
        const answer = this.#rival ? LONGEST_MS : Math.max(ANSWER_MS, 3 * echo);
        timer ??= setTimeout(resolve, Math.min(answer, LONGEST_MS));
      };
      this.#write({ claim: this.#id }).then(() => (written = true), reject);
    }).finally(() => {
      clearTimeout(timer);
      clearInterval(this.#silence);
    });
    this.#refused = onLost;
  }

  /** A record about this name. @throws Error for one that cannot be read */
  onRecord(value: Buffer | null): void {
    const { claim, taken } = JSON.parse(String(value)) as { claim?: unknown; taken?: unknown };
    if (claim === this.#id) {
      this.#has = true;
      this.#claimed?.();
    } else if (taken === this.#id) {
      this.#has = false;
      this.#refused?.(new Error(`another server has the serverName ${this.#name}, and lives: give each server a name of its own`));
    } else if (claim !== undefined) {
      if (this.#has) this.#write({ taken: claim }).catch(() => {});
      else this.#rival = true;
    }
  }

  /** From now on the name is free. */
  leave(): void {
    clearInterval(this.#silence);
    this.#has = false;
    this.#producer = undefined;
    this.#claimed = this.#refused = undefined;
  }

  async #write(value: object): Promise<void> {
    if (!this.#producer) return;
    const { topic, ...message } = this.#address({ key: '', value: JSON.stringify(value), headers: { [Header.Claim]: this.#name } });
    await this.#producer.send({ topic, messages: [message as never] });
  }
}
