// One subscription of a client: what it is told, and what it wants while it is still being opened.

import { ProxyError } from '../errors';
import type { Flow } from '../flow';
import type { Frame, FrameFormat } from '../frames';
import type { Reads } from '../context';
import type { Notice, Outlet, Subscription, TopicPartition } from '../subscription';
import type { Id, ServerMessage } from './messages';

/** The session, as a subscription needs it. */
export interface OpenedOwner {
  tell(message: ServerMessage): void;
  batch(opened: Opened, topic: string, frame: Frame): void;
  /** It has ended by itself. */
  ended(opened: Opened, error: ProxyError): void;
}

export class Opened implements Outlet {
  /** Undefined until it is open. */
  #subscription: Subscription | undefined;
  #opening: Promise<void> = Promise.resolve();
  #closed: Promise<void> | undefined;
  #ended = false;
  #timer: NodeJS.Timeout | undefined;

  constructor(
    readonly id: Id,
    readonly flow: Flow,
    /** Set anew before it is read by it, where rules allow some of the messages only. */
    public format: FrameFormat,
    readonly reads: Reads,
    readonly owner: OpenedOwner,
  ) {}

  /** @param lag milliseconds between two notices of how far behind it is; none, if undefined */
  open(subscribe: () => Promise<Subscription>, lag: number | undefined): void {
    this.#opening = subscribe().then(
      (subscription) => {
        this.#subscription = subscription;
        if (lag !== undefined && !this.#closed) this.#reportEvery(subscription, lag);
      },
      (error: unknown) => this.fail(ProxyError.of(error)),
    );
  }

  /** Now, or when it is open; never, if it ends before. */
  with(use: (subscription: Subscription) => unknown, failed: (error: unknown) => void): void {
    const call = async (): Promise<void> => {
      if (!this.#closed && this.#subscription) await use(this.#subscription);
    };
    // Calls while it opens run in order, and before later ones, as a promise's followers do.
    if (this.#subscription) call().catch(failed);
    else void this.#opening.then(call).catch(failed);
  }

  #reportEvery(subscription: Subscription, ms: number): void {
    let asked = false;
    this.#timer = setInterval(() => {
      if (asked) return; // the answer to the last one is late
      asked = true;
      subscription
        .lag()
        .catch((error: unknown) => this.warn(ProxyError.of(error)))
        .finally(() => (asked = false));
    }, ms).unref();
  }

  batch(topic: string, _partition: number, frame: Frame): void {
    if (this.#closed) return;
    this.flow.took(frame.count, frame.bytes.length);
    this.owner.batch(this, topic, frame);
  }

  notice(notice: Notice): void {
    if (this.#ended || (this.#closed && notice.type !== 'committed')) return;
    this.owner.tell({ ...notice, id: this.id });
  }

  warn(error: ProxyError, where?: TopicPartition): void {
    if (!this.#closed) this.owner.tell(errorMessage(error, { id: this.id, request: 'subscribe', fatal: false, ...where }));
  }

  fail(error: ProxyError): void {
    if (this.#closed) return;
    this.owner.tell(errorMessage(error, { id: this.id, request: 'subscribe', fatal: true }));
    // Its id is free now.
    this.#ended = true;
    this.owner.ended(this, error);
    void this.close();
  }

  /** Its client hears no more of it, but for commits of messages that were acknowledged before. */
  get closed(): boolean {
    return this.#closed !== undefined;
  }

  /** Resolves when what was acknowledged is committed and what it holds given back. Never rejects. */
  close(): Promise<void> {
    return (this.#closed ??= this.#close());
  }

  async #close(): Promise<void> {
    clearInterval(this.#timer);
    this.flow.end();
    await this.#opening;
    await this.#subscription?.close().catch(() => {});
    this.#ended = true;
  }
}

/** An error as a client gets it. */
export function errorMessage(
  { code, message, retriable }: ProxyError,
  about: { id?: Id | undefined; request?: string | undefined; fatal: boolean } & Partial<TopicPartition>,
): ServerMessage {
  return { type: 'error', ...about, code, message, retriable };
}
