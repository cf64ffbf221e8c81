// Numbers as programs give them: KafkaJS and the environment have them as text.

/** The largest number that a partition can have. */
export const MAX_PARTITION = 2 ** 31 - 1;

/** A number, or its text; undefined for anything else. @internal */
export function numberOf(given: unknown): number | undefined {
  const number = typeof given === 'string' && given.trim() !== '' ? Number(given) : given;
  return typeof number === 'number' && !Number.isNaN(number) ? number : undefined;
}

/** A whole number, its text, a BigInt, a Long; undefined for anything else. @internal */
export function integerOf(given: unknown): number | undefined {
  const text = typeof given === 'string' || typeof given === 'bigint' || (typeof given === 'object' && given !== null) ? textOf(given) : undefined;
  const number = text === undefined ? given : /^-?\d+$/.test(text) ? Number(text) : undefined;
  return Number.isSafeInteger(number) ? (number as number) : undefined;
}

/** The number of a partition. @internal */
export function partitionOf(given: unknown): number | undefined {
  const partition = integerOf(given);
  return partition !== undefined && partition >= 0 && partition <= MAX_PARTITION ? partition : undefined;
}

/** Undefined for an object that cannot be text. @internal */
export function textOf(given: unknown): string | undefined {
  try {
    return String(given);
  } catch {
    return undefined;
  }
}
