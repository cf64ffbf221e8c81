import { Event, type NativeGroup, type NativeRebalance, type Told } from '../../binding';
import { Calls } from '../../calls';
import { fromData, native, type KafkaError } from '../../errors';
import { keep, letGo, watchExit, weakly } from '../../lifetime';
import { binding } from '../../loader';
import { connectDeadline, type ClientContext } from '../client';
import type { ReadConsumerConfig } from './config';
import { toConnectError } from '../errors';
import type { Instrumentation } from '../events';
import { logNative, type KafkaLogger } from '../logger';
import type { Statistics } from '../metrics';

/** Milliseconds for leaving the group; the hook of the last rebalance may take as long as that of any other. */
const STOP_MS = 5000;

/** The session that runs on a connection, and hears what the addon tells of it. @internal */
export interface GroupReceiver {
  batch(id: number, bytes: Uint8Array): void;
  advanced(topicId: number, partition: number, epoch: number, offset: number): void;
  end(topicId: number, partition: number, epoch: number, offset: number): void;
  lost(topicId: number, partition: number, from: number, to: number): void;
  rebalance(rebalance: NativeRebalance): void;
  error(error: KafkaError): void;
  /** Without a group: librdkafka knows no lag, which it counts from what is committed. */
  addLag(statistics: Statistics): void;
}

/** The native consumer between `connect` and `disconnect`, and who hears what it tells. @internal */
export class GroupConnection {
  readonly native: NativeGroup;
  readonly calls = new Calls(this);
  /** Partitions that are paused in librdkafka, by name: it keeps that over rebalances and from one session to the next. */
  readonly paused = new Set<string>();
  /** A rule decides which messages are told: it stays from one session to the next. */
  ruled = false;
  readonly #context: ClientContext;
  readonly #config: ReadConsumerConfig;
  readonly #log: KafkaLogger;
  readonly #instrumentation: Instrumentation;
  receiver: GroupReceiver | undefined;
  #closing: Promise<void> | undefined;

  private constructor(context: ClientContext, config: ReadConsumerConfig, properties: [string, string][], log: KafkaLogger, instrumentation: Instrumentation) {
    this.#context = context;
    this.#config = config;
    this.#log = log;
    this.#instrumentation = instrumentation;
    const options = { ...config.native, properties: [...properties, ...config.properties], tokens: context.giveToken !== undefined };
    this.native = native(() => new binding.NativeGroup(options, weakly(this.#onEvent)));
    instrumentation.watch(this.native);
    if (context.metrics.wanted) keep(this);
    watchExit();
  }

  /** Resolves when a broker has answered; rejects with KafkaJS's error, soon after the signal too. */
  static async open(
    context: ClientContext,
    config: ReadConsumerConfig,
    log: KafkaLogger,
    instrumentation: Instrumentation,
    signal: AbortSignal,
  ): Promise<GroupConnection> {
    try {
      const connection = new GroupConnection(context, config, await context.properties(), log, instrumentation);
      const giveUp = (): void => void connection.close().catch(() => {});
      signal.addEventListener('abort', giveUp);
      try {
        const connected = connection.calls.start<void>((id) => connection.native.connect(id, connectDeadline(context)));
        if (signal.aborted) giveUp();
        await connected;
      } catch (error) {
        await connection.close();
        throw error;
      } finally {
        signal.removeEventListener('abort', giveUp);
      }
      return connection;
    } catch (error) {
      throw toConnectError(error);
    }
  }

  /** However often it is called, it ends once. */
  close(): Promise<void> {
    return (this.#closing ??= this.#close());
  }

  async #close(): Promise<void> {
    const { hooks, rebalanceTimeout } = this.#config;
    try {
      await this.calls.start<void>((id) => this.native.stop(id, hooks.revoke ? Math.max(STOP_MS, rebalanceTimeout) : STOP_MS));
    } finally {
      this.#context.metrics.forget(this);
      this.#instrumentation.forget(this.native);
      letGo(this);
    }
  }

  /** Everything that the addon tells; must not throw. */
  readonly #onEvent = (...told: Told): void => {
    switch (told[0]) {
      case Event.Batch:
        if (this.receiver) return this.receiver.batch(told[1], told[2]);
        return this.native.started(told[1]);
      case Event.Advanced:
        return this.receiver?.advanced(told[1], told[2], told[3], told[4]);
      case Event.End:
        return this.receiver?.end(told[1], told[2], told[3], told[4]);
      case Event.OffsetsLost:
        return this.receiver?.lost(told[1], told[2], told[3], told[4]);
      case Event.Reply:
        return this.calls.finish(told[1], told[2], told[3]);
      case Event.Rebalance:
        if (this.receiver) return this.receiver.rebalance(told[1]);
        return this.native.rebalanced(told[1].id, null);
      case Event.Error:
        if (this.receiver) return this.receiver.error(fromData(told[1]));
        return this.#log.error(`${told[1].name}: ${told[1].message}`);
      case Event.Request:
        return this.#instrumentation.request(told[1], told[2]);
      case Event.Token:
        return this.#context.giveToken?.(this.native);
      case Event.Stats:
        return this.#context.metrics.take(this, told[1], (statistics) => {
          if (this.#config.groupId === null) this.receiver?.addLag(statistics);
          else statistics.group = this.#config.groupId;
        });
      case Event.Log:
        return logNative(this.#log, told[1], told[2]);
    }
  };
}
