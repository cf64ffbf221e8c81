'use strict';
const MessageConnector = require('deepstream.io-msg-kafka');
const ClusterNode = require('deepstream.io-clusternode-kafka');
const { acrossServers } = require('./deepstream.js');

if (MessageConnector.MessageConnector !== MessageConnector || MessageConnector.ClusterNode !== ClusterNode) throw new Error('the packages have copies of their own');
acrossServers([{ path: 'deepstream.io-msg-kafka' }, { name: 'kafka' }]);
