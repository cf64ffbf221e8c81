//! Requests about the configuration of topics, brokers and groups.

use serde::{Deserialize, Serialize};

use super::Named;

/// Describes configurations. At most one broker a request, because brokers answer for themselves.
///
/// Items fail with `UNKNOWN_TOPIC_OR_PART`, `CLUSTER_AUTHORIZATION_FAILED`, `TOPIC_AUTHORIZATION_FAILED`.
#[derive(Debug, Clone, Default, PartialEq, Eq, Deserialize)]
#[cfg_attr(test, derive(ts_rs::TS))]
pub struct DescribeConfigs {
    /// Whose.
    pub resources: Vec<ConfigResource>,
}

/// Whose configuration.
#[derive(Debug, Clone, PartialEq, Eq, Hash, Serialize, Deserialize)]
#[cfg_attr(test, derive(ts_rs::TS))]
pub struct ConfigResource {
    /// Its kind.
    pub kind: ConfigKind,
    /// The topic's name, the broker's id, the group's id.
    pub name: String,
}

numbered! {
    /// The kinds of resources that have a configuration.
    #[derive(Hash)]
    ConfigKind {
        /// One that librdkafka does not know, such as a broker's loggers.
        Unknown = 0,
        /// A topic.
        Topic = 2,
        /// A consumer group.
        Group = 3,
        /// A broker.
        Broker = 4,
    }
}

/// One property.
#[derive(Debug, Clone, PartialEq, Eq, Serialize)]
#[cfg_attr(test, derive(ts_rs::TS))]
#[serde(rename_all = "camelCase")]
pub struct ConfigEntry {
    /// Its name, such as `retention.ms`.
    pub name: String,
    /// None when it is secret, or not set and without a default.
    pub value: Option<String>,
    /// Where the value comes from.
    pub source: ConfigSource,
    /// It cannot be altered.
    pub read_only: bool,
    /// Its value is secret.
    pub sensitive: bool,
    /// Where the value would come from, the first of them wins; empty inside synonyms.
    pub synonyms: Vec<ConfigEntry>,
}

numbered! {
    /// Where a value comes from.
    ConfigSource {
        /// A place that this crate does not know.
        Unknown = 0,
        /// Set for this topic.
        Topic = 1,
        /// Set for this broker while it ran.
        DynamicBroker = 2,
        /// Set for all brokers while they ran.
        DynamicDefaultBroker = 3,
        /// The broker's `server.properties`.
        StaticBroker = 4,
        /// Kafka's default.
        Default = 5,
        /// Set for this group.
        Group = 8,
    }
}

/// Alters single properties; what is not named stays. At most one broker a request.
///
/// Items fail with `INVALID_CONFIG`, `UNKNOWN_TOPIC_OR_PART`, `POLICY_VIOLATION`.
#[derive(Debug, Clone, Default, PartialEq, Eq, Deserialize)]
#[cfg_attr(test, derive(ts_rs::TS))]
#[serde(rename_all = "camelCase")]
pub struct AlterConfigs {
    /// Resources to be altered, each once.
    pub resources: Vec<AlteredResource>,
    /// Only ask whether it could be altered.
    #[serde(default)]
    #[cfg_attr(test, ts(optional, as = "Option<_>"))]
    pub validate_only: bool,
}

/// A resource and its alterations.
#[derive(Debug, Clone, PartialEq, Eq, Deserialize)]
#[cfg_attr(test, derive(ts_rs::TS))]
pub struct AlteredResource {
    /// Whose.
    #[serde(flatten)]
    pub resource: ConfigResource,
    /// The alterations, each property once.
    pub entries: Vec<Alteration>,
}

/// An alteration of one property.
#[derive(Debug, Clone, PartialEq, Eq, Deserialize)]
#[cfg_attr(test, derive(ts_rs::TS), ts(optional_fields))]
pub struct Alteration {
    /// The property's name.
    pub name: String,
    /// The operation on it.
    #[serde(default)]
    #[cfg_attr(test, ts(optional, as = "Option<_>"))]
    pub operation: ConfigOperation,
    /// The value; none for [`ConfigOperation::Delete`].
    pub value: Option<String>,
}

/// The operation on a property.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq, Deserialize)]
#[cfg_attr(test, derive(ts_rs::TS))]
#[serde(rename_all = "lowercase")]
pub enum ConfigOperation {
    /// It gets the value.
    #[default]
    Set = 0,
    /// It gets its default again.
    Delete = 1,
    /// The value's elements are added to a list.
    Append = 2,
    /// The value's elements are taken out of a list.
    Subtract = 3,
}

/// The result of each resource.
#[derive(Debug, Clone, PartialEq, Eq, Serialize)]
#[cfg_attr(test, derive(ts_rs::TS))]
pub struct ConfigResult<T> {
    /// The resource's kind.
    pub kind: ConfigKind,
    /// Its name and result.
    #[serde(flatten)]
    pub item: Named<T>,
}
