// How an alarm gets to an address of the web.

import { request as http } from 'node:http';
import { request as https } from 'node:https';
import { setTimeout as pause } from 'node:timers/promises';
import type { Alarm, Webhook } from './alert-options';

/** Milliseconds for one try, and the pauses between tries: all of it takes less than the minute until the next alarm. */
const PATIENCE = 5000;
const PAUSES = [1000, 5000];

/** Resolves when the other side has said 2xx. Rejects with an error that shows nothing of the address and the headers. */
export async function post(webhook: Webhook, alarm: Alarm, signal: AbortSignal, { patience = PATIENCE, pauses = PAUSES } = {}): Promise<void> {
  for (let tries = 0; ; tries++) {
    try {
      return await once(webhook, alarm, signal, patience);
    } catch (error) {
      const next = pauses[tries];
      if (next === undefined || signal.aborted) throw error;
      await pause(next, undefined, { signal, ref: false });
    }
  }
}

function once(webhook: Webhook, alarm: Alarm, signal: AbortSignal, patience: number): Promise<void> {
  const { url, headers } = typeof webhook === 'string' ? { url: webhook } : webhook;
  const body = Buffer.from(JSON.stringify(alarm));
  const own = { ...headers, 'content-type': 'application/json', 'content-length': body.length };
  const late = AbortSignal.timeout(patience);
  return new Promise((resolve, reject) => {
    const failed = (error: { code?: unknown }): void =>
      reject(new Error(late.aborted ? `no answer in ${patience} ms` : String(error?.code ?? 'no connection')));
    try {
      const to = new URL(url);
      const send = to.protocol === 'https:' ? https : http;
      // A connection for each: a place that is told something once an hour need not hold one. Redirects are not followed: the headers are for this place alone.
      const asked = send(to, { method: 'POST', agent: false, headers: own, signal: AbortSignal.any([signal, late]) }, (response) => {
        const { statusCode = 0 } = response;
        response.on('error', () => {});
        // The body of the answer is nobody's matter, however long it is.
        response.destroy();
        if (statusCode >= 200 && statusCode < 300) resolve();
        else reject(new Error(`the answer was ${statusCode}`));
      });
      asked.on('error', failed);
      asked.end(body);
    } catch (error) {
      failed(error as { code?: unknown });
    }
  });
}
