'use strict';
// Everything of socketio.test.js, with connection state recovery: what is applied in the log's order, and waits for its place there, does the same.

require('./support/socketio.js').mode.recovery = true;
require('./socketio.test.js');
