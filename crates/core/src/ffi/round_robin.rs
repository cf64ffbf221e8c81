//! The partitioner of those who want messages without a key spread evenly: librdkafka's own stick to one partition for a
//! while, or are random.

use std::collections::HashMap;
use std::ffi::c_void;
use std::time::{SystemTime, UNIX_EPOCH};

use parking_lot::Mutex;

use super::fence::fence;
use super::rd;

/// Whose turn it is, by topic.
pub(crate) struct RoundRobin {
    turns: Mutex<HashMap<usize, u32>>,
    /// Where topics begin: many producers that start together do not all fill partition 0.
    start: u32,
}

impl RoundRobin {
    /// Makes it the partitioner of every topic that is not told otherwise. Has to live as long as the client.
    pub(super) fn install(conf: *mut rd::rd_kafka_conf_t) -> Box<Self> {
        let start = SystemTime::now().duration_since(UNIX_EPOCH).map_or(0, |now| now.subsec_nanos());
        let this = Box::new(Self { turns: Mutex::default(), start });
        // SAFETY: the configuration is alive; its default for topics is its own, and made by the property that was set.
        unsafe {
            let topics = rd::rd_kafka_conf_get_default_topic_conf(conf);
            rd::rd_kafka_topic_conf_set_opaque(topics, std::ptr::from_ref(&*this).cast_mut().cast());
            rd::rd_kafka_topic_conf_set_partitioner_cb(topics, Some(choose));
        }
        this
    }

    /// The next of the partitions that have a leader; of all when none has.
    fn next(&self, topic: usize, count: i32, available: impl Fn(i32) -> bool) -> i32 {
        let mut turns = self.turns.lock();
        let turn = turns.entry(topic).or_insert(self.start);
        for _ in 0..count {
            *turn = turn.wrapping_add(1);
            let partition = (*turn % count as u32) as i32;
            if available(partition) {
                return partition;
            }
        }
        *turn = turn.wrapping_add(1);
        (*turn % count as u32) as i32
    }
}

/// Runs on the client's thread, or on librdkafka's own for messages that waited for the topic's metadata.
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
        // SAFETY: the topic is alive and its lock is held; `opaque` is the client's own, alive while it is. The key is as
        // librdkafka got it.
        unsafe {
            partition = match key.is_null() {
                false => rd::rd_kafka_msg_partitioner_murmur2(topic, key, key_length, count, opaque, message),
                true => (*opaque.cast::<RoundRobin>()).next(topic as usize, count, |partition| {
                    rd::rd_kafka_topic_partition_available(topic, partition) != 0
                }),
            };
        }
    });
    partition
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn every_partition_with_a_leader_has_its_turn() {
        let round_robin = RoundRobin { turns: Mutex::default(), start: 7 };
        let next = |topic| round_robin.next(topic, 3, |partition| partition != 1);
        assert_eq!([next(1), next(1), next(1), next(1)].iter().filter(|partition| **partition == 0).count(), 2);
        assert_ne!(next(1), 1);
        assert_ne!(next(2), 1);
        assert!((0..3).contains(&round_robin.next(1, 3, |_| false)));
    }
}
