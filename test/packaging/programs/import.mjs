import assert from 'node:assert/strict';
import { createRequire } from 'node:module';
import kafka, { Admin, Consumer, Errors, KafkaError, MockCluster, Offsets, Producer } from 'kafka-native';
import { roundTrip } from './round-trip.js';

// One copy of the package, however it is asked for.
assert.deepEqual({ ...createRequire(import.meta.url)('kafka-native') }, { Admin, Consumer, Errors, KafkaError, MockCluster, Offsets, Producer });
assert.equal(kafka.Producer, Producer);
console.log(`${await roundTrip({ Consumer, MockCluster, Producer })} there and back`);
