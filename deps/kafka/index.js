'use strict';

const { KafkaCluster } = require('./cluster.js');
const { fetchJars } = require('./jars.js');

module.exports = { KafkaCluster, fetchJars };
