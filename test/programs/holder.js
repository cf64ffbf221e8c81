'use strict';
// Holds the partitions of a topic in a directory until it is killed.

const { Consumer } = require('kafka-native');
const { options, say } = require('../support/child.js');

const consumer = new Consumer({ ...options(), receive_callback() {} });
consumer.start().then(() => say('holds'));
