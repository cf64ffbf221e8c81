//! Requests about topics and their partitions.

use serde::{Deserialize, Serialize};

use super::TopicPartition;

/// Makes topics. Answers what became of each when the controller has it; brokers hear of it a moment later.
///
/// Items fail with `TOPIC_ALREADY_EXISTS`, `TOPIC_EXCEPTION` (the name), `INVALID_CONFIG`, `INVALID_REPLICATION_FACTOR`,
/// `INVALID_PARTITIONS`, `POLICY_VIOLATION` and what else the controller says.
#[derive(Debug, Clone, Default, PartialEq, Eq, Deserialize)]
#[cfg_attr(test, derive(ts_rs::TS))]
#[serde(rename_all = "camelCase")]
pub struct CreateTopics {
    /// The topics, each name once.
    pub topics: Vec<NewTopic>,
    /// Only ask whether they could be made.
    #[serde(default)]
    #[cfg_attr(test, ts(optional, as = "Option<_>"))]
    pub validate_only: bool,
}

/// A topic to be made.
#[derive(Debug, Clone, PartialEq, Eq, Deserialize)]
#[cfg_attr(test, derive(ts_rs::TS))]
pub struct NewTopic {
    /// Its name.
    pub topic: String,
    /// How many partitions; -1 = the broker's `num.partitions`. With `replicas` it is their number.
    pub partitions: i32,
    /// How many copies of each; -1 = the broker's `default.replication.factor`. Must be -1 with `replicas`.
    pub replication: i32,
    /// The brokers of each partition from 0 on, the preferred leader first; empty = the controller chooses.
    #[serde(default)]
    #[cfg_attr(test, ts(optional, as = "Option<_>"))]
    pub replicas: Vec<Vec<i32>>,
    /// Kafka's topic properties, such as (`retention.ms`, `3600000`).
    #[serde(default)]
    #[cfg_attr(test, ts(optional, as = "Option<_>"))]
    pub config: Vec<(String, String)>,
}

impl NewTopic {
    /// A topic with so many partitions (-1 = the broker's default) and the broker's number of copies.
    pub fn new(topic: impl Into<String>, partitions: i32) -> Self {
        Self { topic: topic.into(), partitions, replication: -1, replicas: Vec::new(), config: Vec::new() }
    }

    /// Sets the number of copies.
    pub fn replication(mut self, replication: i32) -> Self {
        self.replication = replication;
        self
    }

    /// Sets a topic property.
    pub fn config(mut self, name: impl Into<String>, value: impl ToString) -> Self {
        self.config.push((name.into(), value.to_string()));
        self
    }
}

/// Deletes topics with their messages. Items fail with `UNKNOWN_TOPIC_OR_PART`.
#[derive(Debug, Clone, Default, PartialEq, Eq, Deserialize)]
#[cfg_attr(test, derive(ts_rs::TS))]
pub struct DeleteTopics {
    /// Their names.
    pub topics: Vec<String>,
}

/// Adds partitions to topics. Items fail with `INVALID_PARTITIONS` when the topic has as many.
#[derive(Debug, Clone, Default, PartialEq, Eq, Deserialize)]
#[cfg_attr(test, derive(ts_rs::TS))]
#[serde(rename_all = "camelCase")]
pub struct CreatePartitions {
    /// The topics, each name once.
    pub topics: Vec<MorePartitions>,
    /// Only ask whether they could be made.
    #[serde(default)]
    #[cfg_attr(test, ts(optional, as = "Option<_>"))]
    pub validate_only: bool,
}

/// How a topic shall grow.
#[derive(Debug, Clone, PartialEq, Eq, Deserialize)]
#[cfg_attr(test, derive(ts_rs::TS))]
pub struct MorePartitions {
    /// Its name.
    pub topic: String,
    /// How many partitions it shall have in all.
    pub total: usize,
    /// The brokers of each new partition, the preferred leader first; empty = the controller chooses.
    #[serde(default)]
    #[cfg_attr(test, ts(optional, as = "Option<_>"))]
    pub replicas: Vec<Vec<i32>>,
}

/// Describes topics. Items fail with `UNKNOWN_TOPIC_OR_PART` while no broker has heard of them.
#[derive(Debug, Clone, Default, PartialEq, Eq, Deserialize)]
#[cfg_attr(test, derive(ts_rs::TS))]
pub struct DescribeTopics {
    /// Their names; none = nothing ([`Admin::list_topics`](super::Admin::list_topics) has all names).
    pub topics: Vec<String>,
}

/// A topic and where its partitions live.
#[derive(Debug, Clone, PartialEq, Eq, Serialize)]
#[cfg_attr(test, derive(ts_rs::TS))]
#[serde(rename_all = "camelCase")]
pub struct TopicDescription {
    /// Kafka's id of it, url-safe base64; a topic that is made anew has another.
    pub id: String,
    /// One of Kafka's own, such as `__consumer_offsets`.
    pub internal: bool,
    /// By number.
    pub partitions: Vec<PartitionDescription>,
}

/// Where a partition lives.
#[derive(Debug, Clone, PartialEq, Eq, Serialize)]
#[cfg_attr(test, derive(ts_rs::TS))]
#[serde(rename_all = "camelCase")]
pub struct PartitionDescription {
    /// Its number.
    pub partition: i32,
    /// The broker that leads it; none while a leader is elected.
    pub leader: Option<i32>,
    /// The brokers that have a copy, the preferred leader first.
    pub replicas: Vec<i32>,
    /// Those whose copy is complete.
    pub in_sync: Vec<i32>,
    /// Those that are not up.
    pub offline: Vec<i32>,
}

/// Has leaders elected. Partitions whose leader is the right one already are not answered.
/// Items fail with `PREFERRED_LEADER_NOT_AVAILABLE`, `ELIGIBLE_LEADERS_NOT_AVAILABLE`, `UNKNOWN_TOPIC_OR_PART`.
#[derive(Debug, Clone, PartialEq, Eq, Deserialize)]
#[cfg_attr(test, derive(ts_rs::TS), ts(optional_fields))]
pub struct ElectLeaders {
    /// How.
    pub election: Election,
    /// Of these partitions; none = of all.
    pub partitions: Option<Vec<TopicPartition>>,
}

/// How a leader is elected.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Deserialize)]
#[cfg_attr(test, derive(ts_rs::TS))]
#[serde(rename_all = "lowercase")]
pub enum Election {
    /// The first replica leads again, if it is in sync.
    Preferred = 0,
    /// A replica that is up leads, complete or not: messages may be lost. Only for partitions without a leader.
    Unclean = 1,
}
