//! Transactions of a producer. All of these but `begin_transaction` block, and need the client's queue served meanwhile.

use std::ffi::c_void;
use std::time::Duration;

use super::{c_string, check_error, millis, rd, Client, Partitions};
use crate::error::Result;

impl Client {
    pub(crate) fn init_transactions(&self, timeout: Duration) -> Result<()> {
        // SAFETY: alive.
        check_error(unsafe { rd::rd_kafka_init_transactions(self.raw(), millis(timeout)) })
    }

    pub(crate) fn begin_transaction(&self) -> Result<()> {
        // SAFETY: alive.
        check_error(unsafe { rd::rd_kafka_begin_transaction(self.raw()) })
    }

    pub(crate) fn send_offsets(&self, offsets: &Partitions, group: &GroupMetadata, timeout: Duration) -> Result<()> {
        // SAFETY: all three are alive; librdkafka copies the list and the metadata.
        check_error(unsafe {
            rd::rd_kafka_send_offsets_to_transaction(self.raw(), offsets.raw(), group.raw, millis(timeout))
        })
    }

    pub(crate) fn commit_transaction(&self, timeout: Duration) -> Result<()> {
        // SAFETY: alive.
        check_error(unsafe { rd::rd_kafka_commit_transaction(self.raw(), millis(timeout)) })
    }

    /// Purges what was not delivered.
    pub(crate) fn abort_transaction(&self, timeout: Duration) -> Result<()> {
        // SAFETY: alive.
        check_error(unsafe { rd::rd_kafka_abort_transaction(self.raw(), millis(timeout)) })
    }
}

/// `rd_kafka_consumer_group_metadata_t`
pub(crate) struct GroupMetadata {
    raw: *mut rd::rd_kafka_consumer_group_metadata_t,
}

// SAFETY: a plain value.
unsafe impl Send for GroupMetadata {}

impl GroupMetadata {
    /// A group without its member: nobody is fenced.
    pub(crate) fn of_group(id: &str) -> Result<Self> {
        let id = c_string("the group id", id)?;
        // SAFETY: the id is copied; never null.
        Ok(Self { raw: unsafe { rd::rd_kafka_consumer_group_metadata_new(id.as_ptr()) } })
    }

    /// Bytes that a member of the group wrote (`rd_kafka_consumer_group_metadata_write`).
    pub(crate) fn read(bytes: &[u8]) -> Result<Self> {
        let mut raw = std::ptr::null_mut();
        // SAFETY: reads `bytes`; the result is ours when there is no error.
        check_error(unsafe {
            rd::rd_kafka_consumer_group_metadata_read(&mut raw, bytes.as_ptr().cast::<c_void>(), bytes.len())
        })?;
        Ok(Self { raw })
    }
}

impl Drop for GroupMetadata {
    fn drop(&mut self) {
        // SAFETY: ours, destroyed once.
        unsafe { rd::rd_kafka_consumer_group_metadata_destroy(self.raw) }
    }
}
