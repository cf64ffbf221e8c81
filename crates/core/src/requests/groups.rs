//! Requests about consumer groups and what they committed.

use serde::{Deserialize, Serialize};

use super::cluster::Node;
use super::{TopicPartition, TopicPartitionOffset};

/// Lists the consumer groups of all brokers, and the groups that only commit.
#[derive(Debug, Clone, Default, PartialEq, Eq, Deserialize)]
#[cfg_attr(test, derive(ts_rs::TS))]
pub struct ListGroups {}

/// The groups, and what brokers did not answer.
#[derive(Debug, Clone, Default, PartialEq, Eq, Serialize)]
#[cfg_attr(test, derive(ts_rs::TS))]
pub struct GroupListings {
    /// Those that were told.
    pub groups: Vec<GroupListing>,
    /// One for each broker that failed; its groups are missing.
    pub errors: Vec<crate::Error>,
}

/// A group in a list.
#[derive(Debug, Clone, PartialEq, Eq, Serialize)]
#[cfg_attr(test, derive(ts_rs::TS))]
pub struct GroupListing {
    /// Its id.
    pub group: String,
    /// Nobody joins it: it is only committed to.
    pub simple: bool,
    /// Its state.
    pub state: GroupState,
    /// Its protocol.
    pub kind: GroupKind,
}

enumerated! {
    /// The state of a group.
    GroupState {
        /// A state that librdkafka does not know, such as KIP-848's `Assigning`.
        Unknown = 0,
        /// Members join.
        PreparingRebalance = 1,
        /// The assignment is made.
        CompletingRebalance = 2,
        /// Everybody has a part.
        Stable = 3,
        /// There is none.
        Dead = 4,
        /// It has no members.
        Empty = 5,
    }
}

enumerated! {
    /// A group's protocol.
    GroupKind {
        /// The broker does not say.
        Unknown = 0,
        /// KIP-848: the broker assigns.
        Consumer = 1,
        /// A member assigns.
        Classic = 2,
    }
}

/// Describes groups. One that does not exist is [`GroupState::Dead`], or fails with `GROUP_ID_NOT_FOUND`.
#[derive(Debug, Clone, Default, PartialEq, Eq, Deserialize)]
#[cfg_attr(test, derive(ts_rs::TS))]
pub struct DescribeGroups {
    /// Their ids.
    pub groups: Vec<String>,
}

/// A group and its members.
#[derive(Debug, Clone, PartialEq, Eq, Serialize)]
#[cfg_attr(test, derive(ts_rs::TS))]
#[serde(rename_all = "camelCase")]
pub struct GroupDescription {
    /// Nobody joins it: it is only committed to.
    pub simple: bool,
    /// Its state.
    pub state: GroupState,
    /// Its protocol.
    pub kind: GroupKind,
    /// How partitions are assigned, such as `range`; empty when the group is.
    pub assignor: String,
    /// The broker that keeps it.
    pub coordinator: Option<Node>,
    /// Its members.
    pub members: Vec<GroupMember>,
}

/// A member of a group.
#[derive(Debug, Clone, PartialEq, Eq, Serialize)]
#[cfg_attr(test, derive(ts_rs::TS))]
#[serde(rename_all = "camelCase")]
pub struct GroupMember {
    /// Its id.
    pub id: String,
    /// Its `group.instance.id`.
    pub instance_id: Option<String>,
    /// Its `client.id`.
    pub client_id: String,
    /// Where it connects from.
    pub host: String,
    /// Partitions that it has.
    pub assignment: Vec<TopicPartition>,
    /// Partitions that it shall have; KIP-848 only.
    pub target: Option<Vec<TopicPartition>>,
}

/// Deletes groups with what they committed. Items fail with `NON_EMPTY_GROUP`, `GROUP_ID_NOT_FOUND`.
#[derive(Debug, Clone, Default, PartialEq, Eq, Deserialize)]
#[cfg_attr(test, derive(ts_rs::TS))]
pub struct DeleteGroups {
    /// Their ids.
    pub groups: Vec<String>,
}

/// Offsets that a group committed.
#[derive(Debug, Clone, Default, PartialEq, Eq, Deserialize)]
#[cfg_attr(test, derive(ts_rs::TS), ts(optional_fields))]
pub struct ListGroupOffsets {
    /// The group's id.
    pub group: String,
    /// Of these partitions; none = of all that it committed.
    pub partitions: Option<Vec<TopicPartition>>,
}

/// A committed offset.
#[derive(Debug, Clone, Default, PartialEq, Eq, Serialize)]
#[cfg_attr(test, derive(ts_rs::TS))]
pub struct CommittedOffset {
    /// The next to be read; none = nothing committed. Programs can commit below zero, so it may be.
    pub offset: Option<i64>,
    /// Text that was committed with it.
    pub metadata: Option<String>,
}

/// Commits in the name of a group. Items fail with `UNKNOWN_MEMBER_ID` while it has members.
#[derive(Debug, Clone, Default, PartialEq, Eq, Deserialize)]
#[cfg_attr(test, derive(ts_rs::TS))]
pub struct AlterGroupOffsets {
    /// The group's id; it is made when there is none.
    pub group: String,
    /// The next offsets to be read.
    pub offsets: Vec<TopicPartitionOffset>,
}

/// Forgets what a group committed. Items fail with `GROUP_SUBSCRIBED_TO_TOPIC` while members read the topic.
#[derive(Debug, Clone, Default, PartialEq, Eq, Deserialize)]
#[cfg_attr(test, derive(ts_rs::TS))]
pub struct DeleteGroupOffsets {
    /// The group's id.
    pub group: String,
    /// Of these partitions.
    pub partitions: Vec<TopicPartition>,
}
