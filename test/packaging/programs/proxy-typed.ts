// The types of kafka-proxy and of its client in use.
import { Kafka } from 'kafka-native/kafkajs';
import { KafkaProxy, type Access, type ProxyOptions } from 'kafka-proxy';
import { KafkaProxyClient, type Message } from 'kafka-proxy/client';

const options: ProxyOptions = {
  port: 0,
  kafka: new Kafka({ brokers: ['127.0.0.1:9'] }),
  authenticate: (request) => ({ name: request.headers.host }),
  authorize: async (_principal: unknown, access: Access) => access.operation === 'read',
  limits: { payload: 1024 },
};
export const proxies: KafkaProxy[] = [new KafkaProxy(options), new KafkaProxy({ wsPort: 8080, kafka: 'localhost:9092/', idleTimeout: 100 })];
export const values = async (client: KafkaProxyClient): Promise<unknown[]> => {
  const read: unknown[] = [];
  for await (const message of client.subscribe({ topics: ['a'], group: 'g', value: 'json' })) {
    const { value, offset }: Message = message;
    read.push(value, offset + 1);
  }
  return read;
};

// @ts-expect-error the types are really there, not any
new KafkaProxy({ port: '1', brokers: 'a' }).listen(1, 2, 3);
// @ts-expect-error and so are the client's
new KafkaProxyClient(5);
