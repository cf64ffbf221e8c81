// Errors of the user's hooks.

/** So many characters are compared at the most: with so many cookies an error's text is not shown. */
const LOOKED = 4_000_000;

/** The text of a hook's error, without what the client said in secret, also decoded, as hooks have it. */
export function withoutSecrets(error: unknown, secrets: (string | undefined)[]): string {
  const name = error instanceof Error ? error.name : `a ${typeof error} was thrown`;
  let text = error instanceof Error ? `${name}: ${error.message}` : name;
  const given = secrets.flatMap((secret) => (secret ? [secret, ...secret.split(/[\s&;,]+/).map((part) => part.replace(/^[^=]*=(?=.)/, ''))] : []));
  // A decoded part is shorter.
  const long = (part: string): boolean => part.length > 3;
  const parts = [...new Set(given.filter(long).flatMap(spoken).filter(long))];
  if (parts.length * text.length > LOOKED) return `${name}; its text is left out, the client has sent too much that may be in it`;
  for (const part of parts.sort((one, other) => other.length - one.length)) text = text.replaceAll(part, '***');
  return text;
}

/** As it is, as a URL's text, and as HTTP's Basic authentication: with the name and without. */
function spoken(part: string): string[] {
  const decoded = Buffer.from(part, 'base64').toString();
  const query = new URLSearchParams(`s=${part}`).get('s') ?? '';
  return [part, query, decoded, decoded.slice(decoded.indexOf(':') + 1)];
}
