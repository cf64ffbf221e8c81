'use strict';
// What librdkafka does not survive, and is not mended: docs/security.md names it, too. The fuzzer leaves it out, here and nowhere else.

/** [the request whose answer is garbled, the way of proxy.js, why that is left out]. */
const known = [];

/** Whether an answer to `request` is not to be garbled in this way. */
const excluded = (request, way) => known.some(([name, how]) => name === request && (how === way || how === '*'));

/** Kinds of clients that are not tried on the embedded broker, and why. */
const realOnly = {
  admin: 'it knows no admin',
  kip848: 'it aborts where a member was told that it has no id, and says so back',
};

/** Kinds of clients that are tried by hand only (KIND=admin), and why. */
const byHand = {
  admin: 'now and then a garbled answer releases a request twice (rd_kafka_enq_once_del_source_return), or ends with SIGSEGV',
};

module.exports = { byHand, excluded, known, realOnly };
