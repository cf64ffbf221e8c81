'use strict';
// A client of the old protocol without any help, as kafka-proxy 1.0 had them: frames as they are.

const WebSocket = require('ws');
const { Calls } = require('./watch.js');
const { PATIENCE, within } = require('./flow.js');

class LegacyClient extends Calls {
  /** The frames, as text. */
  frames = [];
  /** Their messages: { message, offset }. */
  messages = [];

  /** @param {number} port @param {string} query what stands behind the question mark @param {{ path?: string, headers?: Record<string, string>, autoPong?: boolean }} [options] */
  constructor(port, query, { path = '/', headers, autoPong = true } = {}) {
    super();
    this.ws = new WebSocket(`ws://127.0.0.1:${port}${path}?${query}`, /** @type {any} */ ({ headers, autoPong }));
    /** How it ended: { code, reason }. */
    this.closed = new Promise((resolve) => this.ws.on('close', (code, reason) => resolve({ code, reason: String(reason) })));
    this.opened = new Promise((resolve) => this.ws.once('open', resolve).once('close', resolve));
    this.ws.on('error', () => {});
    this.ws.on('message', (data, binary) => {
      if (binary) throw new Error('a binary frame');
      const frame = String(data);
      this.frames.push(frame);
      this.messages.push(...JSON.parse(frame));
      this.take(frame);
    });
  }

  get offsets() {
    return this.messages.map(({ offset }) => offset);
  }

  /** So many messages have come. Rejects when the socket is closed before. */
  async got(count, ms = PATIENCE) {
    return within(
      ms,
      () => `${this.messages.length} of ${count} messages came`,
      async () => {
        let gone;
        this.closed.then((how) => {
          gone = how;
          this.emit('call');
        });
        while (this.messages.length < count) {
          if (gone) throw new Error(`closed with ${JSON.stringify(gone)} after ${this.messages.length} of ${count} messages`);
          await new Promise((resolve) => this.once('call', resolve));
        }
        return this.messages;
      },
    );
  }

  /** How the proxy ended it. */
  async refused(ms = PATIENCE) {
    return within(
      ms,
      () => `it is open, and has ${this.messages.length} messages`,
      () => this.closed,
    );
  }

  async close() {
    this.ws.close();
    return this.closed;
  }

  /** As a process that dies: without a word. Messages written to it may not have come. */
  async kill() {
    this.killed = true;
    this.ws.terminate();
    return this.closed;
  }
}

module.exports = { LegacyClient };
