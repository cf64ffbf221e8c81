'use strict';
// Workers that end in the middle of a group's work: nothing of their members is left in the process.
const { after, before, describe, test } = require('node:test');
const { Child } = require('./support/child.js');
const { embedded, real, topicName } = require('./support/clusters.js');
const { producer } = require('./support/flow.js');

for (const make of [embedded, real]) {
  describe(`workers with members of groups, on the ${make.name} cluster`, () => {
    let cluster;
    before(async () => (cluster = await make()));
    after(() => cluster?.close());

    for (const others of [false, true]) {
      test(`a worker that ends with a member${others ? ', while another lives on,' : ''} leaves no thread and no file`, async (t) => {
        const topic = await cluster.topic(4);
        const sender = producer(t, cluster);
        for (let partition = 0; partition < 4; partition++) sender.send(topic, partition, Array.from({ length: 100 }, String));
        await sender.stop();
        const broker = cluster.options().broker;
        const child = new Child(t, 'ended-members.js', { broker, topic, groupId: topicName('group'), workers: others ? 1 : 5, others });
        await child.says('gone', 240_000);
        await child.exits();
      });
    }
  });
}
