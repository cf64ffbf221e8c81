// A topic's messages by protocol 2, at a pace that the page can bear.

import { KafkaProxyClient, type KafkaProxyError, type Message, type Place, type SubscribeOptions, type Subscription } from '../../src/client';
import { Failed, socketUrl } from '../server';
import { Store } from '../parts/store';
import { matcher } from './bytes';
import { codec } from './codec';
import { entryOf, Ring, type Bytes } from './ring';

export interface Wish {
  from: 'newest' | 'oldest' | { timestamp: number } | { offset: number };
  partition: number | undefined;
  /** Only messages of this key. */
  key: string | undefined;
}

/** `rest`: so many were wanted, and have come. */
export type State = { is: 'connecting' | 'reading' | 'live' | 'paused' | 'rest' } | { is: 'away' | 'failed'; error: Failed };

/** What the page keeps. */
export const MOST = 5000;
const MOST_BYTES = 64 * 1024 * 1024;
/** Of the past, at once. */
export const STEP = 500;
/** Taken in a slice of time, so that the page has the rest of it for itself. */
const SLICE = 50;
const A_SLICE = 1500;
/** Who is so far behind what is live goes on with the newest. */
const TOO_FAR = 20_000;
const LAG = 2000;
const LONGEST = 15_000;

export class Tail {
  readonly state = new Store<State>({ is: 'connecting' });
  /** Counts what there is to draw. */
  readonly drawn = new Store(0);
  all = new Ring(MOST, MOST_BYTES);
  shown = this.all;
  /** Left out, so as to keep up with what is live. */
  skipped = 0;
  behind = 0;
  rate = 0;
  /** What the proxy has said last. */
  warning: string | undefined;
  readonly live: boolean;

  readonly #topic: string;
  readonly #wish: Wish;
  #client: KafkaProxyClient | undefined;
  #subscription: Subscription<Bytes> | undefined;
  #positions: Place[] | undefined;
  #matches: ReturnType<typeof matcher>;
  #paused = false;
  #seeking = false;
  /** It is known where it begins: what is written from now on comes. */
  #assigned = false;
  #caughtUp = false;
  #left = STEP;
  /** Of the past, what came beyond as many as were wanted: it was on its way. */
  #over: Message<Bytes>[] = [];
  #taken = 0;
  #drawing = false;
  #tries = 0;
  #ended = false;
  #retry: ReturnType<typeof setTimeout> | undefined;
  readonly #slices: ReturnType<typeof setInterval>;
  readonly #seconds: ReturnType<typeof setInterval>;

  constructor(topic: string, wish: Wish) {
    this.#topic = topic;
    this.#wish = wish;
    this.live = wish.from === 'newest';
    this.#slices = setInterval(() => this.#slice(), SLICE);
    let before = 0;
    this.#seconds = setInterval(() => {
      const { total } = this.all;
      if (this.rate === 0 && total === before) return;
      // Less: somebody has cleared it.
      this.rate = total < before ? total : total - before;
      before = total;
      this.#draw();
    }, 1000);
    void this.#connect();
  }

  /** Shows only what has these words; what has come is looked through again. */
  filter(words: string): void {
    this.#matches = matcher(words);
    if (!this.#matches) this.shown = this.all;
    else {
      this.shown = new Ring(MOST, MOST_BYTES);
      for (const entry of this.all) if (this.#matches(entry)) this.shown.push(entry);
    }
    this.#draw();
  }

  pause(): void {
    this.#paused = true;
    this.#subscription?.pause();
    this.#say();
  }

  /** Goes on where it was; of the past, for as many again. */
  resume(): void {
    this.#paused = false;
    this.#left = STEP;
    this.#take(this.#over.splice(0));
    if (this.live || this.#left > 0) this.#subscription?.resume();
    this.#say();
  }

  clear(): void {
    this.all = new Ring(MOST, MOST_BYTES);
    this.shown = this.#matches ? new Ring(MOST, MOST_BYTES) : this.all;
    this.skipped = 0;
    this.#draw();
  }

  end(): void {
    this.#ended = true;
    clearInterval(this.#slices);
    clearInterval(this.#seconds);
    clearTimeout(this.#retry);
    // One that is not open yet is closed then: the browser would complain of it.
    if (this.#client?.connected) void this.#client.close();
  }

  async #connect(): Promise<void> {
    try {
      const url = await socketUrl();
      if (this.#ended) return;
      // A ticket opens one socket: the page connects again by itself, with another.
      const client = new KafkaProxyClient(url, { protocol: 'msgpack', codec, reconnect: false });
      this.#client = client;
      client.on('error', (error) => (this.warning = error.message));
      this.#follow(client.subscribe({ ...this.#options(), key: 'binary', value: 'binary', headers: 'binary' } as SubscribeOptions & { value: 'binary' }));
      await client.connect();
      if (this.#ended) return void client.close();
      client.once('close', ({ reason }) => {
        // One that was left for another may close late.
        if (client === this.#client) this.#lost(new Failed('CONNECTION_LOST', reason || 'The connection is gone.', 0, true));
      });
      this.#tries = 0;
      this.#say();
    } catch (error) {
      const failed = Failed.of(error);
      this.#lost(failed.code.startsWith('CLOSED_4') ? failed : new Failed(failed.code, failed.message, failed.status, failed.status < 400 || failed.retriable));
    }
  }

  #options(): SubscribeOptions {
    const { from, partition, key } = this.#wish;
    const options: SubscribeOptions = { topics: [this.#topic], slow: 'newest', from: 'latest' };
    if (this.live) options.lag = LAG;
    else options.window = { messages: STEP, bytes: 4 * 1024 * 1024 };
    if (partition !== undefined) options.partitions = [partition];
    if (key !== undefined) options.only = { key };
    if (this.#positions) options.from = { offsets: this.#positions };
    else if (from === 'oldest') options.from = 'earliest';
    else if (typeof from === 'object') {
      options.from = 'timestamp' in from ? from : { offsets: [{ topic: this.#topic, partition: partition ?? 0, offset: from.offset }] };
    }
    return options;
  }

  #follow(subscription: Subscription<Bytes>): void {
    this.#subscription = subscription;
    if (this.#paused) subscription.pause();
    subscription.on('assigned', () => {
      this.#assigned = true;
      this.#say();
    });
    subscription.on('batch', ({ messages }) => {
      this.#take(messages);
      if (this.#taken >= A_SLICE || (!this.live && this.#left === 0)) subscription.pause();
    });
    subscription.on('caughtUp', () => {
      this.#caughtUp = true;
      this.#say();
    });
    subscription.on('lag', (partitions) => this.#lagging(subscription, partitions));
    subscription.on('error', (error: KafkaProxyError) => {
      this.warning = error.message;
      this.#draw();
    });
    subscription.on('close', (error) => {
      if (error && !this.#ended && subscription === this.#subscription) this.#lost(Failed.of(error));
    });
  }

  #take(came: readonly Message<Bytes>[]): void {
    const messages = this.live ? came : came.slice(0, this.#left);
    for (const message of messages) {
      const entry = entryOf(message);
      this.all.push(entry);
      if (this.#matches?.(entry)) this.shown.push(entry);
    }
    this.#taken += messages.length;
    if (!this.live) {
      this.#over.push(...came.slice(messages.length));
      this.#left -= messages.length;
      if (this.#left === 0) this.#say();
    }
    this.#draw();
  }

  #lagging(subscription: Subscription<Bytes>, partitions: { topic: string; partition: number; offset: number; end: number; lag: number }[]): void {
    this.behind = partitions.reduce((sum, { lag }) => sum + lag, 0);
    if (this.behind > TOO_FAR && !this.#paused && !this.#seeking) {
      this.#seeking = true;
      this.skipped += this.behind;
      const seeks = partitions.map(({ topic, partition }) => subscription.seek({ topic, partition }, 'latest').catch(() => {}));
      void Promise.all(seeks).then(() => (this.#seeking = false));
    }
    this.#draw();
  }

  /** The next slice of time: as much again may come. */
  #slice(): void {
    if (this.#taken === 0) return;
    this.#taken = 0;
    if (!this.#paused && (this.live || this.#left > 0)) this.#subscription?.resume();
  }

  #lost(error: Failed): void {
    if (this.#ended) return;
    const client = this.#client;
    this.#client = undefined;
    const positions = this.#subscription?.positions;
    if (positions?.length) this.#positions = positions;
    this.#subscription = undefined;
    this.#assigned = false;
    this.#seeking = false;
    void client?.close();
    if (!error.retriable) return this.state.set({ is: 'failed', error });
    clearTimeout(this.#retry);
    this.state.set({ is: 'away', error });
    this.#retry = setTimeout(() => void this.#connect(), Math.min(500 * 2 ** this.#tries++, LONGEST));
  }

  #say(): void {
    if (!this.#subscription) return;
    if (this.#paused) this.state.set({ is: 'paused' });
    else if (!this.#client?.connected || !this.#assigned) this.state.set({ is: 'connecting' });
    else if (!this.live && this.#left <= 0) this.state.set({ is: 'rest' });
    else this.state.set({ is: this.live || this.#caughtUp ? 'live' : 'reading' });
  }

  /** At most so often as the eye can follow, and never more than once a frame. */
  #draw(): void {
    if (this.#drawing) return;
    this.#drawing = true;
    setTimeout(() => {
      requestAnimationFrame(() => {
        this.#drawing = false;
        if (!this.#ended) this.drawn.set(this.drawn.value + 1);
      });
    }, SLICE);
  }
}
