// A cluster in this process, with traffic: what `kafka-proxy --demo` shows.

import { Kafka, logLevel, MockCluster } from 'kafka-native';

/** Topics of the demo, and what is in them. */
export const DEMO_TOPICS = {
  orders: 'orders of a shop; the key is the customer',
  prices: 'prices by symbol, some a second: a table',
  visits: 'which page is visited, with headers',
};

const SYMBOLS = ['ABEL', 'BOLT', 'CORA', 'DUNE', 'ECHO', 'FERN', 'GALE', 'HALO'];
const ITEMS = ['kettle', 'lamp', 'notebook', 'pencil', 'rope', 'spade', 'tent'];
const CUSTOMERS = ['anna', 'ben', 'carla', 'dario', 'emil', 'fatima', 'greta', 'hugo'];
const PAGES = ['/', '/search', '/cart', '/checkout', '/help'];
/** Milliseconds between two rounds of messages. */
const ROUND = 200;

export interface Demo {
  kafka: Kafka;
  close(): Promise<void>;
}

export async function startDemo(): Promise<Demo> {
  const cluster = new MockCluster();
  for (const topic of Object.keys(DEMO_TOPICS)) cluster.createTopic(topic, { partitions: topic === 'orders' ? 3 : 1 });
  const { broker, driver_options: properties } = cluster.options;
  const kafka = new Kafka({ clientId: 'kafka-proxy', brokers: broker.split(','), properties, logLevel: logLevel.ERROR });
  const producer = kafka.producer();
  await producer.connect();

  let order = 1000;
  const prices = new Map(SYMBOLS.map((symbol) => [symbol, 20 + Math.random() * 180]));
  const round = async (): Promise<void> => {
    const symbol = any(SYMBOLS);
    const price = Math.max(1, (prices.get(symbol) ?? 100) * (1 + (Math.random() - 0.5) / 50));
    prices.set(symbol, price);
    const quantity = 1 + Math.floor(Math.random() * 5);
    const customer = any(CUSTOMERS);
    const ordered = { order: ++order, customer, item: any(ITEMS), quantity, total: Number((quantity * (5 + Math.random() * 45)).toFixed(2)) };
    await producer.sendBatch({
      topicMessages: [
        { topic: 'prices', messages: [{ key: symbol, value: JSON.stringify({ symbol, price: Number(price.toFixed(2)) }) }] },
        { topic: 'orders', messages: Math.random() < 0.3 ? [{ key: customer, value: JSON.stringify(ordered) }] : [] },
        { topic: 'visits', messages: [{ key: customer, value: any(PAGES), headers: { agent: Math.random() < 0.7 ? 'phone' : 'desk' } }] },
      ],
    });
  };
  // Errors end with the cluster: there is nobody to tell.
  const timer = setInterval(() => void round().catch(() => {}), ROUND);
  return {
    kafka,
    close: async () => {
      clearInterval(timer);
      await producer.disconnect({ timeout: 500 });
      cluster.close();
    },
  };
}

function any<T>(list: readonly T[]): T {
  return list[Math.floor(Math.random() * list.length)]!;
}
