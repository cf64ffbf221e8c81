// Facts about somebody besides the name.

/** A claim by its name, or by a path in what is nested: `realm_access.roles`. Only what is its own: no claim is called `constructor`. */
export function claimOf(claims: Readonly<Record<string, unknown>>, path: string): unknown {
  if (Object.hasOwn(claims, path)) return claims[path];
  let value: unknown = claims;
  for (const part of path.split('.')) {
    if (typeof value !== 'object' || value === null || !Object.hasOwn(value, part)) return undefined;
    value = (value as Record<string, unknown>)[part];
  }
  return value;
}

/** The text that a name, a key or a header has to be; undefined: it is none, or not exactly known. */
export function textOf(value: unknown): string | undefined {
  if (typeof value === 'bigint') return String(value);
  // Two large numbers may have become the same one when JSON was read.
  if (typeof value === 'number') return Number.isSafeInteger(value) || (Number.isFinite(value) && !Number.isInteger(value)) ? String(value) : undefined;
  // Half a character has no UTF-8: all halves would be the same.
  return typeof value === 'string' && value !== '' && !/\p{Surrogate}/u.test(value) ? value : undefined;
}
