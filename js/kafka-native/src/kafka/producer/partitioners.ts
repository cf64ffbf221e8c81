import type { PartitionMetadata } from '../partitions';
import type { Message } from './messages';

export interface PartitionerArgs {
  topic: string;
  partitionMetadata: PartitionMetadata[];
  message: Message;
}

/** Called once a producer; returns what is asked for the partition of each message. */
export type ICustomPartitioner = () => (args: PartitionerArgs) => number;
export type DefaultPartitioner = ICustomPartitioner;
export type LegacyPartitioner = ICustomPartitioner;

type Hash = (key: Uint8Array) => number;

const SEED = 0x9747b28c;
const M = 0x5bd1e995;

/** murmur2 as Java computes it. */
const murmur2: Hash = (key) => {
  const words = key.length >> 2;
  let hash = SEED ^ key.length;
  for (let i = 0; i < words; i++) {
    let word = Math.imul(wordAt(key, 4 * i), M);
    word = Math.imul(word ^ (word >>> 24), M);
    hash = Math.imul(hash, M) ^ word;
  }
  if (key.length & 3) hash = Math.imul(hash ^ wordAt(key, 4 * words), M);
  hash = Math.imul(hash ^ (hash >>> 13), M);
  return hash ^ (hash >>> 15);
};

/**
 * murmur2 as KafkaJS computed it up to 1.x: products lose bits beyond 2^53, and an incomplete last word counts twice. Topics
 * that were filled so keep their partitions.
 */
const legacyMurmur2: Hash = (key) => {
  let hash: number = SEED ^ key.length;
  for (let at = 0; at < key.length; at += 4) {
    let word: number = wordAt(key, at) * M;
    word ^= word >>> 24;
    hash = (hash * M) ^ (word * M);
  }
  if (key.length & 3) hash = (hash ^ wordAt(key, key.length & ~3)) * M;
  hash = (hash ^ (hash >>> 13)) * M;
  return hash ^ (hash >>> 15);
};

/** Four bytes, the lowest first; zeros past the end. */
function wordAt(bytes: Uint8Array, at: number): number {
  return (bytes[at] ?? 0) | ((bytes[at + 1] ?? 0) << 8) | ((bytes[at + 2] ?? 0) << 16) | ((bytes[at + 3] ?? 0) << 24);
}

/** The partition of the message, else that of its key, else each with a leader in turn. */
function partitioner(hash: Hash): ICustomPartitioner {
  return () => {
    const turns = new Map<string, number>();
    return ({ topic, partitionMetadata, message }) => {
      if (message.partition != null) return message.partition;
      if (message.key != null) {
        const key = message.key instanceof Uint8Array ? message.key : Buffer.from(String(message.key));
        return (hash(key) & 0x7fffffff) % partitionMetadata.length;
      }
      const led = partitionMetadata.filter(({ leader }) => leader >= 0);
      const turn = ((turns.get(topic) ?? Math.trunc(Math.random() * 2 ** 31)) + 1) & 0x7fffffff;
      turns.set(topic, turn);
      return led.length > 0 ? led[turn % led.length]!.partitionId : turn % partitionMetadata.length;
    };
  };
}

const DefaultPartitioner = partitioner(murmur2);

export const Partitioners = {
  /** As Java: murmur2 of the key; messages without one go to the partitions in turn. A producer's default, done by librdkafka. */
  DefaultPartitioner,
  /** KafkaJS's before 2.0. */
  LegacyPartitioner: partitioner(legacyMurmur2),
  /** @deprecated The same as DefaultPartitioner. */
  JavaCompatiblePartitioner: DefaultPartitioner,
};
