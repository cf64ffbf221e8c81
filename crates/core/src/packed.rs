//! The packed layouts: what crosses a boundary is one buffer and its columns, never a message at a time.

use crate::error::{Error, Result};

/// Messages to be sent, packed: key, value and header block of each follow one another in `arena`.
#[derive(Debug, Clone, Default)]
pub struct PackedRecords {
    /// The bytes.
    pub arena: Vec<u8>,
    /// Three for each message: key length and value length (-1 = null), length of the header block (0 = none).
    pub index: Vec<i32>,
    /// Milliseconds for each message (0 = now); empty when none has one.
    pub timestamps: Vec<f64>,
    /// The partition of each message (-1 = as the call says); empty when none has its own.
    pub partitions: Vec<i32>,
}

/// [`PackedRecords`] that lie with somebody else; the same columns.
#[derive(Debug, Clone, Copy)]
pub struct Records<'a> {
    /// The bytes.
    pub arena: &'a [u8],
    /// Three for each message: key length and value length (-1 = null), length of the header block (0 = none).
    pub index: &'a [i32],
    /// Milliseconds for each message (0 = now); empty when none has one.
    pub timestamps: &'a [f64],
    /// The partition of each message (-1 = as the call says); empty when none has its own.
    pub partitions: &'a [i32],
}

/// One message of [`Records`].
#[derive(Debug, Clone, Copy)]
pub(crate) struct PackedRecord<'a> {
    pub(crate) key: Option<&'a [u8]>,
    pub(crate) value: Option<&'a [u8]>,
    pub(crate) headers: &'a [u8],
    pub(crate) timestamp: i64,
    /// -1 = as the call says.
    pub(crate) partition: i32,
}

impl PackedRecord<'_> {
    /// Whether it is key and value only.
    pub(crate) fn is_plain(&self) -> bool {
        self.headers.is_empty() && self.timestamp == 0
    }

    /// The bytes that count against the producer's budget; its delivery report says the same.
    pub(crate) fn size(&self) -> usize {
        self.key.map_or(0, <[u8]>::len) + self.value.map_or(0, <[u8]>::len) + self.headers.len()
    }
}

impl PackedRecords {
    /// How many messages there are.
    pub fn len(&self) -> usize {
        self.view().len()
    }

    /// Whether there is none.
    pub fn is_empty(&self) -> bool {
        self.view().is_empty()
    }

    /// They stay here.
    pub fn view(&self) -> Records<'_> {
        Records { arena: &self.arena, index: &self.index, timestamps: &self.timestamps, partitions: &self.partitions }
    }

    /// Takes a copy in place of what it has, and keeps the memory.
    pub(crate) fn copy(&mut self, records: Records<'_>) {
        records.arena.clone_into(&mut self.arena);
        records.index.clone_into(&mut self.index);
        records.timestamps.clone_into(&mut self.timestamps);
        records.partitions.clone_into(&mut self.partitions);
    }

    /// Appends a message.
    pub(crate) fn push<'h>(
        &mut self,
        key: Option<&[u8]>,
        value: Option<&[u8]>,
        headers: impl ExactSizeIterator<Item = (&'h str, Option<&'h [u8]>)>,
        timestamp: i64,
        partition: i32,
    ) {
        let length = |bytes: Option<&[u8]>| bytes.map_or(-1, |bytes| bytes.len() as i32);
        self.arena.extend_from_slice(key.unwrap_or_default());
        self.arena.extend_from_slice(value.unwrap_or_default());
        let start = self.arena.len();
        if headers.len() > 0 {
            self.arena.extend_from_slice(&(headers.len() as i32).to_ne_bytes());
            for (name, value) in headers {
                self.arena.extend_from_slice(&(name.len() as i32).to_ne_bytes());
                self.arena.extend_from_slice(&length(value).to_ne_bytes());
                self.arena.extend_from_slice(name.as_bytes());
                self.arena.extend_from_slice(value.unwrap_or_default());
            }
        }
        if timestamp != 0 || !self.timestamps.is_empty() {
            self.timestamps.resize(self.len(), 0.0);
            self.timestamps.push(timestamp as f64);
        }
        if partition >= 0 || !self.partitions.is_empty() {
            self.partitions.resize(self.len(), -1);
            self.partitions.push(partition);
        }
        self.index.extend([length(key), length(value), (self.arena.len() - start) as i32]);
    }
}

impl<'a> Records<'a> {
    /// How many messages there are.
    pub fn len(&self) -> usize {
        self.index.len() / 3
    }

    /// Whether there is none.
    pub fn is_empty(&self) -> bool {
        self.index.is_empty()
    }

    /// Refuses columns that do not describe the arena.
    pub(crate) fn check(&self) -> Result<()> {
        let mut end = 0usize;
        let within = self.index.chunks_exact(3).all(|lengths| {
            end += lengths.iter().map(|length| (*length).max(0) as usize).sum::<usize>();
            // A header block's own lengths are what counts against the budget, so they have to be true.
            let whole = |headers| self.arena.get(end - headers..end).is_some_and(is_whole);
            end <= self.arena.len() && usize::try_from(lengths[2]).is_ok_and(|headers| headers == 0 || whole(headers))
        });
        let timed = self.timestamps.is_empty() || self.timestamps.len() == self.len();
        let placed = self.partitions.is_empty() || self.partitions.len() == self.len();
        if self.index.len().is_multiple_of(3) && within && timed && placed {
            return Ok(());
        }
        Err(Error::config("the packed records do not match their columns"))
    }

    /// The messages; the columns have been checked.
    pub(crate) fn iter(self) -> impl Iterator<Item = PackedRecord<'a>> {
        let mut position = 0;
        let mut take = move |length: i32| {
            let start = position;
            position += length.max(0) as usize;
            (length >= 0).then(|| &self.arena[start..position])
        };
        self.index.chunks_exact(3).enumerate().map(move |(i, lengths)| PackedRecord {
            key: take(lengths[0]),
            value: take(lengths[1]),
            headers: take(lengths[2]).unwrap_or_default(),
            timestamp: self.timestamps.get(i).map_or(0, |timestamp| *timestamp as i64),
            partition: self.partitions.get(i).map_or(-1, |partition| (*partition).max(-1)),
        })
    }
}

/// Bytes that a header takes in its block.
pub(crate) fn header_bytes(name: &[u8], value: Option<&[u8]>) -> usize {
    8 + name.len() + value.map_or(0, <[u8]>::len)
}

/// The length of the block of headers that take so many bytes; a message without any has none.
pub(crate) fn block_bytes(headers: usize) -> usize {
    match headers {
        0 => 0,
        bytes => 4 + bytes,
    }
}

fn is_whole(block: &[u8]) -> bool {
    block.len() == block_bytes(header_block(block).map(|(name, value)| header_bytes(name, value)).sum())
}

/// Reads a header block: (name, value), in order. A header that does not fit ends it.
pub(crate) fn header_block(block: &[u8]) -> impl Iterator<Item = (&[u8], Option<&[u8]>)> {
    let int = |at: usize| block.get(at..at + 4).map(|bytes| i32::from_ne_bytes(bytes.try_into().expect("four bytes")));
    let mut left = int(0).unwrap_or(0);
    let mut at = 4;
    std::iter::from_fn(move || {
        if left <= 0 {
            return None;
        }
        left -= 1;
        let (name_length, value_length) = (int(at)?, int(at + 4)?);
        let name_end = (at + 8).checked_add(usize::try_from(name_length).ok()?)?;
        let name = block.get(at + 8..name_end)?;
        at = name_end.checked_add(value_length.max(0) as usize)?;
        let value = block.get(name_end..at)?;
        Some((name, (value_length >= 0).then_some(value)))
    })
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn packed_records_come_back_as_they_went_in() {
        let mut packed = PackedRecords::default();
        packed.push(None, Some(b"one"), std::iter::empty(), 0, -1);
        packed.push(Some(b""), None, [("h", Some(&b"1"[..])), ("h", None), ("", Some(b""))].into_iter(), 42, 3);
        packed.view().check().unwrap();
        let records: Vec<_> = packed.view().iter().collect();
        assert_eq!((records[0].key, records[0].value, records[0].timestamp), (None, Some(&b"one"[..]), 0));
        assert_eq!((records[1].key, records[1].value, records[1].timestamp), (Some(&b""[..]), None, 42));
        assert_eq!((records[0].partition, records[1].partition), (-1, 3));
        let headers: Vec<_> = header_block(records[1].headers).collect();
        assert_eq!(headers, [(&b"h"[..], Some(&b"1"[..])), (b"h", None), (b"", Some(b""))]);
    }

    #[test]
    fn columns_that_lie_are_refused() {
        let packed = PackedRecords { arena: vec![0; 4], index: vec![-1, 5, 0], ..PackedRecords::default() };
        assert!(packed.view().check().is_err());
        let packed = PackedRecords { arena: vec![0; 4], index: vec![1, 1, -1], ..PackedRecords::default() };
        assert!(packed.view().check().is_err());
        let packed = PackedRecords { arena: vec![1, 0, 0, 0, 9], index: vec![-1, -1, 5], ..PackedRecords::default() };
        assert!(packed.view().check().is_err());
        assert_eq!(header_block(&[9, 0, 0, 0, 200, 0, 0, 0, 0, 0, 0, 0]).count(), 0);
    }
}
