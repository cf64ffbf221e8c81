/** Every character that a topic's name can have. */
const LEGAL = [...'abcdefghijklmnopqrstuvwxyzABCDEFGHIJKLMNOPQRSTUVWXYZ0123456789._-'];

/**
 * A pattern for librdkafka instead of a JavaScript expression: a POSIX extended expression that begins with `^`, and is also
 * one for RE2, by which brokers match under the protocol `consumer`; topics made later are found. Undefined when there is
 * none: look-around, back references, word boundaries.
 *
 * Names have 65 legal characters, so every class, escape and letter of any case is written as the characters that it allows.
 * @internal
 */
export function toPosix({ source, flags }: RegExp): string | undefined {
  const caseless = flags.includes('i') ? 'i' : '';
  let out = '';
  let depth = 0;
  let alternatives = false;
  let rest = source;
  const take = (pattern: RegExp): string | undefined => {
    const token = pattern.exec(rest)?.[0];
    if (token !== undefined) rest = rest.slice(token.length);
    return token;
  };
  while (rest !== '') {
    let token: string | undefined;
    if (take(/^\(\?(?:<?[=!])/) !== undefined) return undefined;
    else if (take(/^\((?:\?:|\?<[^>]*>)?/) !== undefined) {
      depth++;
      out += '(';
    } else if (take(/^\)/) !== undefined) {
      depth--;
      out += ')';
    } else if (take(/^\|/) !== undefined) {
      alternatives ||= depth === 0;
      out += '|';
    } else if ((token = take(/^[\^$]/)) !== undefined) out += token;
    // A lazy quantifier finds the same names.
    else if ((token = take(/^(?:[*+?]|\{\d+(?:,\d*)?\})/)) !== undefined) {
      out += token;
      take(/^\?/);
    } else if (/^\\[1-9bBk]/.test(rest)) return undefined;
    else {
      token = take(/^(?:\[(?:\\.|[^\]\\])*\]|\\[pP]\{[^}]*\}|\\x[\da-fA-F]{2}|\\u\{[^}]*\}|\\u[\da-fA-F]{4}|\\c[a-zA-Z]|\\?.)/s)!;
      const one = new RegExp(`^(?:${token})$`, caseless + (flags.includes('u') ? 'u' : flags.includes('v') ? 'v' : ''));
      out += oneOf(LEGAL.filter((character) => one.test(character)));
    }
  }
  if (alternatives) return `^.*(${out}).*$`;
  return `${out.startsWith('^') ? out : `^.*${out}`}${out.endsWith('$') ? '' : '.*$'}`;
}

function oneOf(characters: string[]): string {
  if (characters.length === LEGAL.length) return '.';
  if (characters.length === 0) return '[^a-zA-Z0-9._-]';
  if (characters.length === 1) return characters[0] === '.' ? '\\.' : characters[0]!;
  return `[${characters.join('')}]`; // the hyphen is the last
}
