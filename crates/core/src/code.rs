//! The numbers of errors that this library speaks of, and what follows from each.
//!
//! They are librdkafka's: negative for local errors, whose names begin with `_` there; positive for Kafka's own.
//! [`error_codes`](crate::error_codes) lists all that librdkafka knows.

pub(crate) use kafka_native_librdkafka::errors::{list, name, text};

/// Makes the constants, and for the test a list of them.
macro_rules! codes {
    ($($(#[$meta:meta])* $name:ident = $number:literal,)*) => {
        $($(#[$meta])* pub const $name: i32 = $number;)*

        #[cfg(test)]
        const ALL: &[(&str, i32)] = &[$((stringify!($name), $number)),*];
    };
}

codes! {
    /// An answer that cannot be read.
    BAD_MSG = -199,
    /// A message's compression cannot be undone.
    BAD_COMPRESSION = -198,
    /// The client is closing.
    DESTROY = -197,
    /// A bug or an unexpected answer.
    FAIL = -196,
    /// A connection was lost, or could not be made.
    TRANSPORT = -195,
    /// A broker's name could not be resolved.
    RESOLVE = -193,
    /// A message was not delivered in its time.
    MSG_TIMED_OUT = -192,
    /// No error: a partition's end was reached.
    PARTITION_EOF = -191,
    /// The topic has no such partition.
    UNKNOWN_PARTITION = -190,
    /// An operation on files failed.
    FS = -189,
    /// The cluster has no such topic.
    UNKNOWN_TOPIC = -188,
    /// No broker is connected.
    ALL_BROKERS_DOWN = -187,
    /// A wrong option or argument.
    INVALID_ARG = -186,
    /// A deadline passed.
    TIMED_OUT = -185,
    /// The local queue is full.
    QUEUE_FULL = -184,
    /// TLS failed.
    SSL = -181,
    /// The coordinator is not known yet.
    WAIT_COORD = -180,
    /// The one before is not through.
    PREV_IN_PROGRESS = -177,
    /// A rebalance gives partitions.
    ASSIGN_PARTITIONS = -175,
    /// A rebalance takes partitions.
    REVOKE_PARTITIONS = -174,
    /// Somebody else holds it.
    CONFLICT = -173,
    /// A call in the wrong state.
    STATE = -172,
    /// Credentials were refused, or there are none.
    AUTHENTICATION = -169,
    /// The broker does not have such a request.
    UNSUPPORTED_FEATURE = -165,
    /// There is no such thing; of partitions: none of them has a leader.
    NOENT = -156,
    /// Purged from the producer's queue when it was stopped, or its transaction aborted.
    PURGE_QUEUE = -152,
    /// Purged while the broker had it.
    PURGE_INFLIGHT = -151,
    /// The client has failed for good.
    FATAL = -150,
    /// Another one has taken this client's place.
    FENCED = -144,
    /// The log has not the offset at which it was to be read.
    AUTO_OFFSET_RESET = -140,
    /// The broker that was asked is none of the cluster's any more.
    DESTROY_BROKER = -137,

    /// The broker does not know the topic or partition; it may be on its way.
    UNKNOWN_TOPIC_OR_PART = 3,
    /// The partition has no leader now.
    LEADER_NOT_AVAILABLE = 5,
    /// The broker that was asked does not lead the partition.
    NOT_LEADER_FOR_PARTITION = 6,
    /// The broker's time was over.
    REQUEST_TIMED_OUT = 7,
    /// The broker is not there.
    BROKER_NOT_AVAILABLE = 8,
    /// The replica is not there.
    REPLICA_NOT_AVAILABLE = 9,
    /// The message is larger than `message.max.bytes`.
    MSG_SIZE_TOO_LARGE = 10,
    /// The broker lost a connection.
    NETWORK_EXCEPTION = 13,
    /// The coordinator reads its groups.
    COORDINATOR_LOAD_IN_PROGRESS = 14,
    /// There is no coordinator now.
    COORDINATOR_NOT_AVAILABLE = 15,
    /// The broker that was asked is not the coordinator.
    NOT_COORDINATOR = 16,
    /// The topic's name is not allowed.
    TOPIC_EXCEPTION = 17,
    /// Fewer replicas are in sync than `min.insync.replicas`.
    NOT_ENOUGH_REPLICAS = 19,
    /// The same, told when the messages were written.
    NOT_ENOUGH_REPLICAS_AFTER_APPEND = 20,
    /// The group is a generation further.
    ILLEGAL_GENERATION = 22,
    /// The group does not know the member.
    UNKNOWN_MEMBER_ID = 25,
    /// The group is being divided anew.
    REBALANCE_IN_PROGRESS = 27,
    /// No right to the topic.
    TOPIC_AUTHORIZATION_FAILED = 29,
    /// No right to the group.
    GROUP_AUTHORIZATION_FAILED = 30,
    /// The listener does not have the SASL mechanism.
    UNSUPPORTED_SASL_MECHANISM = 33,
    /// SASL at the wrong moment.
    ILLEGAL_SASL_STATE = 34,
    /// The broker that was asked is not the controller.
    NOT_CONTROLLER = 41,
    /// The broker cannot use its disk.
    KAFKA_STORAGE_ERROR = 56,
    /// The broker refused the credentials.
    SASL_AUTHENTICATION_FAILED = 58,
    /// No right to the delegation token.
    DELEGATION_TOKEN_AUTHORIZATION_FAILED = 65,
    /// The leader's epoch is out of date.
    FENCED_LEADER_EPOCH = 74,
    /// The broker does not know the leader's epoch yet.
    UNKNOWN_LEADER_EPOCH = 75,
    /// The leader is new, and does not know yet where its log ends.
    OFFSET_NOT_AVAILABLE = 78,
    /// A transaction's offsets are not decided yet.
    UNSTABLE_OFFSET_COMMIT = 88,
    /// A quota is used up.
    THROTTLING_QUOTA_EXCEEDED = 89,
    /// The broker does not know the topic's id.
    UNKNOWN_TOPIC_ID = 100,
    /// The member's epoch is another one.
    FENCED_MEMBER_EPOCH = 110,
    /// The member's epoch is out of date.
    STALE_MEMBER_EPOCH = 113,
}

/// Whether waiting can heal it: the cluster is moving, loading or out of reach.
///
/// Authentication, authorisation, TLS, invalid names and sizes are not here: the same call fails again until somebody
/// changes something.
pub(crate) fn is_retriable(code: i32) -> bool {
    matches!(
        code,
        TRANSPORT
            | RESOLVE
            | MSG_TIMED_OUT
            | ALL_BROKERS_DOWN
            | TIMED_OUT
            | QUEUE_FULL
            | WAIT_COORD
            | DESTROY_BROKER
            | UNKNOWN_TOPIC_OR_PART
            | LEADER_NOT_AVAILABLE
            | NOT_LEADER_FOR_PARTITION
            | REQUEST_TIMED_OUT
            | BROKER_NOT_AVAILABLE
            | REPLICA_NOT_AVAILABLE
            | NETWORK_EXCEPTION
            | COORDINATOR_LOAD_IN_PROGRESS
            | COORDINATOR_NOT_AVAILABLE
            | NOT_COORDINATOR
            | NOT_ENOUGH_REPLICAS
            | NOT_ENOUGH_REPLICAS_AFTER_APPEND
            | NOT_CONTROLLER
            | KAFKA_STORAGE_ERROR
            | FENCED_LEADER_EPOCH
            | UNKNOWN_LEADER_EPOCH
            | OFFSET_NOT_AVAILABLE
            | UNSTABLE_OFFSET_COMMIT
            | THROTTLING_QUOTA_EXCEEDED
            | UNKNOWN_TOPIC_ID
    )
}

/// Whether the client cannot go on: librdkafka's own verdict comes with its events; these are fatal by their code.
pub(crate) fn is_fatal(code: i32) -> bool {
    matches!(code, FATAL | FENCED)
}

/// Whether no connection can be made until somebody changes credentials or certificates. Rights are not here: who may not
/// read one topic may read another.
pub(crate) fn is_refusal(code: i32) -> bool {
    matches!(
        code,
        SSL | AUTHENTICATION
            | UNSUPPORTED_SASL_MECHANISM
            | ILLEGAL_SASL_STATE
            | SASL_AUTHENTICATION_FAILED
            | DELEGATION_TOKEN_AUTHORIZATION_FAILED
    )
}

/// Whether a connection was lost, or nobody answered: the cause may have been told on the side.
pub(crate) fn is_lost_connection(code: i32) -> bool {
    matches!(code, TRANSPORT | TIMED_OUT | ALL_BROKERS_DOWN)
}

/// Whether it is about a topic as a whole, whichever partition it came for.
pub(crate) fn is_of_topic(code: i32) -> bool {
    matches!(
        code,
        UNKNOWN_TOPIC_OR_PART | UNKNOWN_TOPIC | UNKNOWN_PARTITION | TOPIC_EXCEPTION | TOPIC_AUTHORIZATION_FAILED
    )
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn every_code_has_the_name_that_librdkafka_gives_it() {
        for (known, number) in ALL {
            let local = if *number < 0 { "_" } else { "" };
            assert_eq!(super::name(*number), format!("{local}{known}"), "{number}");
        }
    }
}
