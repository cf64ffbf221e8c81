/**
 * socket.io over Kafka.
 * @packageDocumentation
 */
import type { Kafka } from 'kafka-native';
import { KafkaAdapter } from './adapter';
import { BRIDGED } from './bridge';
import { Bus } from './bus';
import { readOptions, type AdapterOptions, type ConnectionOptions } from './options';

export { KafkaAdapter } from './adapter';
export type { AdapterOptions, ConnectionOptions } from './options';
export { bridge } from './bridge';
export { Emitter, EmitterTarget, type EmitterOptions } from './emitter';
export { fromTopic, type Delivery, type FromTopicOptions, type TopicMapper, type TopicSource } from './from-topic';
export type { AdapterStats } from './stats';

/** The function that `io.adapter` takes: makes the adapter of a namespace. */
export type AdapterCreator = (nsp: any) => KafkaAdapter;

/**
 * An adapter over Kafka. One server (`Server` of socket.io) has one producer and one consumer, however many namespaces it has.
 *
 * ```js
 * const io = new Server({ adapter: createAdapter({ brokers: ['localhost:9092'] }) });
 * ```
 *
 * @param target a `Kafka` of kafka-native, or what makes one: brokers, ssl, sasl ...
 * @throws URIError when nothing says where Kafka is, or when it is ZooKeeper's port; TypeError, RangeError naming the option
 */
export function createAdapter(target: string | Kafka | (ConnectionOptions & AdapterOptions), options: AdapterOptions & ConnectionOptions = {}): AdapterCreator {
  const read = readOptions(target, options);
  const creator = (bridged: boolean): AdapterCreator => {
    const buses = new WeakMap<object, Bus>();
    // socket.io calls it with `new`.
    return function kafkaAdapter(nsp: any): KafkaAdapter {
      let bus = buses.get(nsp.server);
      if (!bus || bus.stopped) {
        const { connectionStateRecovery, pingInterval = 25_000, pingTimeout = 20_000 } = nsp.server.opts ?? {};
        // Messages of other bridged servers come by the other adapter, without a place in the log.
        const maxDisconnectionDuration = connectionStateRecovery?.maxDisconnectionDuration ?? 120_000;
        // The log has to keep everything for twice as long.
        if (!Number.isFinite(maxDisconnectionDuration) || maxDisconnectionDuration < 0)
          throw new RangeError(`socket.io-kafka: maxDisconnectionDuration must be milliseconds, got ${maxDisconnectionDuration}`);
        const recovery = connectionStateRecovery && !bridged && { maxDisconnectionDuration, pingTimeout: pingInterval + pingTimeout };
        buses.set(nsp.server, (bus = new Bus({ ...read, recovery: recovery || undefined, bridged })));
      }
      return new KafkaAdapter(nsp, bus);
    };
  };
  return Object.assign(creator(false), { [BRIDGED]: () => creator(true) });
}

/**
 * The same, in the words of socket.io-kafka 0.0.1: `io.adapter(kafka('localhost:9092'))`, `kafka(uri, options)` or `kafka(options)`.
 *
 * @throws what {@link createAdapter} throws
 */
export function kafka(target: string | Kafka | (ConnectionOptions & AdapterOptions), options: AdapterOptions & ConnectionOptions = {}): AdapterCreator {
  return createAdapter(target, options);
}

export default kafka;

// In 0.0.1 the module was this function itself.
module.exports = Object.assign(kafka, exports, { __esModule: true });
