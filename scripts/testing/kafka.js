'use strict';
// The real Kafka that tests share, started when the first one asks for it.

const { Failure, step } = require('../terminal.js');

/** The cluster that KAFKA_BROKER names, else one that `stop` removes. */
function kafka() {
  /** @type {Promise<{ env: NodeJS.ProcessEnv, stop(): Promise<unknown> }> | undefined} */
  let started;
  return {
    /** @returns {Promise<NodeJS.ProcessEnv>} what tells tests where it is */
    async env() {
      const given = process.env.KAFKA_BROKER;
      if (given) return { KAFKA_BROKER: given };
      if (!started) {
        step('Starting a real Kafka for the tests');
        const { KafkaCluster } = require('../../deps/kafka');
        started = KafkaCluster.start();
      }
      const cluster = await started.catch((error) => {
        throw new Failure(`The real Kafka does not start: ${error.message}`);
      });
      return cluster.env;
    },
    async stop() {
      const cluster = await started?.catch(() => undefined);
      await cluster?.stop();
    },
  };
}

module.exports = { kafka };
