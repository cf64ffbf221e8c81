//! The one error type. Errors are data: what failed, whether a retry can help, and what the user can do.

use std::fmt;

use serde::ser::{Serialize, SerializeStruct, Serializer};

/// The result of everything in this crate that can fail.
pub type Result<T> = std::result::Result<T, Error>;

/// What an [`Error`] is about; the [`code`](Error::code) says it exactly.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
#[non_exhaustive]
pub enum ErrorKind {
    /// An option or argument that cannot be used; the message names it.
    Config,
    /// A call that does not fit the state of its object, such as a second `start`.
    State,
    /// The broker, or librdkafka on its behalf, refused or failed.
    Kafka,
    /// An offset file, lock file or directory; the message names the path.
    Offsets,
    /// A deadline passed; [`cause`](Error::cause) says what stood in the way, when it is known.
    Timeout,
}

impl ErrorKind {
    /// Its name in other languages.
    pub fn name(self) -> &'static str {
        match self {
            Self::Config => "config",
            Self::State => "state",
            Self::Kafka => "kafka",
            Self::Offsets => "offsets",
            Self::Timeout => "timeout",
        }
    }
}

/// An error with the code that librdkafka (or Kafka) gives it.
#[derive(Debug, Clone, PartialEq, Eq)]
#[non_exhaustive]
pub struct Error {
    /// The area that the error is about.
    pub kind: ErrorKind,
    /// librdkafka's number: negative for local errors (`-185` is `_TIMED_OUT`), positive for Kafka's own.
    pub code: i32,
    /// What happened, and what to do about it.
    pub message: String,
    /// Whether the same call can succeed later without a change.
    pub retriable: bool,
    /// Whether the client is of no further use.
    pub fatal: bool,
    /// Whether the transaction can only be aborted; after that the producer can begin another.
    pub txn_requires_abort: bool,
    /// The topic that the error is about.
    pub topic: Option<String>,
    /// The partition that the error is about.
    pub partition: Option<i32>,
    /// The broker that the error is about, as librdkafka names it: `host:port/id`.
    pub broker: Option<String>,
    /// The error behind this one.
    pub cause: Option<Box<Error>>,
}

/// librdkafka's numbers for the errors that this crate raises itself.
pub mod code {
    /// A wrong option or argument.
    pub const INVALID_ARG: i32 = -186;
    /// A call in the wrong state.
    pub const STATE: i32 = -172;
    /// The one before is not through.
    pub const PREV_IN_PROGRESS: i32 = -177;
    /// A deadline passed.
    pub const TIMED_OUT: i32 = -185;
    /// An operation on files failed.
    pub const FS: i32 = -189;
    /// Somebody else holds it.
    pub const CONFLICT: i32 = -173;
    /// The local queue is full.
    pub const QUEUE_FULL: i32 = -184;
    /// The topic has no such partition.
    pub const UNKNOWN_PARTITION: i32 = -190;
    /// The message is larger than `message.max.bytes`.
    pub const MSG_SIZE_TOO_LARGE: i32 = 10;
    /// Purged from the producer's queue when it was stopped, or its transaction aborted.
    pub const PURGE_QUEUE: i32 = -152;
    /// Purged while the broker had it.
    pub const PURGE_INFLIGHT: i32 = -151;
    /// Credentials were refused, or there are none.
    pub const AUTHENTICATION: i32 = -169;
    /// The client has failed for good.
    pub const FATAL: i32 = -150;
    /// The client is closing.
    pub const DESTROY: i32 = -197;
    /// A bug or an unexpected answer.
    pub const FAIL: i32 = -196;
}

impl Error {
    pub(crate) fn new(kind: ErrorKind, code: i32, message: impl Into<String>) -> Self {
        Self {
            kind,
            code,
            message: message.into(),
            retriable: false,
            fatal: false,
            txn_requires_abort: false,
            topic: None,
            partition: None,
            broker: None,
            cause: None,
        }
    }

    pub(crate) fn config(message: impl Into<String>) -> Self {
        Self::new(ErrorKind::Config, code::INVALID_ARG, message)
    }

    pub(crate) fn state(message: impl Into<String>) -> Self {
        Self::new(ErrorKind::State, code::STATE, message)
    }

    pub(crate) fn offsets(message: impl Into<String>) -> Self {
        Self::new(ErrorKind::Offsets, code::FS, message)
    }

    /// An error of an offset store that is not this crate's.
    pub fn from_store(message: impl Into<String>) -> Self {
        Self::offsets(message)
    }

    /// A call that does not fit the state of an object that is not this crate's.
    pub fn wrong_state(message: impl Into<String>) -> Self {
        Self::state(message)
    }

    /// Names the topic, and the partition when it is known.
    pub(crate) fn at(mut self, topic: &str, partition: i32) -> Self {
        self.topic = Some(topic.to_owned());
        self.partition = Some(partition).filter(|partition| *partition >= 0);
        self
    }

    pub(crate) fn because(mut self, cause: Error) -> Self {
        self.cause = Some(Box::new(cause));
        self
    }

    /// librdkafka's name of the code, such as `_TIMED_OUT` or `UNKNOWN_TOPIC_OR_PART`.
    pub fn name(&self) -> String {
        crate::ffi::error_name(self.code)
    }
}

impl fmt::Display for Error {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(&self.message)?;
        if let Some(topic) = &self.topic {
            write!(f, " (topic {topic}")?;
            if let Some(partition) = self.partition {
                write!(f, ", partition {partition}")?;
            }
            f.write_str(")")?;
        }
        match &self.cause {
            Some(cause) => write!(f, ": {cause}"),
            None => Ok(()),
        }
    }
}

/// As data for other languages; what is not known is left out, `causes` has at most one.
impl Serialize for Error {
    fn serialize<S: Serializer>(&self, serializer: S) -> std::result::Result<S::Ok, S::Error> {
        let mut data = serializer.serialize_struct("Error", 10)?;
        data.serialize_field("kind", self.kind.name())?;
        data.serialize_field("code", &self.code)?;
        data.serialize_field("name", &self.name())?;
        data.serialize_field("message", &self.to_string())?;
        data.serialize_field("retriable", &self.retriable)?;
        data.serialize_field("fatal", &self.fatal)?;
        for (name, value) in [("topic", &self.topic), ("broker", &self.broker)] {
            if let Some(value) = value {
                data.serialize_field(name, value)?;
            }
        }
        if let Some(partition) = self.partition {
            data.serialize_field("partition", &partition)?;
        }
        data.serialize_field("causes", &Vec::from_iter(&self.cause))?;
        data.end()
    }
}

impl std::error::Error for Error {
    fn source(&self) -> Option<&(dyn std::error::Error + 'static)> {
        self.cause.as_deref().map(|cause| cause as _)
    }
}

/// Whether waiting can heal it: the cluster is moving, loading or out of reach.
///
/// Authentication, authorisation, TLS, invalid names and sizes are not here: the same call fails again until somebody
/// changes something.
pub(crate) fn is_retriable(code: i32) -> bool {
    matches!(
        code,
        -195 // _TRANSPORT
        | -193 // _RESOLVE
        | -192 // _MSG_TIMED_OUT
        | -187 // _ALL_BROKERS_DOWN
        | -185 // _TIMED_OUT
        | -184 // _QUEUE_FULL
        | -180 // _WAIT_COORD
        | 3 // UNKNOWN_TOPIC_OR_PART: may be on its way
        | 5..=9 // leader, request time-out, broker, replica
        | 13..=16 // network, coordinator
        | 19 | 20 // not enough replicas
        | 41 // NOT_CONTROLLER
        | 56 // KAFKA_STORAGE_ERROR
        | 74 | 75 // leader epochs
        | 88 // UNSTABLE_OFFSET_COMMIT
        | 89 // THROTTLING_QUOTA_EXCEEDED
        | 100 // UNKNOWN_TOPIC_ID
    )
}

/// Whether the client cannot go on: librdkafka's own verdict comes with its events; these are fatal by their code.
pub(crate) fn is_fatal(code: i32) -> bool {
    matches!(code, -150 /* _FATAL */ | -144 /* _FENCED */)
}

/// Whether no connection can be made until somebody changes credentials or certificates. Rights are not here: who may not
/// read one topic may read another.
pub(crate) fn is_refusal(code: i32) -> bool {
    matches!(
        code,
        -181 // _SSL
        | -169 // _AUTHENTICATION
        | 33 // UNSUPPORTED_SASL_MECHANISM
        | 34 // ILLEGAL_SASL_STATE
        | 58 // SASL_AUTHENTICATION_FAILED
        | 65 // DELEGATION_TOKEN_AUTHORIZATION_FAILED
    )
}
