'use strict';
// Clients that nobody stops and nobody refers to any more: they end when they are collected, and not before their work is done.
const { after, before, describe, test } = require('node:test');
const { Child } = require('./support/child.js');
const { real, topicName } = require('./support/clusters.js');
const { folder, producer } = require('./support/flow.js');

describe('dropped clients', () => {
  let cluster;
  before(async () => (cluster = await real()));
  after(() => cluster?.close());

  const run = async (t, what) => {
    const topic = await cluster.topic(1);
    const sender = producer(t, cluster);
    sender.send(topic, 0, ['first']);
    await sender.stop();
    const options = { broker: cluster.options().broker, topic, groupId: topicName('group'), directory: folder(t), what };
    const child = new Child(t, 'dropped.js', options, { execArgv: ['--expose-gc'] });
    await child.says('done', 110_000);
    await child.exits();
  };

  test('a client of any kind that nobody refers to leaves no thread and no file', (t) => run(t, 'idle'));

  test('what a dropped producer was given is delivered, and it ends then', (t) => run(t, 'sending'));

  test('a started consumer goes on though nobody refers to it', (t) => run(t, 'consuming'));

  test('a client whose callback hears statistics is kept until it is stopped', (t) => run(t, 'listening'));
});
