// Messages as kafka-native wrote them: a JSON object a line, which begins with its place (`linesFormat`). Nothing else of it is read.

/** The byte that divides them. */
export const LINE = 0x0a;
const PARTITION = '{"partition":'.length;
const OFFSET = ',"offset":'.length;
const TIMESTAMP = ',"timestamp":'.length;
const ZERO = 0x30;
const MINUS = 0x2d;

export interface LinePlace {
  partition: number;
  offset: number;
  timestamp: number;
}

/** Where the message is whose line begins there. */
export function placeOf(lines: Buffer, begin: number): LinePlace {
  let at = begin;
  const number = (skip: number): number => {
    at += skip;
    const minus = lines[at] === MINUS;
    if (minus) at++;
    let value = 0;
    for (let digit = lines[at]! - ZERO; digit >= 0 && digit <= 9; digit = lines[++at]! - ZERO) value = value * 10 + digit;
    return minus ? -value : value;
  };
  return { partition: number(PARTITION), offset: number(OFFSET), timestamp: number(TIMESTAMP) };
}
