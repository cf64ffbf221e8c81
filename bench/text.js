'use strict';

/**
 * Records as programs write them, so that compression finds what it usually finds: 4 MB that do not repeat themselves, ASCII. The C loop makes
 * the same.
 */
function text() {
  let seed = 1;
  const random = () => (seed = (Math.imul(seed, 1_103_515_245) + 12_345) & 0x7fffffff);
  const records = [];
  for (let length = 0; length < 4 << 20; ) {
    const record = `{"id":${random()},"user":"${random()}","price":${random() % 10_000},"at":"2026-01-${10 + (random() % 20)}T10:00:00Z"}\n`;
    records.push(record);
    length += record.length;
  }
  return records.join('');
}

/** Values of so many bytes. @param {number} size */
function values(size) {
  const records = text();
  return (/** @type {number} */ i) => {
    const from = (i * size) % (records.length - size);
    return records.slice(from, from + size);
  };
}

module.exports = { values };
