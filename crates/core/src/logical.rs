//! Offsets that are no place in a log: what they mean is found out when they are used.

/// The first message that the log has.
pub const BEGIN: i64 = -2;
/// Behind the last message.
pub const END: i64 = -1;
/// The offset that the group committed; where it has committed nothing, what `auto.offset.reset` says.
pub const STORED: i64 = -1000;
/// None is known or meant. Where a partition is to begin: what the group committed, as [`STORED`]; where it is to go on: where it was.
pub const INVALID: i64 = -1001;
