'use strict';
// deepstream's servers do not keep each other's records: they need a cache that all of them read. This one is a compacted topic, which every server has in
// memory whole; so records outlive all servers.

/** A cache as deepstream asks for it. */
class RecordsInKafka {
  description = 'Records in a compacted topic of Kafka';
  #table;

  /** @param {import('kafka-native').Table<string, { version: number, data: object }>} table */
  constructor(table) {
    this.#table = table;
  }

  /** @param {import('kafka-native').Kafka} kafka @param {string} topic is made where it is missing */
  static async open(kafka, topic) {
    const admin = kafka.admin();
    await admin.connect();
    await admin.createTopics({ topics: [{ topic, numPartitions: 1, configEntries: [{ name: 'cleanup.policy', value: 'compact' }] }] });
    await admin.disconnect();
    return new RecordsInKafka(/** @type {any} */ (await kafka.table({ topic })));
  }

  async whenReady() {}

  head(name, done) {
    process.nextTick(done, null, this.#table.get(name)?.version ?? -1);
  }

  headBulk(names, done) {
    const found = names.filter((name) => this.#table.has(name));
    const versions = Object.fromEntries(found.map((name) => [name, this.#table.get(name)?.version]));
    process.nextTick(
      done,
      null,
      versions,
      names.filter((name) => !this.#table.has(name)),
    );
  }

  get(name, done) {
    const { version, data } = this.#table.get(name) ?? { version: -1, data: null };
    process.nextTick(done, null, version, data);
  }

  // The record is in the cache when it is in Kafka and read back.
  set(name, version, data, done) {
    settle(this.#table.set(name, { version, data }), done);
  }

  delete(name, done) {
    settle(this.#table.delete(name), done);
  }

  deleteBulk(names, done) {
    settle(Promise.all(names.map((name) => this.#table.delete(name))), done);
  }

  close() {
    return this.#table.close();
  }
}

function settle(promise, done) {
  promise.then(
    () => done(null),
    (error) => done(error.message),
  );
}

module.exports = { RecordsInKafka };
