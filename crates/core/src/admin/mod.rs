//! The admin: topics, configurations, groups and their offsets, records, rights, users, the cluster.
//!
//! ```no_run
//! use kafka_native::admin::{Admin, CreateTopics, DescribeTopics, NewTopic};
//! use std::time::Duration;
//!
//! fn main() -> kafka_native::Result<()> {
//!     let admin = Admin::new("127.0.0.1:9092", &[])?;
//!     let soon = Duration::from_secs(10);
//!     let topics = vec![NewTopic::new("clicks", 4).config("retention.ms", 3_600_000), NewTopic::new("a/b", 1)];
//!     for topic in admin.request(CreateTopics { topics, validate_only: false }, soon)? {
//!         println!("{}: {:?}", topic.name, topic.result); // of these two only the first can be made
//!     }
//!     for topic in admin.request(DescribeTopics { topics: vec!["clicks".into()] }, soon)? {
//!         println!("{:?}", topic.result?.partitions);
//!     }
//!     Ok(())
//! }
//! ```
//!
//! Every request is a struct, which says what it answers and how its items fail. An `Err` of
//! [`request`](Admin::request) means that nobody answered; what became of each item is in the answer.

/// The requests by their names, which cross to other languages: `requests!(each)` is `each! { CreateTopics, ... }`.
macro_rules! requests {
    ($each:ident) => {
        $each! {
            CreateTopics,
            DeleteTopics,
            CreatePartitions,
            DescribeTopics,
            ElectLeaders,
            DescribeConfigs,
            AlterConfigs,
            ListGroups,
            DescribeGroups,
            DeleteGroups,
            ListGroupOffsets,
            AlterGroupOffsets,
            DeleteGroupOffsets,
            ListOffsets,
            DeleteRecords,
            CreateAcls,
            DescribeAcls,
            DeleteAcls,
            DescribeUsers,
            AlterUsers,
            DescribeCluster,
        }
    };
}

mod driver;
mod json;
#[cfg(test)]
mod typescript;

use std::sync::Arc;
use std::thread::JoinHandle;
use std::time::Duration;

use crossbeam_channel::{unbounded, Sender};
use parking_lot::Mutex;

pub use crate::requests::*;

use crate::code;
use crate::config::Properties;
use crate::error::{Error, Result};
use crate::ffi::{self, Client, ClientKind, Waker};
use crate::helper::{Closing, Helper};
use crate::lookup;
use crate::reply::{fence, Reply};
use crate::thread;
use crate::token::TokenProvider;
use crate::trouble::{LogLine, Troubles};
use crate::watch::RequestWatch;
use driver::{Driver, Job};

/// A request that an [`Admin`] makes: one of the structs of this module.
pub trait AdminRequest: ffi::Operation {}

macro_rules! can_be_made {
    ($($name:ident,)*) => {
        $(impl AdminRequest for $name {})*
    };
}
requests!(can_be_made);

/// Events of an admin. Called on its thread: must not block.
pub enum AdminEvent {
    /// A refusal, or all brokers down; each once until it heals.
    Error(Error),
    /// A line for the logger.
    Log(LogLine),
    /// librdkafka's statistics as JSON, every `statistics.interval.ms`.
    Stats(String),
}

/// How to make an [`Admin`].
#[derive(Debug, Clone, Default)]
pub struct AdminConfig {
    properties: Properties,
}

impl AdminConfig {
    /// An admin; `brokers` is `host:port`, several separated by commas (`bootstrap.servers`).
    pub fn new(brokers: &str) -> Self {
        Self::default().set("bootstrap.servers", brokers)
    }

    /// A property of librdkafka, such as those for TLS and SASL; a later one wins. librdkafka judges it when the admin is
    /// made. Defaults that differ from librdkafka's: `reconnect.backoff.ms=20`, `reconnect.backoff.max.ms=500`,
    /// `enable.metrics.push=false`.
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

    /// Another client's properties of the cluster; what is only for its kind librdkafka leaves out.
    pub(crate) fn like(properties: &Properties) -> Self {
        let mut properties = properties.clone();
        for other in ["group.id", "statistics.interval.ms"] {
            properties.take(other);
        }
        // Leaders are looked up this often: an admin reads no topic, so nothing else says that a leader has gone.
        properties.set("metadata.max.age.ms", 1000);
        Self { properties }
    }

    fn into_client(self) -> Result<Arc<Client>> {
        let defaults = Properties::defaults(&self.properties);
        let mut engine = Properties::default();
        engine.set("log.queue", true);
        let all = defaults.then(&self.properties).then(&engine);
        Client::new(ClientKind::Producer, all.into_conf(ffi::ERROR | ffi::LOG | ffi::STATS)?)
    }
}

/// Makes requests to the cluster, any number at once. Every call takes a time, to the millisecond and up
/// to an hour; past it the call fails
/// with `_TIMED_OUT`, two seconds later at most. A wrong password, certificate or mechanism fails it at once.
///
/// One dedicated thread serves the answers; one, started when needed, does what blocks. Dropped, it answers those who wait
/// that it is gone.
pub struct Admin {
    helper: Arc<Helper>,
    shared: Arc<Shared>,
    jobs: Option<Sender<Job>>,
    thread: Mutex<Option<JoinHandle<()>>>,
}

/// State that the admin's thread and everybody else share.
struct Shared {
    waker: Waker,
    troubles: Troubles,
    closing: Closing,
}

/// How long the admin's end may take.
const END: Duration = Duration::from_millis(500);

impl Admin {
    /// An admin with these properties of librdkafka, which tells nobody what has no caller.
    ///
    /// # Errors
    /// A property that librdkafka does not take; the message names it.
    pub fn new(brokers: &str, properties: &[(String, String)]) -> Result<Self> {
        let config = AdminConfig::new(brokers);
        Self::with_events(properties.iter().fold(config, |config, (name, value)| config.set(name, value)), |_| ())
    }

    /// An admin with a receiver of what it tells.
    ///
    /// # Errors
    /// As [`new`](Self::new).
    pub fn with_events(config: AdminConfig, on_event: impl Fn(AdminEvent) + Send + Sync + 'static) -> Result<Self> {
        let client = config.into_client()?;
        let shared =
            Arc::new(Shared { waker: Waker::default(), troubles: Troubles::default(), closing: Closing::default() });
        let (jobs, incoming) = unbounded();
        let helper = Arc::new(Helper::new("kafka-admin", client.clone()));
        let driver =
            Driver::new(client, helper.clone(), shared.clone(), incoming, move |event| fence(|| on_event(event)));
        let thread = thread::spawn("kafka-admin", helper.serving(move || driver.run()))
            .map_err(|error| Error::state(format!("no thread for the admin: {error}")))?;
        Ok(Self { helper, shared, jobs: Some(jobs), thread: Mutex::new(Some(thread)) })
    }

    /// Waits until a broker answers: the connection works, and so do its credentials. Calls need no `connect` before them.
    ///
    /// # Errors
    /// A refusal at once, by its own code (`_AUTHENTICATION`, `_SSL`); `_TIMED_OUT`, with its true cause.
    pub fn connect(&self, timeout: Duration) -> Result<()> {
        self.helper.wait(timeout, |reply| self.connect_with(timeout, reply))
    }

    /// [`connect`](Self::connect) that answers on another thread.
    pub fn connect_with(&self, timeout: Duration, reply: Reply<()>) {
        lookup::connect(&self.helper, &self.shared, |shared| (&shared.troubles, &shared.closing), timeout, reply);
    }

    /// Makes a request and waits for its answer.
    ///
    /// # Errors
    /// Failures of the request as a whole: `_TIMED_OUT` with its true cause, a refusal by its own code, an argument that
    /// librdkafka does not take. Failures of single items are in the answer.
    pub fn request<R: AdminRequest>(&self, request: R, timeout: Duration) -> Result<R::Answer> {
        self.helper.wait(timeout, |reply| self.request_with(request, timeout, reply))
    }

    /// [`request`](Self::request) that answers on another thread.
    pub fn request_with<R: AdminRequest>(&self, request: R, timeout: Duration, reply: Reply<R::Answer>) {
        let reply = self.shared.troubles.guard(reply);
        let job = driver::job(request, timeout, reply.clone(), self.shared.clone());
        let Some(jobs) = self.jobs.clone() else { return };
        let shared = self.shared.clone();
        let start = move || {
            if jobs.send(job).is_ok() {
                shared.waker.wake();
            }
        };
        // librdkafka tells of the same refusal only now and then, and this one may be over: one question decides.
        match self.shared.troubles.refusal() {
            None => start(),
            Some(standing) => {
                let shared = self.shared.clone();
                self.helper.run(move |client| match lookup::reach(client, lookup::under(timeout)) {
                    Ok(()) => {
                        shared.troubles.healed(|_, _| true);
                        start();
                    }
                    Err(_) => reply.send(Err(standing)),
                });
            }
        }
    }

    /// The names of all topics, Kafka's own as well.
    ///
    /// # Errors
    /// As [`request`](Self::request).
    pub fn list_topics(&self, timeout: Duration) -> Result<Vec<String>> {
        self.helper.wait(timeout, |reply| self.list_topics_with(timeout, reply))
    }

    /// [`list_topics`](Self::list_topics) that answers on another thread.
    pub fn list_topics_with(&self, timeout: Duration, reply: Reply<Vec<String>>) {
        let reply = self.shared.troubles.guard(reply);
        let shared = self.shared.clone();
        self.helper.run(move |client| {
            let standing = shared.troubles.refusal();
            let time = if standing.is_some() { lookup::under(timeout) } else { timeout };
            let names = client.topics(time).map(|topics| topics.into_iter().map(|(name, _)| name).collect());
            reply.send(names.map_err(|error| match (standing, shared.troubles.last()) {
                (Some(standing), _) => standing,
                (None, Some(told)) => error.because(told),
                (None, None) => error,
            }));
        });
    }

    /// Makes one topic: [`CreateTopics`] whose item's error is the call's. -1 partitions or replicas: the broker's default.
    pub fn create_topic(
        &self,
        topic: &str,
        partitions: i32,
        replication: i32,
        config: &[(String, String)],
        timeout: Duration,
    ) -> Result<()> {
        let new = NewTopic { config: config.to_vec(), ..NewTopic::new(topic, partitions).replication(replication) };
        only(self.request(CreateTopics { topics: vec![new], validate_only: false }, timeout)?).result
    }

    /// Deletes one topic: [`DeleteTopics`] whose item's error is the call's.
    pub fn delete_topic(&self, topic: &str, timeout: Duration) -> Result<()> {
        only(self.request(DeleteTopics { topics: vec![topic.to_owned()] }, timeout)?).result
    }

    /// Grows one topic to `total` partitions: [`CreatePartitions`] whose item's error is the call's.
    pub fn create_partitions(&self, topic: &str, total: usize, timeout: Duration) -> Result<()> {
        let more = MorePartitions { topic: topic.to_owned(), total, replicas: Vec::new() };
        only(self.request(CreatePartitions { topics: vec![more], validate_only: false }, timeout)?).result
    }

    /// The partitions of one topic: [`DescribeTopics`] whose item's error is the call's.
    pub fn partitions(&self, topic: &str, timeout: Duration) -> Result<Vec<i32>> {
        let described = only(self.request(DescribeTopics { topics: vec![topic.to_owned()] }, timeout)?).result?;
        Ok(described.partitions.iter().map(|partition| partition.partition).collect())
    }

    /// Deletes what one partition has below `offset` (-1 = all), and returns the new begin of its log: [`DeleteRecords`]
    /// whose item's error is the call's.
    pub fn delete_records(&self, topic: &str, partition: i32, offset: i64, timeout: Duration) -> Result<i64> {
        let before = vec![TopicPartitionOffset { topic: topic.to_owned(), partition, offset }];
        only(self.request(DeleteRecords { before }, timeout)?).result
    }

    /// Low and high watermark of a partition: its first offset, and the one that its next message will get.
    pub fn watermarks(&self, topic: &str, partition: i32, timeout: Duration) -> Result<(i64, i64)> {
        let ask = |at| {
            let offsets = vec![OffsetQuery { topic: topic.to_owned(), partition, at }];
            let listed = only(self.request(ListOffsets { offsets, read_committed: false }, timeout)?).result?;
            listed.offset.ok_or_else(|| Error::kafka(code::FAIL, "the broker did not tell an offset"))
        };
        Ok((ask(OffsetSpec::Earliest)?, ask(OffsetSpec::Latest)?))
    }
}

/// The answer of a request with one item.
fn only<T>(mut answer: Vec<T>) -> T {
    answer.pop().expect("an answer for every item")
}

impl Drop for Admin {
    fn drop(&mut self) {
        self.shared.closing.begin();
        self.helper.end(END);
        self.shared.troubles.close();
        self.jobs.take();
        self.shared.waker.wake();
        crate::helper::join(&self.thread, END);
    }
}
