// Generated from crates/core/src/layout.rs by its tests. Do not edit.

/**
 * A received batch: one buffer in native byte order.
 *
 * i32 header[8]     Header; the rest is zero
 * f64 since[2]      Since
 * f64 double[..][n] Double: a column each, one element a message
 * i32 int[..][n]    Int: a column each
 * i32 headers[n]    only with Flag::Headers: where in the data the message's header block begins, -1 = none
 * i32 run[r][..]    RunField: r runs
 * u8  data[]        of each message the key, then the value; then the header blocks
 */
export const HEADER_INTS = 8;

/** The integers of the header. */
export const enum Header {
  /** How many messages: n. */
  Messages = 0,
  /** How many runs: r. */
  Runs = 1,
  /** The flags' sum. */
  Flags = 2,
  /** The byte where the data begins. */
  Data = 3,
  /** Bytes that the batch charges against the budget (saturating). */
  Charge = 4,
}

/** Of the header's flags. */
export const enum Flag {
  /** The batch has the column of headers. */
  Headers = 1,
  /** Every key and value of the batch is ASCII, so latin1 decodes them. */
  Ascii = 2,
}

/** Counts since the batch before. */
export const enum Since {
  /** Offsets that were deleted before they could be read. */
  Misses = 0,
  /** How often an offset came back below the expected one. */
  Repeats = 1,
}

/** The columns of 64-bit floats. */
export const enum Double {
  /** The offset in the partition; exact below 2^53. */
  Offset = 0,
  /** Milliseconds since 1970, -1 = none. */
  Timestamp = 1,
}

/** The columns of 32-bit integers. */
export const enum Int {
  /** Where in the data the key begins; the value follows it. */
  Position = 0,
  /** Bytes, -1 = null. */
  KeyLength = 1,
  /** Bytes, -1 = null. */
  ValueLength = 2,
}

/** The integers of a run. */
export const enum RunField {
  /** The topic's number; who receives knows the names. */
  Topic = 0,
  /** The partition. */
  Partition = 1,
  /** The epoch of the assignment that it was fetched for. */
  Epoch = 2,
  /** The epoch of the leader that wrote it, -1 = not known. */
  LeaderEpoch = 3,
  /** 0 = no timestamps, 1 = when it was created, 2 = when it was appended. */
  TimestampType = 4,
  /** The index of its first message. */
  First = 5,
}

export const SINCE_DOUBLES = 2;
export const DOUBLE_COLUMNS = 2;
export const INT_COLUMNS = 3;
export const RUN_INTS = 6;
