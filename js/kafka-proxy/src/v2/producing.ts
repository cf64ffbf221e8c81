// Messages that a client writes to Kafka.

import type { Permission } from '../access';
import type { Context } from '../context';
import { CloseCode, ProxyError } from '../errors';
import type { Socket } from '../socket';
import { record, sizeOf, write, type KafkaMessage } from '../writing';
import type { Message, Produced } from './messages';

/** The cost of a message besides its bytes: empty ones are not for nothing. */
const MESSAGE_BYTES = 100;

/** The messages of all sockets that are being written. While Kafka is away they are in memory. */
export class Writers {
  readonly #most: number;
  readonly #all = new Set<Producing>();
  #bytes = 0;

  /** @param most bytes */
  constructor(most: number) {
    this.#most = most;
  }

  /** No socket that writes is read any more. */
  get full(): boolean {
    return this.#bytes > this.#most;
  }

  /** @throws ProxyError when those that are still read have sent as much again */
  check(): void {
    if (this.#bytes > 2 * this.#most)
      throw new ProxyError(
        'LIMIT',
        `The proxy is writing ${this.#bytes} bytes, and takes no more until Kafka has them: try again later`,
        true,
        CloseCode.Internal,
      );
  }

  add(writer: Producing, bytes: number): void {
    const { full } = this;
    this.#bytes += bytes;
    if (writer.bytes > 0) this.#all.add(writer);
    else this.#all.delete(writer);
    writer.hold();
    if (full !== this.full) for (const each of this.#all) each.hold();
  }
}

export class Producing {
  readonly #context: Context;
  readonly #socket: Socket;
  readonly #underWay = new Set<Promise<unknown>>();
  /** Of messages that are being written. */
  bytes = 0;
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
    this.#context.writers.check();
    this.#add(bytes);
    const sent = this.#send(topic, records, allow).finally(() => {
      this.#underWay.delete(sent);
      this.#add(-bytes);
    });
    this.#underWay.add(sent);
    return sent;
  }

  async #send(topic: string, records: KafkaMessage[], allow: () => Promise<Permission>): Promise<Produced[]> {
    const permission = await allow();
    return write(this.#context, this.#socket.traffic, topic, records, permission);
  }

  #add(bytes: number): void {
    this.bytes += bytes;
    this.#context.writers.add(this, bytes);
  }

  /** A client that writes faster than Kafka takes it is not read any more, until it is; nor are those that write while all together do. */
  hold(): void {
    const { limits, writers } = this.#context;
    const held = this.bytes > limits.producing || (this.bytes > 0 && writers.full);
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
