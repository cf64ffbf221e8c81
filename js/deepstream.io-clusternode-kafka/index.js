'use strict';
// deepstream requires a package of this name for `clusterNode: { name: 'kafka' }`.
module.exports = require('deepstream.io-msg-kafka').ClusterNode;
