//! `NativeMockCluster`

use kafka_native::{Error, MockCluster};
use napi_derive::napi;

use crate::{millis, thrown, Thrown};

#[napi]
pub struct NativeMockCluster {
    cluster: Option<MockCluster>,
}

#[napi]
impl NativeMockCluster {
    #[napi(constructor)]
    pub fn new(brokers: i32) -> Result<Self, Thrown> {
        Ok(Self { cluster: Some(MockCluster::new(brokers).map_err(thrown)?) })
    }

    fn with<T>(&self, call: impl FnOnce(&MockCluster) -> Result<T, Error>) -> Result<T, Thrown> {
        match &self.cluster {
            Some(cluster) => call(cluster).map_err(thrown),
            None => Err(napi::Error::new("_STATE".into(), "the cluster was closed")),
        }
    }

    #[napi]
    pub fn bootstrap(&self) -> Result<String, Thrown> {
        self.with(|cluster| Ok(cluster.brokers()))
    }

    #[napi]
    pub fn create_topic(&self, topic: String, partitions: i32, replication: i32) -> Result<(), Thrown> {
        self.with(|cluster| cluster.create_topic(&topic, partitions, replication))
    }

    #[napi]
    pub fn broker_down(&self, id: i32) -> Result<(), Thrown> {
        self.with(|cluster| cluster.broker_down(id))
    }

    #[napi]
    pub fn broker_up(&self, id: i32) -> Result<(), Thrown> {
        self.with(|cluster| cluster.broker_up(id))
    }

    /// Round-trip latency added to every request of broker `id` (-1 = all), in milliseconds.
    #[napi]
    pub fn set_latency(&self, id: i32, ms: u32) -> Result<(), Thrown> {
        self.with(|cluster| cluster.set_latency(id, millis(ms)))
    }

    #[napi]
    pub fn set_leader(&self, topic: String, partition: i32, broker: i32) -> Result<(), Thrown> {
        self.with(|cluster| cluster.set_leader(&topic, partition, broker))
    }

    #[napi]
    pub fn set_follower(&self, topic: String, partition: i32, broker: i32) -> Result<(), Thrown> {
        self.with(|cluster| cluster.set_follower(&topic, partition, broker))
    }

    /// The next requests with this API key fail with these codes, in order.
    #[napi]
    pub fn push_errors(&self, api_key: i32, codes: Vec<i32>) -> Result<(), Thrown> {
        self.with(|cluster| {
            cluster.push_errors(api_key as i16, &codes);
            Ok(())
        })
    }

    /// Fails every request of a topic with this code; 0 heals it.
    #[napi]
    pub fn set_topic_error(&self, topic: String, code: i32) -> Result<(), Thrown> {
        self.with(|cluster| cluster.set_topic_error(&topic, code))
    }

    /// The cluster's threads end on a thread of their own: joining them takes a moment.
    #[napi]
    pub fn close(&mut self) {
        let cluster = self.cluster.take();
        let _ = std::thread::Builder::new().name("kafka-mock-end".into()).spawn(move || drop(cluster));
    }
}

impl Drop for NativeMockCluster {
    fn drop(&mut self) {
        self.close();
    }
}
