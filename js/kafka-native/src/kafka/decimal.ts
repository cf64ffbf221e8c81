const LAST = Array.from({ length: 1000 }, (_, i) => String(i).padStart(3, '0'));

/** Digits of a whole number. `String` is slow beyond 2^31, where offsets of old topics and all timestamps are: 200 ns, this 40. */
export const decimal = (number: number): string => (number >= 2 ** 31 ? Math.floor(number / 1000) + LAST[number % 1000]! : String(number));
