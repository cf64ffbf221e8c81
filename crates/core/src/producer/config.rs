//! The configuration of a producer.

use std::sync::Arc;
use std::time::Duration;

use super::partitioning::RoundRobin;
use crate::config::Properties;
use crate::error::{Error, Result};
use crate::ffi::{self, Conf};
use crate::token::TokenProvider;
use crate::watch::RequestWatch;

/// How to make a [`Producer`](crate::Producer).
#[derive(Debug, Clone)]
pub struct ProducerConfig {
    pub(crate) max_messages: u64,
    pub(crate) properties: Properties,
}

/// Values that follow from the configuration.
pub(crate) struct Derived {
    pub(crate) conf: Conf,
    pub(super) round_robin: Option<Arc<RoundRobin>>,
    pub(crate) max_messages: u64,
    pub(crate) max_bytes: u64,
    pub(crate) max_message_bytes: usize,
    pub(crate) warning: Option<String>,
}

impl ProducerConfig {
    /// The default of [`max_messages`](Self::max_messages).
    pub const MAX_MESSAGES: u64 = 500_000;
    /// The default of `queue.buffering.max.kbytes`: 1 GiB.
    pub const MAX_KBYTES: u64 = 1024 * 1024;
    /// The default of [`linger`](Self::linger): 0.5 ms.
    pub const LINGER: Duration = Duration::from_micros(500);
    /// The default of `message.max.bytes`.
    const MAX_MESSAGE_BYTES: usize = 1_000_000;

    /// A producer; `brokers` is `host:port`, several separated by commas (`bootstrap.servers`).
    pub fn new(brokers: &str) -> Self {
        let mut properties = Properties::default();
        properties.set("bootstrap.servers", brokers);
        Self { max_messages: Self::MAX_MESSAGES, properties }
    }

    /// The most messages that may be accepted and not yet delivered; what comes beyond is refused. Default
    /// [`MAX_MESSAGES`](Self::MAX_MESSAGES); 0 refuses all. `queue.buffering.max.messages` is the same (there 0 = no bound) and wins; `queue.buffering.max.kbytes`
    /// (default [`MAX_KBYTES`](Self::MAX_KBYTES)) bounds the bytes of their keys and values in the same way.
    pub fn max_messages(mut self, count: u64) -> Self {
        self.max_messages = count;
        self
    }

    /// How long a message waits for others to share its request with (`linger.ms`), up to 900 s. Default
    /// [`LINGER`](Self::LINGER); zero sends a request a message.
    pub fn linger(self, linger: Duration) -> Self {
        self.set("linger.ms", millis(linger))
    }

    /// A statistics event this often, in whole milliseconds (`statistics.interval.ms`); zero (the default) for none.
    pub fn statistics_interval(self, interval: Duration) -> Self {
        self.set("statistics.interval.ms", interval.as_millis())
    }

    /// A property of librdkafka, global or of topics; a later one wins. librdkafka judges it when the producer is made. Properties
    /// the engine owns (`delivery.report.only.error`, `log.queue`) are ignored with a warning.
    ///
    /// `partitioner` can also be `murmur2_round_robin`: messages without a key go to the partitions in turn,
    /// those of one send in even shares.
    ///
    /// Defaults that differ from librdkafka's: `partitioner=murmur2_random` (as Java), `linger.ms` ([`LINGER`](Self::LINGER)),
    /// `reconnect.backoff.ms=20`, `reconnect.backoff.max.ms=500`, `enable.metrics.push=false`.
    pub fn set(mut self, name: impl Into<String>, value: impl ToString) -> Self {
        self.properties.set(name, value);
        self
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

    pub(crate) fn derive(self) -> Result<Derived> {
        let mut user = self.properties;
        let warning = user.refuse_owned();
        // librdkafka's own bounds would refuse on its thread, where nobody is told; ours refuse in the call.
        let messages = user.take_number("queue.buffering.max.messages", 0, u64::MAX)?;
        let max_bytes =
            user.take_number("queue.buffering.max.kbytes", 1, 2_147_483_647)?.unwrap_or(Self::MAX_KBYTES) * 1024;
        let max_messages = match messages {
            None => self.max_messages,
            Some(0) => u64::MAX,
            Some(messages) => messages,
        };
        let max_message_bytes = match user.get("message.max.bytes").map(str::parse) {
            None => Self::MAX_MESSAGE_BYTES,
            Some(Ok(bytes)) => bytes,
            Some(Err(_)) => return Err(Error::config("property 'message.max.bytes' must be a whole number")),
        };
        let round_robin = RoundRobin::of(&mut user);
        let mut engine = Properties::default();
        engine.set("queue.buffering.max.messages", 0);
        engine.set("queue.buffering.max.kbytes", 2_147_483_647u64);
        engine.set("log.queue", true);
        let events = ffi::DELIVERIES | ffi::ERROR | ffi::STATS | ffi::LOG;
        let mut conf = defaults(&user).then(&user).then(&engine).into_conf(events)?;
        if let Some(round_robin) = &round_robin {
            conf.partition_by(round_robin.clone());
        }
        Ok(Derived { conf, round_robin, max_messages, max_bytes, max_message_bytes, warning })
    }
}

/// Properties of a producer unless `user` says something else.
fn defaults(user: &Properties) -> Properties {
    let mut defaults = Properties::defaults(user);
    defaults.set("partitioner", "murmur2_random"); // as Java
    defaults.set("linger.ms", millis(ProducerConfig::LINGER));
    defaults
}

fn millis(time: Duration) -> f64 {
    time.as_secs_f64() * 1000.0
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn defaults_are_those_that_users_were_told() {
        let derived = ProducerConfig::new("b:1").derive().unwrap();
        assert_eq!((derived.max_messages, derived.max_bytes), (500_000, 1 << 30));
        assert_eq!(derived.max_message_bytes, 1_000_000);
        let defaults = defaults(&Properties::default());
        assert_eq!((defaults.get("linger.ms"), defaults.get("partitioner")), (Some("0.5"), Some("murmur2_random")));
    }

    #[test]
    fn what_is_said_of_the_budget_wins() {
        let config = ProducerConfig::new("b:1").max_messages(7).set("queue.buffering.max.kbytes", 2);
        let derived = config.clone().derive().unwrap();
        assert_eq!((derived.max_messages, derived.max_bytes), (7, 2048));
        assert_eq!(config.set("queue.buffering.max.messages", 0).derive().unwrap().max_messages, u64::MAX);
    }

    #[test]
    fn the_last_partitioner_that_is_named_is_taken() {
        let config = ProducerConfig::new("b:1").set("partitioner", "murmur2_round_robin");
        assert!(config.clone().derive().unwrap().round_robin.is_some());
        assert!(config.set("partitioner", "random").derive().unwrap().round_robin.is_none());
    }
}
