// From Redis to Kafka without downtime: servers that speak both, while the others are still, or already, on one of them.
//
// A bridge server is a Redis server in everything that it does with its own sockets: the Redis adapter applies what is sent, keeps the rooms and answers.
// Beside it, an adapter of Kafka tells the Kafka servers what is sent, and applies to the same rooms what comes from them. Bridge servers hear each other
// over Redis only: what one of them writes to Kafka is marked, and the others leave it out.

import { randomBytes } from 'node:crypto';
import { type Adapter, type BroadcastOptions, type ClusterMessage, MessageType, type Room, type Session } from 'socket.io-adapter';
import type { KafkaAdapter } from './adapter';
import { written } from './messages';

/** The function that `createAdapter` of an adapter's package returns. socket.io calls it once for each namespace. */
export type AdapterCreator = (nsp: any) => Adapter;

/** By this what `createAdapter` returns gives the same for servers that bridge: their records are marked, and marked ones of others are left out. @internal */
export const BRIDGED = Symbol('bridged');

/** An adapter of Kafka with what its base class keeps for itself. */
type KafkaSide = Adapter &
  Pick<KafkaAdapter, 'stats' | 'prometheus' | 'kafka' | 'onTrouble'> & {
    publish(message: object): void;
    onMessage(message: ClusterMessage, offset?: string): void;
    ackRequests: Map<string, { clientCountCallback: (clients: number) => void; ack: (...args: any[]) => void }>;
  };

/**
 * An adapter for servers that are on Redis and on Kafka at once, to move from the one to the other without downtime, in two rolling restarts:
 *
 * 1. every server goes from Redis to `bridge(ofRedis, ofKafka)`;
 * 2. when the last one has, every server goes from the bridge to `ofKafka`.
 *
 * Before, between and after, each server reaches the clients of all others, once. A server on Redis alone and one on Kafka alone do not hear each other:
 * never let the second restart begin before the first has ended. Processes that emit without socket.io go from Redis to Kafka between the two.
 *
 * Connection state recovery goes on over Redis, if the adapter of Redis has it, until a bridge server hears of the first server or emitter on Kafka alone.
 * From then on it recovers nobody, since Redis lacks a part of what a client missed: clients that reconnect begin anew, until they are on a Kafka server.
 *
 * @param adapterOfRedis what `createAdapter` of `@socket.io/redis-streams-adapter` or `@socket.io/redis-adapter` returned; what else it has is reached
 *   through the bridge's adapter as before
 * @param adapterOfKafka what `createAdapter` of this package returned
 * @throws {TypeError} when one of the two is something else
 */
export function bridge(adapterOfRedis: AdapterCreator, adapterOfKafka: AdapterCreator): AdapterCreator {
  if (typeof adapterOfRedis !== 'function' || BRIDGED in adapterOfRedis) {
    throw new TypeError('bridge(adapterOfRedis, adapterOfKafka): give first what createAdapter of the Redis adapter returned');
  }
  const bridged = (adapterOfKafka as { [BRIDGED]?: () => AdapterCreator } | undefined)?.[BRIDGED];
  if (bridged === undefined) {
    throw new TypeError('bridge(adapterOfRedis, adapterOfKafka): give second what createAdapter of socket.io-kafka returned');
  }
  const ofKafka = bridged();
  // Not an arrow: socket.io calls it with `new`.
  return function adapter(nsp: any): Adapter {
    const redis = new (adapterOfRedis as any)(nsp) as Adapter;
    return both(redis, new (ofKafka as any)(nsp) as KafkaSide);
  };
}

function both(redis: Adapter, kafka: KafkaSide): Adapter {
  // Messages from Kafka are applied to the sockets and rooms that the adapter of Redis keeps.
  kafka.rooms = redis.rooms;
  kafka.sids = redis.sids;
  // Listeners are there, too.
  kafka.onTrouble = (error) => redis.listenerCount('error') > 0 && redis.emit('error', error);

  /** Whether something came from Kafka that Redis does not have. */
  let heard = false;
  let ready = false;
  const onMessage = kafka.onMessage;
  kafka.onMessage = (message, offset) => {
    heard = true;
    onMessage.call(kafka, message, offset);
  };

  let initialised: Promise<void> | undefined;
  const tell = (opts: BroadcastOptions, type: MessageType, data: object) => {
    if (!opts.flags?.local) kafka.publish({ type, data: { ...data, opts: written(opts) } });
  };

  const overrides: Partial<Adapter> & Pick<KafkaSide, 'stats' | 'prometheus' | 'kafka'> = {
    init: () =>
      (initialised ??= Promise.all([redis.init(), kafka.init()]).then(() => {
        ready = true;
      })),
    close: () => Promise.all([kafka.close(), (async () => redis.close())()]).then(() => {}),
    stats: () => kafka.stats(),
    prometheus: () => kafka.prometheus(),
    kafka: kafka.kafka,

    // Both count this server.
    serverCount: async () => (await redis.serverCount()) + (await kafka.serverCount()) - 1,

    broadcast: (packet, opts) => {
      // Written before Redis's adapter puts an offset of Redis into the packet's data.
      tell(opts, MessageType.BROADCAST, { packet });
      return redis.broadcast(packet, opts);
    },
    broadcastWithAck: (packet, opts, clientCountCallback, ack) => {
      if (!opts.flags?.local) {
        // Not `kafka.broadcastWithAck`, which would ask this server's own clients a second time.
        const requestId = randomBytes(8).toString('hex');
        kafka.ackRequests.set(requestId, { clientCountCallback, ack });
        setTimeout(() => kafka.ackRequests.delete(requestId), opts.flags?.timeout).unref();
        tell(opts, MessageType.BROADCAST, { packet, requestId });
      }
      redis.broadcastWithAck(packet, opts, clientCountCallback, ack);
    },
    addSockets: (opts: BroadcastOptions, rooms: Room[]) => {
      tell(opts, MessageType.SOCKETS_JOIN, { rooms });
      return redis.addSockets(opts, rooms);
    },
    delSockets: (opts: BroadcastOptions, rooms: Room[]) => {
      tell(opts, MessageType.SOCKETS_LEAVE, { rooms });
      return redis.delSockets(opts, rooms);
    },
    disconnectSockets: (opts: BroadcastOptions, close: boolean) => {
      tell(opts, MessageType.DISCONNECT_SOCKETS, { close });
      return redis.disconnectSockets(opts, close);
    },
    fetchSockets: async (opts: BroadcastOptions) => {
      if (opts.flags?.local) return redis.fetchSockets(opts);
      const [first, second] = await Promise.all([redis.fetchSockets(opts), kafka.fetchSockets(opts)]);
      // This server's own are in both.
      const ids = new Set(first.map((socket) => socket.id));
      return [...first, ...second.filter((socket) => !ids.has(socket.id))];
    },
    serverSideEmit: (packet: any[]) => {
      const answered = packet.at(-1);
      if (typeof answered !== 'function') {
        kafka.serverSideEmit([...packet]);
        return redis.serverSideEmit(packet);
      }
      const responses: unknown[] = [];
      let error: Error | null = null;
      let open = 2;
      for (const side of [kafka, redis]) void ask(side);

      async function ask(side: Adapter) {
        let done = false;
        const answer = (err: Error | null, some: unknown[] = []) => {
          done = true;
          error ??= err;
          responses.push(...some);
          if (--open === 0) answered(error, responses);
        };
        try {
          await side.serverSideEmit([...packet.slice(0, -1), answer]);
        } catch (err) {
          if (done) throw err;
          answer(err as Error);
        }
      }
    },

    restoreSession: async (pid, offset) => {
      const session = ready && !heard ? await redis.restoreSession(pid, offset) : null;
      // Looked at again: what came from Kafka meanwhile is not in the session's packets, nor was it sent to the client, which is in no room yet.
      return (heard ? null : session) as Session;
    },
  };

  const methods = new Map<PropertyKey, unknown>(Object.entries(overrides));
  // Not a subclass, nor methods put on the adapter of Redis: it calls its own `serverCount`, with its own answer, and has private fields.
  return new Proxy(redis, {
    get(target, key) {
      if (methods.has(key)) return methods.get(key);
      const value = Reflect.get(target, key);
      if (typeof value !== 'function' || key === 'constructor') return value;
      const bound = value.bind(target);
      methods.set(key, bound);
      return bound;
    },
    set(target, key, value) {
      methods.delete(key);
      return Reflect.set(target, key, value);
    },
  });
}
