//! Requests to a cluster: each is a struct, which says what it answers and how its items fail.
//!
//! Plain data. `ffi/admin` makes them requests of librdkafka's, `admin` is who is asked; a consumer and a lookup ask, too.

/// An enumeration with Kafka's numbers, which cross to other languages as such.
macro_rules! numbered {
    ($(#[$meta:meta])* $name:ident { $($(#[$variant_meta:meta])* $variant:ident = $number:tt,)* }) => {
        enumerated! {
            $(#[$meta])*
            #[derive(serde::Deserialize)]
            #[serde(from = "i32", into = "i32")]
            #[cfg_attr(test, ts(as = "i32"))]
            $(#[cfg_attr(test, doc = concat!(" ", $number, " ", stringify!($variant)))])*
            $name { $($(#[$variant_meta])* $variant = $number,)* }
        }

        impl From<$name> for i32 {
            fn from(value: $name) -> i32 {
                value as i32
            }
        }
    };
}

/// An enumeration that librdkafka gives as numbers; one that is not listed is the first.
macro_rules! enumerated {
    ($(#[$meta:meta])* $name:ident {
        $(#[$first_meta:meta])* $first:ident = 0,
        $($(#[$variant_meta:meta])* $variant:ident = $number:literal,)*
    }) => {
        #[derive(Debug, Clone, Copy, PartialEq, Eq, serde::Serialize)]
        #[cfg_attr(test, derive(ts_rs::TS))]
        #[non_exhaustive]
        $(#[$meta])*
        pub enum $name {
            $(#[$first_meta])* $first = 0,
            $($(#[$variant_meta])* $variant = $number,)*
        }

        impl From<i32> for $name {
            fn from(number: i32) -> Self {
                match number {
                    $($number => Self::$variant,)*
                    _ => Self::$first,
                }
            }
        }
    };
}

mod access;
mod cluster;
mod configs;
mod groups;
mod log;
mod topics;

use serde::{Deserialize, Serialize};

pub use access::*;
pub use cluster::*;
pub use configs::*;
pub use groups::*;
pub use log::*;
pub use topics::*;

use crate::error::Result;

/// The result of one item of a request: a topic, group, user or resource.
#[derive(Debug, Clone, PartialEq, Eq, Serialize)]
#[cfg_attr(test, derive(ts_rs::TS))]
pub struct Named<T = ()> {
    /// The item's name.
    pub name: String,
    /// The item's result.
    pub result: Result<T>,
}

/// The result of one partition of a request.
#[derive(Debug, Clone, PartialEq, Eq, Serialize)]
#[cfg_attr(test, derive(ts_rs::TS))]
pub struct Placed<T = ()> {
    /// The topic.
    pub topic: String,
    /// The partition.
    pub partition: i32,
    /// The partition's result.
    pub result: Result<T>,
}

/// A partition.
#[derive(Debug, Clone, PartialEq, Eq, Hash, Serialize, Deserialize)]
#[cfg_attr(test, derive(ts_rs::TS))]
pub struct TopicPartition {
    /// The topic.
    pub topic: String,
    /// The partition.
    pub partition: i32,
}

/// A partition with an offset.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[cfg_attr(test, derive(ts_rs::TS))]
pub struct TopicPartitionOffset {
    /// The topic.
    pub topic: String,
    /// The partition.
    pub partition: i32,
    /// The offset.
    pub offset: i64,
}
