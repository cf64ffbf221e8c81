'use strict';
require('./proxy.js').throughProxy(require('kafka-proxy'), require('kafka-proxy/client'));
