//! The one error type. Errors are data: what failed, whether a retry can help, and what the user can do.

use std::fmt;

use serde::Serialize;

use crate::code;

/// The result of everything in this crate that can fail.
pub type Result<T> = std::result::Result<T, Error>;

/// The subject of an [`Error`]; the [`code`](Error::code) says it exactly.
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

/// An error with the code that librdkafka (or Kafka) gives it. Serialised it is [`ErrorData`].
#[derive(Debug, Clone, PartialEq, Eq, Serialize)]
#[cfg_attr(test, derive(ts_rs::TS), ts(as = "ErrorData", rename = "ErrorData"))]
#[serde(into = "ErrorData")]
#[non_exhaustive]
pub struct Error {
    /// The area that the error is about.
    pub kind: ErrorKind,
    /// librdkafka's number: negative for local errors, positive for Kafka's own. [`code`](crate::code) names them.
    pub code: i32,
    /// The failure, and what to do about it.
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

    /// An error that librdkafka or the broker raised.
    pub(crate) fn kafka(code: i32, message: impl Into<String>) -> Self {
        let mut error = Self::new(ErrorKind::Kafka, code, message);
        error.retriable = code::is_retriable(code);
        error.fatal = code::is_fatal(code);
        error
    }

    /// The same in librdkafka's words for the code.
    pub(crate) fn of(code: i32) -> Self {
        Self::kafka(code, code::text(code))
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
        code::name(self.code)
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

/// An [`Error`] as data for other languages: what crosses, as JSON and as the addon's object. Unknown values are left out.
#[derive(Debug, Clone, PartialEq, Eq, Serialize)]
#[cfg_attr(test, derive(ts_rs::TS), ts(optional_fields))]
#[serde(rename_all = "camelCase")]
pub struct ErrorData {
    /// Its subject: `config`, `state`, `kafka`, `offsets` or `timeout`.
    pub kind: &'static str,
    /// librdkafka's number.
    pub code: i32,
    /// librdkafka's name of the code, such as `_TIMED_OUT`.
    pub name: String,
    /// The failure, with the errors behind it.
    pub message: String,
    /// Whether the same call can succeed later without a change.
    pub retriable: bool,
    /// Whether the client is of no further use.
    pub fatal: bool,
    /// Whether the transaction can only be aborted.
    pub txn_requires_abort: bool,
    /// The topic that the error is about.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub topic: Option<String>,
    /// The partition that the error is about.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub partition: Option<i32>,
    /// The broker that the error is about, `host:port/id`.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub broker: Option<String>,
    /// The error behind this one; at most one.
    pub causes: Vec<ErrorData>,
}

impl From<Error> for ErrorData {
    fn from(error: Error) -> Self {
        let (name, text) = (error.name(), error.to_string());
        // Without `..`, here and in the addon, so that a new field crosses or is left out on purpose.
        let Error { kind, code, message: _, retriable, fatal, txn_requires_abort, topic, partition, broker, cause } =
            error;
        Self {
            kind: kind.name(),
            code,
            name,
            message: text,
            retriable,
            fatal,
            txn_requires_abort,
            topic,
            partition,
            broker,
            causes: cause.into_iter().map(|cause| (*cause).into()).collect(),
        }
    }
}

impl std::error::Error for Error {
    fn source(&self) -> Option<&(dyn std::error::Error + 'static)> {
        self.cause.as_deref().map(|cause| cause as _)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn an_error_as_json_has_every_field() {
        let mut error = Error::new(ErrorKind::Timeout, code::TIMED_OUT, "too late").at("clicks", 3);
        (error.retriable, error.fatal, error.txn_requires_abort) = (true, true, true);
        error.broker = Some("host:9092/1".into());
        let cause = serde_json::json!({
            "kind": "state", "code": -172, "name": "_STATE", "message": "closed",
            "retriable": false, "fatal": false, "txnRequiresAbort": false, "causes": [],
        });
        let whole = serde_json::json!({
            "kind": "timeout", "code": -185, "name": "_TIMED_OUT", "message": "too late (topic clicks, partition 3): closed",
            "retriable": true, "fatal": true, "txnRequiresAbort": true,
            "topic": "clicks", "partition": 3, "broker": "host:9092/1", "causes": [cause],
        });
        assert_eq!(serde_json::to_value(error.because(Error::state("closed"))).unwrap(), whole);
    }
}
