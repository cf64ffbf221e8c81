// A client's conversation in protocol 2.

import { version } from '../../package.json';
import type { MessageRule } from 'kafka-native';
import type { Access, Permission } from '../access';
import type { Context, Conversation, Reads } from '../context';
import { CloseCode, ProxyError } from '../errors';
import { Flow } from '../flow';
import { jsonFormat, msgpackFormat, type Frame, type FrameFormat } from '../frames';
import type { Socket } from '../socket';
import type { Subscription } from '../subscription';
import { jsonOf } from '../writing';
import type { Codec } from './codec';
import { read, type ClientMessage, type Id, type Produce, type ServerMessage, type Subscribe } from './messages';
import { errorMessage, Opened, type OpenedOwner } from './opened';
import { Producing } from './producing';
import { topicPattern } from './topic-pattern';

/** Decisions of `authorize` that a socket keeps. */
const REMEMBERED = 1000;
/** Characters of what a client wants only, as JSON: it is kept, and looked at for each message. */
const LONGEST_ONLY = 16_384;

export class Session implements Conversation, OpenedOwner {
  readonly #socket: Socket;
  readonly #context: Context;
  readonly #codec: Codec;
  // Made when they are needed: most of ten thousand sockets have nothing to say.
  #opened: Map<Id, Opened> | undefined;
  /** Those that end still hold what they have. */
  #closing: Set<Promise<void>> | undefined;
  #allowed: Map<string, Promise<Permission>> | undefined;
  #producing: Producing | undefined;

  constructor(socket: Socket, context: Context, codec: Codec) {
    this.#socket = socket;
    this.#context = context;
    this.#codec = codec;
    const { payload, framesPerSecond, subscriptions, topics, producing } = context.limits;
    // JSON has no Infinity: what is not limited is left out.
    const limits = Object.fromEntries(
      Object.entries({ payload, framesPerSecond, subscriptions, topics, producing }).filter(([, limit]) => limit !== Number.POSITIVE_INFINITY),
    );
    this.tell({ type: 'hello', protocol: 2, version, socket: socket.id, limits });
  }

  received(data: Buffer, binary: boolean): void {
    let document: unknown;
    try {
      document = this.#codec.decode(data, binary);
    } catch (error) {
      this.#refuse(`This is no ${this.#codec.name}: ${(error as Error).message}`, undefined, undefined, true);
      this.#socket.close(CloseCode.BadRequest, `a frame is no ${this.#codec.name}`);
      return;
    }
    const result = read(document);
    if ('refused' in result) return this.#refuse(result.refused, result.id, result.type, result.type === 'subscribe' || result.type === 'produce');
    const { message } = result;
    try {
      this.#do(message);
    } catch (error) {
      this.#failed(message, error);
    }
  }

  #do(message: ClientMessage): void {
    const { id, type } = message;
    if (type === 'subscribe') return this.#subscribe(message);
    if (type === 'produce') return this.#produce(message);
    const all = this.#opened;
    const opened = all?.get(id);
    if (!all || !opened || opened.closed) throw new ProxyError('UNKNOWN_ID', `There is no subscription ${JSON.stringify(id)}.`);
    const failed = (error: unknown): void => this.#failed(message, error);
    switch (type) {
      case 'credit':
        return opened.flow.give(message);
      case 'pause':
      case 'resume': {
        const { topic, partitions } = message;
        if (topic === undefined && partitions === undefined) return opened.flow[type]();
        if (topic === undefined || partitions === undefined) throw new ProxyError('BAD_REQUEST', 'topic and partitions belong together.');
        return opened.with((subscription) => subscription[type](partitions.map((partition) => ({ topic, partition }))), failed);
      }
      case 'seek': {
        const { topic, partition, offset } = message;
        return opened.with((subscription) => subscription.seek({ topic, partition }, offset), failed);
      }
      case 'lag':
        return opened.with((subscription) => subscription.lag(), failed);
      case 'ack':
      case 'nack': {
        const { topic, partition, offset } = message;
        return opened.with((subscription) => {
          if (!subscription.ack || !subscription.nack) throw new ProxyError('BAD_REQUEST', `${type} is for subscriptions in a group.`);
          if (type === 'ack') subscription.ack({ topic, partition }, offset);
          else subscription.nack({ topic, partition }, offset, message.delay ?? 0);
        }, failed);
      }
      case 'unsubscribe':
        // Its id is free when nothing of it is told any more.
        void this.#close(opened).then(() => {
          all.delete(id);
          this.tell({ type: 'unsubscribed', id });
        });
    }
  }

  #subscribe(wish: Subscribe): void {
    const { id, credit } = wish;
    const { subscriptions, topics: most } = this.#context.limits;
    // The error's id is that of the subscription that goes on: it is not fatal.
    const all = (this.#opened ??= new Map());
    if (all.has(id)) throw new ProxyError('DUPLICATE_ID', `There is a subscription ${JSON.stringify(id)} already; its id is free when it is 'unsubscribed'.`);
    if (all.size >= subscriptions) throw new ProxyError('LIMIT', `A socket has at most ${subscriptions} subscriptions.`);
    const topics = [...new Set(wish.topics ?? [])];
    if (topics.length > most) throw new ProxyError('LIMIT', `A subscription has at most ${most} topics.`);
    if (wish.only && jsonOf(wish.only).length > LONGEST_ONLY)
      throw new ProxyError('LIMIT', `only has at most ${LONGEST_ONLY} characters as JSON: take several subscriptions.`);
    const format = this.#format(wish, undefined);
    const subscribe = this.#subscriber(wish, topics);
    // Behind all that refuses it: a flow stays with its socket until it ends.
    const flow = new Flow(this.#socket);
    if (credit) flow.give(credit);
    const opened = new Opened(id, flow, format, { id, topics, pattern: wish.pattern, group: wish.group }, this);
    all.set(id, opened);
    opened.open(() => subscribe(opened), wish.lag);
  }

  /** The function that opens it. @throws ProxyError for what does not go together */
  #subscriber(asked: Subscribe, topics: string[]): (outlet: Opened) => Promise<Subscription> {
    const { pattern: glob, group, from, partitions, table, slow } = asked;
    if (topics.length === 0 && glob === undefined) throw new ProxyError('BAD_REQUEST', 'topics or a pattern must say what to read.');
    const { logs, groups } = this.#context;
    const pattern = glob === undefined ? {} : { pattern: topicPattern(glob) };
    const accesses: Access[] = topics.map((topic) => ({ operation: 'read', topic }));
    if (glob !== undefined) accesses.push({ operation: 'read', pattern: glob });
    if (group === undefined) {
      if (from === 'committed') throw new ProxyError('BAD_REQUEST', "from: 'committed' is for subscriptions in a group.");
      if (table && (from !== undefined || glob !== undefined || partitions))
        throw new ProxyError('BAD_REQUEST', 'A table is a whole topic: it has no from, pattern or partitions.');
      const wish = { topics, ...pattern, from: from ?? 'latest', slow: slow ?? 'close', ...(partitions && { partitions }), ...(table && { table }) } as const;
      return async (outlet) => {
        await this.#admit(accesses, asked, outlet);
        return logs.subscribe(wish, outlet);
      };
    }
    if (table || partitions) throw new ProxyError('BAD_REQUEST', `A subscription in a group has no ${table ? 'table' : 'partitions'}: the group deals them.`);
    if (slow === 'newest')
      throw new ProxyError('BAD_REQUEST', "slow: 'newest' leaves messages out, and a group leaves none out: take it in a subscription without a group.");
    if (typeof from === 'object') throw new ProxyError('BAD_REQUEST', 'A group goes on where it has committed; seek to another place once it is assigned.');
    accesses.push({ operation: 'group', group });
    const wish = { group, topics, ...pattern, from: from === 'earliest' ? from : ('latest' as const) };
    return async (outlet) => {
      await this.#admit(accesses, asked, outlet);
      return groups.subscribe(wish, outlet);
    };
  }

  /** The subscription gets what the client may read, and wants. */
  async #admit(accesses: Access[], wish: Subscribe, outlet: Opened): Promise<void> {
    const permissions = await this.#allow(accesses);
    // By what they are: two of the same are one.
    const rules = new Map(permissions.filter((_, i) => accesses[i]!.operation === 'read').map(({ only }) => [JSON.stringify(only), only]));
    if (rules.size > 1) {
      const why = 'You may read all of some of these topics, and some of others: take a subscription for each.';
      throw new ProxyError('BAD_REQUEST', why);
    }
    for (const only of rules.values()) if (only) outlet.format = this.#format(wish, only);
  }

  /** @param allowed what rules allow to read @throws ProxyError for rules and encodings that there are not */
  #format({ id, key, value, headers, only: wanted }: Subscribe, allowed: MessageRule | undefined): FrameFormat {
    const rules = [allowed, wanted as MessageRule | undefined].filter((rule) => rule !== undefined);
    const only: MessageRule | undefined = rules.length > 1 ? { all: rules } : rules[0];
    const wish = { id, key, value, headers, only };
    return this.#codec.name === 'json' ? jsonFormat(wish) : msgpackFormat(wish);
  }

  #produce(message: Produce): void {
    const { id, topic, messages } = message;
    this.#producing ??= new Producing(this.#context, this.#socket);
    this.#producing
      .send(topic, messages, async () => (await this.#allow([{ operation: 'write', topic }]))[0]!)
      .then(
        (results) => this.tell({ type: 'produced', id, results }),
        (error: unknown) => this.#failed(message, error),
      );
  }

  /** An access allowed once stays so, as long as the socket is open. */
  #allow(accesses: Access[]): Promise<Permission[]> {
    const { identity } = this.#socket;
    const context = this.#context;
    if (!context.guarded) return Promise.all(accesses.map((access) => context.allow(identity, access)));
    const allowed = (this.#allowed ??= new Map<string, Promise<Permission>>());
    return Promise.all(
      accesses.map((access) => {
        // With the names of its fields: a topic's name may look like a pattern.
        const name = JSON.stringify(access);
        const known = allowed.get(name);
        if (known) return known;
        const asked = context.allow(identity, access);
        if (allowed.size >= REMEMBERED) allowed.clear();
        allowed.set(name, asked);
        asked.catch(() => allowed.delete(name));
        return asked;
      }),
    );
  }

  #failed(message: ClientMessage, error: unknown): void {
    const { id, type } = message;
    const told = ProxyError.of(error);
    const where = 'partition' in message ? { topic: message.topic, partition: message.partition } : {};
    const fatal = (type === 'subscribe' || type === 'produce') && told.code !== 'DUPLICATE_ID';
    this.tell(errorMessage(told, { id, request: type, fatal, ...where }));
  }

  #refuse(why: string, id: Id | undefined, request: string | undefined, fatal: boolean): void {
    this.tell(errorMessage(new ProxyError('BAD_REQUEST', why), { id, request, fatal: fatal && (id !== undefined || request === undefined) }));
  }

  tell(message: ServerMessage): void {
    if (this.#socket.open) this.#socket.send(this.#codec.encode(message), { binary: this.#codec.binary });
  }

  batch({ reads }: Opened, topic: string, { bytes, binary, count }: Frame): void {
    this.#context.figures.sent(this.#socket.traffic, topic, reads.group, count, bytes.length);
    this.#socket.send(bytes, { binary });
  }

  *reads(): Iterable<Reads> {
    for (const { reads } of this.#opened?.values() ?? []) yield reads;
  }

  ended(opened: Opened): void {
    if (this.#opened?.get(opened.id) === opened) this.#opened.delete(opened.id);
    void this.#close(opened);
  }

  async #close(opened: Opened): Promise<void> {
    const closed = opened.close();
    const closing = (this.#closing ??= new Set());
    closing.add(closed);
    await closed;
    closing.delete(closed);
  }

  async end(): Promise<void> {
    for (const opened of this.#opened?.values() ?? []) void this.#close(opened);
    this.#opened = undefined;
    await Promise.all([...(this.#closing ?? []), this.#producing?.idle()]);
  }
}
