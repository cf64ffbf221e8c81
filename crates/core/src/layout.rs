//! The layout of a received batch, described once: the packer and the reader are made of these tables, and so is
//! `js/kafka-native/src/layout.ts`.
//!
//! A batch is one buffer in native byte order:
//!
//! ```text
//! i32 header[8]     Header; the rest is zero
//! f64 since[2]      Since
//! f64 double[..][n] Double: a column each, one element a message
//! i32 int[..][n]    Int: a column each
//! i32 headers[n]    only with Flag::Headers: where in the data the message's header block begins, -1 = none
//! i32 run[r][..]    RunField: r runs
//! u8  data[]        of each message the key, then the value; then the header blocks
//! ```
//!
//! A header block, in both directions (not aligned): i32 count, then for each header i32 length of the name, i32 length of the value
//! (-1 = null), name, value.
//!
//! A new field of messages is one more line in [`Double`] or [`Int`] that says how the packer reads it, and a getter for
//! those who receive.

use crate::ffi::Message;

/// An enum whose variants are places in order, with their words for other languages.
macro_rules! places {
    ($(#[$meta:meta])* $name:ident { $($(#[doc = $doc:literal])+ $place:ident,)+ }) => {
        $(#[$meta])*
        #[derive(Debug, Clone, Copy, PartialEq, Eq)]
        pub enum $name {
            $($(#[doc = $doc])+ $place,)+
        }

        impl $name {
            /// How many there are.
            pub const COUNT: usize = [$(Self::$place),+].len();

            #[cfg(test)]
            const TABLE: &[(&str, &str)] = &[$((stringify!($place), concat!($($doc),+)),)+];
        }
    };
}

/// Places with the value that the packer writes there.
macro_rules! written {
    (
        $(#[$meta:meta])* $name:ident: $number:ident = |$from:ident: $From:ty, $also:ident: $Also:ty|
        { $($(#[doc = $doc:literal])+ $place:ident = $value:expr,)+ }
    ) => {
        places! { $(#[$meta])* $name { $($(#[doc = $doc])+ $place,)+ } }

        impl $name {
            /// Writes element `i` of each of the columns, which have `count` elements; a record is columns of one.
            pub(crate) fn write(bytes: &mut [u8], count: usize, i: usize, $from: $From, $also: $Also) {
                $(
                    let value: $number = $value;
                    let at = (Self::$place as usize * count + i) * size_of::<$number>();
                    bytes[at..at + size_of::<$number>()].copy_from_slice(&value.to_ne_bytes());
                )+
            }
        }
    };
}

places! {
    /// The 32-bit integers at the start of a batch.
    Header {
        /// How many messages: n.
        Messages,
        /// How many runs: r.
        Runs,
        /// The flags' sum.
        Flags,
        /// The byte where the data begins.
        Data,
        /// Bytes that the batch charges against the budget (saturating).
        Charge,
    }
}

places! {
    /// The bits of [`Header::Flags`], the lowest first.
    Flag {
        /// The batch has the column of headers.
        Headers,
        /// Every key and value of the batch is ASCII, so latin1 decodes them.
        Ascii,
    }
}

places! {
    /// 64-bit floats: what was counted since the batch before.
    Since {
        /// Offsets that were deleted before they could be read.
        Misses,
        /// How often an offset came back below the expected one.
        Repeats,
    }
}

written! {
    /// The columns of 64-bit floats.
    Double: f64 = |message: &Message<'_>, _place: Place| {
        /// The offset in the partition; exact below 2^53.
        Offset = message.offset() as f64,
        /// Milliseconds since 1970, -1 = none.
        Timestamp = message.timestamp().0 as f64,
    }
}

written! {
    /// The columns of 32-bit integers.
    Int: i32 = |_message: &Message<'_>, place: Place| {
        /// Where in the data the key begins; the value follows it.
        Position = place.position,
        /// Bytes, -1 = null.
        KeyLength = place.key_length,
        /// Bytes, -1 = null.
        ValueLength = place.value_length,
    }
}

written! {
    /// The 32-bit integers that describe a run: a stretch of one partition's messages.
    RunField: i32 = |run: &Run, _nothing: ()| {
        /// The topic's number; who receives knows the names.
        Topic = run.topic,
        /// The partition.
        Partition = run.partition,
        /// The epoch of the assignment that it was fetched for.
        Epoch = run.epoch,
        /// The epoch of the leader that wrote it, -1 = not known.
        LeaderEpoch = run.leader_epoch,
        /// 0 = no timestamps, 1 = when it was created, 2 = when it was appended.
        TimestampType = run.timestamp_type,
        /// The index of its first message.
        First = run.first as i32,
    }
}

/// A stretch of one partition's messages that share assignment, leader epoch and kind of timestamp.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) struct Run {
    /// The topic handle that the run's messages name, and its number in the batch's topics.
    pub(crate) handle: usize,
    pub(crate) topic: i32,
    pub(crate) partition: i32,
    pub(crate) epoch: i32,
    pub(crate) leader_epoch: i32,
    pub(crate) timestamp_type: i32,
    pub(crate) first: usize,
    pub(crate) first_offset: i64,
    pub(crate) last_offset: i64,
    /// Bytes that its messages charge against the budget.
    pub(crate) charge: u64,
}

/// Where the bytes of a message are.
#[derive(Clone, Copy)]
pub(crate) struct Place {
    pub(crate) position: i32,
    pub(crate) key_length: i32,
    pub(crate) value_length: i32,
}

/// 32-bit integers before the floats.
pub const HEADER_INTS: usize = 8;
/// Memory that librdkafka needs for a message besides its bytes; charged against the budgets.
pub const MESSAGE_OVERHEAD: usize = 304;

/// Where the columns begin.
pub(crate) const COLUMNS: usize = HEADER_INTS * 4 + Since::COUNT * 8;
const _: () = assert!(Header::COUNT <= HEADER_INTS && COLUMNS.is_multiple_of(8));

impl Flag {
    /// Its bit.
    pub const fn bit(self) -> i32 {
        1 << self as i32
    }
}

/// Where the columns of integers begin.
pub(crate) fn ints_at(count: usize) -> usize {
    COLUMNS + Double::COUNT * 8 * count
}

/// Where the column of headers begins, or the runs if nothing has headers.
pub(crate) fn headers_at(count: usize) -> usize {
    ints_at(count) + Int::COUNT * 4 * count
}

/// Where the runs begin.
pub(crate) fn runs_at(count: usize, with_headers: bool) -> usize {
    headers_at(count) + if with_headers { 4 * count } else { 0 }
}

#[cfg(test)]
mod tests {
    use std::fmt::Write;

    use super::*;
    use crate::generated;

    fn const_enum(text: &mut String, name: &str, doc: &str, table: &[(&str, &str)], value: impl Fn(usize) -> i32) {
        writeln!(text, "\n/** {doc} */\nexport const enum {name} {{").unwrap();
        for (i, (place, doc)) in table.iter().enumerate() {
            writeln!(text, "  /** {} */\n  {place} = {},", doc.trim(), value(i)).unwrap();
        }
        writeln!(text, "}}").unwrap();
    }

    #[test]
    fn javascript_reads_the_layout_that_is_written_here() {
        let source = include_str!("layout.rs");
        let about = source.split("```").nth(1).unwrap().replace("//! ", " * ").replace("//!", " *");
        let about = about.trim_start_matches("text").trim_end_matches([' ', '*', '\n']);
        let place = |i: usize| i as i32;
        let mut text = String::new();
        writeln!(text, "/**\n * A received batch: one buffer in native byte order.\n *{about}\n */").unwrap();
        writeln!(text, "export const HEADER_INTS = {HEADER_INTS};").unwrap();
        const_enum(&mut text, "Header", "The integers of the header.", Header::TABLE, place);
        const_enum(&mut text, "Flag", "Of the header's flags.", Flag::TABLE, |i| 1 << i);
        const_enum(&mut text, "Since", "Counts since the batch before.", Since::TABLE, place);
        const_enum(&mut text, "Double", "The columns of 64-bit floats.", Double::TABLE, place);
        const_enum(&mut text, "Int", "The columns of 32-bit integers.", Int::TABLE, place);
        const_enum(&mut text, "RunField", "The integers of a run.", RunField::TABLE, place);
        writeln!(
            text,
            "\nexport const SINCE_DOUBLES = {};\nexport const DOUBLE_COLUMNS = {};\nexport const INT_COLUMNS = {};\nexport const RUN_INTS = {};",
            Since::COUNT,
            Double::COUNT,
            Int::COUNT,
            RunField::COUNT
        )
        .unwrap();
        generated::compare("js/kafka-native/src/layout.ts", "crates/core/src/layout.rs", &text);
    }
}
