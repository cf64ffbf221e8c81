import { Arena, Refusal } from '../../arena';
import { KafkaError } from '../../errors';
import { KafkaJSNonRetriableError, toKafkaJSError } from '../errors';
import type { Message } from './messages';
import { asJson } from '../given';

/** Of all producers: arenas that nobody uses. Each keeps up to 2 MiB behind large messages, a fixed 16 MiB for a process at most. */
const spare: Arena[] = [];
const SPARES = 8;

/** The messages of one call, as they were when it was made: packed, in the order in which they are handed over. @internal */
export class Packed {
  /** Where they go on when the arena is at its end. */
  more: Arena[] | undefined;
  /** The messages, as long as a partitioner in JavaScript has to be asked about them. */
  unplaced: Message[] | undefined;

  constructor(
    public arena: Arena,
    /** The place of the first message that is left, and of its bytes. */
    public at: number,
    public byte: number,
    /** How many messages are left. */
    public left: number,
  ) {}

  /** Gives the messages, of which none was handed over, their partitions. */
  place(partitions: readonly number[]): void {
    const arenas = [this.arena, ...(this.more ?? [])];
    let slot = this.at;
    for (const partition of partitions) {
      if (slot === arenas[0]!.count) slot = (arenas.shift(), 0);
      arenas[0]!.place(slot++, partition);
    }
    this.unplaced = undefined;
  }
}

/**
 * Packs the messages of one producer at the call, so that what happens to them later does not matter: those of calls after
 * one another lie in one arena, side by side, and are handed over from there. Each arena is used again when all of it is.
 * @internal
 */
export class Packer {
  /** Where the next call goes on; undefined also while somebody packs: a getter of a message may send, too. */
  #open: Arena | undefined;

  /**
   * At least one message. Reads every field once; nothing is packed when it throws.
   * @throws KafkaJSNonRetriableError naming the topic and the field; what a getter of a message threw
   */
  pack(topic: string, messages: readonly Message[]): Packed {
    let arena = this.#open ?? take();
    this.#open = undefined;
    const { length } = messages;
    const packed = new Packed(arena, arena.count, arena.end, length);
    arena.users++;
    let i = 0;
    try {
      for (; i < length; i++) {
        if (arena.full) {
          arena = take();
          arena.users++;
          (packed.more ??= []).push(arena);
        }
        arena.add(messages[i]);
      }
    } catch (error) {
      arena = packed.arena;
      arena.cut(packed.at, packed.byte);
      this.drop(packed);
      throw refusalOf(topic, messages[i], error);
    } finally {
      // A call that was made meanwhile has an arena of its own.
      if (!arena.full && arena.users > 0) this.#open = arena;
    }
    return packed;
  }

  /** So many messages, of so many bytes, were handed over. */
  advance(packed: Packed, count: number, bytes: number): void {
    const { arena } = packed;
    packed.at += count;
    packed.byte += bytes;
    packed.left -= count;
    if (packed.left > 0 && packed.at < arena.count) return;
    if (packed.left > 0) {
      packed.arena = packed.more!.shift()!;
      packed.at = packed.byte = 0;
    }
    this.release(arena);
  }

  /** Messages that are left will not be handed over. */
  drop(packed: Packed): void {
    if (packed.left === 0) return;
    packed.left = 0;
    this.release(packed.arena);
    packed.more?.forEach((arena) => this.release(arena));
    packed.more = undefined;
  }

  /** One user of the arena needs it no longer. */
  release(arena: Arena): void {
    if (--arena.users > 0) return;
    if (this.#open === arena) this.#open = undefined;
    arena.clear();
    arena.shrink();
    if (spare.length < SPARES) spare.push(arena);
  }
}

/** Refuses what cannot be sent. @internal */
export function checkMessages(topic: string, messages: readonly Message[]): void {
  if (messages.length === 0) return;
  const packer = new Packer();
  packer.drop(packer.pack(topic, messages));
}

function take(): Arena {
  return spare.pop() ?? new Arena('kafkajs');
}

/** The error that a KafkaJS program gets for a message that cannot be sent. */
function refusalOf(topic: string, message: Message | undefined, error: unknown): unknown {
  if (!(error instanceof Refusal)) return error; // of a getter
  if (error.tooLarge) return toKafkaJSError(new KafkaError(error.message, error.reason));
  if (error.withoutValue) return new KafkaJSNonRetriableError(`Invalid message without value for topic "${topic}": ${asJson(message)}`);
  return new KafkaJSNonRetriableError(`Invalid message for topic "${topic}": ${error.message}`);
}
