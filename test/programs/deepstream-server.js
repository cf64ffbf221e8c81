'use strict';
// A server of deepstream over Kafka, until it is killed.

const { Deepstream } = require('@deepstream/server');
const { options, say } = require('../support/child.js');
const { serverConfig } = require('../support/deepstream.js');

const { serverName, port, ...config } = options();
const server = new Deepstream(serverConfig(serverName, port, { ...config, logger: { type: 'default', options: { colors: false, logLevel: 'INFO' } } }));
server.on('started', () => say('started'));
server.on('FATAL_EXCEPTION', () => say('fatal'));
server.start();
