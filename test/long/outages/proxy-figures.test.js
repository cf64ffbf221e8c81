'use strict';
// A proxy's reports on itself and on Kafka, over the seconds that this takes.

const assert = require('node:assert/strict');
const { test } = require('node:test');
const { cleanup } = require('../../support/cleanup.js');
const { real, topicName } = require('../../support/clusters.js');
const { PATIENCE } = require('../../support/flow.js');
const { listening } = require('../../support/proxy.js');
const { Peer } = require('../../support/proxy-peer.js');
const { eventually } = require('../../support/watch.js');

test('a proxy is ready while Kafka answers, and healthy always', async (t) => {
  const cluster = await real({ own: true });
  cleanup(t, () => cluster.close());
  const { port } = await listening(t, { brokers: cluster.options().broker });
  const get = (path) => fetch(`http://127.0.0.1:${port}${path}`);
  assert.equal((await get('/readyz')).status, 200);
  cluster.kafka.nodes[0].pause();
  try {
    await eventually(PATIENCE, 'not ready', async () => {
      const response = await get('/readyz');
      if (response.status === 200) return false;
      const { code, message, retriable } = await response.json();
      assert.deepEqual([response.status, code, retriable], [503, 'KAFKA_UNAVAILABLE', true]);
      assert.match(message, /^Kafka has not answered for \d+ s/);
      return true;
    });
    assert.equal((await get('/healthz')).status, 200);
    assert.match(await (await get('/metrics')).text(), /^kafka_proxy_kafka_up 0$/m);
    assert.equal((await get('/cluster')).status, 503);
  } finally {
    cluster.kafka.nodes[0].resume();
  }
  await eventually(PATIENCE, 'ready', async () => (await get('/readyz')).status === 200);
});

test('the lag of a group with members here is in the metrics and has a history, though nobody asks for it', async (t) => {
  const cluster = await real();
  cleanup(t, () => cluster.close());
  const [topic, group] = [await cluster.topic(1), topicName('group')];
  const { port, url } = await listening(t, { brokers: cluster.options().broker });
  const get = async (path) => (await fetch(`http://127.0.0.1:${port}${path}`)).text();
  const peer = await Peer.open(url);
  peer.say({ type: 'subscribe', id: 'g', topics: [topic], group, from: 'earliest' });
  await peer.ask({ type: 'produce', id: 'p', topic, messages: [{ value: 'a' }, { value: 'b' }, { value: 'c' }] }, 'produced');
  await peer.got('g', 3);
  const has = (lag) => eventually(PATIENCE, `a lag of ${lag}`, async () => (await get('/metrics')).includes(`kafka_proxy_group_lag_messages{group="${group}",topic="${topic}"} ${lag}\n`));
  await has(3);
  await eventually(PATIENCE, 'its history', async () => JSON.parse(await get(`/groups/${group}/history`)).history.some(({ lag, topics }) => lag === 3 && topics[topic] === 3));
  peer.say({ type: 'ack', id: 'g', topic, partition: 0, offset: 2 });
  await has(0);
  const { history, groups } = JSON.parse(await get('/figures'));
  assert.deepEqual(Object.keys(history[0]).sort(), ['at', 'lag', 'received', 'sent', 'sockets']);
  assert.equal(groups.find((each) => each.group === group).lag, 0);
});
