//! `rd_kafka_mock_cluster_t`: librdkafka's in-process cluster.

use std::sync::Arc;
use std::time::Duration;

use super::{c_string, check, millis, rd, text, Client};
use crate::error::{Error, Result};

/// A mock cluster; its threads belong to `client`, which lives longer.
pub(crate) struct Mock {
    raw: *mut rd::rd_kafka_mock_cluster_t,
    _client: Arc<Client>,
}

// SAFETY: the cluster's functions hand their work to its own thread, under its lock.
unsafe impl Send for Mock {}
// SAFETY: as above.
unsafe impl Sync for Mock {}

impl Mock {
    pub(crate) fn new(client: &Arc<Client>, brokers: i32) -> Result<Self> {
        // SAFETY: the client is alive and outlives the cluster.
        let raw = unsafe { rd::rd_kafka_mock_cluster_new(client.raw(), brokers) };
        if raw.is_null() {
            return Err(Error::config(format!("a mock cluster of {brokers} brokers could not be made")));
        }
        // SAFETY: alive.
        unsafe { rd::rd_kafka_mock_group_initial_rebalance_delay_ms(raw, 0) };
        Ok(Self { raw, _client: client.clone() })
    }

    pub(crate) fn bootstrap(&self) -> String {
        // SAFETY: alive; copied.
        text(unsafe { rd::rd_kafka_mock_cluster_bootstraps(self.raw) })
    }

    pub(crate) fn create_topic(&self, topic: &str, partitions: i32, replication: i32) -> Result<()> {
        let topic = c_string("the topic", topic)?;
        // SAFETY: alive; the name is copied.
        check(unsafe { rd::rd_kafka_mock_topic_create(self.raw, topic.as_ptr(), partitions, replication) } as i32)
    }

    pub(crate) fn set_broker_up(&self, broker: i32, up: bool) -> Result<()> {
        // SAFETY: alive; an unknown broker is an error.
        check(unsafe {
            match up {
                true => rd::rd_kafka_mock_broker_set_up(self.raw, broker),
                false => rd::rd_kafka_mock_broker_set_down(self.raw, broker),
            }
        } as i32)
    }

    /// `broker` -1 = all.
    pub(crate) fn set_latency(&self, broker: i32, latency: Duration) -> Result<()> {
        // SAFETY: alive.
        check(unsafe { rd::rd_kafka_mock_broker_set_rtt(self.raw, broker, millis(latency)) } as i32)
    }

    pub(crate) fn set_leader(&self, topic: &str, partition: i32, broker: i32) -> Result<()> {
        let topic = c_string("the topic", topic)?;
        // SAFETY: alive.
        check(unsafe { rd::rd_kafka_mock_partition_set_leader(self.raw, topic.as_ptr(), partition, broker) } as i32)
    }

    pub(crate) fn set_follower(&self, topic: &str, partition: i32, broker: i32) -> Result<()> {
        let topic = c_string("the topic", topic)?;
        // SAFETY: alive.
        check(unsafe { rd::rd_kafka_mock_partition_set_follower(self.raw, topic.as_ptr(), partition, broker) } as i32)
    }

    /// The next requests with this API key fail with these codes, in order.
    pub(crate) fn push_errors(&self, api_key: i16, codes: &[i32]) {
        // SAFETY: alive; the array is copied. C reads its elements as the integers that they are.
        unsafe { rd::rd_kafka_mock_push_request_errors_array(self.raw, api_key, codes.len(), codes.as_ptr().cast()) }
    }

    /// Every request for the topic fails with this code; 0 heals it.
    pub(crate) fn set_topic_error(&self, topic: &str, code: i32) -> Result<()> {
        let topic = c_string("the topic", topic)?;
        // SAFETY: alive.
        unsafe { rd::codes::rd_kafka_mock_topic_set_error(self.raw, topic.as_ptr(), code) };
        Ok(())
    }
}

impl Drop for Mock {
    fn drop(&mut self) {
        // SAFETY: ours, destroyed once, before its client; joins the cluster's thread.
        unsafe { rd::rd_kafka_mock_cluster_destroy(self.raw) }
    }
}
