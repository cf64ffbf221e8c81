/// <reference lib="dom" />
'use strict';
// The page of kafka-proxy in Chromium: how long its frames take while a topic that is written to is followed live, and while one scrolls a list of topics.
//
//   node bench/page.js [--rate 5000] [--seconds 10] [--rounds 3] [--topics 1000] [--scheme light]
//
// The proxy has a process of its own; the real Kafka, the browser and the writer have the same machine. Each round: an empty page while the same is
// written, which is what the browser, without a graphics card, takes by itself on a machine as busy as this; then the live tail; then the topics. A
// frame's time is that between two calls of requestAnimationFrame; a long task is one of 50 ms or more.

const { fork } = require('node:child_process');
const { once } = require('node:events');
const os = require('node:os');
const path = require('node:path');
const { setTimeout: sleep } = require('node:timers/promises');
const { parseArgs } = require('node:util');
const { launch } = require('@kafka-native/chromium-for-tests');
const { KafkaCluster } = require('@kafka-native/kafka-for-tests');
const { Kafka, Producer } = require('kafka-native');

/** Between two calls of the writer. */
const TICK = 10;
/** Milliseconds that a frame may take. */
const BAR = 50;
const WARM_UP = 2000;
const PATIENCE = 60_000;
const PARTITIONS = 4;

/** @typedef {{ frames: number[], long: number[] }} Watched */

/** @param {number[]} values @param {number} part */
function quantile(values, part) {
  const sorted = [...values].sort((a, b) => a - b);
  return sorted[Math.min(sorted.length - 1, Math.floor(sorted.length * part))] ?? Number.NaN;
}

/** A proxy in a process of its own. @param {string} brokers */
async function proxyAt(brokers) {
  const child = fork(path.join(__dirname, 'proxy', 'server.js'), [JSON.stringify({ server: 'kafka-proxy', brokers })]);
  const [{ answer: port }] = await once(child, 'message');
  return {
    url: `http://127.0.0.1:${port}`,
    async end() {
      child.send({ end: true });
      await once(child, 'exit');
    },
  };
}

/** Writes `rate` messages a second until `end` is called. @param {string} broker @param {string} topic @param {number} rate */
function writer(broker, topic, rate) {
  const producer = new Producer({ broker, queue_buffering_max_ms: 5 });
  const begun = performance.now();
  let sent = 0;
  const timer = setInterval(() => {
    const due = Math.floor(((performance.now() - begun) / 1000) * rate) - sent;
    for (let partition = 0; partition < PARTITIONS; partition++) {
      const values = Array.from({ length: Math.ceil(due / PARTITIONS) }, (_, i) => {
        const n = sent + i;
        return JSON.stringify({
          order: n,
          customer: `customer ${n % 977}`,
          item: 'notebook',
          quantity: n % 7,
          total: (n % 10_000) / 100,
          at: new Date().toISOString(),
        });
      });
      if (values.length > 0) producer.send(topic, partition, values);
      sent += values.length;
    }
  }, TICK);
  return {
    sent: () => sent,
    async end() {
      clearInterval(timer);
      await producer.stop();
    },
  };
}

/** Frames and long tasks, for so many seconds. @param {import('playwright-core').Page} page @param {number} seconds @returns {Promise<Watched>} */
const watch = (page, seconds) =>
  page.evaluate(async (seconds) => {
    const frames = /** @type {number[]} */ ([]);
    const long = /** @type {number[]} */ ([]);
    const observer = new PerformanceObserver((list) => long.push(...list.getEntries().map(({ duration }) => duration)));
    observer.observe({ type: 'longtask' });
    const end = performance.now() + seconds * 1000;
    let last = 0;
    await new Promise((resolve) =>
      requestAnimationFrame(function frame(now) {
        if (last > 0) frames.push(now - last);
        last = now;
        if (now < end) requestAnimationFrame(frame);
        else resolve(undefined);
      }),
    );
    observer.disconnect();
    return { frames, long };
  }, seconds);

/** Bytes of the page's heap, when it is collected. @param {import('playwright-core').CDPSession} session */
async function heapOf(session) {
  await session.send('HeapProfiler.collectGarbage');
  const { usedSize } = await session.send('Runtime.getHeapUsage');
  return usedSize;
}

const mb = (/** @type {number} */ bytes) => `${(bytes / 1e6).toFixed(1)} MB`;

/** @param {import('playwright-core').Page} page @param {string} url @param {string} topic */
async function tail(page, url, topic) {
  await page.goto(`${url}/ui/#/topics/${topic}/messages`);
  await page.getByRole('row').nth(5).waitFor();
}

/** The page's own words on how much it has shown, and left out. @param {import('playwright-core').Page} page */
async function said(page) {
  return (await page.getByRole('status').allInnerTexts()).join('; ').replaceAll(/\s+/g, ' ');
}

/** @param {string} title @param {Watched[]} rounds */
function line(title, rounds) {
  const frames = rounds.flatMap((round) => round.frames);
  const long = rounds.flatMap((round) => round.long);
  const late = frames.filter((frame) => frame > BAR).length;
  const ms = (/** @type {number} */ value) => value.toFixed(1);
  return `| ${[title, frames.length, ms(quantile(frames, 0.5)), ms(quantile(frames, 0.99)), ms(Math.max(...frames)), late, long.length, ms(Math.max(0, ...long))].join(' | ')} |`;
}

async function main() {
  const { values } = parseArgs({
    options: {
      rate: { type: 'string', default: '5000' },
      seconds: { type: 'string', default: '10' },
      rounds: { type: 'string', default: '3' },
      topics: { type: 'string', default: '1000' },
      scheme: { type: 'string', default: 'light' },
    },
  });
  const [rate, seconds, rounds, topics] = ['rate', 'seconds', 'rounds', 'topics'].map((name) => {
    if (Number(values[name]) > 0) return Number(values[name]);
    throw new Error(`--${name} takes a number, not ${values[name]}`);
  });
  const colorScheme = values.scheme === 'dark' ? 'dark' : 'light';

  const cluster = await KafkaCluster.start({ nodes: 1, heap: 'bench' });
  const [browser, proxy] = await Promise.all([launch(), proxyAt(cluster.brokers)]);
  /** @type {ReturnType<typeof writer> | undefined} */
  let writing;
  try {
    console.log(
      `Node ${process.version}, Chromium ${browser.version()} without a graphics card, ${os.cpus().length} x ${os.cpus()[0]?.model}; all on one machine. ` +
        `${rate} messages a second to ${PARTITIONS} partitions; 1280 x 800, ${colorScheme}; ${rounds} round(s) of ${seconds} s.`,
    );
    const topic = `bench-page-${process.pid}`;
    const admin = new Kafka({ brokers: cluster.brokers.split(',') }).admin();
    await admin.connect();
    const names = Array.from({ length: topics }, (_, n) => `area-${n % 20}.topic-${String(n).padStart(5, '0')}`);
    await admin.createTopics({
      topics: [{ topic, numPartitions: PARTITIONS }, ...names.map((name) => ({ topic: name, numPartitions: 1 }))],
      waitForLeaders: true,
      timeout: PATIENCE,
    });
    await admin.disconnect();

    const context = await browser.newContext({ viewport: { width: 1280, height: 800 }, colorScheme });
    context.setDefaultTimeout(PATIENCE);
    /** @type {{ empty: Watched[], tail: Watched[], scroll: Watched[] }} */
    const measured = { empty: [], tail: [], scroll: [] };
    const firsts = /** @type {number[]} */ ([]);
    const notes = /** @type {string[]} */ ([]);
    for (let round = 0; round < rounds; round++) {
      writing = writer(cluster.brokers, topic, rate);
      const empty = await context.newPage();
      await empty.goto('about:blank');
      await sleep(WARM_UP);
      measured.empty.push(await watch(empty, seconds));
      await empty.close();

      const page = await context.newPage();
      await tail(page, proxy.url, topic);
      const session = await context.newCDPSession(page);
      await sleep(WARM_UP);
      const [before, sent] = [await heapOf(session), writing.sent()];
      measured.tail.push(await watch(page, seconds));
      notes.push(
        `Round ${round + 1}: ${((writing.sent() - sent) / seconds).toFixed(0)} written a second; the page's heap was ${mb(before)} and is ${mb(await heapOf(session))}; it says: ${await said(page)}`,
      );
      await page.close();
      await writing.end();
      writing = undefined;

      const scrolled = await context.newPage();
      const begun = performance.now();
      await scrolled.goto(`${proxy.url}/ui/#/topics`);
      await scrolled.getByRole('link', { name: 'area-0.topic-00000', exact: true }).waitFor();
      firsts.push(performance.now() - begun);
      await scrolled.mouse.move(600, 500);
      const watched = watch(scrolled, Math.min(seconds, 5));
      for (let turns = 0; turns < 100; turns++) {
        await scrolled.mouse.wheel(0, turns < 50 ? 400 : -400);
        await sleep(20);
      }
      measured.scroll.push(await watched);
      await scrolled.close();
    }
    console.log('\n| | frames | p50, ms | p99 | max | over 50 ms | long tasks | longest, ms |\n| --- | --: | --: | --: | --: | --: | --: | --: |');
    console.log(line('an empty page', measured.empty));
    console.log(line('the live tail', measured.tail));
    console.log(line(`scrolling ${topics} topics`, measured.scroll));
    console.log(`\n${notes.join('\n')}`);
    console.log(`From opening the page to the first of ${topics} topics: ${firsts.map((ms) => ms.toFixed(0)).join(', ')} ms.`);
  } finally {
    await writing?.end();
    await browser.close();
    await proxy.end();
    await cluster.stop();
  }
}

main().catch((error) => {
  console.error(error.message);
  process.exitCode = 1;
});
