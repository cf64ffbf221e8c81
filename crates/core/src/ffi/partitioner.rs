//! librdkafka's callback for partitioners: keys go where Java puts them, messages without one where somebody says.

use std::ffi::c_void;
use std::sync::Arc;

use super::rd;
use crate::reply::fence;

/// An object that chooses the partition of a message without a key.
pub(crate) trait Partitioner: Send + Sync {
    /// One of `count` partitions, for the message that was produced with this opaque to the topic with this handle's id;
    /// `available` says whether a partition has a leader. On whichever thread hands messages over, or on librdkafka's own for
    /// messages that waited for the topic's metadata.
    fn choose(&self, topic: usize, opaque: usize, count: i32, available: &dyn Fn(i32) -> bool) -> i32;
}

/// Makes it the partitioner of every topic that is not told otherwise. The returned box has to live as long as the client.
pub(super) fn install(conf: *mut rd::rd_kafka_conf_t, partitioner: Arc<dyn Partitioner>) -> Box<Arc<dyn Partitioner>> {
    let opaque = Box::new(partitioner);
    // SAFETY: the configuration is alive; its default for topics is its own, and made by the property that was set.
    unsafe {
        let topics = rd::rd_kafka_conf_get_default_topic_conf(conf);
        rd::rd_kafka_topic_conf_set_opaque(topics, std::ptr::from_ref(&*opaque).cast_mut().cast());
        rd::rd_kafka_topic_conf_set_partitioner_cb(topics, Some(choose));
    }
    opaque
}

unsafe extern "C" fn choose(
    topic: *const rd::rd_kafka_topic_t,
    key: *const c_void,
    key_length: usize,
    count: i32,
    opaque: *mut c_void,
    message: *mut c_void,
) -> i32 {
    let mut partition = 0;
    fence(|| {
        // SAFETY: the topic is alive and its lock is held; `opaque` is what `install` gave, alive while the client is. The key
        // is as librdkafka got it.
        unsafe {
            partition = match key.is_null() {
                false => rd::rd_kafka_msg_partitioner_murmur2(topic, key, key_length, count, opaque, message),
                true => (*opaque.cast::<Arc<dyn Partitioner>>()).choose(
                    topic as usize,
                    message as usize,
                    count,
                    &|partition| rd::rd_kafka_topic_partition_available(topic, partition) != 0,
                ),
            };
        }
    });
    partition
}
