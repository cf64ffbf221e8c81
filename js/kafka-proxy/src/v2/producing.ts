// Messages that a client writes to Kafka.

import type { Permission } from '../access';
import type { Context } from '../context';
import type { Socket } from '../socket';
import { record, sizeOf, write, type KafkaMessage } from '../writing';
import type { Message, Produced } from './messages';

/** The cost of a message besides its bytes: empty ones are not for nothing. */
const MESSAGE_BYTES = 100;

export class Producing {
  readonly #context: Context;
  readonly #socket: Socket;
  readonly #underWay = new Set<Promise<unknown>>();
  /** Of messages that are being written. */
  #bytes = 0;
  #held = false;

  constructor(context: Context, socket: Socket) {
    this.#context = context;
    this.#socket = socket;
  }

  /**
   * Writes messages of one topic, in order; resolves with what became of each, in their order.
   *
   * @param allow rejects when the client must not
   * @throws ProxyError when none was written
   */
  send(topic: string, messages: readonly Message[], allow: () => Promise<Permission>): Promise<Produced[]> {
    const records = messages.map(record);
    const bytes = records.reduce((sum, each) => sum + MESSAGE_BYTES + sizeOf(each), 0);
    this.#bytes += bytes;
    this.#hold();
    const sent = this.#send(topic, records, allow).finally(() => {
      this.#bytes -= bytes;
      this.#underWay.delete(sent);
      this.#hold();
    });
    this.#underWay.add(sent);
    return sent;
  }

  async #send(topic: string, records: KafkaMessage[], allow: () => Promise<Permission>): Promise<Produced[]> {
    const permission = await allow();
    return write(this.#context, this.#socket.traffic, topic, records, permission);
  }

  /** A client that writes faster than Kafka takes it is not read any more, until it is. */
  #hold(): void {
    const held = this.#bytes > this.#context.limits.producing;
    if (held === this.#held) return;
    this.#held = held;
    if (held) this.#socket.hold();
    else this.#socket.release();
  }

  /** Resolves when all is answered. */
  async idle(): Promise<void> {
    while (this.#underWay.size > 0) await Promise.allSettled(this.#underWay);
  }
}
