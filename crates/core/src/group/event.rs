//! Events of a consumer in a group.

use std::sync::Arc;

use crate::batch::Batch;
use crate::error::Error;
use crate::trouble::LogLine;

/// Events of a consumer in a group. Called on the client's thread: must not block.
pub enum GroupEvent {
    /// Messages. At most `batches_ahead` of them are told before [`GroupConsumer::started`](super::GroupConsumer::started) is called for the first.
    Batch(Batch),
    /// Partitions come or go; [`GroupConsumer::rebalanced`](super::GroupConsumer::rebalanced) lets it happen.
    Rebalance(Rebalance),
    /// Behind these partitions' last messages there were only transaction markers, and what a rule leaves out, or reading begins there: the next
    /// offsets to be read.
    Advanced(Vec<(AssignedPartition, i64)>),
    /// Everything below this offset was told, and there was no more when the broker was asked.
    End(AssignedPartition, i64),
    /// Messages were deleted before they were read, as retention does: the first offset that is lost, and the first behind it that is there. The next
    /// batch with messages of the partition goes on behind them.
    OffsetsLost(AssignedPartition, i64, i64),
    /// Everything is told that [`GroupConsumer::until_ends`](super::GroupConsumer::until_ends) wanted.
    Reached,
    /// librdkafka's statistics as JSON, every `statistics_interval`.
    Stats(String),
    /// Errors without a caller: authentication, authorisation, a deleted topic, a fenced member; each once until it heals.
    Error(Error),
    /// A line for the logger.
    Log(LogLine),
    /// The consumer was stopped; nothing comes after this.
    Stopped,
}

/// The effect of a rebalance.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum RebalanceKind {
    /// These partitions come.
    Assign,
    /// These go as soon as it is answered; offsets can be committed until then.
    Revoke,
    /// These are gone: another member may read them already, and commits are refused.
    Lost,
}

/// Partitions that come or go.
#[derive(Debug, Clone)]
pub struct Rebalance {
    /// For [`GroupConsumer::rebalanced`](super::GroupConsumer::rebalanced).
    pub id: u64,
    /// Whether they come, go or are gone.
    pub kind: RebalanceKind,
    /// With the cooperative protocol only those that change, otherwise all.
    pub partitions: Vec<AssignedPartition>,
    /// The member's name in the group; empty without a group.
    pub member_id: String,
    /// The group's generation (or the member's epoch); -1 without a group.
    pub generation: i32,
    /// `EAGER`, `COOPERATIVE`, or `NONE` without a group.
    pub protocol: String,
}

/// One partition of a rebalance.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct AssignedPartition {
    /// The topic.
    pub topic: Arc<str>,
    /// The number by which packed batches name the topic; it stays the same as long as the consumer lives.
    pub topic_id: i32,
    /// The partition.
    pub partition: i32,
    /// The assignment epoch that the partition's messages carry from now on.
    pub epoch: i32,
}
