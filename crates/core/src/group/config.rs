//! The configuration of a consumer in a group.

use std::path::PathBuf;
use std::time::Duration;

use crate::admin::AdminConfig;
use crate::config::Properties;
use crate::error::{Error, Result};
use crate::ffi::{self, Conf};
use crate::handover::budget::{self, Fetching};
use crate::rule::Rule;
use crate::token::TokenProvider;
use crate::watch::RequestWatch;

/// How often it is looked for topics and partitions that are made later, unless said. It costs a request about the topics that are
/// read, or, where there is a pattern, about all.
const LOOK_MS: u64 = 5000;

/// How to make a [`GroupConsumer`](crate::GroupConsumer).
#[derive(Debug, Clone)]
pub struct GroupConfig {
    pub(crate) max_messages: usize,
    pub(crate) budget: u64,
    pub(crate) batches_ahead: usize,
    pub(crate) auto_commit: Option<Duration>,
    pub(crate) offset_directory: Option<PathBuf>,
    pub(crate) rule: Option<Rule>,
    pub(crate) properties: Properties,
}

pub(crate) struct Derived {
    pub(crate) conf: Conf,
    /// Bytes that may be handed over and not yet done.
    pub(crate) hand_over: u64,
    /// Messages that are prefetched for a receiver that waits for them.
    pub(crate) prefetch: i32,
    /// The client has a group of its own, in which it can commit.
    pub(crate) in_group: bool,
    /// Transaction markers move a position without a message.
    pub(crate) markers: bool,
    /// The events are polled this often, however little happens, or the group would take the member for stuck.
    pub(crate) poll: Duration,
    /// How often it is looked for topics and partitions that are made later.
    pub(crate) look: Duration,
    /// For questions that must not wait behind a fetch.
    pub(crate) questions: AdminConfig,
}

impl GroupConfig {
    /// A member of `group` (`group.id`); `brokers` is `host:port`, several separated by commas (`bootstrap.servers`).
    pub fn new(brokers: &str, group: &str) -> Self {
        Self::without_group(brokers).set("group.id", group)
    }

    /// A consumer that joins no group and commits nothing: it reads whole topics ([`read`](crate::GroupConsumer::read)), or the partitions
    /// that [`assign`](crate::GroupConsumer::assign) says.
    pub fn without_group(brokers: &str) -> Self {
        let mut properties = Properties::default();
        properties.set("bootstrap.servers", brokers);
        Self {
            max_messages: budget::MAX_MESSAGES,
            budget: 64 * 1024 * 1024,
            batches_ahead: budget::BATCHES_AHEAD,
            auto_commit: Some(Duration::from_secs(5)),
            offset_directory: None,
            rule: None,
            properties,
        }
    }

    /// The most messages in a batch, from 1 to 1 000 000; a batch also ends at 192 KiB of data and never waits to fill. Default 10 000.
    pub fn max_messages(mut self, count: usize) -> Self {
        self.max_messages = count.clamp(1, budget::MOST_MESSAGES);
        self
    }

    /// The ceiling in bytes of what is prefetched, and handed over and not done, each message with 304 bytes of overhead.
    /// Default 64 MiB. A partition that has more than a quarter of what may be handed over, or 1 MiB, waits, and no other with it.
    pub fn buffered_max_bytes(mut self, bytes: u64) -> Self {
        self.budget = bytes.max(1);
        self
    }

    /// How many batches may be under way to the receiver, told and not taken. Default 4, at least 1.
    pub fn batches_ahead(mut self, count: usize) -> Self {
        self.batches_ahead = count.max(1);
        self
    }

    /// How often the offsets of what is done are committed; none = only by [`commit_done`](crate::GroupConsumer::commit_done).
    /// Default 5 s. They are also committed before a partition goes and at the end.
    pub fn auto_commit(mut self, interval: Option<Duration>) -> Self {
        self.auto_commit = interval;
        self
    }

    /// Without a group: offsets are committed to files `<topic>-<partition>.offset` in this directory, as those of
    /// [`Consumer`](crate::Consumer), and locked like them until the consumer is stopped. [`read`](crate::GroupConsumer::read) writes
    /// `.<topic>.id` beside them, by which it sees that a file is of an older topic of the name.
    pub fn offsets_in(mut self, directory: impl Into<PathBuf>) -> Self {
        self.offset_directory = Some(directory.into());
        self
    }

    /// Which messages are wanted; without a rule all are. Others are left out before they cost more than their fetch, and count as done for
    /// offsets and positions ([`GroupEvent::Advanced`](crate::GroupEvent::Advanced)). [`set_rule`](crate::GroupConsumer::set_rule) replaces it.
    pub fn rule(mut self, rule: Rule) -> Self {
        self.rule = Some(rule);
        self
    }

    /// A statistics event this often, in whole milliseconds (`statistics.interval.ms`); zero (the default) for none.
    pub fn statistics_interval(self, interval: Duration) -> Self {
        self.set("statistics.interval.ms", interval.as_millis())
    }

    /// The provider of tokens for `sasl.mechanism=OAUTHBEARER`.
    pub fn token_provider(mut self, provider: TokenProvider) -> Self {
        self.properties.tokens(provider);
        self
    }

    /// The watch that hears of the requests that brokers have answered.
    pub fn request_watch(mut self, watch: RequestWatch) -> Self {
        self.properties.watch(watch);
        self
    }

    /// A property of librdkafka, global or of topics; a later one wins. librdkafka judges it when the consumer is made. Properties
    /// the engine owns (`enable.auto.commit`, `enable.auto.offset.store`, `enable.partition.eof`, `auto.offset.reset`,
    /// `log.queue`, ...) are refused.
    ///
    /// Of interest: `group.protocol` (`classic` or `consumer`), `partition.assignment.strategy`, `group.instance.id`,
    /// `session.timeout.ms`, `max.poll.interval.ms` (how long a rebalance may wait for this member), `isolation.level`.
    /// Defaults that differ from librdkafka's: `fetch.queue.backoff.ms=2`, `max.partition.fetch.bytes=524288`,
    /// `reconnect.backoff.ms=20`, `reconnect.backoff.max.ms=500`, `enable.metrics.push=false`, `check.crcs=true`,
    /// `topic.metadata.refresh.interval.ms=5000`.
    pub fn set(mut self, name: impl Into<String>, value: impl ToString) -> Self {
        self.properties.set(name, value);
        self
    }

    pub(crate) fn derive(mut self) -> Result<Derived> {
        self.properties.reject_owned()?;
        self.rule.as_ref().map_or(Ok(()), Rule::check)?;
        if self.properties.get("auto.offset.reset").is_some() {
            return Err(Error::config(
                "property 'auto.offset.reset' is the engine's: the subscription says it for each topic",
            ));
        }
        let questions = AdminConfig::like(&self.properties);
        let in_group = self.properties.get("group.id").is_some_and(|group| !group.is_empty());
        if in_group && self.offset_directory.is_some() {
            return Err(Error::config("offsets are either the group's (group.id) or in a directory, not both"));
        }
        let markers = self.properties.get("isolation.level") != Some("read_uncommitted");
        let poll_ms = self.properties.get("max.poll.interval.ms").and_then(|ms| ms.parse().ok()).unwrap_or(300_000);
        let Fetching { mut defaults, mut engine, prefetch } = budget::fetching(&mut self.properties, self.budget)?;
        // So topics and partitions that are made later are found within seconds. Without a word about the second, what is known
        // would count for three times the first only, however long no broker can be asked.
        defaults.set("topic.metadata.refresh.interval.ms", LOOK_MS);
        defaults.set("metadata.max.age.ms", 900_000);
        let look_ms = self.properties.get("topic.metadata.refresh.interval.ms").and_then(|ms| ms.parse().ok());
        // Past a hole at the end of a log, as compaction leaves, nothing else leads.
        engine.set("enable.partition.eof", true);
        // Of a topic that is asked about before it is subscribed to or assigned: it skips nothing.
        engine.set("auto.offset.reset", "earliest");
        if !in_group {
            defaults.set("group.id", "kafka-native"); // assign() wants one
        }
        let events = ffi::ERROR | ffi::STATS | ffi::LOG | ffi::REBALANCE | ffi::COMMIT;
        let conf = defaults.then(&self.properties).then(&engine).into_conf(events)?;
        Ok(Derived {
            conf,
            questions,
            hand_over: budget::hand_over(self.budget),
            prefetch,
            in_group,
            markers,
            poll: Duration::from_millis((poll_ms / 4).max(1)),
            look: Duration::from_millis(look_ms.unwrap_or(LOOK_MS).max(10)),
        })
    }
}
