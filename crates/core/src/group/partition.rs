//! What is to be read: subscriptions, and partitions with an offset.

use crate::consumer::Reset;

/// A topic, or a pattern of topics, to be read.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Subscription {
    pub(crate) topic: String,
    pub(crate) reset: Reset,
}

impl Subscription {
    /// A topic, or with `^` in front a POSIX extended regular expression: then topics made later are read, too. A partition
    /// without a committed offset begins where `reset` says: that of the topic's name, else of the first pattern that matches.
    /// [`Reset::Latest`] is for the partitions that there are when it is subscribed to: topics that are made later, and partitions that
    /// are added, are found within seconds (`topic.metadata.refresh.interval.ms`) and begin with their first message.
    pub fn new(topic: impl Into<String>, reset: Reset) -> Self {
        Self { topic: topic.into(), reset }
    }
}

/// A partition with the next offset to be read. `-2` is the begin of the log, `-1` its end, `-1000` what the group committed
/// ([`logical`](crate::logical) names them).
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct TopicPartitionOffset {
    /// The topic.
    pub topic: String,
    /// The partition.
    pub partition: i32,
    /// The next offset to be read.
    pub offset: i64,
    /// A text that is committed with the offset.
    pub metadata: Option<String>,
}

impl TopicPartitionOffset {
    /// Without metadata.
    pub fn new(topic: impl Into<String>, partition: i32, offset: i64) -> Self {
        Self { topic: topic.into(), partition, offset, metadata: None }
    }
}
