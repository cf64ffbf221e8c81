//! `rd_kafka_topic_partition_list_t`

use super::{c_string, rd};
use crate::error::Result;

/// A list of partitions with an offset each.
pub(crate) struct Partitions {
    raw: *mut rd::rd_kafka_topic_partition_list_t,
}

impl Partitions {
    /// Partitions of one topic, each with an offset (logical ones are negative).
    pub(crate) fn of(topic: &str, partitions: impl IntoIterator<Item = (i32, i64)>) -> Result<Self> {
        let topic = c_string("the topic", topic)?;
        // SAFETY: allocates; never null.
        let list = Self { raw: unsafe { rd::rd_kafka_topic_partition_list_new(16) } };
        for (partition, offset) in partitions {
            // SAFETY: the list is ours; the topic is copied; the new element is valid until the list changes.
            unsafe { (*rd::rd_kafka_topic_partition_list_add(list.raw, topic.as_ptr(), partition)).offset = offset };
        }
        Ok(list)
    }

    pub(super) fn raw(&self) -> *mut rd::rd_kafka_topic_partition_list_t {
        self.raw
    }
}

impl Drop for Partitions {
    fn drop(&mut self) {
        // SAFETY: ours, destroyed once.
        unsafe { rd::rd_kafka_topic_partition_list_destroy(self.raw) }
    }
}
