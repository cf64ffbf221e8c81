'use strict';
// The same objects: an error of this name is one of that.
module.exports = require('kafka-native/kafkajs');
