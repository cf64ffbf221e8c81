//! Messages that are sent, and what is answered.

use crate::packed::PackedRecords;

/// A message to be sent, borrowed for the call.
#[derive(Debug, Clone)]
pub struct Record<'a> {
    key: Option<&'a [u8]>,
    value: Option<&'a [u8]>,
    headers: Vec<(&'a str, Option<&'a [u8]>)>,
    timestamp: i64,
    partition: i32,
}

impl Default for Record<'_> {
    fn default() -> Self {
        Self { key: None, value: None, headers: Vec::new(), timestamp: 0, partition: -1 }
    }
}

impl<'a> Record<'a> {
    /// A message with a value.
    pub fn value(value: &'a (impl AsRef<[u8]> + ?Sized)) -> Self {
        Self { value: Some(value.as_ref()), ..Self::default() }
    }

    /// A message without a value: in a compacted topic it deletes its key.
    pub fn tombstone() -> Self {
        Self::default()
    }

    /// The key, which the partitioner hashes.
    pub fn key(mut self, key: &'a (impl AsRef<[u8]> + ?Sized)) -> Self {
        self.key = Some(key.as_ref());
        self
    }

    /// One more header; a name can come more than once.
    pub fn header(mut self, name: &'a str, value: Option<&'a [u8]>) -> Self {
        self.headers.push((name, value));
        self
    }

    /// Milliseconds since 1970; without, the time of sending.
    pub fn timestamp(mut self, milliseconds: i64) -> Self {
        self.timestamp = milliseconds;
        self
    }

    /// A partition of its own, whatever the call says.
    pub fn partition(mut self, partition: i32) -> Self {
        self.partition = partition;
        self
    }
}

pub(super) fn pack(records: &[Record<'_>]) -> PackedRecords {
    let mut packed = PackedRecords::default();
    records.iter().for_each(|record| packed.push_record(record));
    packed
}

impl PackedRecords {
    /// Appends a message.
    pub fn push_record(&mut self, record: &Record<'_>) {
        self.push(record.key, record.value, record.headers.iter().copied(), record.timestamp, record.partition);
    }
}

/// Where a message was written.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Delivery {
    /// The partition.
    pub partition: i32,
    /// The offset; -1 where the broker did not say (`acks=0`).
    pub offset: i64,
}
