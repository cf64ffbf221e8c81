//! Kafka at the speed of C, with offsets kept in local files.
//!
//! ```no_run
//! use kafka_native::{Consumer, ConsumerConfig, Producer, ProducerConfig, Record};
//! use std::time::Duration;
//!
//! fn main() -> kafka_native::Result<()> {
//!     let producer = Producer::new(ProducerConfig::new("127.0.0.1:9092"))?;
//!     producer.send("greetings", -1, &[Record::value("hello"), Record::value("world").key("k")]);
//!     producer.stop(Duration::from_secs(15))?;
//!
//!     let consumer = Consumer::new(ConsumerConfig::new("127.0.0.1:9092", "greetings").offsets_in("./offsets"))?;
//!     println!("consuming partitions {:?}", consumer.start()?);
//!     while let Some(batch) = consumer.recv(Duration::from_secs(5)) {
//!         for message in batch.messages() {
//!             println!("{}/{}: {:?}", message.partition, message.offset, message.value);
//!         }
//!         batch.done(); // from here on a restart continues behind these messages
//!     }
//!     consumer.stop(Duration::from_secs(15))
//! }
//! ```
//!
//! A [`Producer`] or [`Consumer`] drives one librdkafka client on one dedicated thread; calls reach it over a channel.
//! Calls that block run on a helper thread, offset files are written by a thread of their own.
//!
//! **Delivery.** A message that a consumer handed over is recorded as processed when its batch is [`done`](Batch::done)
//! and everything before it in its partition is, on disk, synced. A crash at any instruction repeats messages, never skips one.
//!
//! With the feature `tokio` (on by default), [`tokio`] has the same with `async fn`s.
#![deny(missing_docs)]
// `unsafe` has one home.
#![deny(unsafe_code)]

pub mod admin;
mod batch;
pub mod code;
mod config;
mod consumer;
pub mod encode;
mod error;
#[allow(unsafe_code)]
mod ffi;
#[cfg(test)]
mod generated;
mod group;
mod handover;
mod helper;
pub mod layout;
pub mod logical;
mod lookup;
mod mock;
pub mod offsets;
mod packed;
mod producer;
mod reply;
mod requests;
mod rule;
mod thread;
mod token;
#[cfg(feature = "tokio")]
pub mod tokio;
mod trouble;
mod watch;

pub use admin::Admin;
pub use batch::{Batch, Header, Message};
pub use consumer::{Consumer, ConsumerConfig, ConsumerEvent, ConsumerStats, Reset};
pub use error::{Error, ErrorData, ErrorKind, Result};
pub use ffi::{set_thread_niceness, PartitionMetadata};
pub use group::{
    AssignedPartition, GroupConfig, GroupConsumer, GroupEvent, Reading, Rebalance, RebalanceKind, Start, Subscription,
    TopicPartitionOffset,
};
pub use helper::Retry;
pub use mock::MockCluster;
pub use packed::{PackedRecords, Records};
pub use producer::{
    ConsumerGroup, Delivery, DeliveryFailure, Producer, ProducerConfig, ProducerEvent, Receipt, Record, Refusal,
    SendReport, Ticket, TopicId, Written,
};
pub use reply::Reply;
pub use rule::Rule;
pub use token::{Token, TokenProvider};
pub use trouble::LogLine;
pub use watch::{AnsweredRequest, RequestWatch};

/// Every error that librdkafka knows: its number and its name without the prefix, such as (-185, `_TIMED_OUT`); [`code`]
/// has those that this library speaks of.
pub fn error_codes() -> Vec<(i32, String)> {
    code::list()
}

/// The version of the vendored librdkafka: `major.minor.patch`.
pub fn librdkafka_version() -> String {
    ffi::librdkafka_version()
}

/// The README's programs are tested.
#[cfg(doctest)]
#[doc = include_str!("../README.md")]
struct Readme;
