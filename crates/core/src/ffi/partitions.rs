//! `rd_kafka_topic_partition_list_t`

use std::ffi::CString;

use super::{c_string, check, rd, text};
use crate::error::Result;

/// A list of partitions with an offset each.
pub(crate) struct Partitions {
    raw: *mut rd::rd_kafka_topic_partition_list_t,
}

/// One element of a list, copied.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(crate) struct PartitionOffset {
    pub(crate) topic: String,
    pub(crate) partition: i32,
    /// Logical ones are negative.
    pub(crate) offset: i64,
    /// The code of librdkafka or the broker for this one; 0 = nothing.
    pub(crate) error: i32,
}

impl Partitions {
    /// Partitions of one topic, each with an offset (logical ones are negative).
    pub(crate) fn of(topic: &str, partitions: impl IntoIterator<Item = (i32, i64)>) -> Result<Self> {
        let topic = c_string("the topic", topic)?;
        let mut list = Self::new();
        for (partition, offset) in partitions {
            list.push(&topic, partition, offset);
        }
        Ok(list)
    }

    /// Partitions of any topics, each with an offset.
    pub(crate) fn list<'a>(partitions: impl IntoIterator<Item = (&'a str, i32, i64)>) -> Result<Self> {
        let mut list = Self::new();
        for (topic, partition, offset) in partitions {
            list.push(&c_string("the topic", topic)?, partition, offset);
        }
        Ok(list)
    }

    fn new() -> Self {
        // SAFETY: allocates; never null.
        Self { raw: unsafe { rd::rd_kafka_topic_partition_list_new(16) } }
    }

    fn push(&mut self, topic: &CString, partition: i32, offset: i64) {
        // SAFETY: the list is ours; the topic is copied; the new element is valid until the list changes.
        unsafe { (*rd::rd_kafka_topic_partition_list_add(self.raw, topic.as_ptr(), partition)).offset = offset };
    }

    /// Attaches the epoch of the leader that the message before the offset was written under (-1: not known), so that librdkafka
    /// can see whether the log still has that message.
    pub(crate) fn set_leader_epoch(&mut self, index: usize, epoch: i32) {
        assert!(index < self.len());
        // SAFETY: the element exists.
        unsafe { rd::rd_kafka_topic_partition_set_leader_epoch((*self.raw).elems.add(index), epoch) };
    }

    /// Attaches the text that is committed with the offset of the element at `index`.
    pub(crate) fn set_metadata(&mut self, index: usize, metadata: &str) {
        assert!(index < self.len());
        // SAFETY: the element exists; its metadata is malloc'ed because librdkafka frees it with the list.
        unsafe {
            let element = &mut *(*self.raw).elems.add(index);
            let copy = rd::rd_kafka_mem_malloc(std::ptr::null_mut(), metadata.len().max(1));
            std::ptr::copy_nonoverlapping(metadata.as_ptr(), copy.cast(), metadata.len());
            element.metadata = copy;
            element.metadata_size = metadata.len();
        }
    }

    pub(crate) fn len(&self) -> usize {
        // SAFETY: ours.
        unsafe { (*self.raw).cnt as usize }
    }

    /// Copies of the elements.
    pub(crate) fn iter(&self) -> impl Iterator<Item = PartitionOffset> + '_ {
        // SAFETY: the list is alive for the borrow.
        (0..self.len()).map(|i| unsafe { element(&*(*self.raw).elems.add(i)) })
    }

    /// The first error of an element, named.
    pub(crate) fn first_error(&self) -> Result<()> {
        first_error(self.iter())
    }

    pub(super) fn raw(&self) -> *mut rd::rd_kafka_topic_partition_list_t {
        self.raw
    }
}

/// The first error of an element, named.
pub(super) fn first_error(mut elements: impl Iterator<Item = PartitionOffset>) -> Result<()> {
    elements.try_for_each(|element| {
        check(element.error).map_err(|mut error| {
            (error.topic, error.partition) = (Some(element.topic), Some(element.partition));
            error
        })
    })
}

/// # Safety
/// The element is valid.
unsafe fn element(raw: &rd::rd_kafka_topic_partition_t) -> PartitionOffset {
    PartitionOffset {
        topic: text(raw.topic),
        partition: raw.partition,
        offset: raw.offset,
        // SAFETY: read as an integer because a newer broker's code is not in the enum.
        error: unsafe { std::ptr::addr_of!(raw.err).cast::<i32>().read() },
    }
}

/// Copies the elements of a list that belongs to somebody else.
///
/// # Safety
/// `list` is null or a valid list for the call.
pub(super) unsafe fn copies(list: *const rd::rd_kafka_topic_partition_list_t) -> Vec<PartitionOffset> {
    if list.is_null() {
        return Vec::new();
    }
    // SAFETY: the caller's promise.
    unsafe { (0..(*list).cnt as usize).map(|i| element(&*(*list).elems.add(i))).collect() }
}

impl Drop for Partitions {
    fn drop(&mut self) {
        // SAFETY: ours, destroyed once.
        unsafe { rd::rd_kafka_topic_partition_list_destroy(self.raw) }
    }
}
