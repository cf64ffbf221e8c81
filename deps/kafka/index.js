'use strict';

const { KafkaCluster } = require('./cluster.js');
const { fetchJars } = require('./jars.js');
const { withLock } = require('./lock.js');

module.exports = { KafkaCluster, fetchJars, withLock };
