// Text of strangers: what is not seen, or turns the line around, is made visible. And numbers and times.

import type { ComponentChildren, JSX } from 'preact';

/** Controls, what turns the direction, what has no width (but joiners, which letters and emoji need), fillers, halves of characters. */
const ODD = /[\p{Cc}\p{Cs}\p{Zl}\p{Zp}\u{115f}\u{1160}\u{3164}\u{ffa0}]|(?![\u{200c}\u{200d}])\p{Cf}/gu;

/** Where lines and tabs are shown as they are. */
const ODD_BUT_LINES = new RegExp(`(?![\\n\\t])(?:${ODD.source})`, 'gu');

function nameOf(char: string): string {
  const code = char.codePointAt(0)!;
  if (code < 0x20) return String.fromCharCode(0x2400 + code);
  return code === 0x7f ? '\u2421' : `U+${code.toString(16).toUpperCase().padStart(4, '0')}`;
}

/** For attributes, titles and options: text alone. */
export function plain(text: string): string {
  return text.replace(ODD, (char) => `[${nameOf(char)}]`);
}

/** Text of any origin. It can't disorder what is around it. */
export function Foreign({ text, most = 300, lines = false }: { text: string; most?: number; lines?: boolean }): JSX.Element {
  const shown = text.length > most ? text.slice(0, most) : text;
  const parts: ComponentChildren[] = [];
  let from = 0;
  for (const match of shown.matchAll(lines ? ODD_BUT_LINES : ODD)) {
    if (match.index > from) parts.push(shown.slice(from, match.index));
    parts.push(<span class="odd">{nameOf(match[0])}</span>);
    from = match.index + match[0].length;
  }
  parts.push(shown.slice(from), shown === text ? '' : '…');
  return <bdi class="foreign">{parts}</bdi>;
}

const whole = new Intl.NumberFormat();
const short = new Intl.NumberFormat(undefined, { notation: 'compact', maximumFractionDigits: 1 });
const fine = new Intl.NumberFormat(undefined, { maximumFractionDigits: 1 });
const UNITS = ['B', 'kB', 'MB', 'GB', 'TB', 'PB'];

export const NOT_KNOWN = '–';
type Known = number | null | undefined;

export const count = (n: Known): string => (n == null ? NOT_KNOWN : whole.format(n));
export const compact = (n: Known): string => (n == null ? NOT_KNOWN : Math.abs(n) < 10_000 ? whole.format(Math.round(n)) : short.format(n));

export function bytes(n: Known): string {
  if (n == null) return NOT_KNOWN;
  const power = Math.min(Math.max(Math.floor(Math.log10(Math.max(Math.abs(n), 1)) / 3), 0), UNITS.length - 1);
  return `${fine.format(n / 1000 ** power)} ${UNITS[power]}`;
}

/** Messages a second. */
export const rate = (n: Known): string => (n == null ? NOT_KNOWN : `${n > 0 && n < 10 ? fine.format(n) : compact(n)}/s`);
export const byteRate = (n: Known): string => (n == null ? NOT_KNOWN : `${bytes(n)}/s`);
export const plural = (n: number, one: string, many = `${one}s`): string => `${count(n)} ${n === 1 ? one : many}`;

const day = new Intl.DateTimeFormat(undefined, { dateStyle: 'medium', timeStyle: 'medium' });
const hour = new Intl.DateTimeFormat(undefined, { hour: '2-digit', minute: '2-digit', second: '2-digit', fractionalSecondDigits: 3, hourCycle: 'h23' });
const MOST = 8.64e15;

/** A local time, with the exact one beside it. A producer may have said any number. */
export function Time({ at, clock = false }: { at: number; clock?: boolean }): JSX.Element {
  if (!(Math.abs(at) <= MOST)) return <span>{String(at)}</span>;
  const iso = new Date(at).toISOString();
  const today = clock && Math.abs(Date.now() - at) < 43_200_000;
  return (
    <time dateTime={iso} title={iso}>
      {(today ? hour : day).format(at)}
    </time>
  );
}

export function duration(milliseconds: number): string {
  const seconds = Math.max(Math.floor(milliseconds / 1000), 0);
  const [d, h, m, s] = [Math.floor(seconds / 86_400), Math.floor(seconds / 3600) % 24, Math.floor(seconds / 60) % 60, seconds % 60];
  if (d > 0) return `${d} d ${h} h`;
  if (h > 0) return `${h} h ${m} min`;
  return m > 0 ? `${m} min ${s} s` : `${s} s`;
}
