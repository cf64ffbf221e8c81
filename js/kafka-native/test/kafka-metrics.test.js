'use strict';
const assert = require('node:assert/strict');
const { test } = require('node:test');
require('./support.js'); // chooses the fake addon
const { prometheus } = require('..');
const { Metrics } = require('../dist/kafka/metrics.js');

const LINE = /^([a-z_:][a-z0-9_:]*)\{((?:[a-z_]+="(?:[^"\\\n]|\\[\\"n])*",?)+)\} (-?[0-9.e+-]+)$/i;

/** Reads the text format strictly: samples only behind their own HELP and TYPE, every metric and every series once. */
function parse(text) {
  const metrics = new Map();
  let current;
  assert.ok(text.endsWith('\n'));
  for (const line of text.slice(0, -1).split('\n')) {
    const [, keyword, name, rest] = /^# (HELP|TYPE) (\S+) (.+)$/.exec(line) ?? [];
    if (keyword === 'HELP') {
      assert.ok(!metrics.has(name), `${name} twice`);
      metrics.set(name, (current = { name, series: new Map() }));
    } else if (keyword === 'TYPE') {
      assert.equal(name, current.name);
      current.type = rest;
      assert.equal(rest === 'counter', name.endsWith('_total'), name);
    } else {
      const [, of, labels, value] = LINE.exec(line) ?? assert.fail(`not a sample: ${line}`);
      assert.equal(of, current.name);
      assert.ok(!current.series.has(labels), `${line} twice`);
      current.series.set(labels, Number(value));
    }
  }
  return metrics;
}

const broker = (name, more) => ({ name, state: 'UP', rtt: { cnt: 2, avg: 1500, p99: 2500 }, throttle: { cnt: 0 }, waitresp_cnt: 1, outbuf_cnt: 0, txerrs: 0, txretries: 3, req_timeouts: 0, rxerrs: 0, connects: 1, disconnects: 0, ...more });
const consumer = {
  name: 'app#consumer-1', client_id: 'app', type: 'consumer', tx: 5, tx_bytes: 500, rx: 4, rx_bytes: 400, txmsgs: 0, txmsg_bytes: 0, rxmsgs: 9, rxmsg_bytes: 90,
  cgrp: { assignment_size: 2, rebalance_cnt: 1 },
  brokers: { a: broker('h:1/1'), b: broker('h:2/bootstrap', { state: 'INIT', rtt: { cnt: 0 } }) },
  topics: {
    t: {
      topic: 't"\\\n',
      partitions: {
        0: { partition: 0, consumer_lag: 7, committed_offset: 3, hi_offset: 10, fetchq_cnt: 1, msgq_cnt: 0, txmsgs: 0, rxmsgs: 9 },
        1: { partition: 1, consumer_lag: -1, committed_offset: -1001, hi_offset: -1001, fetchq_cnt: 0, msgq_cnt: 0, txmsgs: 0, rxmsgs: 0 },
        '-1': { partition: -1, consumer_lag: -1 },
      },
    },
  },
};
const producer = { ...consumer, name: 'app#producer-2', type: 'producer', msg_cnt: 12, msg_size: 120, cgrp: undefined, topics: {} };

test('statistics become Prometheus\'s text: every metric once, with its type, labels escaped, what is unknown left out', () => {
  const metrics = parse(prometheus([consumer, producer]));
  const value = (name, labels) => metrics.get(`kafka_client_${name}`).series.get(labels);
  assert.equal(value('requests_total', 'client="app#consumer-1",client_id="app"'), 5);
  assert.equal(metrics.get('kafka_client_requests_total').series.size, 2);
  assert.deepEqual([...metrics.get('kafka_client_producer_queue_messages').series], [['client="app#producer-2",client_id="app"', 12]]);
  assert.equal(value('broker_rtt_average_seconds', 'client="app#consumer-1",client_id="app",broker="h:1/1"'), 0.0015);
  assert.equal(value('broker_up', 'client="app#consumer-1",client_id="app",broker="h:2/bootstrap"'), 0);
  const first = 'client="app#consumer-1",client_id="app",topic="t\\"\\\\\\n",partition="0"';
  assert.deepEqual([...metrics.get('kafka_client_partition_consumer_lag').series], [[first, 7]]);
  assert.equal(metrics.get('kafka_client_partition_messages_received_total').series.size, 2);
  assert.equal(prometheus([]), '');
  assert.equal(prometheus(consumer), prometheus([consumer]));
  const [lag] = parse(prometheus({ ...consumer, group: 'g' })).get('kafka_client_partition_consumer_lag').series.keys();
  assert.equal(lag, first.replace(',topic', ',group="g",topic'));
});

test('the newest statistics of every client count, until it is disconnected', () => {
  const metrics = new Metrics(undefined, assert.fail);
  const [a, b] = [{}, {}];
  metrics.take(a, JSON.stringify({ ...consumer, tx: 1 }));
  metrics.take(a, JSON.stringify({ ...consumer, tx: 2 }));
  metrics.take(b, JSON.stringify(producer));
  assert.deepEqual([...parse(metrics.text()).get('kafka_client_requests_total').series.values()], [2, 5]);
  metrics.forget(a);
  assert.deepEqual([...parse(metrics.text()).get('kafka_client_requests_total').series.values()], [5]);
});

test('a failing onStatistics is told and stops nothing', async () => {
  const failures = [];
  for (const fails of [() => { throw new Error('at once'); }, async () => { throw new Error('later'); }]) {
    const metrics = new Metrics(fails, (error) => failures.push(error.message));
    metrics.take({}, JSON.stringify(consumer));
    await new Promise(setImmediate);
    assert.notEqual(metrics.text(), '');
  }
  assert.deepEqual(failures, ['at once', 'later']);
});
