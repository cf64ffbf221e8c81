import assert from 'node:assert/strict';
import { createRequire } from 'node:module';
import * as imported from 'kafka-native';
import kafka, { Consumer, Kafka, MockCluster, Producer } from 'kafka-native';
import { roundTrip } from './round-trip.js';

// One copy of the package, however it is asked for.
const required = createRequire(import.meta.url)('kafka-native');
for (const name of Object.keys(required)) assert.equal(imported[name], required[name], name);
assert.deepEqual([kafka.Producer, kafka.Kafka], [Producer, Kafka]);
console.log(`${await roundTrip({ Consumer, MockCluster, Producer })} there and back`);
