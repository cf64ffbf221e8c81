import { invalidType } from '../errors';
import { describe } from '../options';

/** Keeps the offsets somewhere else than in files: in the database, say, that the messages are written to. */
export interface OffsetManager {
  /**
   * The offset of the last processed message of each of these partitions, in the same order (or by partition); -1 for
   * none. The consumer goes on with the one behind it.
   */
  read(partitions: number[]): Promise<number[] | Record<number, number>>;
  /** Records the last processed offsets. One commit at a time; a rejected one is tried again. */
  commit(offsets: Record<number, number>): Promise<unknown>;
}

/** A class is instantiated with the options of the consumer. */
export type OffsetManagerOption = OffsetManager | (new (options: any) => OffsetManager);

/** @internal */
export function makeOffsetManager(option: unknown, options: unknown): OffsetManager | undefined {
  if (option === undefined) return undefined;
  const manager = (typeof option === 'function' ? new (option as new (options: unknown) => unknown)(options) : option) as OffsetManager | null;
  if (typeof manager?.read !== 'function' || typeof manager.commit !== 'function') {
    throw invalidType(`Consumer: the option offset_manager must be a class or an object with read and commit, got ${describe(option)}`);
  }
  return manager;
}

/** Asks the manager, and checks what it says: a wrong offset would skip or repeat messages. @internal */
export async function readOffsets(manager: OffsetManager, partitions: number[]): Promise<number[]> {
  const given: unknown = await manager.read(partitions);
  if (typeof given !== 'object' || given === null || (Array.isArray(given) && given.length !== partitions.length)) {
    throw invalidType(
      `offset_manager.read must give an offset for each of the partitions ${partitions.join(', ')}, got ${Array.isArray(given) ? `${given.length} of them` : describe(given)}`,
    );
  }
  return partitions.map((partition, i) => {
    const offset: unknown = Array.isArray(given) ? given[i] : ((given as Record<number, unknown>)[partition] ?? -1);
    if (Number.isSafeInteger(offset) && (offset as number) >= -1) return offset as number;
    throw invalidType(`offset_manager.read gave ${describe(offset)} for partition ${partition}: an offset must be an integer, -1 for none`);
  });
}
