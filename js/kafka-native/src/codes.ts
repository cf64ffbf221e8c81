import { binding } from './loader';
import { BEGIN, END, STORED, UNKNOWN } from './logical';

const PREFIX = 'RD_KAFKA_RESP_ERR_';
const numbers = new Map<string, number>();
const names: Record<string, string> = {};
for (const [number, name] of binding.errorCodes()) {
  names[number] = name;
  numbers.set(name.slice(PREFIX.length), number);
}

/**
 * Every error that librdkafka knows: its number as a string → its C name, such as
 * `Errors['-195'] === 'RD_KAFKA_RESP_ERR__TRANSPORT'`. Numbers below zero are local, the others come from the broker.
 */
export const Errors: Readonly<Record<string, string>> = Object.freeze(names);

/** librdkafka's names for offsets that are not a position in the log. */
export const Offsets = Object.freeze({
  /** The first message that the broker still has. */
  RD_KAFKA_OFFSET_BEGINNING: BEGIN,
  /** Behind the last message. */
  RD_KAFKA_OFFSET_END: END,
  /** Where the group committed. */
  RD_KAFKA_OFFSET_STORED: STORED,
  /** None. */
  RD_KAFKA_OFFSET_INVALID: UNKNOWN,
});

/** The number of a name as `KafkaError.code` has it: `_TRANSPORT` → -195. @internal */
export function errnoOf(name: unknown): number | undefined {
  return numbers.get(name as string);
}

/** Code and number of an error of librdkafka's, by its name. @internal */
export function codeOf(name: string): { code: string; errno: number } {
  return { code: name, errno: numbers.get(name)! };
}
