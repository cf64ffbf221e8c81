//! Requests about the cluster as a whole.

use serde::{Deserialize, Serialize};

/// Describes the cluster.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq, Deserialize)]
#[cfg_attr(test, derive(ts_rs::TS))]
pub struct DescribeCluster {}

/// A cluster.
#[derive(Debug, Clone, PartialEq, Eq, Serialize)]
#[cfg_attr(test, derive(ts_rs::TS))]
pub struct ClusterDescription {
    /// Its id.
    pub id: String,
    /// The broker that takes the controller's requests; none while there is none.
    pub controller: Option<i32>,
    /// The brokers that are up.
    pub brokers: Vec<Node>,
}

/// A broker.
#[derive(Debug, Clone, PartialEq, Eq, Serialize)]
#[cfg_attr(test, derive(ts_rs::TS))]
pub struct Node {
    /// Its id.
    pub id: i32,
    /// Its advertised host.
    pub host: String,
    /// Its advertised port.
    pub port: u16,
    /// Its `broker.rack`.
    pub rack: Option<String>,
}
