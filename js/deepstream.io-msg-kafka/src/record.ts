import type { Message } from './deepstream';

/** The headers, by which records are left out before they reach JavaScript. */
export const Header = {
  /** Which node wrote it: one for each ClusterNode, also where two have one name. */
  From: 'f',
  /** The name of its server. */
  Server: 's',
  /** The name of the only server that it is for. */
  To: 't',
  /** The server name that it claims, or refuses. */
  Claim: 'c',
} as const;

const NEWLINE = 10;

/**
 * JSON on one line. Where `data` is bytes they follow behind a newline, as they are.
 * @throws TypeError for what has no form as JSON: a circle, a BigInt
 */
export function encodeMessage(message: Message): string | Uint8Array {
  const { data, ...rest } = message;
  if (!(data instanceof Uint8Array)) return JSON.stringify(message);
  return Buffer.concat([Buffer.from(`${JSON.stringify(rest)}\n`), data]);
}

/** @throws Error for what is no message */
export function decodeMessage(value: Buffer | null): Message {
  if (value === null) throw new Error('it has no value');
  const end = value.indexOf(NEWLINE);
  const message: unknown = JSON.parse(value.toString('utf8', 0, end === -1 ? value.length : end));
  if (typeof message !== 'object' || message === null || typeof (message as Message).topic !== 'number') throw new Error('it is no message of deepstream');
  // Memory of its own: the value is a view on a whole batch.
  if (end !== -1) (message as Message).data = Buffer.from(value.subarray(end + 1));
  return message as Message;
}
