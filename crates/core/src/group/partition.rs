//! Topics to be read: subscriptions, and partitions with an offset.

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

/// Something to read without a group: a topic, or, with `^` in front, a POSIX extended regular expression. `from` is for the
/// partitions that exist when reading begins: those of a topic that is made later, and those that are added, begin with their first message.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Reading {
    /// A name, or `^` and a pattern.
    pub topic: String,
    /// Where the partitions begin that there are now.
    pub from: Start,
    /// Of a name: the id of the topic that was read before ([`GroupConsumer::topic_id`](crate::GroupConsumer::topic_id)). Another of that
    /// name was made anew: it begins with its first message, whatever `from` and an offset file say. None: any.
    pub id: Option<String>,
}

impl Reading {
    /// A topic or pattern, and where it begins.
    pub fn new(topic: impl Into<String>, from: Start) -> Self {
        Self { topic: topic.into(), from, id: None }
    }
}

/// Where reading begins.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Start {
    /// At the first message.
    Beginning,
    /// Behind what there is (with `isolation.level=read_committed`: behind the last stable offset): all that is produced when reading
    /// has begun is read.
    End,
    /// At the first message that is not older; milliseconds since 1970. Where there is none, at the end.
    Time(i64),
    /// At these offsets; a partition that is not among them at its first message.
    At(Vec<TopicPartitionOffset>),
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
