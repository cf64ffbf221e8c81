//! The one error type. Errors are data: what failed, whether a retry can help, and what the user can do.

use std::fmt;

use serde::ser::{Serialize, SerializeStruct, Serializer};

use crate::code;

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
    /// librdkafka's number: negative for local errors, positive for Kafka's own. [`code`](crate::code) names them.
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
