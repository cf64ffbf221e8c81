'use strict';
require('./socketio.js').acrossServers(require('socket.io-kafka'));
