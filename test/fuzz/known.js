'use strict';
// What librdkafka does not survive, and is not mended: docs/security.md names it, too. The fuzzer leaves it out, here and nowhere else.

/** [the request whose answer is garbled, the way of proxy.js, why that is left out]. */
const known = [
];

/** Whether an answer to `request` is not to be garbled in this way. */
const excluded = (request, way) => known.some(([name, how]) => name === request && (how === way || how === '*'));

module.exports = { excluded, known };
