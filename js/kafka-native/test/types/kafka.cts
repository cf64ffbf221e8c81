// The options of a Kafka, as TypeScript sees them; `npm test` compiles it and runs nothing.
import { Kafka, KafkaJSProtocolError, logLevel, prometheus } from 'kafka-native';
import * as kafkajs from 'kafka-native/kafkajs';

const kafka: Kafka = new Kafka({
  brokers: () => ['b:1'],
  logLevel: logLevel.ERROR,
  logger: console,
  properties: { 'socket.keepalive.enable': true },
  statisticsInterval: 1000,
  onStatistics: (statistics: kafkajs.Statistics) => prometheus([statistics]),
  sasl: { mechanism: 'oauthbearer', oidc: { tokenEndpoint: 'https://i/t', clientId: 'c', clientSecret: 's', parameters: { audience: 'a' } } },
});
const text: string = kafka.metrics();
new Kafka({ brokers: ['b:1'], sasl: { mechanism: 'oauthbearer', oauthBearerProvider: async () => ({ value: text, lifetime: Date.now() + 1, principal: 'p', extensions: { a: 'b' } }) } });
const producer: kafkajs.Producer = kafka.producer();
producer.on(producer.events.CONNECT, ({ timestamp, payload }) => void (timestamp + Number(payload === null)));
const type: string = new KafkaJSProtocolError({ message: 'm', type: 'T', code: 1, retriable: false }).type;

// @ts-expect-error brokers are needed
new Kafka({});
// @ts-expect-error a password is missing
new Kafka({ brokers: [], sasl: { mechanism: 'plain', username: type } });
// @ts-expect-error no such mechanism
new Kafka({ brokers: [], sasl: { mechanism: 'md5', username: 'u', password: 'p' } });
// @ts-expect-error a secret is missing
new Kafka({ brokers: [], sasl: { mechanism: 'oauthbearer', oidc: { tokenEndpoint: 't', clientId: 'c' } } });
// @ts-expect-error an event of another client
producer.on('consumer.crash', () => {});
// @ts-expect-error not public
kafkajs.toKafkaJSError;
