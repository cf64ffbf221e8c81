//! The thread that drives a consumer's client: it serves the queues, applies commands between polls and hands batches over.

use std::sync::atomic::Ordering;
use std::sync::Arc;
use std::time::{Duration, Instant};

use crossbeam_channel::{Receiver, Sender};

use super::places::Places;
use super::{ConsumerConfig, ConsumerEvent, ConsumerStats, Reset, Shared, Sink};
use crate::admin::{ListOffsets, OffsetQuery, OffsetSpec};
use crate::batch::{self, Batch, Limits, Run};
use crate::code;
use crate::error::{Error, ErrorKind, Result};
use crate::ffi::{self, Client, Messages, Partitions, Queue, ReadyHook, Truncation};
use crate::helper::{let_go, Helper};
use crate::logical;
use crate::lookup;
use crate::reply::Reply;
use crate::trouble::{Guarded, LogLine, Verdict};

/// How long a broker may take to hear of a topic that another one has made.
const DOUBT: Duration = Duration::from_secs(2);
/// How often the topic is asked whether it has grown.
const REFRESH: Duration = Duration::from_secs(10);
/// How long the cluster may take to tell watermarks, and the pause before it is asked again.
const QUESTION: Duration = Duration::from_secs(3);
const STATS_QUESTION: Duration = Duration::from_secs(1);
const ASK_AGAIN: Duration = Duration::from_millis(500);
/// Nothing waits longer than this; the thread is woken for whatever comes earlier.
const LONGEST_WAIT: Duration = Duration::from_secs(3600);

/// What others ask of the client's thread.
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
    hand_over: u64,
    max_messages: usize,
    batches_ahead: usize,
    helper: Arc<Helper>,
    shared: Arc<Shared>,
    commands: Sender<Command>,
    incoming: Receiver<Command>,
    sink: Sink,

    /// Messages come here, everything else to `events`, so that both can be served without the other.
    inbox: Arc<Queue>,
    events: Arc<Queue>,
    hook: ReadyHook,
    messages: Messages,
    /// How many messages to take at once: about a batch's worth of bytes, by the size of the newest.
    take: usize,
    runs: Vec<Run>,
    next_batch: u64,
    misses: u64,
    repeats: u64,
    places: Places,
    refresh_at: Option<Instant>,
    refreshing: bool,
    asking_stats: bool,
    ask_again: Vec<(Instant, i32)>,
    doubt: Option<Doubt>,
}

/// A broker does not know the topic: it was deleted, or it is so new that not every broker has heard of it. Told if it lasts.
struct Doubt {
    judged_at: Instant,
    newest: Instant,
    error: Error,
}

impl Driver {
    #[allow(clippy::too_many_arguments)]
    pub(super) fn new(
        config: &ConsumerConfig,
        reset: Reset,
        hand_over: u64,
        client: Arc<Client>,
        topic: Arc<str>,
        helper: Arc<Helper>,
        shared: Arc<Shared>,
        commands: Sender<Command>,
        incoming: Receiver<Command>,
        sink: Sink,
    ) -> Result<Self> {
        let inbox = Arc::new(client.new_queue());
        let events = Arc::new(client.consumer_queue()?);
        let hook = ReadyHook::new(events.clone(), inbox.clone());
        shared.waker.watch(vec![inbox.clone(), events.clone()]);
        Ok(Self {
            messages: Messages::new(&client, config.max_messages),
            take: config.max_messages.min(1000),
            slot: config.slot,
            slots: config.slots,
            max_messages: config.max_messages,
            batches_ahead: config.batches_ahead,
            reset,
            hand_over,
            client,
            topics: [topic.clone()].into(),
            topic,
            helper,
            shared,
            commands,
            incoming,
            sink,
            inbox,
            events,
            hook,
            runs: Vec::new(),
            next_batch: 1,
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
            let events = self.events.clone();
            while let Some(event) = events.poll(Duration::ZERO) {
                self.on_event(&event);
            }
            let wait = self.timers();
            if self.may_hand_over() {
                if self.messages.len() == 0 {
                    self.inbox.consume(&mut self.messages, self.take, wait);
                }
                // A pause may have come while this thread waited: what was taken stays in `messages`.
                if !self.shared.paused.load(Ordering::SeqCst) {
                    self.hand_over();
                }
                continue;
            }
            // Out of credit: not draining, so that the bounded prefetch fills and fetching stops. Whoever gives credit after
            // the flag is up wakes this thread; whoever gave some before is seen by the second look. So is a command that
            // came after the first look, because the poll above may have swallowed its wake-up.
            self.shared.starved.store(true, Ordering::SeqCst);
            if !self.may_hand_over() && self.incoming.is_empty() {
                if let Some(event) = events.poll(wait) {
                    self.on_event(&event);
                }
            }
        }
    }

    fn may_hand_over(&self) -> bool {
        !self.shared.paused.load(Ordering::SeqCst)
            && self.shared.ahead.lock().len() < self.batches_ahead
            && self.shared.tracker.lock().outstanding_bytes() < self.hand_over
    }

    /// Hands over what is in `messages`, one batch, or judges the error at its front.
    fn hand_over(&mut self) {
        if self.messages.len() == 0 {
            return;
        }
        let front = self.messages.get(0);
        if front.error() != 0 {
            let (mut error, truncation) = (front.to_error(), front.truncation());
            error.topic.get_or_insert_with(|| self.topic.to_string());
            self.messages.release(1);
            return self.on_message_error(error, truncation);
        }
        let left = self.hand_over.saturating_sub(self.shared.tracker.lock().outstanding_bytes());
        let limits = Limits { count: self.max_messages, data: batch::DATA, charge: left };
        let places = &self.places;
        let chosen = batch::choose(&self.messages, limits, &mut self.runs, |message| {
            Some((0, places.get(message.partition()).map_or(0, |place| place.epoch)))
        });
        let id = self.next_batch;
        self.next_batch += 1;
        let mut tracker = self.shared.tracker.lock();
        for run in &self.runs {
            if let Some(place) = self.places.get_mut(run.partition) {
                if place.next.is_some_and(|next| run.first_offset < next) {
                    self.repeats += 1;
                    self.shared.fall_back(&mut tracker, run.partition, run.first_offset);
                }
                place.next = Some(run.last_offset + 1);
                place.leader_epoch = run.leader_epoch;
            }
            tracker.handed_over(id, run.partition, run.last_offset, run.charge);
        }
        drop(tracker);
        let packed = batch::pack(&self.messages, chosen, &self.runs, self.misses, self.repeats);
        (self.misses, self.repeats) = (0, 0);
        let count = packed.count;
        self.messages.release(count);
        self.take =
            (batch::DATA / (chosen.1 / count).max(1)).clamp(16, self.max_messages.max(16)).min(self.max_messages);
        if self.shared.troubles.any() {
            let runs = &self.runs;
            self.shared.troubles.healed(|_, trouble| trouble.is_none_or(|p| runs.iter().any(|run| run.partition == p)));
        }
        self.shared.ahead.lock().push_back((id, count));
        let (topics, settler) = (self.topics.clone(), Some(self.shared.clone() as _));
        let batch = Batch { id, packed, topics, outdated: Vec::new(), settler };
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
            self.client.partition_queue(&self.topic, *partition)?.forward(&self.inbox);
        }
        how(&self.client, &list)?;
        let mut tracker = self.shared.tracker.lock();
        for (partition, recorded) in offsets {
            self.places.insert(*partition, behind(recorded));
            recorded.iter().for_each(|last| tracker.begin_behind(*partition, *last));
        }
        Ok(())
    }

    fn on_event(&mut self, event: &ffi::Event<'_>) {
        match event.kind() {
            ffi::ERROR => event.error().into_iter().for_each(|error| self.on_error(error)),
            ffi::LOG => self.log(LogLine::of_librdkafka(event.log())),
            ffi::STATS => self.ask_for_statistics(event.stats()),
            _ => {}
        }
    }

    fn on_message_error(&mut self, error: Error, truncation: Option<Truncation>) {
        match error.partition {
            Some(partition) if error.code == code::AUTO_OFFSET_RESET => {
                if let Some(place) = self.places.get_mut(partition) {
                    place.lost = true;
                    place.truncation = truncation;
                    self.ask_watermarks(partition);
                }
            }
            _ => self.on_error(error),
        }
    }

    fn on_error(&mut self, error: Error) {
        if !matches!(error.code, code::UNKNOWN_TOPIC_OR_PART | code::UNKNOWN_TOPIC_ID) {
            return self.tell(error);
        }
        let now = Instant::now();
        match &mut self.doubt {
            Some(doubt) => doubt.newest = now,
            None => {
                self.log(LogLine::warning(error.to_string()));
                self.doubt = Some(Doubt { judged_at: now + DOUBT, newest: now, error });
            }
        }
    }

    /// Tells of a topic that is still unknown: the errors went on coming, or the cluster says so.
    fn judge(&self, doubt: Doubt) {
        if doubt.judged_at.saturating_duration_since(doubt.newest) < DOUBT / 2 {
            return self.tell(doubt.error);
        }
        let topic = self.topic.clone();
        self.ask(move |client| {
            let unknown = lookup::partitions_once(client, &topic, QUESTION).err();
            unknown.filter(|error| error.code == code::UNKNOWN_TOPIC_OR_PART).map(Command::Gone)
        });
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
        let (commands, shared) = (self.commands.clone(), self.shared.clone());
        self.helper.run(move |client| {
            if let Some(command) = job(client) {
                let _ = commands.send(command);
                shared.waker.wake();
            }
        })
    }

    fn ask_watermarks(&mut self, partition: i32) {
        let topic = self.topic.clone();
        let asked = self.ask(move |client| {
            let answer = client.query_watermarks(&topic, partition, QUESTION);
            Some(Command::Watermarks { partition, answer })
        });
        if !asked {
            self.ask_again.push((Instant::now() + ASK_AGAIN, partition));
        }
    }

    /// The log does not have the offset that comes next: counts what is gone, says so, and goes on where the user wants.
    fn relocate(&mut self, partition: i32, answer: Result<(i64, i64)>) {
        let watermarks = match answer {
            Ok(watermarks) => watermarks,
            Err(error) => {
                self.log(LogLine::warning(format!("watermarks of {}/{partition}: {error}; asking again", self.topic)));
                self.ask_again.push((Instant::now() + ASK_AGAIN, partition));
                return;
            }
        };
        let relocation = self.places.relocate(partition, watermarks, self.reset);
        let Some(place) = self.places.get_mut(partition).filter(|place| place.lost) else { return };
        let (low, high) = watermarks;
        let at = format!("{}/{partition}: offset {}", self.topic, place.next.unwrap_or(low));
        let truncation = place.truncation.take();
        let cut = truncation.as_ref().is_some_and(|truncation| truncation.offset >= 0);
        let place_text = match truncation {
            Some(_) => format!(
                "{at} is behind where the log ({low} to {high}) was cut off, by an election or a crash of its leader"
            ),
            None => format!("{at} is not in the log ({low} to {high})"),
        };
        self.misses += relocation.misses;
        self.repeats += u64::from(relocation.repeat);
        let Some(to) = relocation.to else {
            let mut error =
                Error::kafka(code::AUTO_OFFSET_RESET, format!("{place_text}, and auto.offset.reset is 'error'"));
            error.topic = Some(self.topic.to_string());
            error.partition = Some(partition);
            return self.tell(error);
        };
        if place.next != Some(to) || relocation.repeat {
            let missed = relocation.misses;
            (self.sink)(ConsumerEvent::Log(LogLine::warning(format!(
                "{place_text}; {missed} missed, going on at {to}"
            ))));
            let mut tracker = self.shared.tracker.lock();
            if cut {
                // What is outstanding of the part that is left comes again after a crash, so nothing goes past it.
                self.shared.fall_back(&mut tracker, partition, to);
            } else {
                tracker.forget(partition);
                if relocation.repeat {
                    self.shared.record_lower(partition, to - 1);
                }
            }
        }
        place.next = Some(to);
        place.leader_epoch = relocation.leader_epoch;
        place.epoch += 1;
        place.lost = false;
        // librdkafka stopped the partition: seeking it fails, taking it away and giving it back works. Taking it away ends
        // the forwarding of its queue, a moment later and on librdkafka's thread; that has happened when the second call
        // returns, which that thread answers after. What has come by then moves along with the queue.
        let moved = Partitions::of(&self.topic, [(partition, to)]).and_then(|mut list| {
            list.set_leader_epoch(0, relocation.leader_epoch);
            let queue = self.client.partition_queue(&self.topic, partition)?;
            self.client.incremental_unassign(&list)?;
            self.client.incremental_assign(&list)?;
            queue.forward(&self.inbox);
            Ok(())
        });
        if let Err(error) = moved {
            self.tell(error);
        }
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

    /// Asks whether the topic has grown, and takes the offsets of what is new and ours.
    fn refresh(&mut self) {
        if self.refreshing {
            return;
        }
        let (topic, shared, commands) = (self.topic.clone(), self.shared.clone(), self.commands.clone());
        let (slot, slots, known) = (self.slot, self.slots, self.places.partitions());
        self.refreshing = self.ask(move |client| {
            let found = match lookup::partitions_once(client, &topic, QUESTION) {
                Ok(found) => found,
                // Out of reach is told by the connections' own errors.
                Err(error) => {
                    let quiet = matches!(error.code, code::TRANSPORT | code::TIMED_OUT);
                    return Some(Command::Refreshed(if quiet { Ok(()) } else { Err(error) }));
                }
            };
            let new: Vec<i32> = found.into_iter().filter(|p| p % slots == slot && !known.contains(p)).collect();
            if new.is_empty() {
                return Some(Command::Refreshed(Ok(())));
            }
            let waker = shared.clone();
            shared.recorder.open(new.clone(), move |opened| {
                let _ = commands.send(match opened {
                    Ok(offsets) => Command::Added { offsets: new.into_iter().zip(offsets).collect() },
                    Err(error) => Command::Refreshed(Err(error)),
                });
                waker.waker.wake();
            });
            None // the offset thread sends it, so that the next look waits for this one
        });
    }

    /// Watermarks go stale when fetching stops, so they are asked for; what does not come in time is taken from the last fetch.
    fn ask_for_statistics(&mut self, json: String) {
        if self.asking_stats || self.places.partitions().is_empty() {
            return self.statistics(json, &[], &[]);
        }
        let (topic, partitions) = (self.topic.clone(), self.places.partitions());
        self.asking_stats = self.ask(move |client| {
            let list = |at| {
                let offsets = partitions.iter().map(|p| OffsetQuery { topic: topic.to_string(), partition: *p, at });
                let question = ListOffsets { offsets: offsets.collect(), read_committed: false };
                let listed = client.ask(&question, STATS_QUESTION).unwrap_or_default().into_iter();
                listed.filter_map(|place| Some((place.partition, place.result.ok()?.offset?))).collect()
            };
            Some(Command::Stats { json, low: list(OffsetSpec::Earliest), high: list(OffsetSpec::Latest) })
        });
    }

    fn statistics(&self, json: String, low: &[(i32, i64)], high: &[(i32, i64)]) {
        let find =
            |list: &[(i32, i64)], partition| list.iter().find(|(p, _)| *p == partition).map(|(_, offset)| *offset);
        let (mut log_size, mut waiting) = (0, 0);
        for (partition, place) in self.places.iter() {
            let cached = self.client.cached_watermarks(&self.topic, partition);
            let high = find(high, partition).or(cached.map(|(_, high)| high)).unwrap_or(0);
            let low = find(low, partition).or(cached.map(|(low, _)| low)).unwrap_or(0).clamp(0, high);
            let next = place.next.unwrap_or(if self.reset == Reset::Latest { high } else { low });
            log_size += (high - low) as u64;
            waiting += (high - next.max(low)).max(0) as u64;
        }
        // `next` is where the newest batch ended; what JavaScript has not begun with waits here.
        let told: u64 = self.shared.ahead.lock().iter().map(|(_, messages)| *messages as u64).sum();
        let fetched = (self.inbox.len() + self.messages.len()) as u64;
        let stats = ConsumerStats {
            json,
            waiting_kafka: waiting.saturating_sub(fetched),
            waiting_local: fetched.min(waiting) + told,
            log_size,
        };
        (self.sink)(ConsumerEvent::Stats(stats));
    }

    /// Ends the client in order: nothing is fetched, offsets are written, everything of librdkafka is given back.
    fn close(self, deadline: Instant, reply: Reply<()>) {
        let (tx, rx) = crossbeam_channel::bounded(1);
        let left = || deadline.saturating_duration_since(Instant::now());
        self.shared.recorder.close(left(), move |result| drop(tx.send(result)));
        self.shared.waker.retire();
        self.helper.end(left());
        self.shared.troubles.close();
        let Self { client, inbox, events, hook, messages, incoming, sink, .. } = self;
        drop((messages, hook, events, inbox));
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
