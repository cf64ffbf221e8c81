/** Which partitions a member has, by topic. */
export type Assignment = Record<string, number[]>;

/** Metadata that a member of a group sends when it joins. */
export interface MemberMetadata {
  version: number;
  topics: string[];
  userData: Buffer;
}

/** The assignment that the leader of a group gives a member. */
export interface MemberAssignment {
  version: number;
  assignment: Assignment;
  userData: Buffer;
}

/** Reads the big-endian fields of Kafka's protocol. */
class Reader {
  #at = 0;

  constructor(readonly buffer: Buffer) {}

  int16 = (): number => this.buffer.readInt16BE((this.#at += 2) - 2);
  int32 = (): number => this.buffer.readInt32BE((this.#at += 4) - 4);
  string = (): string => this.#bytes(this.int16()).toString();
  /** Null counts as empty. */
  bytes = (): Buffer => this.#bytes(this.int32());

  array<T>(element: () => T): T[] {
    return Array.from({ length: this.int32() }, element);
  }

  #bytes(length: number): Buffer {
    return this.buffer.subarray(this.#at, (this.#at += Math.max(length, 0)));
  }
}

const int16 = (value: number): Buffer => {
  const buffer = Buffer.alloc(2);
  buffer.writeInt16BE(value);
  return buffer;
};
const int32 = (value: number): Buffer => {
  const buffer = Buffer.alloc(4);
  buffer.writeInt32BE(value);
  return buffer;
};
const string = (value: string): Buffer => Buffer.concat([int16(Buffer.byteLength(value)), Buffer.from(value)]);
const bytes = (value: Buffer): Buffer => Buffer.concat([int32(value.length), value]);
const array = <T>(values: T[], element: (value: T) => Buffer): Buffer => Buffer.concat([int32(values.length), ...values.map(element)]);

/** The format of `memberMetadata` and `memberAssignment` of `admin.describeGroups()`: Kafka's consumer protocol. */
export const AssignerProtocol = {
  MemberMetadata: {
    encode({ version, topics, userData = Buffer.alloc(0) }: Omit<MemberMetadata, 'userData'> & { userData?: Buffer }): Buffer {
      return Buffer.concat([int16(version), array(topics, string), bytes(userData)]);
    },
    decode(buffer: Buffer): MemberMetadata {
      const read = new Reader(buffer);
      return { version: read.int16(), topics: read.array(read.string), userData: read.bytes() };
    },
  },
  MemberAssignment: {
    encode({ version, assignment, userData = Buffer.alloc(0) }: Omit<MemberAssignment, 'userData'> & { userData?: Buffer }): Buffer {
      const topics = array(Object.entries(assignment), ([topic, partitions]) => Buffer.concat([string(topic), array(partitions, int32)]));
      return Buffer.concat([int16(version), topics, bytes(userData)]);
    },
    /** Null for a buffer that is empty: a member that has none yet. */
    decode(buffer: Buffer): MemberAssignment | null {
      if (buffer.length < 2) return null;
      const read = new Reader(buffer);
      const version = read.int16();
      const assignment = Object.fromEntries(read.array(() => [read.string(), read.array(read.int32)]));
      return { version, assignment, userData: read.bytes() };
    },
  },
};
