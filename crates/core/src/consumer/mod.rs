//! The consumer: all partitions of a topic, or a slice of them, from recorded offsets, without a group.

mod config;
mod driver;
mod places;

use std::ops::ControlFlow;
use std::sync::Arc;
use std::thread::JoinHandle;
use std::time::Duration;

use crossbeam_channel::{unbounded, Sender};
use parking_lot::Mutex;

use config::Store;
pub use config::{ConsumerConfig, Reset};
use driver::{Command, Driver};

use crate::batch::{Batch, Settler};
use crate::error::{Error, Result};
use crate::ffi::{Client, ClientKind, Waker};
use crate::handover::{Credit, Inbox};
use crate::helper::{deadline, Closing, Helper, Retry};
use crate::lookup::Lookup;
use crate::offsets::{OffsetDirectory, OffsetEvent, OffsetStore, Recorder, Tracker};
use crate::reply::{fence, Reply};
use crate::thread;
use crate::trouble::{LogLine, Troubles};

/// Events of a consumer. Called on the client's thread (batches, statistics) or the offset thread: must not block.
pub enum ConsumerEvent {
    /// Messages. At most `batches_ahead` of them are told before [`Consumer::started`] is called for the first.
    Batch(Batch),
    /// Statistics, every `statistics_interval`.
    Stats(ConsumerStats),
    /// Errors without a caller: authentication, authorisation, a deleted topic, offsets that cannot be written; each once until it heals.
    Error(Error),
    /// A line for the logger.
    Log(LogLine),
    /// The consumer was stopped; no batch comes after this.
    Stopped,
}

/// How far behind a consumer is, over its partitions.
#[derive(Debug, Clone, Default)]
pub struct ConsumerStats {
    /// librdkafka's statistics as JSON.
    pub json: String,
    /// Messages in Kafka that were not fetched yet.
    pub waiting_kafka: u64,
    /// Messages fetched and not handed over yet.
    pub waiting_local: u64,
    /// Messages in the log: the sum of high minus low watermark.
    pub log_size: u64,
}

pub(crate) type Sink = Arc<dyn Fn(ConsumerEvent) + Send + Sync>;

#[derive(Clone, Copy, PartialEq, Eq)]
enum State {
    New,
    Starting,
    Started,
    Stopped,
}

/// State that the client's thread and everybody else share.
pub(crate) struct Shared {
    pub(crate) credit: Arc<Credit>,
    pub(crate) recorder: Recorder,
    pub(crate) waker: Arc<Waker>,
    pub(crate) troubles: Troubles,
    pub(crate) closing: Closing,
}

impl Shared {
    /// The partition's log was cut off at this offset: nothing behind it stays recorded before what is outstanding is settled.
    fn fall_back(&self, tracker: &mut Tracker, partition: i32, at: i64) {
        if let Some(last) = tracker.fall_back(partition, at) {
            self.record_lower(partition, last);
        }
    }

    /// The log went back, and so does what is recorded: -1 = nothing. Called under the tracker's lock.
    fn record_lower(&self, partition: i32, last: i64) {
        match last {
            0.. => self.recorder.record(partition, last),
            _ => self.recorder.clear(partition),
        }
    }
}

impl Settler for Shared {
    fn settle(&self, batch: u64) {
        self.credit.settle(batch, |recordable| {
            recordable.into_iter().for_each(|(partition, offset)| self.recorder.record(partition, offset));
        });
    }

    fn abandon(&self, batch: u64) {
        self.credit.abandon(batch);
    }
}

/// A consumer of one topic's partitions, all or a slice, that starts each behind its recorded offset.
///
/// One dedicated thread drives the client; one writes offsets; one, started when needed, does what blocks. `stop` ends
/// them in order; dropping it without is the same with half a second of time.
pub struct Consumer {
    topic: Arc<str>,
    slot: i32,
    slots: i32,
    retry: Retry,
    state: Arc<Mutex<State>>,
    shared: Arc<Shared>,
    helper: Arc<Helper>,
    commands: Sender<Command>,
    thread: Mutex<Option<JoinHandle<()>>>,
    inbox: Option<Arc<Inbox>>,
}

/// Where errors and warnings go that nobody asked for.
pub(crate) fn to_stderr(event: ConsumerEvent) {
    match event {
        ConsumerEvent::Error(error) => eprintln!("kafka-native: {error}"),
        ConsumerEvent::Log(line) if line.level <= 4 => eprintln!("{}: {}", line.facility, line.message),
        _ => {}
    }
}

impl Consumer {
    /// A consumer whose batches are taken with [`recv`](Self::recv); errors and log lines go to standard error.
    pub fn new(config: ConsumerConfig) -> Result<Self> {
        Self::with_events(config, to_stderr)
    }

    /// A consumer whose batches are taken with [`recv`](Self::recv), with a receiver of everything else.
    pub fn with_events(
        config: ConsumerConfig,
        on_event: impl Fn(ConsumerEvent) + Send + Sync + 'static,
    ) -> Result<Self> {
        let inbox = Arc::new(Inbox::default());
        let arriving = inbox.clone();
        let sink = move |event| match event {
            ConsumerEvent::Batch(batch) => arriving.put(batch),
            ConsumerEvent::Stopped => arriving.close(),
            event => on_event(event),
        };
        let mut consumer = Self::with_sink(config, sink)?;
        consumer.inbox = Some(inbox);
        Ok(consumer)
    }

    /// A consumer that tells everything to `sink`, batches included: answer each with [`started`](Self::started), and
    /// settle it.
    pub fn with_sink(mut config: ConsumerConfig, sink: impl Fn(ConsumerEvent) + Send + Sync + 'static) -> Result<Self> {
        let derived = config.derive()?;
        let sink: Sink = Arc::new(move |event| fence(|| sink(event)));
        let warn = {
            let sink = sink.clone();
            Arc::new(move |text: String| sink(ConsumerEvent::Log(LogLine::warning(text))))
        };
        let store: Box<dyn OffsetStore> = match std::mem::replace(&mut config.store, Store::None) {
            Store::None => Box::new(Nowhere),
            Store::Directory(path) => Box::new(OffsetDirectory::new(path, &config.topic, warn.clone())?),
            Store::Own(store) => store,
        };
        let client = Client::new(ClientKind::Consumer, derived.conf)?;
        if let Some(warning) = derived.warning {
            warn(warning);
        }
        let recorder = Recorder::new(store, {
            let sink = sink.clone();
            Arc::new(move |event| match event {
                OffsetEvent::Warning(text) => sink(ConsumerEvent::Log(LogLine::warning(text))),
                OffsetEvent::WriteFailed(error) => sink(ConsumerEvent::Error(error)),
                OffsetEvent::Recovered => sink(ConsumerEvent::Log(LogLine::info("offsets are written again"))),
            })
        });
        let waker = Arc::<Waker>::default();
        let shared = Arc::new(Shared {
            credit: Arc::new(Credit::new(config.batches_ahead, derived.hand_over, waker.clone())),
            recorder,
            waker,
            troubles: Troubles::default(),
            closing: Closing::default(),
        });
        let topic: Arc<str> = config.topic.as_str().into();
        let helper = Arc::new(Helper::new("kafka-consumer", client.clone()));
        let (commands, incoming) = unbounded();
        let driver = Driver::new(
            &config,
            derived.reset,
            derived.prefetch,
            client,
            topic.clone(),
            helper.clone(),
            shared.clone(),
            commands.clone(),
            incoming,
            sink,
        )?;
        let thread = thread::spawn("kafka-consumer", helper.serving(move || driver.run()))
            .map_err(|error| Error::state(format!("no thread for the consumer: {error}")))?;
        Ok(Self {
            topic,
            slot: config.slot,
            slots: config.slots,
            retry: config.retry,
            state: Arc::new(Mutex::new(State::New)),
            shared,
            helper,
            commands,
            thread: Mutex::new(Some(thread)),
            inbox: None,
        })
    }

    /// Finds the partitions, takes their offsets and begins. Returns the partitions that this consumer pulls from.
    ///
    /// Fails when the topic cannot be found in time ([`Retry`]), has no partitions or fewer than there are slots; when an
    /// offset file is unreadable or held by somebody else; when it was called before.
    pub fn start(&self) -> Result<Vec<i32>> {
        self.helper.wait(self.retry.longest(), |reply| self.start_with(reply))
    }

    /// [`start`](Self::start) that answers on another thread.
    pub fn start_with(&self, reply: Reply<Vec<i32>>) {
        {
            let mut state = self.state.lock();
            match *state {
                State::New => *state = State::Starting,
                State::Stopped => return reply.send(Err(Error::state("the consumer was stopped; make a new one"))),
                _ => return reply.send(Err(Error::state("the consumer was already started"))),
            }
        }
        let state = self.state.clone();
        let reply = self.shared.troubles.guard(Reply::new(move |answer: Result<Vec<i32>>| {
            let mut state = state.lock();
            if *state == State::Starting {
                *state = if answer.is_ok() { State::Started } else { State::New };
            }
            drop(state);
            reply.send(answer);
        }));
        let (topic, shared, commands) = (self.topic.clone(), self.shared.clone(), self.commands.clone());
        let (slot, slots, retry) = (self.slot, self.slots, self.retry);
        let mut lookup = Lookup::new(&topic, retry);
        self.helper.run_again(move |client| {
            let found = match lookup.attempt(client, &shared.troubles, &shared.closing, &reply) {
                ControlFlow::Continue(at) => return Some(at),
                ControlFlow::Break(found) => found,
            };
            let found = found.map(|all| all.iter().map(|partition| partition.id).collect());
            let mine = match found.and_then(|all| slice(&topic, all, slot, slots)) {
                Ok(mine) => mine,
                Err(error) => {
                    reply.send(Err(error));
                    return None;
                }
            };
            let (waker, commands, reply) = (shared.waker.clone(), commands.clone(), reply.clone());
            shared.recorder.open(mine.clone(), move |opened| match opened {
                Err(error) => reply.send(Err(error)),
                Ok(offsets) => {
                    let _ = commands.send(Command::Assign { offsets: mine.into_iter().zip(offsets).collect(), reply });
                    waker.wake();
                }
            });
            None
        });
    }

    /// The next batch, or none when the time is over or the consumer was stopped.
    ///
    /// # Panics
    /// When the consumer was made with a sink of its own.
    pub fn recv(&self, timeout: Duration) -> Option<Batch> {
        let inbox = self.inbox.as_ref().expect("a consumer with a sink gets its batches there");
        let batch = inbox.take(deadline(timeout))?;
        self.shared.credit.started(batch.id());
        Some(batch)
    }

    /// [`recv`](Self::recv) gives no batch after this returned; what was fetched is kept, nothing is lost or repeated. A
    /// sink of one's own may still be told a batch that was on its way.
    ///
    /// # Errors
    /// Before `start` has succeeded, and after `stop`.
    pub fn pause(&self) -> Result<()> {
        match *self.state.lock() {
            State::Started => self.set_paused(true),
            State::Stopped => return Err(Error::state("the consumer was stopped")),
            _ => return Err(Error::state("the consumer was not started")),
        }
        Ok(())
    }

    fn set_paused(&self, paused: bool) {
        self.shared.credit.set_paused(paused);
        if let Some(inbox) = &self.inbox {
            inbox.set_paused(paused);
        }
    }

    #[cfg(feature = "tokio")]
    pub(crate) fn is_stopped(&self) -> bool {
        *self.state.lock() == State::Stopped
    }

    #[cfg(feature = "tokio")]
    pub(crate) fn is_paused(&self) -> bool {
        self.shared.credit.is_paused()
    }

    /// Ends a pause; after `stop` it does nothing.
    ///
    /// # Errors
    /// Before `start` has succeeded.
    pub fn resume(&self) -> Result<()> {
        match *self.state.lock() {
            State::Started => self.set_paused(false),
            State::Stopped => return Ok(()),
            _ => return Err(Error::state("the consumer was not started")),
        }
        self.shared.waker.wake();
        Ok(())
    }

    /// The receiver begins with this batch: another may be told.
    pub fn started(&self, batch: u64) {
        self.shared.credit.started(batch);
    }

    /// [`Batch::done`] by number.
    pub fn settle(&self, batch: u64) {
        self.shared.settle(batch);
    }

    /// Dropping a batch that was not done, by number.
    pub fn abandon(&self, batch: u64) {
        self.shared.abandon(batch);
    }

    /// Ends: fetching stops, offsets of what is done are written, locks released, the client destroyed. Batches that are
    /// still out may be done later; their offsets are then recorded if nobody else has taken over.
    ///
    /// Fails when offsets could not be written in time, naming them.
    pub fn stop(&self, timeout: Duration) -> Result<()> {
        let result = self.helper.wait_for_end(timeout, |reply| self.stop_with(timeout, reply));
        self.join(timeout);
        result
    }

    /// [`stop`](Self::stop) that answers on another thread.
    pub fn stop_with(&self, timeout: Duration, reply: Reply<()>) {
        *self.state.lock() = State::Stopped;
        self.shared.closing.begin();
        match self.commands.send(Command::Stop { deadline: deadline(timeout), reply }) {
            Ok(()) => self.shared.waker.wake(),
            Err(unsent) => match unsent.into_inner() {
                Command::Stop { reply, .. } => reply.send(Ok(())), // stopped before
                _ => unreachable!("what came back is what was sent"),
            },
        }
    }

    /// Makes durable what is recorded so far; for the end of a process that cannot wait for `stop`.
    pub fn flush_offsets(&self, timeout: Duration) -> bool {
        self.shared.recorder.flush(timeout)
    }

    /// Waits for the client's thread to end, after a stop.
    pub fn join(&self, timeout: Duration) -> bool {
        crate::helper::join(&self.thread, timeout)
    }
}

impl Drop for Consumer {
    fn drop(&mut self) {
        if *self.state.lock() != State::Stopped {
            let half_a_second = Duration::from_millis(500);
            self.stop_with(half_a_second, Reply::new(|_| ()));
            self.join(half_a_second);
        }
        if let Some(inbox) = &self.inbox {
            inbox.abandon();
        }
    }
}

/// The partitions of a slot.
fn slice(topic: &str, mut all: Vec<i32>, slot: i32, slots: i32) -> Result<Vec<i32>> {
    if all.is_empty() {
        return Err(Error::state(format!("topic '{topic}' has no partitions")));
    }
    if (all.len() as i32) < slots {
        let text = format!("topic '{topic}' has {} partitions, too few for {slots} workers (num_workers)", all.len());
        return Err(Error::state(text));
    }
    all.retain(|partition| partition % slots == slot);
    all.sort_unstable();
    Ok(all)
}

/// The store of a consumer that records nothing.
struct Nowhere;

impl OffsetStore for Nowhere {
    fn open(&mut self, partitions: &[i32]) -> Result<Vec<Option<i64>>> {
        Ok(vec![None; partitions.len()])
    }
    fn write(&mut self, _offsets: &[(i32, i64)]) -> Result<()> {
        Ok(())
    }
    fn close(&mut self) {}
    fn write_late(&mut self, _partition: i32, _offset: i64) -> Result<bool> {
        Ok(true)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_partition_belongs_to_slot_p_modulo_slots() {
        assert_eq!(slice("t", vec![4, 2, 0, 1, 3], 1, 2).unwrap(), [1, 3]);
        assert!(slice("t", vec![], 0, 1).unwrap_err().message.contains("no partitions"));
        assert!(slice("t", vec![0], 0, 2).unwrap_err().message.contains("num_workers"));
    }
}
