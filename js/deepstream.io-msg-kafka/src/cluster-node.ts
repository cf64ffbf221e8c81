import { randomBytes } from 'node:crypto';
import { setImmediate as turn } from 'node:timers/promises';
import type { KafkaMessage, MessageRule } from 'kafka-native';
import { isLeave, isStatus, PLUGIN_ERROR, PLUGIN_INITIALIZATION_ERROR, type Config, type Message, type Services } from './deepstream';
import { Log, PARTITION } from './log';
import { readClusterNodeOptions, type ClusterNodeOptions } from './options';
import { LARGEST_RECORD, Outbox, type Outgoing } from './outbox';
import { Peers } from './peers';
import { decodeMessage, encodeMessage, Header } from './record';
import { ServerName } from './server-name';
import { Troubles } from './troubles';

type Subscriber = (message: any, fromServer: string) => void;

const FLUSH_MS = 5000;
const version: string = require('../package.json').version;

/**
 * The cluster node of one deepstream server: what it sends, all other servers on the same Kafka topic get, in its order.
 *
 * deepstream makes it, from `clusterNode: { path: 'deepstream.io-msg-kafka', options }` or `clusterNode: { name: 'kafka', options }`. In code:
 *
 * ```js
 * server.set('clusterNode', new ClusterNode(options, server.getServices(), server.getConfig()));
 * ```
 */
export class ClusterNode {
  /** deepstream's log shows it. */
  readonly description = `Kafka cluster node, version ${version}`;
  readonly #services: Services;
  readonly #serverName: string;
  readonly #topic: string;
  /** Of this object, wherever else its server's name is used. */
  readonly #id = randomBytes(8).toString('hex');
  readonly #subscribers = new Map<number, Set<Subscriber>>();
  readonly #troubles = new Troubles();
  readonly #outbox: Outbox;
  readonly #name: ServerName;
  readonly #log: Log;
  readonly #peers: Peers;
  /** The last sign of life of this server. */
  #status: Message | undefined;
  #ready: Promise<void> | undefined;
  #isReady = false;
  /** Messages from before this server knew whether its name is free: without the name it answers nobody. */
  readonly #early: [message: Message, from: string, node: string][] = [];
  /** The last words of Kafka's clients. */
  #words = 'Kafka has not answered';
  /** Nothing is sent any more. */
  #silent = false;
  #closing: Promise<void> | undefined;

  /**
   * Connects to nobody.
   *
   * @param services what `server.getServices()` returns: its logger gets what goes wrong
   * @param config what `server.getConfig()` returns: its serverName distinguishes the server from the others
   * @throws URIError when nothing says where Kafka is, or when it is ZooKeeper's port; TypeError, RangeError naming the option
   */
  constructor(options: ClusterNodeOptions, services: Services, config: Config) {
    if (!services?.logger || typeof config?.serverName !== 'string' || config.serverName === '')
      throw new TypeError('deepstream.io-msg-kafka: a cluster node is made with (options, server.getServices(), server.getConfig())');
    this.#services = services;
    this.#serverName = config.serverName;
    const read = readClusterNodeOptions(options ?? {}, {
      // Kafka's clients try again by themselves: what they cannot do is told as an error by whom they do it for.
      error: (line) => this.#warn('error', line),
      warn: (line) => this.#warn('warn', line),
      info: (line) => services.logger.info('INFO', line),
      debug: (line) => services.logger.debug('INFO', line),
    });
    this.#topic = read.topic;
    this.#outbox = new Outbox({
      maxBytes: read.maxQueuedBytes,
      onTooLarge: ({ key }, reason) => this.#leftOut(key, new Error(`${reason.message}; max.message.bytes of ${read.topic} says how large one may be`)),
      onMissing: () => this.#log.again(),
      onBroken: (reason) => this.#end(reason.message),
    });
    this.#name = new ServerName(this.#serverName, this.#id, (record) => this.#record(record));
    this.#peers = new Peers({
      deliver: (message, from) => this.#deliver(message, from),
      // Else it learns of this server with the next sign of life, and of what its clients provide.
      onCome: (server) => this.#status && this.sendDirect(server, this.#status),
    });
    this.#log = new Log({
      ...read,
      rule: this.#rule(),
      onMessage: (message) => this.#onMessage(message),
      onTrouble: (kind, message) => this.#tell(kind, message),
      onEnd: (message) => this.#end(message),
      words: () => this.#words,
    });
  }

  /**
   * Resolves when the others hear this server, and it hears them. Where that cannot be it never does, and the logger tells why: deepstream takes no
   * rejection here.
   */
  whenReady(): Promise<void> {
    return (this.#ready ??= new Promise((resolve) => {
      this.#start().then(resolve, (error: Error) => {
        if (!this.#closing) this.#end(error.message);
      });
    }));
  }

  async #start(): Promise<void> {
    const producer = await this.#log.open();
    this.#goesOn();
    await this.#name.claim(producer, {
      onSilent: (written) => this.#tell('claim', this.#unclaimed(written)),
      onLost: (error) => this.#end(error.message),
    });
    this.#goesOn();
    this.#isReady = true;
    this.#outbox.open(producer);
    for (const [message, from, node] of this.#early.splice(0)) this.#hear(message, from, node);
  }

  #goesOn(): void {
    if (this.#closing) throw new Error('it is closed');
  }

  #unclaimed(written: boolean): string {
    const why = written
      ? `it is in the topic ${this.#topic}, but cannot be read: may this server READ the topic?`
      : `Kafka has not taken it: may this server WRITE to the topic ${this.#topic}, and has its partition ${PARTITION} a leader?`;
    return `this server is not ready, because it has not heard its own claim to the serverName ${this.#serverName} yet: ${why}`;
  }

  /** To all other servers. The logger hears of a message that cannot be sent. */
  send(message: Message, _meta?: unknown): void {
    this.#send(message, {});
  }

  /** To one other server. */
  sendDirect(serverName: string, message: Message, _meta?: unknown): void {
    if (serverName !== this.#serverName) this.#send(message, { [Header.To]: serverName });
  }

  /** The callback gets the messages of other servers about this topic, from now on. Messages about topics that nobody subscribed to are dropped. */
  subscribe(topic: number, callback: Subscriber): void {
    const subscribers = this.#subscribers.get(topic);
    if (subscribers) subscribers.add(callback);
    else this.#subscribers.set(topic, new Set([callback]));
  }

  /** Hears nothing more. Resolves when what was sent is written, or after 5 s, and Kafka's clients have ended. The logger hears what is lost then. */
  close(): Promise<void> {
    return (this.#closing ??= this.#close());
  }

  async #close(): Promise<void> {
    this.#name.leave();
    // deepstream closes all its services in one turn: the registry's message that this server leaves comes behind this call.
    await turn();
    const ended = this.#silent;
    this.#silent = true;
    await this.#outbox.flushed(FLUSH_MS);
    const { bytes } = this.#outbox;
    if (bytes > 0 && (this.#isReady || !ended)) this.#end(`closed with ${bytes} bytes of messages that Kafka has not taken: they are lost`);
    await this.#log.close();
  }

  #send(message: Message, headers: Record<string, string>): void {
    if (this.#silent) return;
    let value: string | Uint8Array;
    try {
      if (isStatus(message)) this.#status = { ...message };
      value = encodeMessage(leaving(message));
      if (Buffer.byteLength(value) > LARGEST_RECORD / 2) throw new RangeError(`it has more than ${LARGEST_RECORD / 2} bytes`);
    } catch (error) {
      return this.#leftOut(message?.topic, error as Error);
    }
    this.#outbox.add(this.#record({ key: String(message.topic), value, headers }));
  }

  #leftOut(topic: unknown, error: Error): void {
    this.#tell('message', `a message about topic ${topic} cannot be sent, and is left out: ${error.message}`);
  }

  #record({ key, value, headers }: { key: string; value: string | Uint8Array; headers: Record<string, string> }): Outgoing {
    return { topic: this.#topic, partition: PARTITION, key, value, headers: { [Header.From]: this.#id, [Header.Server]: this.#serverName, ...headers } };
  }

  /** Records that concern this server's name, its own too; else those that others send to all, or to this server. */
  #rule(): MessageRule {
    const own: MessageRule = { header: Header.From, is: this.#id };
    const forMe: MessageRule = {
      any: [
        { header: Header.To, absent: true },
        { header: Header.To, is: this.#serverName },
      ],
    };
    return { any: [{ header: Header.Claim, is: this.#serverName }, { all: [{ header: Header.Claim, absent: true }, { not: own }, forMe] }] };
  }

  #onMessage({ headers, offset, value }: KafkaMessage): void {
    if (this.#closing) return;
    try {
      if (headers?.[Header.Claim] !== undefined) return this.#name.onRecord(value);
      const from = headers?.[Header.Server];
      if (from === undefined) throw new Error('it does not say which server sent it');
      const message = decodeMessage(value);
      const node = String(headers?.[Header.From]);
      if (this.#isReady) this.#hear(message, String(from), node);
      else if (!this.#silent) this.#early.push([message, String(from), node]);
    } catch (error) {
      this.#tell('unreadable', `the record at offset ${offset} of ${this.#topic} cannot be read, and is left out: ${(error as Error).message}`);
    }
  }

  #hear(message: Message, from: string, node: string): void {
    // Two have its name until one of them has read so: this server is not its own peer.
    if (from === this.#serverName) this.#deliver(message, from);
    else this.#peers.hear(message, from, node);
  }

  #deliver(message: Message, from: string): void {
    for (const subscriber of this.#subscribers.get(message.topic) ?? []) this.#call(subscriber, message, from);
  }

  #call(subscriber: Subscriber, message: Message, from: string): void {
    try {
      subscriber(message, from);
    } catch (error) {
      this.#tell('subscriber', `a subscriber has failed on a message of ${from} about topic ${message.topic}: ${(error as Error)?.stack ?? error}`);
    }
  }

  /** From now on nothing is sent. A server that stops is not to die of it. */
  #end(why: string): void {
    this.#silent = true;
    if (this.#closing) return this.#tell('lost', why);
    const { logger } = this.#services;
    const event = this.#isReady ? PLUGIN_ERROR : PLUGIN_INITIALIZATION_ERROR;
    this.#troubles.tell('end', why, (message) => logger.fatal(event, `deepstream.io-msg-kafka: ${message}`));
  }

  #tell(kind: string, message: string): void {
    const event = this.#isReady ? PLUGIN_ERROR : PLUGIN_INITIALIZATION_ERROR;
    this.#troubles.tell(kind, message, (text) => this.#services.logger.error(event, `deepstream.io-msg-kafka: ${text}`));
  }

  #warn(level: string, line: string): void {
    this.#words = line;
    // A line about a loss is not left out because a broker could not be reached a moment before. Numbers make no other kind.
    const kind = `${level} ${line.replace(/\d+/g, '').slice(0, 80)}`;
    this.#troubles.tell(kind, line, (text) => this.#services.logger.warn(PLUGIN_ERROR, `deepstream.io-msg-kafka: ${text}`));
  }
}

/** deepstream says who leaves in `name`, and reads it from `serverName`. */
function leaving(message: Message): Message {
  if (!isLeave(message) || message.name === undefined) return message;
  return { serverName: message.name, ...message };
}
