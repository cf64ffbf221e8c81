//! Requests about the log of partitions: its offsets, and its begin.

use serde::{Deserialize, Serialize};

use super::TopicPartitionOffset;

/// Looks offsets up. Items fail with `UNKNOWN_TOPIC_OR_PART`, `LEADER_NOT_AVAILABLE`.
#[derive(Debug, Clone, Default, PartialEq, Eq, Deserialize)]
#[cfg_attr(test, derive(ts_rs::TS))]
#[serde(rename_all = "camelCase")]
pub struct ListOffsets {
    /// Which; each partition once.
    pub offsets: Vec<OffsetQuery>,
    /// The end is the last stable offset: where the first transaction that is not finished begins.
    #[serde(default)]
    #[cfg_attr(test, ts(optional, as = "Option<_>"))]
    pub read_committed: bool,
}

/// Which offset of a partition.
#[derive(Debug, Clone, PartialEq, Eq, Deserialize)]
#[cfg_attr(test, derive(ts_rs::TS))]
pub struct OffsetQuery {
    /// The topic.
    pub topic: String,
    /// The partition.
    pub partition: i32,
    /// Which of its offsets.
    pub at: OffsetSpec,
}

/// An offset by its meaning. As a number -1 latest, -2 earliest, -3 highest timestamp, else milliseconds since 1970.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Deserialize)]
#[cfg_attr(test, derive(ts_rs::TS), ts(as = "i64"))]
#[serde(from = "i64")]
pub enum OffsetSpec {
    /// The first message's.
    Earliest,
    /// Behind the last message.
    Latest,
    /// Of the message with the highest timestamp.
    MaxTimestamp,
    /// Of the first message that is not older than this, in milliseconds since 1970.
    Timestamp(i64),
}

impl From<i64> for OffsetSpec {
    /// Kafka's numbers: -1 latest, -2 earliest, -3 highest timestamp, else a time.
    fn from(number: i64) -> Self {
        match number {
            -1 => Self::Latest,
            -2 => Self::Earliest,
            -3 => Self::MaxTimestamp,
            time => Self::Timestamp(time),
        }
    }
}

impl From<OffsetSpec> for i64 {
    fn from(spec: OffsetSpec) -> Self {
        match spec {
            OffsetSpec::Latest => -1,
            OffsetSpec::Earliest => -2,
            OffsetSpec::MaxTimestamp => -3,
            OffsetSpec::Timestamp(time) => time,
        }
    }
}

/// An offset that was looked up.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize)]
#[cfg_attr(test, derive(ts_rs::TS))]
pub struct ListedOffset {
    /// None when no message fits.
    pub offset: Option<i64>,
    /// Of that message, where the query was for a time, in milliseconds since 1970.
    pub timestamp: Option<i64>,
}

/// Deletes the messages below an offset (-1 = all). Answers the new begin of each log. Items fail with
/// `OFFSET_OUT_OF_RANGE` past the end, `UNKNOWN_TOPIC_OR_PART`, `POLICY_VIOLATION` where the topic is only compacted.
#[derive(Debug, Clone, Default, PartialEq, Eq, Deserialize)]
#[cfg_attr(test, derive(ts_rs::TS))]
pub struct DeleteRecords {
    /// The first offsets that stay.
    pub before: Vec<TopicPartitionOffset>,
}
