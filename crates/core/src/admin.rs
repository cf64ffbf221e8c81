//! The small admin: topics, partitions, deleted records, watermarks.

use std::sync::Arc;
use std::time::{Duration, Instant};

use parking_lot::Mutex;

use crate::config::Properties;
use crate::error::{code, is_refusal, Error, Result};
use crate::ffi::{self, Client, ClientKind, NewTopic};
use crate::helper::{deadline, Helper};
use crate::lookup;
use crate::reply::Reply;

/// How long one question to the cluster may block.
const SLICE: Duration = Duration::from_secs(1);

/// Makes and deletes topics, and asks about them. Every call takes a time: the most that the cluster may need, to the
/// millisecond; past it the call fails with `_TIMED_OUT`, two seconds later at most. A wrong password, certificate or
/// mechanism fails it at once. Dropped, it waits half a second for the call that runs and drops the others.
///
/// Calls run one after the other on one thread.
pub struct Admin {
    helper: Helper,
    /// librdkafka tells of the same refusal only now and then.
    refusal: Arc<Mutex<Option<Error>>>,
}

impl Admin {
    /// An admin; `brokers` is `host:port`, several separated by commas (`bootstrap.servers`); `properties` are librdkafka's,
    /// such as those for TLS and SASL.
    ///
    /// # Errors
    /// A property that librdkafka does not take; the message names it.
    pub fn new(brokers: &str, properties: &[(String, String)]) -> Result<Self> {
        let mut all = Properties::default();
        all.set("bootstrap.servers", brokers);
        all.set("reconnect.backoff.ms", 20);
        all.set("enable.metrics.push", false);
        for (name, value) in properties {
            all.set(name, value);
        }
        all.set("log.queue", true);
        let client = Client::new(ClientKind::Producer, all.into_conf(ffi::ERROR | ffi::LOG)?)?;
        Ok(Self { helper: Helper::new("kafka-admin", client), refusal: Arc::default() })
    }

    fn ask<T: Send + 'static>(&self, reply: Reply<T>, job: impl FnOnce(&Arc<Client>) -> Result<T> + Send + 'static) {
        let refusal = self.refusal.clone();
        self.helper.run(move |client| {
            let standing = refusal.lock().clone();
            reply.send(match standing {
                Some(standing) if client.reach(SLICE).is_err() => Err(standing),
                _ => {
                    let answer = job(client);
                    *refusal.lock() = answer.as_ref().err().filter(|error| is_refusal(error.code)).cloned();
                    answer
                }
            });
        });
    }

    /// Makes a topic; -1 partitions or replicas: the broker's default; `config` are topic properties of Kafka's, such as
    /// `retention.ms`. Answers when the controller has it; brokers hear of it a moment later.
    ///
    /// Fails with `TOPIC_ALREADY_EXISTS`, `TOPIC_EXCEPTION` (its name), `INVALID_CONFIG`, `INVALID_REPLICATION_FACTOR` and
    /// what else the controller says.
    pub fn create_topic_with(
        &self,
        topic: &str,
        partitions: i32,
        replication: i32,
        config: Vec<(String, String)>,
        timeout: Duration,
        reply: Reply<()>,
    ) {
        let topic = topic.to_owned();
        self.ask(reply, move |client| {
            client.create_topic(&NewTopic { name: &topic, partitions, replication, config: &config }, timeout)
        });
    }

    /// [`create_topic_with`](Self::create_topic_with) that waits.
    pub fn create_topic(
        &self,
        topic: &str,
        partitions: i32,
        replication: i32,
        config: &[(String, String)],
        timeout: Duration,
    ) -> Result<()> {
        Reply::wait(|reply| self.create_topic_with(topic, partitions, replication, config.to_vec(), timeout, reply))
    }

    /// Deletes a topic with its messages. Fails with `UNKNOWN_TOPIC_OR_PART` when there is none.
    pub fn delete_topic_with(&self, topic: &str, timeout: Duration, reply: Reply<()>) {
        let topic = topic.to_owned();
        self.ask(reply, move |client| client.delete_topic(&topic, timeout));
    }

    /// [`delete_topic_with`](Self::delete_topic_with) that waits.
    pub fn delete_topic(&self, topic: &str, timeout: Duration) -> Result<()> {
        Reply::wait(|reply| self.delete_topic_with(topic, timeout, reply))
    }

    /// Grows a topic to `total` partitions. Fails with `INVALID_PARTITIONS` when it has as many.
    pub fn create_partitions_with(&self, topic: &str, total: usize, timeout: Duration, reply: Reply<()>) {
        let topic = topic.to_owned();
        self.ask(reply, move |client| client.create_partitions(&topic, total, timeout));
    }

    /// [`create_partitions_with`](Self::create_partitions_with) that waits.
    pub fn create_partitions(&self, topic: &str, total: usize, timeout: Duration) -> Result<()> {
        Reply::wait(|reply| self.create_partitions_with(topic, total, timeout, reply))
    }

    /// Deletes what a partition has below `offset` (-1: everything); answers with the new low watermark. Fails with
    /// `OFFSET_OUT_OF_RANGE` past the end of the log.
    pub fn delete_records_with(&self, topic: &str, partition: i32, offset: i64, timeout: Duration, reply: Reply<i64>) {
        let topic = topic.to_owned();
        self.ask(reply, move |client| client.delete_records(&topic, partition, offset, timeout));
    }

    /// [`delete_records_with`](Self::delete_records_with) that waits.
    pub fn delete_records(&self, topic: &str, partition: i32, offset: i64, timeout: Duration) -> Result<i64> {
        Reply::wait(|reply| self.delete_records_with(topic, partition, offset, timeout, reply))
    }

    /// Low and high watermark of a partition: its first offset, and the one that its next message will get. Fails with
    /// `_UNKNOWN_PARTITION`.
    pub fn watermarks_with(&self, topic: &str, partition: i32, timeout: Duration, reply: Reply<(i64, i64)>) {
        let topic = topic.to_owned();
        self.ask(reply, move |client| {
            patiently(client, timeout, |slice| match client.query_watermarks(&topic, partition, slice) {
                // Unknown by what was heard last: the topic may have grown since.
                Err(error) if error.code == code::UNKNOWN_PARTITION => {
                    match lookup::partitions_once(client, &topic, slice)?.contains(&partition) {
                        true => client.query_watermarks(&topic, partition, slice),
                        false => Err(error),
                    }
                }
                answer => answer,
            })
        });
    }

    /// [`watermarks_with`](Self::watermarks_with) that waits.
    pub fn watermarks(&self, topic: &str, partition: i32, timeout: Duration) -> Result<(i64, i64)> {
        Reply::wait(|reply| self.watermarks_with(topic, partition, timeout, reply))
    }

    /// The partitions of a topic, asked once. Fails with `UNKNOWN_TOPIC_OR_PART` when no broker has heard of it (yet); where
    /// brokers make topics on first use, this makes it.
    pub fn partitions(&self, topic: &str, timeout: Duration) -> Result<Vec<i32>> {
        let topic = topic.to_owned();
        Reply::wait(|reply| {
            self.ask(reply, move |client| {
                patiently(client, timeout, |slice| lookup::partitions_once(client, &topic, slice))
            })
        })
    }
}

impl Drop for Admin {
    fn drop(&mut self) {
        self.helper.end(Duration::from_millis(500));
    }
}

/// Asks what blocks in slices of the time, so that a refused connection ends it early.
fn patiently<T>(client: &Arc<Client>, timeout: Duration, question: impl Fn(Duration) -> Result<T>) -> Result<T> {
    let deadline = deadline(timeout);
    loop {
        let left = deadline.saturating_duration_since(Instant::now());
        match question(left.min(SLICE)) {
            Err(error) if matches!(error.code, -195 | -185 | -187) => match client.told() {
                Some(refusal) if is_refusal(refusal.code) => return Err(refusal),
                told if left <= SLICE => return Err(told.map_or(error.clone(), |told| error.because(told))),
                _ => {}
            },
            answer => return answer,
        }
    }
}
