'use strict';
const kafka = require('kafka-native');
const { roundTrip } = require('./round-trip.js');

roundTrip(kafka).then((count) => console.log(`${count} there and back`));
