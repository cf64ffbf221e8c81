// Bytes as text, as hex, as base64.

import type { Bytes, Entry } from './ring';

const exact = new TextDecoder('utf-8', { fatal: true, ignoreBOM: true });
const lenient = new TextDecoder('utf-8', { ignoreBOM: true });
/** Of a value, in a row. */
const PREVIEW = 240;

/** undefined: it is no UTF-8. */
export function textOf(bytes: Uint8Array): string | undefined {
  try {
    return exact.decode(bytes);
  } catch {
    return undefined;
  }
}

export function hexOf(bytes: Uint8Array, most = bytes.length): string {
  return Array.from(bytes.subarray(0, most), (byte) => byte.toString(16).padStart(2, '0')).join(' ');
}

export function base64Of(bytes: Uint8Array): string {
  let binary = '';
  for (let i = 0; i < bytes.length; i += 4096) binary += String.fromCharCode(...bytes.subarray(i, i + 4096));
  return btoa(binary);
}

/** Lines of 16 bytes, with their place, and what of them is ASCII. */
export function dump(bytes: Uint8Array, most: number): string {
  const lines: string[] = [];
  for (let i = 0; i < Math.min(bytes.length, most); i += 16) {
    const line = bytes.subarray(i, i + 16);
    const letters = Array.from(line, (byte) => (byte >= 0x20 && byte < 0x7f ? String.fromCharCode(byte) : '.')).join('');
    lines.push(`${i.toString(16).padStart(6, '0')}  ${hexOf(line).padEnd(47)}  ${letters}`);
  }
  return lines.join('\n');
}

/** What a row shows; made once. */
export function preview(entry: Entry): { key: string; value: string } {
  return (entry.preview ??= { key: short(entry.key), value: short(entry.value) });
}

function short(bytes: Bytes): string {
  if (bytes === null) return '';
  const head = bytes.subarray(0, PREVIEW);
  try {
    // A character may be cut at the end.
    const text = new TextDecoder('utf-8', { fatal: true, ignoreBOM: true }).decode(head, { stream: bytes.length > PREVIEW });
    return bytes.length > PREVIEW ? `${text}…` : text;
  } catch {
    return `0x ${hexOf(head, 32)}${bytes.length > 32 ? ' …' : ''}`;
  }
}

/** Whether each word is in the key, the value, or the headers. */
export function matcher(wanted: string): ((entry: Entry) => boolean) | undefined {
  const words = wanted.toLowerCase().split(/\s+/).filter(Boolean);
  if (words.length === 0) return undefined;
  return ({ key, value, headers }) => {
    const parts = [key, value].map((bytes) => (bytes ? lenient.decode(bytes) : ''));
    for (const [name, bytes] of headers) parts.push(name, bytes ? lenient.decode(bytes) : '');
    const all = parts.join('\n').toLowerCase();
    return words.every((word) => all.includes(word));
  };
}
