// Addresses, and those that belong together.

import type { IncomingMessage } from 'node:http';
import { isIPv6 } from 'node:net';

/** IPv4 in its own form, also where it comes by IPv6. */
export function addressOf({ socket }: IncomingMessage): string {
  return (socket.remoteAddress ?? '').replace(/^::ffff:(?=[\d.]+$)/, '');
}

/** Limits count an address of IPv4; of IPv6 the first 64 bits, all of which one household or one machine has. */
export function networkOf(address: string): string {
  const [plain = ''] = address.split('%');
  if (!isIPv6(plain)) return address;
  const [before = '', after] = plain.split('::');
  const parts = (text: string | undefined): string[] => (text ? text.split(':') : []);
  const first = parts(before);
  const last = parts(after);
  // IPv4 at the end are two parts.
  const count = first.length + last.length + (plain.includes('.') ? 1 : 0);
  const all = after === undefined ? first : [...first, ...Array<string>(8 - count).fill('0'), ...last];
  return `${all
    .slice(0, 4)
    .map((part) => Number.parseInt(part, 16).toString(16))
    .join(':')}::/64`;
}

/** Nobody but this machine reaches it. */
export function isLoopback(host: string): boolean {
  return host === 'localhost' || host === '::1' || /^(::ffff:)?127\.\d+\.\d+\.\d+$/.test(host);
}
