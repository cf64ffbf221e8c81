//! The configuration of a consumer.

use std::path::PathBuf;
use std::time::Duration;

use crate::config::Properties;
use crate::error::{Error, Result};
use crate::ffi::{self, Conf};
use crate::handover::budget::{self, Fetching};
use crate::helper::Retry;
use crate::offsets::OffsetStore;
use crate::token::TokenProvider;

/// Where a partition begins that has no recorded offset, or whose recorded offset the log does not have.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default)]
pub enum Reset {
    /// At the begin of the log.
    #[default]
    Earliest,
    /// Behind the newest message.
    Latest,
    /// Nowhere: an error event, and the partition stands still.
    Error,
}

impl Reset {
    /// Its name as a value of `auto.offset.reset`.
    pub(crate) fn name(self) -> &'static str {
        match self {
            Self::Earliest => "earliest",
            Self::Latest => "latest",
            Self::Error => "error",
        }
    }
}

/// How to make a [`Consumer`](crate::Consumer).
pub struct ConsumerConfig {
    pub(crate) topic: String,
    pub(crate) store: Store,
    pub(crate) slot: i32,
    pub(crate) slots: i32,
    pub(crate) max_messages: usize,
    pub(crate) budget: u64,
    pub(crate) batches_ahead: usize,
    pub(crate) retry: Retry,
    pub(crate) properties: Properties,
}

pub(crate) enum Store {
    None,
    Directory(PathBuf),
    Own(Box<dyn OffsetStore>),
}

/// Values that follow from the configuration besides librdkafka's part of it.
pub(crate) struct Derived {
    pub(crate) conf: Conf,
    pub(crate) reset: Reset,
    /// Bytes that may be handed over and not yet done.
    pub(crate) hand_over: u64,
    /// Messages that are prefetched for a receiver that waits for them.
    pub(crate) prefetch: i32,
    pub(crate) warning: Option<String>,
}

impl ConsumerConfig {
    /// A consumer of all partitions of `topic`; `brokers` is `host:port`, several separated by commas
    /// (`bootstrap.servers`). An empty topic is refused when the consumer is made, and with offset files any name that Kafka
    /// would not allow.
    pub fn new(brokers: &str, topic: &str) -> Self {
        let mut properties = Properties::default();
        properties.set("bootstrap.servers", brokers);
        Self {
            topic: topic.to_owned(),
            store: Store::None,
            slot: 0,
            slots: 1,
            max_messages: budget::MAX_MESSAGES,
            budget: 1_000_000 * 1024,
            batches_ahead: budget::BATCHES_AHEAD,
            retry: Retry::default(),
            properties,
        }
    }

    /// Keeps the offsets of processed messages in files `<topic>-<partition>.offset` in this directory, which is made when
    /// it does not exist. Without a place for offsets nothing is recorded, and every start begins where
    /// `auto.offset.reset` says.
    pub fn offsets_in(mut self, directory: impl Into<PathBuf>) -> Self {
        self.store = Store::Directory(directory.into());
        self
    }

    /// Keeps the offsets in a store of one's own.
    pub fn offsets(mut self, store: impl OffsetStore + 'static) -> Self {
        self.store = Store::Own(Box::new(store));
        self
    }

    /// Pulls only the partitions p with `p % slots == slot`; one slot for each of several workers. Default 0 of 1. A slot
    /// outside 0 to `slots` - 1 is refused when the consumer is made.
    pub fn slice(mut self, slot: i32, slots: i32) -> Self {
        (self.slot, self.slots) = (slot, slots);
        self
    }

    /// The most messages in a batch, at most 1 000 000; a batch also ends at 192 KiB of data and never waits to fill. Default
    /// 10 000; 0 is refused when the consumer is made.
    pub fn max_messages(mut self, count: usize) -> Self {
        self.max_messages = count;
        self
    }

    /// The ceiling of prefetched and handed-over messages together, in bytes, each message with 304 bytes of overhead.
    /// Default 1 000 000 KiB; 0 is refused when the consumer is made. On top comes one decompressed fetch response per broker.
    ///
    /// Half of it bounds what is handed over and not done, a quarter `fetch.max.bytes` (at least 1 MiB) and the prefetch:
    /// `queued.max.messages.kbytes` (4 MiB unless set) and `queued.min.messages` (10 000 unless set), of which more would only cost
    /// memory. While the receiver has more than it needs, at most 1000 messages are prefetched, whatever `queued.min.messages` says.
    pub fn queued_max_bytes(mut self, bytes: u64) -> Self {
        self.budget = bytes;
        self
    }

    /// How many batches may be under way to the receiver, told and not taken. Default 4, at least 1.
    pub fn batches_ahead(mut self, count: usize) -> Self {
        self.batches_ahead = count.max(1);
        self
    }

    /// How `start` tries to find the topic. Default 15 tries, 1 s apart.
    pub fn retry(mut self, retry: Retry) -> Self {
        self.retry = retry;
        self
    }

    /// A statistics event this often, in whole milliseconds (`statistics.interval.ms`); zero (the default) for none.
    pub fn statistics_interval(self, interval: Duration) -> Self {
        self.set("statistics.interval.ms", interval.as_millis())
    }

    /// A property of librdkafka, global or of topics; a later one wins. librdkafka judges it when the consumer is made. Properties
    /// the engine owns (`enable.auto.commit`, `enable.auto.offset.store`, `enable.partition.eof`, `log.queue`, ...) are ignored
    /// with a warning; `auto.offset.reset` (`earliest`, the default, `latest` or `error`) and `queued.*` are understood.
    ///
    /// Defaults that differ from librdkafka's: `group.id=kafka-native` (nothing is joined or committed),
    /// `allow.auto.create.topics=true`, `fetch.queue.backoff.ms=2`, `max.partition.fetch.bytes=524288`,
    /// `reconnect.backoff.ms=20`, `reconnect.backoff.max.ms=500`, `enable.metrics.push=false`, `check.crcs=true`.
    pub fn set(mut self, name: impl Into<String>, value: impl ToString) -> Self {
        self.properties.set(name, value);
        self
    }

    /// The provider of tokens for `sasl.mechanism=OAUTHBEARER`.
    pub fn token_provider(mut self, provider: TokenProvider) -> Self {
        self.properties.tokens(provider);
        self
    }

    pub(crate) fn derive(&mut self) -> Result<Derived> {
        if self.topic.is_empty() {
            return Err(Error::config("the topic must not be empty"));
        }
        if self.slots < 1 || !(0..self.slots).contains(&self.slot) {
            return Err(Error::config(format!(
                "worker_slot must be from 0 to num_workers - 1, not {} of {}",
                self.slot, self.slots
            )));
        }
        if self.max_messages == 0 || self.budget == 0 {
            return Err(Error::config("max_messages_per_callback and queued_max_messages_kbytes must be at least 1"));
        }
        self.max_messages = self.max_messages.min(budget::MOST_MESSAGES);
        let mut user = std::mem::take(&mut self.properties);
        let reset = match user.take("auto.offset.reset").as_deref() {
            None | Some("smallest" | "earliest" | "beginning") => Reset::Earliest,
            Some("largest" | "latest" | "end") => Reset::Latest,
            Some("error") => Reset::Error,
            Some(other) => {
                return Err(Error::config(format!(
                    "property 'auto.offset.reset' must be earliest, latest or error, not '{other}'"
                )))
            }
        };
        let warning = user.refuse_owned();
        let Fetching { defaults, mut engine, prefetch } = budget::fetching(&mut user, self.budget)?;
        let mut own = Properties::default();
        own.set("group.id", "kafka-native"); // assign() wants one; nothing is joined or committed
        own.set("allow.auto.create.topics", true);
        let defaults = defaults.then(&own);
        engine.set("auto.offset.reset", "error"); // a lost position is ours to judge: it may be a miss
        let conf = defaults.then(&user).then(&engine).into_conf(ffi::ERROR | ffi::STATS | ffi::LOG)?;
        Ok(Derived { conf, reset, hand_over: budget::hand_over(self.budget), prefetch, warning })
    }
}
