'use strict';
// The pictures of js/kafka-proxy/docs/pictures, made anew: node test/pictures.js [folder]

const fs = require('node:fs');
const path = require('node:path');
const { setTimeout: sleep } = require('node:timers/promises');
const { launch } = require('@kafka-native/chromium-for-tests');
const { KafkaProxy } = require('kafka-proxy');
const { real } = require('./support/clusters.js');
const { silent } = require('./support/flow.js');
const { opened, reach } = require('./support/proxy.js');
const { smaller } = require('./support/png.js');
const { SIZES } = require('./support/proxy-page.js');
const { ordered, world } = require('./support/proxy-page-world.js');

const FOLDER = path.resolve(process.argv[2] ?? path.join(path.dirname(require.resolve('kafka-proxy/package.json')), 'docs', 'pictures'));
/** So long there is traffic before the camera comes: charts have something to show. */
const TRAFFIC = Number(process.env.SECONDS ?? 60) * 1000;
const DESKTOP = { viewport: { width: 1100, height: 760 } };
const SHOTS = [
  { file: 'overview.png', to: '#/', how: DESKTOP, scheme: 'light' },
  { file: 'tail.png', to: '#/topics/orders/messages', how: DESKTOP, scheme: 'dark' },
  { file: 'group.png', to: '#/groups/shop', how: DESKTOP, scheme: 'light' },
  { file: 'phone.png', to: '#/topics/orders/messages', how: { ...SIZES.phone, deviceScaleFactor: 1.5 }, scheme: 'dark' },
];

async function main() {
  const [cluster, browser] = await Promise.all([real({ own: true }), launch()]);
  const there = await world(cluster);
  const proxy = new KafkaProxy({ port: 0, kafka: reach(cluster), logger: silent, alerts: [{ name: 'invoices are late', lag: { group: 'invoices', above: 100 } }] });
  const { port } = await proxy.listen();
  let written = 0;
  const timer = setInterval(() => {
    const many = 3 + Math.round(6 * (1 + Math.sin(Date.now() / 9000)));
    void there.send('orders', Array.from({ length: many }, () => ordered(written++)));
  }, 200);
  const pages = [];
  try {
    const socket = await opened(`ws://127.0.0.1:${port}`);
    socket.send(JSON.stringify({ type: 'subscribe', id: 1, topics: ['orders'] }));
    for (const { to, how, scheme } of SHOTS) {
      const page = await browser.newPage({ ...how, colorScheme: scheme, locale: 'en-GB' });
      await page.goto(`http://127.0.0.1:${port}/ui/${to}`);
      pages.push(page);
    }
    await sleep(TRAFFIC);
    fs.mkdirSync(FOLDER, { recursive: true });
    for (const [i, { file }] of SHOTS.entries()) {
      const png = smaller(await pages[i].screenshot());
      fs.writeFileSync(path.join(FOLDER, file), png);
      console.log(`${path.join(FOLDER, file)}: ${png.length} bytes`);
    }
    socket.terminate();
  } finally {
    clearInterval(timer);
    await browser.close();
    await proxy.close();
    await there.close();
    await cluster.close();
  }
}

main().catch((error) => {
  console.error(error);
  process.exitCode = 1;
});
