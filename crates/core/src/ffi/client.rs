//! `rd_kafka_t`: one client.

use std::ffi::c_char;
use std::sync::{Arc, Once};
use std::time::Duration;

use super::callbacks::Callbacks;
use super::niceness::with_nice_threads;
use super::{c_string, check, check_error, millis, rd, text, Conf, Partitioner, Partitions, Queue, Topic};
use crate::code;
use crate::error::{Error, Result};
use crate::logical;

#[derive(Clone, Copy, PartialEq, Eq)]
pub(crate) enum ClientKind {
    Producer,
    Consumer,
}

/// A client; destroyed when its last holder (a queue, a topic, a thread's handle) is gone.
pub(crate) struct Client {
    raw: *mut rd::rd_kafka_t,
    /// Dropped behind the client, whose callbacks use them.
    pub(super) callbacks: Arc<Callbacks>,
    /// Used by librdkafka until it is destroyed.
    _partitioner: Option<Box<Arc<dyn Partitioner>>>,
}

// SAFETY: librdkafka's client may be used by any thread.
unsafe impl Send for Client {}
// SAFETY: as above.
unsafe impl Sync for Client {}

/// Metadata of a topic, from the cluster.
#[derive(Debug, Clone)]
pub(crate) struct TopicMetadata {
    pub(crate) error: i32,
    pub(crate) partitions: Vec<PartitionMetadata>,
}

/// Metadata of a partition, from the cluster.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct PartitionMetadata {
    /// Kafka's code; 0 when it is well.
    pub error: i32,
    /// Its number.
    pub id: i32,
    /// The broker that leads it; -1 while there is none.
    pub leader: i32,
    /// The brokers that have a copy.
    pub replicas: Vec<i32>,
    /// Those of them that are in sync.
    pub in_sync: Vec<i32>,
}

/// For a thread that is waited for: nobody else uses it meanwhile.
#[derive(Clone, Copy)]
struct Handed<T>(T);

// SAFETY: see above.
unsafe impl<T> Send for Handed<T> {}
// SAFETY: see above.
unsafe impl<T> Sync for Handed<T> {}

impl Client {
    pub(crate) fn new(kind: ClientKind, mut conf: Conf) -> Result<Arc<Self>> {
        static OPENSSL: Once = Once::new();
        OPENSSL.call_once(rd::init_openssl);
        let raw_kind = match kind {
            ClientKind::Producer => rd::rd_kafka_type_t::RD_KAFKA_PRODUCER,
            ClientKind::Consumer => rd::rd_kafka_type_t::RD_KAFKA_CONSUMER,
        };
        let mut reason = [0 as c_char; 512];
        let callbacks = Arc::new(std::mem::take(&mut conf.callbacks));
        // SAFETY: the configuration is ours; the callbacks go with the client.
        unsafe { callbacks.install(conf.raw) };
        let (given, length) = (Handed((conf.raw, reason.as_mut_ptr())), reason.len());
        let Handed(raw) = with_nice_threads(|| {
            let given = &given; // the whole of it, or its parts are shared one by one
            let (conf, reason) = given.0;
            // SAFETY: the configuration is ours, and librdkafka's when the call succeeds; `reason` has the length that is told.
            Handed(unsafe { rd::rd_kafka_new(raw_kind, conf, reason, length) })
        });
        if raw.is_null() {
            return Err(Error::config(format!("the client could not be made: {}", text(reason.as_ptr()))));
        }
        conf.raw = std::ptr::null_mut();
        let client = Self { raw, callbacks, _partitioner: conf.partitioner.take() };
        if let Some(asking) = &client.callbacks.asking {
            // SAFETY: alive; `drop` closes it.
            unsafe { asking.open(raw) }?;
        }
        Ok(Arc::new(client))
    }

    pub(super) fn raw(&self) -> *mut rd::rd_kafka_t {
        self.raw
    }

    /// The queue of delivery reports, errors, statistics and, from now on, log lines.
    pub(crate) fn main_queue(self: &Arc<Self>) -> Queue {
        // SAFETY: alive; returns a counted reference, never null. A null log queue means the main queue.
        unsafe {
            rd::rd_kafka_set_log_queue(self.raw, std::ptr::null_mut());
            Queue::from_raw(self, rd::rd_kafka_queue_get_main(self.raw)).expect("every client has a main queue")
        }
    }

    /// The consumer's queue of events, with the main queue's forwarded into it.
    pub(crate) fn consumer_queue(self: &Arc<Self>) -> Result<Queue> {
        // SAFETY: alive; null when the client has no group.
        unsafe {
            rd::rd_kafka_set_log_queue(self.raw, std::ptr::null_mut());
            rd::rd_kafka_poll_set_consumer(self.raw);
            Queue::from_raw(self, rd::rd_kafka_queue_get_consumer(self.raw))
        }
        .ok_or_else(|| Error::config("property 'group.id' must not be empty"))
    }

    /// How many messages of what goes to one queue are prefetched, about, from now on (`queued.min.messages`). For one thread.
    pub(crate) fn prefetch(&self, messages: i32) {
        // SAFETY: alive, a consumer.
        unsafe { rd::rd_kafka_prefetch_messages(self.raw, messages) };
    }

    pub(crate) fn new_queue(self: &Arc<Self>) -> Queue {
        // SAFETY: alive; never null.
        Queue::from_raw(self, unsafe { rd::rd_kafka_queue_new(self.raw) }).expect("a new queue")
    }

    /// The queue of one partition's messages; forwarding it before `assign` keeps them out of the consumer's queue.
    pub(crate) fn partition_queue(self: &Arc<Self>, topic: &str, partition: i32) -> Result<Queue> {
        let name = c_string("the topic", topic)?;
        // SAFETY: alive; the name is copied.
        Queue::from_raw(self, unsafe { rd::rd_kafka_queue_get_partition(self.raw, name.as_ptr(), partition) })
            .ok_or_else(|| Error::state(format!("no queue for partition {partition} of topic {topic}")))
    }

    pub(crate) fn topic(self: &Arc<Self>, name: &str) -> Result<Topic> {
        Topic::new(self, name, &[])
    }

    /// The topic with properties of its own; a client keeps those that it was given first.
    pub(crate) fn topic_with(self: &Arc<Self>, name: &str, properties: &[(String, String)]) -> Result<Topic> {
        Topic::new(self, name, properties)
    }

    /// Asks the cluster about a topic; blocks up to `timeout`.
    pub(crate) fn metadata(self: &Arc<Self>, topic: &Topic, timeout: Duration) -> Result<TopicMetadata> {
        let mut raw = std::ptr::null();
        // SAFETY: client and topic are alive; on success the metadata is ours until destroyed below. Codes inside are read
        // as integers; `partition_cnt` entries are valid.
        unsafe {
            check(rd::codes::rd_kafka_metadata(self.raw, 0, topic.raw(), &mut raw, millis(timeout)))?;
            let metadata = &*raw;
            let found =
                (0..metadata.topic_cnt as usize).map(|i| metadata.topics.add(i)).next().map(|topic| TopicMetadata {
                    error: std::ptr::addr_of!((*topic).err).cast::<i32>().read(),
                    partitions: (0..(*topic).partition_cnt as usize)
                        .map(|i| (*topic).partitions.add(i))
                        .map(|partition| PartitionMetadata {
                            error: std::ptr::addr_of!((*partition).err).cast::<i32>().read(),
                            id: (*partition).id,
                            leader: (*partition).leader,
                            replicas: ids((*partition).replicas, (*partition).replica_cnt),
                            in_sync: ids((*partition).isrs, (*partition).isr_cnt),
                        })
                        .collect(),
                });
            rd::rd_kafka_metadata_destroy(raw);
            found.ok_or_else(|| Error::of(code::UNKNOWN_TOPIC_OR_PART))
        }
    }

    /// Whether the cluster's id is known, or becomes so within `timeout`.
    pub(crate) fn knows_cluster(&self, timeout: Duration) -> bool {
        // SAFETY: the client is alive; the id is a string of its own, or null when it was not told in time.
        unsafe {
            let id = rd::rd_kafka_clusterid(self.raw, millis(timeout));
            if !id.is_null() {
                rd::rd_kafka_mem_free(self.raw, id.cast());
            }
            !id.is_null()
        }
    }

    /// Asks any broker for the others; blocks up to `timeout`.
    pub(crate) fn ask_brokers(&self, timeout: Duration) -> Result<()> {
        let mut raw = std::ptr::null();
        // SAFETY: the client is alive; no topic is asked for; on success the metadata is ours and destroyed.
        unsafe {
            check(rd::codes::rd_kafka_metadata(self.raw, 0, std::ptr::null_mut(), &mut raw, millis(timeout)))?;
            rd::rd_kafka_metadata_destroy(raw);
        }
        Ok(())
    }

    /// (low, high) as the last fetch told them. None: not known yet.
    pub(crate) fn cached_watermarks(&self, topic: &str, partition: i32) -> Option<(i64, i64)> {
        let name = c_string("the topic", topic).ok()?;
        let (mut low, mut high) = (logical::INVALID, logical::INVALID);
        // SAFETY: alive; both are written.
        let code = unsafe {
            rd::codes::rd_kafka_get_watermark_offsets(self.raw, name.as_ptr(), partition, &mut low, &mut high)
        };
        (code == 0 && high >= 0).then_some((low, high))
    }

    /// (low, high), asked of the partition's leader; blocks up to `timeout`.
    pub(crate) fn query_watermarks(&self, topic: &str, partition: i32, timeout: Duration) -> Result<(i64, i64)> {
        let name = c_string("the topic", topic)?;
        let (mut low, mut high) = (0, 0);
        // SAFETY: alive; both are written on success.
        check(unsafe {
            rd::codes::rd_kafka_query_watermark_offsets(
                self.raw,
                name.as_ptr(),
                partition,
                &mut low,
                &mut high,
                millis(timeout),
            )
        })?;
        Ok((low, high))
    }

    /// Replaces the whole assignment.
    pub(crate) fn assign(&self, partitions: &Partitions) -> Result<()> {
        // SAFETY: both are alive; the list is copied.
        check(unsafe { rd::codes::rd_kafka_assign(self.raw, partitions.raw()) })
    }

    pub(crate) fn incremental_assign(&self, partitions: &Partitions) -> Result<()> {
        // SAFETY: as above.
        check_error(unsafe { rd::rd_kafka_incremental_assign(self.raw, partitions.raw()) })
    }

    pub(crate) fn incremental_unassign(&self, partitions: &Partitions) -> Result<()> {
        // SAFETY: as above.
        check_error(unsafe { rd::rd_kafka_incremental_unassign(self.raw, partitions.raw()) })
    }

    /// Waits until the outbound queue is empty, without its linger; somebody else serves the queue meanwhile.
    pub(crate) fn flush(&self, timeout: Duration) -> bool {
        // SAFETY: alive.
        unsafe { rd::codes::rd_kafka_flush(self.raw, millis(timeout)) == 0 }
    }

    /// Why the client is of no further use.
    pub(crate) fn fatal_error(&self) -> Option<Error> {
        let mut reason = [0 as c_char; 512];
        // SAFETY: alive; `reason` has the length that is told and is terminated.
        let code = unsafe { rd::codes::rd_kafka_fatal_error(self.raw, reason.as_mut_ptr(), reason.len()) };
        (code != 0).then(|| {
            let mut error = Error::kafka(code, text(reason.as_ptr()));
            error.fatal = true;
            error
        })
    }

    /// Fails everything that is queued or in flight; the delivery reports tell of it.
    pub(crate) fn purge(&self) {
        // SAFETY: alive.
        unsafe {
            rd::rd_kafka_purge(self.raw, rd::RD_KAFKA_PURGE_F_QUEUE | rd::RD_KAFKA_PURGE_F_INFLIGHT);
        }
    }
}

/// # Safety
/// `first` points at `count` numbers.
unsafe fn ids(first: *const i32, count: i32) -> Vec<i32> {
    // SAFETY: the caller's promise.
    (0..count as usize).map(|i| unsafe { *first.add(i) }).collect()
}

impl Drop for Client {
    fn drop(&mut self) {
        if let Some(asking) = &self.callbacks.asking {
            asking.close();
        }
        // Without membership in a group there is nothing to leave, and leaving with a dead coordinator can crash.
        // SAFETY: ours; every queue, topic and message of it held this client, so none is left.
        unsafe { rd::rd_kafka_destroy_flags(self.raw, rd::RD_KAFKA_DESTROY_F_NO_CONSUMER_CLOSE) }
    }
}
