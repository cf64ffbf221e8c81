//! The producer: accepts batches in the call, delivers them on its own thread.

mod config;
mod driver;
mod outbound;
mod record;

use std::collections::HashMap;
use std::ops::ControlFlow;
use std::sync::Arc;
use std::thread::JoinHandle;
use std::time::Duration;

use crossbeam_channel::{unbounded, Sender};
use parking_lot::Mutex;

pub use config::ProducerConfig;
use driver::{Command, Driver};
pub use outbound::DeliveryFailure;
use outbound::{Failures, Outbound, TopicState};
pub use record::{Delivery, Record};

use crate::error::{code, Error, Result};
use crate::ffi::{Client, ClientKind, Waker};
use crate::helper::{deadline, Closing, Helper, Retry};
use crate::lookup::{self, Lookup, Reach};
use crate::packed::PackedRecords;
use crate::reply::{closed, fence, Reply};
use crate::trouble::{LogLine, Troubles};

/// What a producer tells. Called on the client's thread: must not block.
pub enum ProducerEvent {
    /// Messages could not be delivered: take them with [`Producer::take_failures`]. Told once until they are taken.
    Failures,
    /// Nothing is on its way any more.
    Drained,
    /// librdkafka's statistics as JSON, every `statistics_interval`.
    Stats(String),
    /// What has no caller: authentication, authorisation, all brokers down; each once until it heals.
    Error(Error),
    /// A line for the logger.
    Log(LogLine),
}

pub(crate) type Sink = Arc<dyn Fn(ProducerEvent) + Send + Sync>;

/// A message that was not accepted.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Refusal {
    /// Its place in the call's messages.
    pub index: usize,
    /// Why.
    pub error: Error,
}

/// What became of a `send`.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct SendReport {
    /// How many messages were accepted.
    pub enqueued: usize,
    /// How many messages of this producer are on their way.
    pub queue_length: usize,
    /// Those that were not: too large, of a partition that does not exist, or over budget.
    pub refused: Vec<Refusal>,
}

/// What the client's thread and everybody else share.
pub(crate) struct Shared {
    pub(crate) outbound: Outbound,
    pub(crate) failures: Mutex<Failures>,
    pub(crate) waker: Waker,
    pub(crate) troubles: Troubles,
    pub(crate) closing: Closing,
}

/// A producer. Messages of one call, and of calls one after the other, keep their order in each partition as long as no
/// request fails and is tried again (a leader that moves, a topic that is seconds old). `enable.idempotence=true` keeps it
/// then, too; `max.in.flight=1` does not.
///
/// One dedicated thread drives the client; one, started when needed, does what blocks. [`stop`](Self::stop) delivers what
/// is on its way; dropping a producer without it loses that.
pub struct Producer {
    shared: Arc<Shared>,
    helper: Arc<Helper>,
    commands: Sender<Command>,
    thread: Mutex<Option<JoinHandle<()>>>,
}

impl Producer {
    /// A producer that tells errors, failures and warnings to standard error.
    pub fn new(config: ProducerConfig) -> Result<Self> {
        Self::with_events(config, |event| match event {
            ProducerEvent::Error(error) => eprintln!("kafka-native: {error}"),
            ProducerEvent::Failures => eprintln!("kafka-native: messages could not be delivered"),
            ProducerEvent::Log(line) if line.level <= 4 => eprintln!("{}: {}", line.facility, line.message),
            _ => {}
        })
    }

    /// A producer with a receiver of what it tells.
    pub fn with_events(
        config: ProducerConfig,
        on_event: impl Fn(ProducerEvent) + Send + Sync + 'static,
    ) -> Result<Self> {
        let derived = config.derive()?;
        let sink: Sink = Arc::new(move |event| fence(|| on_event(event)));
        let client = Client::new(ClientKind::Producer, derived.conf)?;
        if let Some(warning) = derived.warning {
            sink(ProducerEvent::Log(LogLine::warning(warning)));
        }
        let shared = Arc::new(Shared {
            outbound: Outbound::new(derived.max_messages, derived.max_bytes, derived.max_message_bytes),
            failures: Mutex::default(),
            waker: Waker::default(),
            troubles: Troubles::default(),
            closing: Closing::default(),
        });
        let helper = Arc::new(Helper::new("kafka-producer", client.clone()));
        let (commands, incoming) = unbounded();
        let driver = Driver::new(client, helper.clone(), shared.clone(), incoming, sink);
        let thread = std::thread::Builder::new()
            .name("kafka-producer".into())
            .spawn(move || driver.run())
            .map_err(|error| Error::state(format!("no thread for the producer: {error}")))?;
        Ok(Self { shared, helper, commands, thread: Mutex::new(Some(thread)) })
    }

    /// Accepts messages for a partition, or for those that the partitioner chooses (-1). Never blocks: what is over budget
    /// is refused. Accepted is not delivered: what fails later is told as [`ProducerEvent::Failures`].
    pub fn send(&self, topic: &str, partition: i32, records: &[Record<'_>]) -> SendReport {
        self.send_packed(topic, partition, record::pack(records), None).unwrap_or_else(|error| SendReport {
            refused: (0..records.len()).map(|index| Refusal { index, error: error.clone() }).collect(),
            ..SendReport::default()
        })
    }

    /// Like [`send`](Self::send), and answers when every message is delivered or has failed: one result each, in order.
    pub fn deliver(&self, topic: &str, partition: i32, records: &[Record<'_>], reply: Reply<Vec<Result<Delivery>>>) {
        if let Err(error) = self.send_packed(topic, partition, record::pack(records), Some(reply)) {
            // The reply was dropped unsent and has answered that the client is gone; a wrong topic is told here.
            (!self.shared.closing.begun()).then(|| eprintln!("kafka-native: {error}"));
        }
    }

    /// [`send`](Self::send) of messages that are packed already, with or without an answer for their delivery.
    pub fn send_packed(
        &self,
        topic: &str,
        partition: i32,
        records: PackedRecords,
        reply: Option<Reply<Vec<Result<Delivery>>>>,
    ) -> Result<SendReport> {
        let fail = |reply: Option<Reply<_>>, error: Error| {
            if let Some(reply) = reply {
                reply.send(Err(error.clone()));
            }
            Err(error)
        };
        if self.shared.closing.begun() {
            return fail(reply, Error::state("the producer was stopped"));
        }
        if topic.is_empty() || topic.contains('\0') {
            return fail(reply, Error::config("the topic must be a non-empty name"));
        }
        if partition < -1 {
            return fail(
                reply,
                Error::config(format!("partition must be -1 (the partitioner's choice) or more, not {partition}")),
            );
        }
        if let Err(error) = records.check() {
            return fail(reply, error);
        }
        let topic = self.shared.outbound.topic(topic);
        let (accepted, refused) = self.shared.outbound.accept(&topic, partition, &records);
        if refused.iter().any(|refusal| refusal.error.code == code::UNKNOWN_PARTITION) {
            self.refresh_partitions(&topic);
        }
        let report = SendReport { enqueued: accepted, queue_length: self.shared.outbound.queue_length(), refused };
        if accepted > 0 || reply.is_some() {
            let refused = report.refused.clone();
            let command = Command::Send { topic: topic.clone(), partition, records, refused, reply };
            if let Err(unsent) = self.commands.send(command) {
                // A stop on another thread was faster.
                if let Command::Send { records, refused, .. } = unsent.into_inner() {
                    let refused = |index: usize| refused.iter().any(|refusal| refusal.index == index);
                    let sizes = records.iter().enumerate().filter(|(index, _)| !refused(*index));
                    self.shared.outbound.settled(
                        &topic,
                        accepted as u64,
                        sizes.map(|(_, record)| record.size() as u64).sum(),
                    );
                }
                return Err(Error::state("the producer was stopped"));
            }
            self.shared.waker.wake();
        }
        Ok(report)
    }

    /// How many messages are on their way.
    pub fn queue_length(&self) -> usize {
        self.shared.outbound.queue_length()
    }

    /// The same by topic, without those that have none.
    pub fn queue_length_by_topic(&self) -> HashMap<String, usize> {
        self.shared.outbound.by_topic()
    }

    /// The failures since they were last taken, coalesced by code, topic and partition.
    pub fn take_failures(&self) -> Vec<DeliveryFailure> {
        self.shared.failures.lock().take()
    }

    /// Waits until a broker answers: the connection works, and so do its credentials.
    ///
    /// # Errors
    /// A refusal at once, by its own code (`_AUTHENTICATION`, `_SSL`); `_TIMED_OUT`, with its true cause, when nobody answered in time.
    pub fn connect(&self, timeout: Duration) -> Result<()> {
        Reply::wait(|reply| self.connect_with(timeout, reply))
    }

    /// [`connect`](Self::connect) that answers on another thread.
    pub fn connect_with(&self, timeout: Duration, reply: Reply<()>) {
        let reply = self.shared.troubles.guard(reply);
        let (shared, mut reach) = (self.shared.clone(), Reach::new(timeout));
        self.helper.run_again(move |client| {
            match reach.attempt(client, &shared.troubles, &shared.closing, &reply) {
                ControlFlow::Continue(at) => return Some(at),
                ControlFlow::Break(answer) => reply.send(answer),
            }
            None
        });
    }

    /// How many partitions a topic has; makes the topic where the broker does that. What can heal is tried again.
    ///
    /// # Errors
    /// `_TIMED_OUT`, with its true cause, when it did not heal in the given tries; what no retry heals at once, by its own code:
    /// `_AUTHENTICATION`, `_SSL`, `TOPIC_AUTHORIZATION_FAILED`, `TOPIC_EXCEPTION`; `_DESTROY` when the producer is stopped.
    pub fn partition_count(&self, topic: &str, retry: Retry) -> Result<i32> {
        Reply::wait(|reply| self.partition_count_with(topic, retry, reply))
    }

    /// [`partition_count`](Self::partition_count) that answers on another thread.
    pub fn partition_count_with(&self, topic: &str, retry: Retry, reply: Reply<i32>) {
        if self.shared.closing.begun() {
            return reply.send(Err(closed()));
        }
        let reply = self.shared.troubles.guard(reply);
        let (topic, shared) = (topic.to_owned(), self.shared.clone());
        let mut lookup = Lookup::new(&topic, retry);
        self.helper.run_again(move |client| {
            match lookup.attempt(client, &shared.troubles, &shared.closing, &reply) {
                ControlFlow::Continue(at) => return Some(at),
                ControlFlow::Break(found) => reply.send(found.map(|partitions| {
                    shared.outbound.topic(&topic).set_partitions(partitions.len());
                    partitions.len() as i32
                })),
            }
            None
        });
    }

    /// The count that refused a message may be an old one.
    fn refresh_partitions(&self, topic: &Arc<TopicState>) {
        // Once at a time, however many are refused.
        if !topic.begin_asking() {
            return;
        }
        let topic = topic.clone();
        self.helper.run(move |client| {
            let found = lookup::partitions_once(client, &topic.name, Duration::from_secs(1));
            topic.end_asking();
            if let Ok(partitions) = found {
                topic.set_partitions(partitions.len());
            }
        });
    }

    /// Delivers what is on its way, without its linger, and ends. What is left at the end of the time is purged and told as
    /// failed, which takes five more seconds at most; returns how many messages that were. A second stop has the same end.
    pub fn stop(&self, timeout: Duration) -> Result<usize> {
        let left = Reply::wait(|reply| self.stop_with(timeout, reply));
        self.join(timeout);
        left
    }

    /// [`stop`](Self::stop) that answers on another thread.
    pub fn stop_with(&self, timeout: Duration, reply: Reply<usize>) {
        self.shared.closing.begin();
        match self.commands.send(Command::Stop { deadline: deadline(timeout), reply }) {
            Ok(()) => self.shared.waker.wake(),
            Err(unsent) => match unsent.into_inner() {
                Command::Stop { reply, .. } => reply.send(Ok(0)), // stopped before
                _ => unreachable!("what came back is what was sent"),
            },
        }
    }

    /// Waits for the client's thread to end, after a stop.
    pub fn join(&self, timeout: Duration) -> bool {
        crate::helper::join(&self.thread, timeout)
    }
}

impl Drop for Producer {
    fn drop(&mut self) {
        if !self.shared.closing.begun() {
            self.stop_with(Duration::ZERO, Reply::new(|_| ()));
            self.join(Duration::from_millis(500));
        }
    }
}
