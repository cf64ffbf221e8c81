//! The producer: accepts batches in the call, delivers them on its own thread.

mod config;
mod dispatch;
mod driver;
mod outbound;
mod partitioning;
mod record;
mod tickets;
mod transactions;

use std::collections::HashMap;
use std::ops::ControlFlow;
use std::sync::Arc;
use std::thread::JoinHandle;
use std::time::{Duration, Instant};

use crossbeam_channel::{unbounded, Sender};
use parking_lot::{Mutex, MutexGuard};

pub use config::ProducerConfig;
use dispatch::{Dispatch, Run};
use driver::{Command, Driver, Line};
pub use outbound::DeliveryFailure;
use outbound::{Failures, Outbound, TopicState};
pub use record::{Delivery, Record};
pub use tickets::{Receipt, Written};
pub use transactions::ConsumerGroup;

use tickets::Waiter;

use crate::code;
use crate::error::{Error, Result};
use crate::ffi::{Client, ClientKind, PartitionMetadata, Waker};
use crate::helper::{deadline, Closing, Helper, Retry};
use crate::lookup::{self, check_topic, Lookup};
use crate::packed::{PackedRecords, Records};
use crate::reply::{closed, fence, Reply};
use crate::thread;
use crate::trouble::{LogLine, Troubles};

/// Events of a producer. Called on the client's thread: must not block.
pub enum ProducerEvent {
    /// Messages could not be delivered: take them with [`Producer::take_failures`]. Told once until they are taken.
    Failures,
    /// Tickets are through: take their receipts with [`Producer::take_receipts`]. Told once until they are taken.
    Receipts,
    /// Nothing is on its way any more.
    Drained,
    /// librdkafka's statistics as JSON, every `statistics_interval`.
    Stats(String),
    /// Errors without a caller: authentication, authorisation, all brokers down; each once until it heals.
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

/// The outcome of a `send`.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct SendReport {
    /// How many messages were accepted.
    pub enqueued: usize,
    /// How many messages of this producer are on their way.
    pub queue_length: usize,
    /// Those that were not: too large, of a partition that does not exist, or over budget.
    pub refused: Vec<Refusal>,
}

/// A topic of a [`Producer`]; see [`Producer::topic`].
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct TopicId(pub u32);

/// So many of the messages that are handed over together, whose sender waits for one [`Receipt`].
#[derive(Debug, Clone, Copy)]
pub struct Ticket {
    /// Comes back with the receipt.
    pub id: u32,
    /// Where the messages go.
    pub topic: TopicId,
    /// How many there are.
    pub count: u32,
}

/// State that the client's thread and everybody else share.
pub(crate) struct Shared {
    pub(crate) outbound: Outbound,
    pub(crate) failures: Mutex<Failures>,
    pub(crate) receipts: Mutex<Vec<Receipt>>,
    pub(crate) waker: Waker,
    pub(crate) troubles: Troubles,
    pub(crate) closing: Closing,
    /// When a stop that is on its way gives up: what waits in the line then is not handed to librdkafka any more.
    gives_up: Mutex<Option<Instant>>,
    spare: Mutex<Vec<PackedRecords>>,
}

/// So many used buffers are kept, each for at most that many bytes of messages.
const SPARES: usize = 8;
const SPARE_BYTES: usize = 512 * 1024;

/// So many messages are handed over on the thread of who sends them, if nothing waits: what goes to another
/// thread goes to another processor's cache (`npm run bench -- --shapes awaited-batches`).
const AT_ONCE: usize = 1024;

impl Shared {
    /// Whether the time of a stop is over.
    fn has_given_up(&self) -> bool {
        self.closing.begun() && self.gives_up.lock().is_some_and(|at| at <= Instant::now())
    }

    /// A copy, in the buffers of an earlier one if there are any: memory that is mapped anew costs as much as the copy into it.
    fn copy(&self, records: Records<'_>) -> PackedRecords {
        let mut copy = self.spare.lock().pop().unwrap_or_default();
        copy.copy(records);
        copy
    }

    /// Keeps the buffers for another copy.
    fn reuse(&self, records: PackedRecords) {
        let mut spare = self.spare.lock();
        if spare.len() < SPARES && records.arena.capacity() <= SPARE_BYTES {
            spare.push(records);
        }
    }
}

/// A producer. Messages of one call, and of calls one after the other, keep their order in each partition as long as no
/// request fails and is tried again (a leader that moves, a topic that is seconds old). Then those that one request carries keep it: a
/// call's for a partition that no others wait for, as many as `batch.num.messages` and `batch.size` say (10 000, 1 MB).
/// `enable.idempotence=true` keeps it for all; `max.in.flight=1` does not.
///
/// One dedicated thread drives the client; one, started when needed, does what blocks. [`stop`](Self::stop) delivers what
/// is on its way; dropping a producer without it does so for half a second, which it blocks at most (not at all on the client's own
/// thread, in an event), and loses what is left.
pub struct Producer {
    shared: Arc<Shared>,
    helper: Arc<Helper>,
    commands: Sender<Command>,
    line: Line,
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
            receipts: Mutex::default(),
            waker: Waker::default(),
            troubles: Troubles::default(),
            closing: Closing::default(),
            gives_up: Mutex::default(),
            spare: Mutex::default(),
        });
        let helper = Arc::new(Helper::new("kafka-producer", client.clone()));
        let (commands, incoming) = unbounded();
        let line = Arc::new(Mutex::new(Some(Dispatch::new(client.clone(), shared.clone(), derived.round_robin))));
        let driver = Driver::new(client, helper.clone(), shared.clone(), incoming, sink, line.clone());
        let thread = thread::spawn("kafka-producer", helper.serving(move || driver.run()))
            .map_err(|error| Error::state(format!("no thread for the producer: {error}")))?;
        Ok(Self { shared, helper, commands, line, thread: Mutex::new(Some(thread)) })
    }

    /// Accepts messages for a partition, or for those that the partitioner chooses (-1). Never blocks: what is over budget
    /// is refused. Accepted is not delivered: what fails later is told as [`ProducerEvent::Failures`].
    pub fn send(&self, topic: &str, partition: i32, records: &[Record<'_>]) -> SendReport {
        self.send_packed(topic, partition, record::pack(records).view(), None).unwrap_or_else(|error| SendReport {
            refused: (0..records.len()).map(|index| Refusal { index, error: error.clone() }).collect(),
            ..SendReport::default()
        })
    }

    /// Like [`send`](Self::send), and answers when every message is delivered or has failed: one result each, in order.
    pub fn deliver(&self, topic: &str, partition: i32, records: &[Record<'_>], reply: Reply<Vec<Result<Delivery>>>) {
        // An error that refuses the call as a whole is the reply's answer, too.
        let _ = self.send_packed(topic, partition, record::pack(records).view(), Some(reply));
    }

    /// [`send`](Self::send) of messages that are packed already, with or without an answer for their delivery.
    pub fn send_packed(
        &self,
        topic: &str,
        partition: i32,
        records: Records<'_>,
        reply: Option<Reply<Vec<Result<Delivery>>>>,
    ) -> Result<SendReport> {
        let checked = match () {
            () if self.shared.closing.begun() => Err(Error::state("the producer was stopped")),
            () if partition < -1 => {
                Err(Error::config(format!("partition must be -1 (the partitioner's choice) or more, not {partition}")))
            }
            () => check_topic(topic).and_then(|()| records.check()),
        };
        if let Err(error) = checked {
            if let Some(reply) = reply {
                reply.send(Err(error.clone()));
            }
            return Err(error);
        }
        let waiter = reply.map_or(Waiter::Nobody, Waiter::Each);
        let run = Run { topic: self.shared.outbound.topic(topic), partition, count: records.len(), waiter };
        self.hand_over(vec![run], records)
    }

    /// Names a topic for [`send_tickets`](Self::send_tickets). `properties` are librdkafka's for topics (`acks`,
    /// `compression.codec`); a topic keeps those that it was named with, or was sent to with, first.
    ///
    /// # Errors
    /// A name that cannot be a topic's. A wrong property fails the messages.
    pub fn topic(&self, topic: &str, properties: &[(String, String)]) -> Result<TopicId> {
        check_topic(topic)?;
        Ok(TopicId(self.shared.outbound.topic_with(topic, properties).id))
    }

    /// Hands over the messages of many sends at once: the first `count` of `records` are the first ticket's, and so on. Each
    /// ticket is answered by a [`Receipt`]; so are messages that are refused.
    ///
    /// # Errors
    /// Tickets that do not match the records, and a producer that was stopped; there are no receipts then.
    pub fn send_tickets(&self, records: Records<'_>, tickets: &[Ticket]) -> Result<()> {
        if self.shared.closing.begun() {
            return Err(Error::state("the producer was stopped"));
        }
        records.check()?;
        let topics = self.shared.outbound.topics(tickets.iter().map(|ticket| ticket.topic.0));
        let count: usize = tickets.iter().map(|ticket| ticket.count as usize).sum();
        let Some(topics) = topics.filter(|_| count == records.len()) else {
            return Err(Error::config("the tickets do not match the packed records"));
        };
        let runs = tickets.iter().zip(topics).map(|(ticket, topic)| Run {
            topic,
            partition: -1,
            count: ticket.count as usize,
            waiter: Waiter::Receipt(ticket.id),
        });
        self.hand_over(runs.collect(), records).map(drop)
    }

    /// The receipts since they were last taken.
    pub fn take_receipts(&self) -> Vec<Receipt> {
        std::mem::take(&mut *self.shared.receipts.lock())
    }

    /// Accepts what fits the budget and gives it to librdkafka, or to the client's thread.
    fn hand_over(&self, runs: Vec<Run>, records: Records<'_>) -> Result<SendReport> {
        let outbound = &self.shared.outbound;
        let (mut start, mut accepted, mut refused) = (0, 0, Vec::new());
        for run in &runs {
            let before = refused.len();
            accepted += outbound.accept(&run.topic, run.partition, records, start..start + run.count, &mut refused);
            if refused[before..].iter().any(|refusal| refusal.error.code == code::UNKNOWN_PARTITION) {
                self.refresh_partitions(&run.topic);
            }
            start += run.count;
        }
        let report = SendReport { enqueued: accepted, queue_length: outbound.queue_length(), refused: refused.clone() };
        if accepted > 0 || runs.iter().any(|run| !matches!(run.waiter, Waiter::Nobody)) {
            let Some(runs) = self.send_at_once(runs, records, &refused) else { return Ok(report) };
            let copy = self.shared.copy(records);
            if let Err(unsent) = self.commands.send(Command::Send { runs, records: copy, refused }) {
                // A stop on another thread was faster.
                if let Command::Send { runs, refused, .. } = unsent.into_inner() {
                    let mut messages = records.iter().enumerate();
                    for run in runs {
                        let mine = messages.by_ref().take(run.count);
                        let accepted = mine.filter(|(at, _)| refused.binary_search_by_key(at, |r| r.index).is_err());
                        accepted.for_each(|(_, record)| {
                            outbound.settled(&run.topic, 1, record.size() as u64);
                        });
                    }
                }
                return Err(Error::state("the producer was stopped"));
            }
            self.shared.waker.wake();
        }
        Ok(report)
    }

    /// Hands few messages to librdkafka on this thread, past the line, when nothing waits in it: they take less than waking the
    /// client's thread. Gives back what has to wait.
    fn send_at_once(&self, runs: Vec<Run>, records: Records<'_>, refused: &[Refusal]) -> Option<Vec<Run>> {
        let few = records.len() <= AT_ONCE && runs.iter().all(|run| !run.topic.may_be_locked());
        let line = few.then(|| self.line.try_lock()).flatten();
        // Looked at under the lock: what was taken out of the line is with librdkafka, too, and behind a stop nothing goes there.
        let open = line.filter(|_| self.commands.is_empty() && !self.shared.closing.begun());
        let dispatch = open.and_then(|line| MutexGuard::try_map(line, Option::as_mut).ok());
        let Some(mut dispatch) = dispatch else { return Some(runs) };
        dispatch.send(runs, records, refused);
        let news = dispatch.has_news();
        drop(dispatch);
        if news {
            self.shared.waker.wake();
        }
        None
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
        self.helper.wait(timeout, |reply| self.connect_with(timeout, reply))
    }

    /// [`connect`](Self::connect) that answers on another thread.
    pub fn connect_with(&self, timeout: Duration, reply: Reply<()>) {
        lookup::connect(&self.helper, &self.shared, |shared| (&shared.troubles, &shared.closing), timeout, reply);
    }

    /// How many partitions a topic has; makes the topic where the broker does that. A failure that can heal is tried again.
    ///
    /// # Errors
    /// `_TIMED_OUT`, with its true cause, when it did not heal in the given tries; what no retry heals at once, by its own code:
    /// `_AUTHENTICATION`, `_SSL`, `TOPIC_AUTHORIZATION_FAILED`, `TOPIC_EXCEPTION`; `_DESTROY` when the producer is stopped.
    pub fn partition_count(&self, topic: &str, retry: Retry) -> Result<i32> {
        self.helper.wait(retry.longest(), |reply| self.partition_count_with(topic, retry, reply))
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

    /// The cluster's metadata of a topic's partitions; makes the topic where the broker does that. A failure that can heal is tried
    /// again, as in [`partition_count`](Self::partition_count).
    pub fn partitions(&self, topic: &str, retry: Retry) -> Result<Vec<PartitionMetadata>> {
        self.helper.wait(retry.longest(), |reply| self.partitions_with(topic, retry, reply))
    }

    /// [`partitions`](Self::partitions) that answers on another thread.
    pub fn partitions_with(&self, topic: &str, retry: Retry, reply: Reply<Vec<PartitionMetadata>>) {
        let reply = self.shared.troubles.guard(reply);
        let (shared, helper) = (self.shared.clone(), self.helper.clone());
        let mut lookup = Lookup::new(topic, retry);
        let topic = self.shared.outbound.topic(topic);
        self.command(Command::Run {
            topic: Some(topic),
            job: Box::new(move |_| {
                helper.run_again(move |client| {
                    match lookup.attempt(client, &shared.troubles, &shared.closing, &reply) {
                        ControlFlow::Continue(at) => return Some(at),
                        ControlFlow::Break(found) => reply.send(found),
                    }
                    None
                });
            }),
        });
    }

    /// To the client's thread; dropped when that has ended.
    fn command(&self, command: Command) {
        if self.commands.send(command).is_ok() {
            self.shared.waker.wake();
        }
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

    /// Delivers what is on its way, without its linger, and ends. Messages left at the end of the time are purged and reported as
    /// failed, which takes five more seconds at most; returns how many messages that were. A second stop has the same end.
    pub fn stop(&self, timeout: Duration) -> Result<usize> {
        let left = self.helper.wait_for_end(timeout, |reply| self.stop_with(timeout, reply));
        self.join(timeout);
        left
    }

    /// [`stop`](Self::stop) that answers on another thread.
    pub fn stop_with(&self, timeout: Duration, reply: Reply<usize>) {
        self.shared.closing.begin();
        let deadline = deadline(timeout);
        {
            let mut gives_up = self.shared.gives_up.lock();
            *gives_up = Some(gives_up.map_or(deadline, |earlier| earlier.min(deadline)));
        }
        match self.commands.send(Command::Stop { deadline, reply }) {
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
            let half_a_second = Duration::from_millis(500);
            self.stop_with(half_a_second, Reply::new(|_| ()));
            self.join(half_a_second);
        }
    }
}
