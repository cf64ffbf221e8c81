//! The embedded cluster: librdkafka's mock brokers, for tests of an application without Kafka.

use std::sync::Arc;
use std::time::Duration;

use crate::config::Properties;
use crate::error::{Error, Result};
use crate::ffi::{Client, ClientKind, Mock};

/// Brokers in this process, reachable on 127.0.0.1 from others, too; gone when dropped.
///
/// Good for producing, consuming, injected errors, latency, brokers that go down and leaders that move. Not for admin
/// calls, TLS, SASL, transactions, or anything's speed: it wakes no waiting fetch, so set `fetch.wait.max.ms` to a few
/// milliseconds ([`consumer_property`](Self::consumer_property)). It keeps 5 MiB a partition, the oldest messages go first.
pub struct MockCluster {
    // In the order in which they go: the cluster's threads need the client.
    mock: Mock,
    brokers: i32,
    _client: Arc<Client>,
}

impl MockCluster {
    /// A cluster of so many brokers, with the ids 1 to `brokers`. A topic that is not created is made on first use, with
    /// four partitions.
    pub fn new(brokers: i32) -> Result<Self> {
        if !(1..=100).contains(&brokers) {
            return Err(Error::config(format!("brokers must be from 1 to 100, not {brokers}")));
        }
        let mut properties = Properties::default();
        properties.set("log_level", 3);
        let client = Client::new(ClientKind::Producer, properties.into_conf(0)?)?;
        Ok(Self { mock: Mock::new(&client, brokers)?, brokers, _client: client })
    }

    /// librdkafka's mock would go on with a broker that is not there.
    fn check_broker(&self, broker: i32, besides: &str) -> Result<()> {
        if (1..=self.brokers).contains(&broker) || (broker == -1 && !besides.is_empty()) {
            return Ok(());
        }
        Err(Error::config(format!("there is no broker {broker}: their ids are 1 to {}{besides}", self.brokers)))
    }

    /// It would make a topic that it does not know, of as many partitions.
    fn check_partition(topic: &str, partition: i32) -> Result<()> {
        check_topic(topic)?;
        if (0..PARTITIONS).contains(&partition) {
            return Ok(());
        }
        Err(Error::config(format!("a partition is from 0 to {}, not {partition}", PARTITIONS - 1)))
    }

    /// `host:port` of every broker, for `bootstrap.servers`.
    pub fn brokers(&self) -> String {
        self.mock.bootstrap()
    }

    /// The property that a consumer of this cluster should be given.
    pub fn consumer_property() -> (&'static str, &'static str) {
        ("fetch.wait.max.ms", "5")
    }

    /// Makes a topic.
    pub fn create_topic(&self, topic: &str, partitions: i32, replication: i32) -> Result<()> {
        check_topic(topic)?;
        // librdkafka would allocate whatever it is told.
        if !(1..=PARTITIONS).contains(&partitions) || !(1..=100).contains(&replication) {
            let text = format!(
                "a topic has from 1 to {PARTITIONS} partitions and from 1 to 100 replicas, not {partitions} and {replication}"
            );
            return Err(Error::config(text));
        }
        self.mock.create_topic(topic, partitions, replication)
    }

    /// Closes a broker's connections and refuses new ones.
    pub fn broker_down(&self, broker: i32) -> Result<()> {
        self.check_broker(broker, "")?;
        self.mock.set_broker_up(broker, false)
    }

    /// Lets a broker accept connections again.
    pub fn broker_up(&self, broker: i32) -> Result<()> {
        self.check_broker(broker, "")?;
        self.mock.set_broker_up(broker, true)
    }

    /// Lets every request of a broker (-1: of all) take this much longer.
    pub fn set_latency(&self, broker: i32, latency: Duration) -> Result<()> {
        self.check_broker(broker, ", -1 is all of them")?;
        self.mock.set_latency(broker, latency)
    }

    /// Moves the leadership of a partition; -1: it has no leader.
    pub fn set_leader(&self, topic: &str, partition: i32, broker: i32) -> Result<()> {
        Self::check_partition(topic, partition)?;
        self.check_broker(broker, ", -1 is no leader")?;
        self.mock.set_leader(topic, partition, broker)
    }

    /// Names the replica that consumers should fetch from; -1: the leader.
    pub fn set_follower(&self, topic: &str, partition: i32, broker: i32) -> Result<()> {
        Self::check_partition(topic, partition)?;
        self.check_broker(broker, ", -1 is the leader")?;
        self.mock.set_follower(topic, partition, broker)
    }

    /// The next requests with this API key (0 produce, 1 fetch, 3 metadata, …) fail with these codes, in order.
    pub fn push_errors(&self, api_key: i16, codes: &[i32]) {
        self.mock.push_errors(api_key, codes);
    }

    /// Every request for the topic fails with this code; 0 heals it.
    pub fn set_topic_error(&self, topic: &str, code: i32) -> Result<()> {
        check_topic(topic)?;
        self.mock.set_topic_error(topic, code)
    }
}

/// As many as a topic may have here.
const PARTITIONS: i32 = 10_000;

fn check_topic(topic: &str) -> Result<()> {
    if topic.is_empty() {
        return Err(Error::config("the topic must have a name"));
    }
    Ok(())
}
