//! The thread that drives a consumer's client: it serves the queues, applies commands between polls and hands batches over.

mod lost;
mod statistics;
mod topic;

use std::sync::Arc;
use std::time::{Duration, Instant};

use crossbeam_channel::{Receiver, Sender};

use self::topic::Doubt;
use super::places::Places;
use super::{ConsumerConfig, ConsumerEvent, ConsumerStats, Reset, Shared, Sink};
use crate::admin::{ListOffsets, OffsetQuery, OffsetSpec};
use crate::code;
use crate::error::{Error, ErrorKind, Result};
use crate::ffi::{self, Client, Partitions, Truncation};
use crate::handover::{Handover, Limits};
use crate::helper::{let_go, Helper};
use crate::logical;
use crate::lookup;
use crate::reply::Reply;
use crate::trouble::{Guarded, LogLine, Verdict};

/// How often the topic is asked whether it has grown.
const REFRESH: Duration = Duration::from_secs(10);
/// How long the cluster may take to answer.
const QUESTION: Duration = Duration::from_secs(3);
/// Nothing waits longer than this; the thread is woken for whatever comes earlier.
const LONGEST_WAIT: Duration = Duration::from_secs(3600);

/// Commands from others to the client's thread.
pub(super) enum Command {
    /// Begin at these places (offsets are the last processed ones) and answer with the partitions.
    Assign {
        offsets: Vec<(i32, Option<i64>)>,
        reply: Guarded<Vec<i32>>,
    },
    /// The topic has grown.
    Added {
        offsets: Vec<(i32, Option<i64>)>,
    },
    /// The topic was asked how many partitions it has, or for the offsets of new ones; whatever came of it is over.
    Refreshed(Result<()>),
    /// The topic is unknown, and it was asked for.
    Gone(Error),
    /// The watermarks of a partition whose position is lost.
    Watermarks {
        partition: i32,
        answer: Result<(i64, i64)>,
    },
    /// The watermarks for the statistics: (partition, low), (partition, high).
    Stats {
        json: String,
        low: Vec<(i32, i64)>,
        high: Vec<(i32, i64)>,
    },
    Stop {
        deadline: Instant,
        reply: Reply<()>,
    },
}

pub(super) struct Driver {
    client: Arc<Client>,
    topic: Arc<str>,
    /// The same, as batches name it.
    topics: Arc<[Arc<str>]>,
    slot: i32,
    slots: i32,
    reset: Reset,
    helper: Arc<Helper>,
    shared: Arc<Shared>,
    commands: Sender<Command>,
    incoming: Receiver<Command>,
    sink: Sink,
    handover: Handover,
    /// Since the batch before.
    misses: u64,
    repeats: u64,
    places: Places,
    refresh_at: Option<Instant>,
    refreshing: bool,
    asking_stats: bool,
    ask_again: Vec<(Instant, i32)>,
    doubt: Option<Doubt>,
}

impl Driver {
    pub(super) fn new(
        config: &ConsumerConfig,
        reset: Reset,
        prefetch: i32,
        client: Arc<Client>,
        topic: Arc<str>,
        helper: Arc<Helper>,
        shared: Arc<Shared>,
        commands: Sender<Command>,
        incoming: Receiver<Command>,
        sink: Sink,
    ) -> Result<Self> {
        let limits = Limits { batch: config.max_messages, take: config.max_messages, prefetch };
        let handover = Handover::new(&client, shared.credit.clone(), shared.clone(), limits)?;
        Ok(Self {
            handover,
            slot: config.slot,
            slots: config.slots,
            reset,
            client,
            topics: [topic.clone()].into(),
            topic,
            helper,
            shared,
            commands,
            incoming,
            sink,
            misses: 0,
            repeats: 0,
            places: Places::default(),
            refresh_at: None,
            refreshing: false,
            asking_stats: false,
            ask_again: Vec::new(),
            doubt: None,
        })
    }

    pub(super) fn run(mut self) {
        loop {
            while let Ok(command) = self.incoming.try_recv() {
                if let Command::Stop { deadline, reply } = command {
                    return self.close(deadline, reply);
                }
                self.apply(command);
            }
            let events = self.handover.events.clone();
            while let Some(event) = events.poll(Duration::ZERO) {
                self.on_event(&event);
            }
            let wait = self.timers();
            if self.handover.has_credit() {
                self.handover.take(wait);
                // A pause may have come while this thread waited: what was taken stays where it is.
                if !self.shared.credit.is_paused() {
                    self.hand_over();
                }
            } else if let Some(event) = self.handover.wait_for_credit(&events, wait, || !self.incoming.is_empty()) {
                self.on_event(&event);
            }
        }
    }

    /// Hands over what was taken, one batch, or judges the error at its front.
    fn hand_over(&mut self) {
        if self.handover.messages.len() == 0 {
            return;
        }
        let front = self.handover.messages.get(0);
        if front.error() != 0 {
            let (mut error, truncation) = (front.to_error(), front.truncation());
            error.topic.get_or_insert_with(|| self.topic.to_string());
            self.handover.messages.release(1);
            return self.on_message_error(error, truncation);
        }
        let places = &self.places;
        let chosen =
            self.handover.choose(|message| Some((0, places.get(message.partition()).map_or(0, |place| place.epoch))));
        let mut tracker = self.shared.credit.tracker.lock();
        for run in &self.handover.runs {
            if let Some(place) = self.places.get_mut(run.partition) {
                if place.next.is_some_and(|next| run.first_offset < next) {
                    self.repeats += 1;
                    self.shared.fall_back(&mut tracker, run.partition, run.first_offset);
                }
                place.next = Some(run.last_offset + 1);
                place.leader_epoch = run.leader_epoch;
            }
            tracker.handed_over(self.handover.next_batch, run.partition, run.last_offset, run.charge);
        }
        drop(tracker);
        let (topics, troubles) = (self.topics.clone(), &self.shared.troubles);
        let batch = self.handover.pack(chosen, self.misses, self.repeats, topics, troubles);
        (self.misses, self.repeats) = (0, 0);
        (self.sink)(ConsumerEvent::Batch(batch));
    }

    fn apply(&mut self, command: Command) {
        match command {
            Command::Assign { offsets, reply } => {
                // A refusal (one of several brokers') was faster, and who called `start` knows that it failed.
                let Some(reply) = reply.take() else { return };
                let partitions = offsets.iter().map(|(partition, _)| *partition).collect();
                let first = if self.reset == Reset::Latest { logical::END } else { logical::BEGIN };
                let assigned = self.assign(&offsets, first, Client::assign);
                if assigned.is_ok() {
                    self.refresh_at = Some(Instant::now() + REFRESH);
                }
                reply.send(assigned.map(|()| partitions));
            }
            Command::Added { offsets } => {
                let partitions: Vec<i32> = offsets.iter().map(|(partition, _)| *partition).collect();
                self.refreshing = false;
                // All that it has was written after this consumer began, so `latest` skips none of it.
                match self.assign(&offsets, logical::BEGIN, Client::incremental_assign) {
                    Ok(()) => {
                        for partition in &partitions {
                            let next = self.places.get_mut(*partition).map(|place| &mut place.next);
                            next.into_iter().for_each(|next| *next = next.or(Some(0)));
                        }
                        self.log(LogLine::info(format!(
                            "topic {} has grown: pulling from partitions {partitions:?} too",
                            self.topic
                        )));
                    }
                    Err(error) => self.tell(error),
                }
            }
            Command::Gone(error) => self.tell(error),
            Command::Refreshed(result) => {
                self.refreshing = false;
                if let Err(error) = result {
                    self.tell(error);
                }
            }
            Command::Watermarks { partition, answer } => self.relocate(partition, answer),
            Command::Stats { json, low, high } => {
                self.asking_stats = false;
                self.statistics(json, &low, &high);
            }
            Command::Stop { .. } => unreachable!("the loop ends with it"),
        }
    }

    /// Forwards the partitions' queues to the inbox and assigns them, each behind its last processed offset or, without
    /// one, at `first`.
    fn assign(
        &mut self,
        offsets: &[(i32, Option<i64>)],
        first: i64,
        how: impl Fn(&Client, &Partitions) -> Result<()>,
    ) -> Result<()> {
        let behind = |recorded: &Option<i64>| recorded.map(|last| last.saturating_add(1));
        let start = |recorded: &Option<i64>| behind(recorded).unwrap_or(first);
        let list =
            Partitions::of(&self.topic, offsets.iter().map(|(partition, recorded)| (*partition, start(recorded))))?;
        for (partition, _) in offsets {
            self.client.partition_queue(&self.topic, *partition)?.forward(&self.handover.inbox);
        }
        how(&self.client, &list)?;
        let mut tracker = self.shared.credit.tracker.lock();
        for (partition, recorded) in offsets {
            self.places.insert(*partition, behind(recorded));
            recorded.iter().for_each(|last| tracker.begin_behind(*partition, *last));
        }
        Ok(())
    }

    fn on_event(&mut self, event: &ffi::Event<'_>) {
        match event.kind() {
            ffi::ERROR => event.error().into_iter().for_each(|error| self.on_error(error)),
            ffi::LOG => self.log(self.shared.troubles.line(event.log())),
            ffi::STATS => self.ask_for_statistics(event.stats()),
            _ => {}
        }
    }

    /// To the error callback, the logger, or nobody who was told already.
    fn tell(&self, error: Error) {
        if error.code == code::GROUP_AUTHORIZATION_FAILED {
            // The group is only the name that assign() wants.
            return self.log(LogLine::debug(error.to_string()));
        }
        match self.shared.troubles.judge(error) {
            Verdict::Tell(error) => (self.sink)(ConsumerEvent::Error(error)),
            Verdict::Warn(line) => self.log(line),
            Verdict::Known => {}
        }
    }

    fn log(&self, line: LogLine) {
        (self.sink)(ConsumerEvent::Log(line));
    }

    /// Runs `job` on the helper thread and sends back the command it returns, if any. False when there is no thread for it.
    fn ask(&self, job: impl FnOnce(&Arc<Client>) -> Option<Command> + Send + 'static) -> bool {
        let (commands, waker) = (self.commands.clone(), self.shared.waker.clone());
        self.helper.run(move |client| {
            if let Some(command) = job(client) {
                let _ = commands.send(command);
                waker.wake();
            }
        })
    }

    /// Does what is due; returns how long the thread may wait.
    fn timers(&mut self) -> Duration {
        let now = Instant::now();
        let (due, later): (Vec<_>, Vec<_>) =
            std::mem::take(&mut self.ask_again).into_iter().partition(|(at, _)| *at <= now);
        self.ask_again = later;
        for (_, partition) in due {
            self.ask_watermarks(partition);
        }
        if self.refresh_at.is_some_and(|at| at <= now) {
            self.refresh_at = Some(now + REFRESH);
            self.refresh();
        }
        if let Some(doubt) = self.doubt.take_if(|doubt| doubt.judged_at <= now) {
            self.judge(doubt);
        }
        let doubt = self.doubt.as_ref().map(|doubt| doubt.judged_at);
        let next = self.ask_again.iter().map(|(at, _)| *at).chain(self.refresh_at).chain(doubt).min();
        next.map_or(LONGEST_WAIT, |at| at.saturating_duration_since(now))
    }

    /// Ends the client in order: nothing is fetched, offsets are written, everything of librdkafka is given back.
    fn close(self, deadline: Instant, reply: Reply<()>) {
        let (tx, rx) = crossbeam_channel::bounded(1);
        let left = || deadline.saturating_duration_since(Instant::now());
        self.shared.recorder.close(left(), move |result| drop(tx.send(result)));
        self.shared.waker.retire();
        self.helper.end(left());
        self.shared.troubles.close();
        let Self { client, handover, incoming, sink, .. } = self;
        drop(handover);
        let_go(client, left());
        sink(ConsumerEvent::Stopped);
        let written = rx.recv_timeout(left() + Duration::from_millis(300)).unwrap_or_else(|_| {
            Err(Error::new(ErrorKind::Timeout, code::TIMED_OUT, "offsets could not be written in time"))
        });
        // Stops that came meanwhile have the same end.
        for command in incoming.try_iter() {
            if let Command::Stop { reply, .. } = command {
                reply.send(written.clone());
            }
        }
        reply.send(written);
    }
}
