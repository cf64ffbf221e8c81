'use strict';
// A cluster that looks as one in use: for tests of the page, and for its pictures.

const { Kafka } = require('kafka-native');
const { silent } = require('./flow.js');
const { reach } = require('./proxy.js');

const ITEMS = ['kettle', 'lamp', 'notebook', 'pencil', 'rope', 'spade', 'tent'];
const CUSTOMERS = ['anna', 'ben', 'carla', 'dario', 'emil', 'fatima', 'greta', 'hugo'];
/** Of topics that fill the list. */
const AREAS = ['audit', 'billing', 'catalog', 'delivery', 'email', 'fraud', 'search', 'stock'];

/** An order; the same for the same number. */
const order = (n) => ({
  order: 1000 + n,
  customer: CUSTOMERS[n % 8],
  item: ITEMS[n % 7],
  quantity: 1 + (n % 5),
  total: Number((((n * 37) % 9000) / 100 + 5).toFixed(2)),
});

/** A message of `orders`. @param {number} n */
const ordered = (n) => ({
  key: CUSTOMERS[n % 8],
  value: JSON.stringify(order(n)),
  headers: { source: n % 3 === 0 ? 'shop' : 'phone', trace: n.toString(16).padStart(8, '0') },
});

/**
 * Topics of all kinds, groups that lag. `close` ends its members.
 *
 * @param {import('./clusters.js').Cluster} cluster a real one, which nobody else uses
 * @param {{ replication?: number, orders?: number }} [how]
 */
async function world(cluster, { replication = 1, orders = 2000 } = {}) {
  const { brokers } = reach(cluster);
  const kafka = new Kafka({ brokers, logger: silent });
  const admin = kafka.admin();
  const producer = kafka.producer();
  await Promise.all([admin.connect(), producer.connect()]);
  const topic = (name, numPartitions, config = {}) => ({
    topic: name,
    numPartitions,
    replicationFactor: replication,
    configEntries: Object.entries(config).map(([name, value]) => ({ name, value })),
  });
  await admin.createTopics({
    topics: [
      topic('orders', 6),
      topic('prices', 3, { 'cleanup.policy': 'compact' }),
      topic('visits', 2),
      topic('pictures', 1),
      topic('empty', 4),
      topic('clicks', 200),
      topic('notes', 1),
      topic('carts', 3),
      ...AREAS.flatMap((area) => [topic(`${area}.events`, 3), topic(`${area}.commands`, 1)]),
    ],
    waitForLeaders: true,
  });
  const send = (name, messages) => producer.send({ topic: name, messages });
  const some = (count, message) => Array.from({ length: count }, (_, n) => message(n));
  await Promise.all([
    send('orders', some(orders, ordered)),
    send(
      'prices',
      some(300, (n) => ({ key: ['ABEL', 'BOLT', 'CORA', 'DUNE'][n % 4], value: n === 299 ? null : JSON.stringify({ price: n / 10 }) })),
    ),
    send(
      'visits',
      some(200, (n) => ({
        key: CUSTOMERS[n % 8],
        value: ['/', '/search', '/cart'][n % 3],
        headers: { agent: n % 2 ? 'phone' : 'desk', language: ['de', 'en'] },
      })),
    ),
    send(
      'pictures',
      some(20, (n) => ({ key: Buffer.from([n, 255]), value: Buffer.from([0x89, 0x50, 0x4e, 0x47, 13, 10, 26, 10, n, 0, 255, 254]) })),
    ),
    send(
      'clicks',
      some(4000, (n) => ({ partition: n % 200, value: `click ${n}` })),
    ),
    ...AREAS.map((area, n) =>
      send(
        `${area}.events`,
        some(10 + 30 * n, (i) => ({ key: `k${i}`, value: JSON.stringify({ area, i }) })),
      ),
    ),
  ]);

  /** Two members that have taken what was there, and take no more: what comes is lag. */
  const members = await Promise.all(
    ['till-1', 'till-2'].map(async (clientId) => {
      const consumer = new Kafka({ brokers, clientId, logger: silent }).consumer({ groupId: 'shop' });
      await consumer.connect();
      await consumer.subscribe({ topics: ['orders'], fromBeginning: true });
      const joined = new Promise((resolve) => consumer.on(consumer.events.GROUP_JOIN, resolve));
      await consumer.run({ autoCommit: false, eachBatch: async () => {} });
      await joined;
      return consumer;
    }),
  );
  const ends = await admin.fetchTopicOffsets('orders');
  const behind = (by) => ends.map(({ partition, high }) => ({ topic: 'orders', partition, offset: String(Math.max(0, Number(high) - by)) }));
  await members[0].commitOffsets(behind(40).filter((_, i) => i < 3));
  await members[1].commitOffsets(behind(40).filter((_, i) => i >= 3));
  await admin.setOffsets({ groupId: 'invoices', topic: 'orders', partitions: behind(250) });
  await admin.setOffsets({
    groupId: 'newsletter',
    topic: 'visits',
    partitions: [
      { partition: 0, offset: '0' },
      { partition: 1, offset: '10' },
    ],
  });

  return {
    kafka,
    admin,
    producer,
    send,
    async close() {
      await Promise.all(members.map((member) => member.disconnect()));
      await Promise.all([producer.disconnect(), admin.disconnect()]);
    },
  };
}

module.exports = { AREAS, CUSTOMERS, order, ordered, world };
