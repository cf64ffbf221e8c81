'use strict';
// The messages of the usual program: JSON of 280 bytes, with a key and three headers.

/** Bytes of a value. */
const SIZE = 280;

/** A message of it. @param {number} i */
function usual(i) {
  const order = {
    id: 1_000_000 + i,
    customer: `customer-${i % 10_000}`,
    placed: new Date(1.76e12 + i).toISOString(),
    total: (i % 99_991) / 100,
    currency: 'EUR',
    city: 'Rotterdam',
    gift: false,
    lines: [
      { article: `a${i % 977}`, count: 1 + (i % 3), price: 19.99 },
      { article: `a${i % 983}`, count: 1, price: 5 + (i % 7) },
    ],
    note: '',
  };
  order.note = 'n'.repeat(SIZE - JSON.stringify(order).length);
  const headers = { 'content-type': 'application/json', 'trace-id': `4bf92f3577b34da6a3ce929d0e0e${String(i % 10_000).padStart(4, '0')}`, source: 'checkout' };
  return { key: order.customer, value: JSON.stringify(order), headers };
}

module.exports = { SIZE, usual };
