//! Offsets kept outside Kafka: one small file per partition, or any other [`OffsetStore`].
//!
//! The recorded value is the last *processed* offset of a partition, and never more than its contiguous finished
//! prefix. Three parts keep that promise, each in its file:
//!
//! - [`Tracker`] knows which batches are finished and says how far a partition may be recorded. It is plain data
//!   behind a lock of its owner.
//! - [`Recorder`] owns the thread that writes. Values arrive from any thread without blocking it and coalesce: one
//!   round of writes is in flight, and the last value of each partition goes into the next.
//! - [`OffsetDirectory`] is the store of the classic API: `<directory>/<topic>-<partition>.offset`, replaced
//!   atomically and locked against a second holder. An [`Identity`] beside them says of which topic they are.

mod directory;
mod file;
mod identity;
mod lock;
mod recorder;
mod rounds;
#[cfg(test)]
mod tests;
mod tracker;
mod worker;

pub use directory::OffsetDirectory;
pub(crate) use file::absolute;
pub(crate) use identity::Identity;
pub use recorder::Recorder;
pub use tracker::Tracker;

use crate::error::{Error, Result};

/// Where the last processed offsets of one topic's partitions live.
///
/// Only the [`Recorder`]'s threads call it, one at a time, so every method may block.
pub trait OffsetStore: Send {
    /// Takes the partitions, so that no other holder can, and reads the last processed offset of each, in the order
    /// of `partitions`; -1 where nothing is processed, `None` where nothing is recorded. Takes all or nothing. Called again for partitions that are
    /// added to the topic later.
    fn open(&mut self, partitions: &[i32]) -> Result<Vec<Option<i64>>>;

    /// Makes these last processed offsets durable, one entry per partition; -1 where nothing is processed ([`Recorder::begin`]), -2 where
    /// nothing is recorded any more ([`Recorder::clear`]). After an error the same values, or later ones, are passed again; what could be written of a failed round may stay written.
    fn write(&mut self, offsets: &[(i32, i64)]) -> Result<()>;

    /// Which of these a `write` that failed with them left undone; all, unless the store knows better. Only those are passed
    /// again, and named if they cannot be written before the end.
    fn unwritten(&self, offsets: &[(i32, i64)]) -> Vec<(i32, i64)> {
        offsets.to_vec()
    }

    /// Releases everything that `open` took.
    fn close(&mut self);

    /// Records a value that settled after `close`, if the partition can be taken again and the value does not fall.
    /// `Ok(false)`: it was dropped, and its messages will be delivered again.
    fn write_late(&mut self, partition: i32, offset: i64) -> Result<bool>;
}

/// Events that the user should hear about: `logger.warn` for the first, the error callback for the second.
#[derive(Debug, Clone, PartialEq, Eq)]
#[non_exhaustive]
pub enum OffsetEvent {
    /// Worth a line in the log; nothing is broken.
    Warning(String),
    /// A round of writes failed. Sent once; the round is retried until it succeeds, which sends
    /// [`Recovered`](OffsetEvent::Recovered).
    WriteFailed(Error),
    /// Writing works again, and nothing was lost in between.
    Recovered,
}
