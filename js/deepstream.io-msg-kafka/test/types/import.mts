// As a user writes it with `import`; `npm test` compiles it and runs nothing.
import ClusterNode, { ClusterNode as named, MessageConnector } from 'deepstream.io-msg-kafka';
import type { ClusterNodeOptions, ConnectionOptions, MessageConnectorOptions } from 'deepstream.io-msg-kafka';

const options: ClusterNodeOptions = {
  connectionString: 'localhost:9092',
  clientId: 'server-1',
  topic: 'deepstream',
  createTopics: false,
  replicationFactor: 3,
  retention: 60_000,
  maxQueuedBytes: 1,
  producer: { properties: { 'compression.type': 'lz4' } },
  consumer: { maxBytes: 1_000_000 },
};
const where: ConnectionOptions = { brokers: ['localhost:9092'], ssl: true, sasl: { mechanism: 'plain', username: 'a', password: 'b' }, properties: { 'client.rack': 'a' } };
const logger = { debug() {}, info() {}, warn() {}, error() {}, fatal() {} };

const node: named = new ClusterNode({ ...where, ...options }, { logger }, { serverName: 'one' });
await node.whenReady();
node.subscribe(4, (message, from: string) => console.log(message, from));
node.send({ topic: 4, action: 0, name: 'news' });
node.sendDirect('two', { topic: 4, action: 0 });
const closed: void = await node.close();

const connectorOptions: MessageConnectorOptions = { connectionString: 'localhost:9092', clientId: 'a' };
const connector = new MessageConnector(connectorOptions);
connector.on('ready', () => connector.publish('news', { a: 1 }));
connector.subscribe('news', (message) => console.log(message));

// @ts-expect-error a topic is a name
new ClusterNode({ topic: 7 }, { logger }, { serverName: 'one' });
// @ts-expect-error a reader without a group
new ClusterNode({ consumer: { groupId: 'mine' } }, { logger }, { serverName: 'one' });
// @ts-expect-error brokers are text
new MessageConnector({ connectionString: 9092 });
