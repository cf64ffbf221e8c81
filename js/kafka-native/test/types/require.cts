// As a user writes it with `require`; `npm test` compiles it and runs nothing.
import kafka = require('kafka-native');
import { Consumer, Producer, type ReceivedBatch } from 'kafka-native';

const producer: kafka.Producer = new Producer({ broker: 'b' });
const consumer: kafka.Consumer = new kafka.Consumer({
  broker: 'b',
  topic: 't',
  offset_directory: 'd',
  receive_callback: ({ messages }: ReceivedBatch) => messages.length,
});
// @ts-expect-error the addon's interface is not public
kafka.binding;
