// By require, with the global WebSocket.

import client = require('kafka-proxy/client');

const made: client.KafkaProxyClient = new client.KafkaProxyClient('ws://localhost', { WebSocket });
const rule: client.MessageRule = { key: ['a', null] };
