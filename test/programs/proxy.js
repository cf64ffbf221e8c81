'use strict';
// A kafka-proxy in a process of its own, until it is killed; it says its port.

const { KafkaProxy } = require('kafka-proxy');
const { options, peakMemory, say } = require('../support/child.js');

const proxy = new KafkaProxy({ port: 0, ...options() });
proxy.listen().then(({ port }) => say('listens', { port }));
process.on('message', () => say('memory', { peak: peakMemory() }));
