import type { KafkaProducer } from 'kafka-native';
import { isClient, type ReadOptions } from './options';
import { LARGEST_RECORD } from './topics';

/** The caller's producer, or one that is not connected yet: whoever makes it ends it. */
export function makeProducer({ producer, kafka, acks }: ReadOptions): KafkaProducer {
  if (isClient(producer)) return producer as KafkaProducer;
  return kafka!.producer({
    idempotent: acks === undefined || acks === -1,
    // Records that come during a request go with the next: fewer requests cost the brokers and the readers less, and one after another
    // they keep their order, also when they are tried again.
    ...(acks !== undefined && acks !== -1 && { maxInFlightRequests: 1 }),
    linger: 0,
    allowAutoTopicCreation: false,
    ...producer,
    properties: { 'message.timeout.ms': '300000', 'message.max.bytes': String(LARGEST_RECORD), ...producer.properties },
  });
}
