//! The thread that drives a member's client: heartbeats go on because it polls, whatever the receiver does.

mod commits;
mod leaving;
mod moves;
mod rebalance;

use std::collections::{BTreeMap, HashMap, VecDeque};
use std::sync::atomic::Ordering;
use std::sync::Arc;
use std::time::{Duration, Instant};

use crossbeam_channel::{Receiver, Sender};

use self::commits::{Commits, Committing};
use self::leaving::Leaving;
use self::moves::{check_begin, Moved};
use super::assignment::{Assignment, Come, Key, Move, Place, Target};
use super::files::Files;
use super::subscriptions::{Existing, Subscriptions};
use super::{
    AssignedPartition, Current, GroupEvent, Rebalance, RebalanceKind, Shared, Sink, Subscription, TopicPartitionOffset,
};
use crate::batch::{self, Batch, Run};
use crate::code;
use crate::consumer::Reset;
use crate::error::{Error, Result};
use crate::ffi::{self, Client, Membership, Messages, Queue, ReadyHook};
use crate::helper::{let_go, Helper};
use crate::logical;
use crate::reply::Reply;
use crate::trouble::{LogLine, Verdict};

/// How long librdkafka may take to answer a move; it is tried again then.
const MOVE: Duration = Duration::from_secs(5);
/// How long the cluster may take to say which topics there are.
const TOPICS: Duration = Duration::from_secs(5);
/// How long offsets may take to be on disk.
const WRITE: Duration = Duration::from_secs(10);
/// The pause before a move is tried again.
const TRY_AGAIN: Duration = Duration::from_millis(20);

/// What others ask of the client's thread.
pub(super) enum Command {
    Subscribe {
        topics: Vec<Subscription>,
        existing: Existing,
        reply: Reply<()>,
    },
    /// The topics that there were before they were subscribed to.
    Listed {
        topics: Vec<Subscription>,
        existing: Existing,
        reply: Reply<()>,
    },
    Assign {
        partitions: Vec<TopicPartitionOffset>,
        reply: Reply<()>,
    },
    /// The files of these are locked, their offsets read.
    Opened {
        partitions: Result<Vec<TopicPartitionOffset>>,
        reply: Reply<()>,
    },
    Rebalanced {
        id: u64,
        offsets: Option<Vec<i64>>,
    },
    Seek {
        to: TopicPartitionOffset,
        reply: Reply<Option<i32>>,
    },
    Pause {
        partitions: Vec<(String, i32)>,
        reply: Reply<()>,
    },
    Resume {
        partitions: Vec<TopicPartitionOffset>,
        reply: Reply<Vec<Option<i32>>>,
    },
    /// Where the group left partitions that were asked for.
    Committed {
        found: Result<Vec<(Key, i64)>>,
    },
    Commit {
        offsets: Vec<TopicPartitionOffset>,
        reply: Reply<()>,
    },
    CommitDone {
        reply: Reply<()>,
    },
    /// A commit to files is on disk, or could not be.
    Written {
        opaque: usize,
        ended: Result<()>,
    },
    Stop {
        deadline: Instant,
        reply: Reply<()>,
    },
}

/// What follows from the configuration.
pub(super) struct Limits {
    pub(super) max_messages: usize,
    pub(super) batches_ahead: usize,
    pub(super) hand_over: u64,
    pub(super) poll: Duration,
    pub(super) auto_commit: Option<Duration>,
    pub(super) in_group: bool,
    pub(super) markers: bool,
}

/// A rebalance that waits for its answer.
struct Pending {
    id: u64,
    kind: RebalanceKind,
    /// Partition, epoch.
    partitions: Vec<(Key, i32)>,
    cooperative: bool,
}

struct Stopping {
    deadline: Instant,
    replies: Vec<Reply<()>>,
    leaving: bool,
}

pub(super) struct Driver {
    limits: Limits,
    client: Arc<Client>,
    helper: Arc<Helper>,
    shared: Arc<Shared>,
    commands: Sender<Command>,
    incoming: Receiver<Command>,
    sink: Sink,
    files: Option<Arc<Files>>,
    /// Messages come here, everything else to `events`, so that both can be served without the other.
    inbox: Arc<Queue>,
    events: Arc<Queue>,
    hook: ReadyHook,
    messages: Messages,
    /// How many messages to take at once: about a batch's worth of bytes, by the size of the newest.
    take: usize,
    runs: Vec<Run>,
    next_batch: u64,
    assignment: Assignment,
    subscriptions: Subscriptions,
    membership: Membership,
    pending: Option<Pending>,
    next_id: u64,
    commits: Commits,
    commit_at: Option<Instant>,
    /// Who waits for moves that are under way, with their partitions.
    moved: Vec<(Vec<Option<Key>>, Moved)>,
    /// When librdkafka is asked again to move what it was not ready for.
    move_at: Option<Instant>,
    /// The group is being asked where it left partitions.
    asking: bool,
    /// Subscriptions in their order, behind the one that waits for the topics that there are, or for the end of leaving.
    to_subscribe: VecDeque<(Vec<Subscription>, Existing, Reply<()>)>,
    listing: bool,
    leaving: Option<Leaving>,
    stopping: Option<Stopping>,
}

impl Driver {
    pub(super) fn new(
        limits: Limits,
        client: Arc<Client>,
        helper: Arc<Helper>,
        shared: Arc<Shared>,
        commands: Sender<Command>,
        incoming: Receiver<Command>,
        sink: Sink,
        files: Option<Arc<Files>>,
    ) -> Result<Self> {
        let inbox = Arc::new(client.new_queue());
        let events = Arc::new(client.consumer_queue()?);
        let hook = ReadyHook::new(events.clone(), inbox.clone());
        shared.waker.watch(vec![inbox.clone(), events.clone()]);
        Ok(Self {
            messages: Messages::new(&client, limits.max_messages),
            take: limits.max_messages.min(1000),
            commit_at: limits.auto_commit.map(|interval| Instant::now() + interval),
            assignment: Assignment::new(client.clone(), inbox.clone()),
            limits,
            client,
            helper,
            shared,
            commands,
            incoming,
            sink,
            files,
            inbox,
            events,
            hook,
            runs: Vec::new(),
            next_batch: 1,
            subscriptions: Subscriptions::default(),
            membership: Membership::default(),
            pending: None,
            next_id: 1,
            commits: Commits::default(),
            moved: Vec::new(),
            move_at: None,
            asking: false,
            to_subscribe: VecDeque::new(),
            listing: false,
            leaving: None,
            stopping: None,
        })
    }

    pub(super) fn run(mut self) {
        loop {
            while let Ok(command) = self.incoming.try_recv() {
                self.apply(command);
            }
            // Served at every turn: this is what keeps the place in the group.
            let events = self.events.clone();
            while let Some(event) = events.poll(Duration::ZERO) {
                self.on_event(&event);
            }
            if self.left() {
                return self.close();
            }
            self.look_whether_left();
            let wait = self.timers();
            if self.stopping.is_some() {
                if let Some(event) = self.incoming.is_empty().then(|| events.poll(wait)).flatten() {
                    self.on_event(&event);
                }
                continue;
            }
            if self.may_hand_over() {
                if self.messages.len() == 0 {
                    // A rebalance's answer, sent by this thread itself, has woken nobody.
                    let wait = if self.incoming.is_empty() { wait } else { Duration::ZERO };
                    self.inbox.consume(&mut self.messages, self.take, wait);
                    if self.messages.len() == 0 {
                        self.advance();
                    }
                }
                self.hand_over();
                continue;
            }
            // Out of credit: not draining, so that the bounded prefetch fills and fetching stops. Whoever gives credit after
            // the flag is up wakes this thread; whoever gave some before is seen by the second look.
            self.shared.starved.store(true, Ordering::SeqCst);
            if !self.may_hand_over() && self.incoming.is_empty() {
                if let Some(event) = events.poll(wait) {
                    self.on_event(&event);
                }
            }
        }
    }

    fn may_hand_over(&self) -> bool {
        self.shared.ahead.lock().len() < self.limits.batches_ahead
            && self.shared.tracker.lock().outstanding_bytes() < self.limits.hand_over
    }

    /// What one partition may have handed over before it waits alone.
    fn share(&self) -> u64 {
        (self.limits.hand_over / 4).max(2 * batch::DATA as u64)
    }

    /// Hands over what is in `messages`, one batch, or judges the error at its front.
    fn hand_over(&mut self) {
        while self.messages.len() > 0 {
            let front = self.messages.get(0);
            if front.error() != 0 {
                let error = front.to_error();
                self.assignment.learn(&front);
                let place = self.assignment.of(&front).map(|(key, _)| key).and_then(|key| self.assignment.get_mut(key));
                place.into_iter().for_each(|place| place.failed = true);
                self.messages.release(1);
                return self.tell(error);
            }
            self.assignment.learn(&front);
            if self.assignment.of(&front).is_some() {
                break;
            }
            self.messages.release(1); // of a partition that is gone, paused, moving or about to go
        }
        if self.messages.len() == 0 {
            return;
        }
        let left = self.limits.hand_over.saturating_sub(self.shared.tracker.lock().outstanding_bytes());
        let limits = batch::Limits { count: self.limits.max_messages, data: batch::DATA, charge: left };
        let assignment = &self.assignment;
        let chosen = batch::choose(&self.messages, limits, &mut self.runs, |message| {
            assignment.of(message).map(|(key, place)| (key.0, place.epoch))
        });
        let id = self.next_batch;
        self.next_batch += 1;
        let share = self.share();
        let mut tracker = self.shared.tracker.lock();
        for run in &self.runs {
            let key = (run.topic, run.partition);
            let Some(place) = self.assignment.get_mut(key) else { continue };
            if place.next.is_some_and(|next| run.first_offset < next) {
                // librdkafka went back, because the log was cut off there: so does what is committed, and received.
                if let Some(last) = tracker.fall_back(place.id, run.first_offset) {
                    self.shared.recordable.lock().insert(place.id, last);
                }
                if let Some(current) = self.shared.epochs.lock().get_mut(&key) {
                    current.received = None;
                }
                place.first = Some(run.first_offset);
            }
            place.took(run.first_offset);
            place.next = Some(run.last_offset + 1);
            tracker.handed_over(id, place.id, run.last_offset, run.charge);
            if tracker.outstanding_bytes_of(place.id) > share {
                self.shared.holding.store(true, Ordering::SeqCst);
                self.assignment.hold(key, true);
            }
        }
        drop(tracker);
        let packed = batch::pack(&self.messages, chosen, &self.runs, 0, 0);
        let count = packed.count;
        self.messages.release(count);
        self.take = (batch::DATA / (chosen.1 / count).max(1)).clamp(16, 10_000).min(self.limits.max_messages);
        if self.shared.troubles.any() {
            let (runs, topics) = (&self.runs, &self.assignment);
            self.shared.troubles.healed(|topic, partition| {
                runs.iter().any(|run| {
                    &**topics.name(run.topic) == topic && partition.is_none_or(|partition| partition == run.partition)
                })
            });
        }
        self.shared.ahead.lock().push(id);
        let (topics, settler) = (self.assignment.topics(), Some(self.shared.clone() as _));
        (self.sink)(GroupEvent::Batch(Batch { id, packed, topics, outdated: Vec::new(), settler }));
    }

    /// Partitions that were held go on when enough of what they have out is done.
    fn relieve(&mut self) {
        let share = self.share();
        let held = self.assignment.held();
        let (done, left): (Vec<_>, Vec<_>) = {
            let tracker = self.shared.tracker.lock();
            held.into_iter().partition(|(_, id)| tracker.outstanding_bytes_of(*id) <= share / 2)
        };
        self.shared.holding.store(!left.is_empty(), Ordering::SeqCst);
        for (key, _) in done {
            self.assignment.hold(key, false);
        }
    }

    /// The inbox ran dry: positions that transaction markers have moved on are told, so that they can be committed.
    fn advance(&mut self) {
        if !self.limits.markers || self.assignment.keys().is_empty() {
            return;
        }
        let read = self.assignment.keys().into_iter().filter(|key| {
            self.assignment.get(*key).is_some_and(|place| {
                !place.paused && !place.leaving && !place.held && !place.failed && place.moving.is_none()
            })
        });
        let Ok(list) = self.assignment.list(read.map(|key| (key, logical::INVALID))) else { return };
        let mut advanced = Vec::new();
        for at in self.client.positions(list) {
            let Some(key) = self.assignment.find(&at.topic, at.partition) else { continue };
            let Some(place) = self.assignment.get_mut(key) else { continue };
            if at.offset < 0 || place.next.is_some_and(|next| at.offset <= next) {
                continue;
            }
            place.next = Some(at.offset);
            let epoch = place.epoch;
            advanced.push((self.named(key, epoch), at.offset));
        }
        if !advanced.is_empty() {
            (self.sink)(GroupEvent::Advanced(advanced));
        }
    }

    fn named(&self, key: Key, epoch: i32) -> AssignedPartition {
        AssignedPartition { topic: self.assignment.name(key.0).clone(), topic_id: key.0, partition: key.1, epoch }
    }

    fn apply(&mut self, command: Command) {
        match command {
            Command::Subscribe { topics, existing, reply } => {
                self.to_subscribe.push_back((topics, existing, reply));
                self.subscribe_next();
            }
            Command::Listed { topics, existing, reply } => {
                self.listing = false;
                self.replace_subscription(topics, existing, reply);
                self.subscribe_next();
            }
            Command::Assign { partitions, reply } => match self.files.clone() {
                None => reply.send(self.assign(&partitions)),
                Some(files) => drop(self.help(move |_| {
                    let mut partitions = partitions;
                    let opened = files.open(&mut partitions);
                    Command::Opened { partitions: opened.map(|()| partitions), reply }
                })),
            },
            Command::Opened { partitions, reply } => reply.send(partitions.and_then(|opened| self.assign(&opened))),
            Command::Written { opaque, ended } => self.committed(opaque, ended),
            Command::Rebalanced { id, offsets } => self.rebalanced(id, offsets),
            Command::Seek { to, reply } => self.seek(&to, reply),
            Command::Pause { partitions, reply } => reply.send(self.pause(&partitions)),
            Command::Resume { partitions, reply } => self.resume(&partitions, reply),
            Command::Committed { found } => self.on_committed(found),
            Command::Commit { offsets, reply } => {
                self.overrule(&offsets);
                self.commit(&offsets, Committing::Reply(reply));
            }
            Command::CommitDone { reply } => self.commit_done(Some(reply)),
            Command::Stop { deadline, reply } => match &mut self.stopping {
                Some(stopping) => stopping.replies.push(reply),
                None => {
                    self.stopping = Some(Stopping { deadline, replies: vec![reply], leaving: false });
                    let done = if self.limits.auto_commit.is_some() { self.done(|_| true) } else { Vec::new() };
                    self.commit(&done, Committing::Stop);
                }
            },
        }
    }

    /// Subscribes when it is known which partitions there are: what comes later is new. Who cannot be asked is not waited for.
    fn list_topics(&self, topics: Vec<Subscription>, reply: Reply<()>) -> bool {
        self.help(move |client| {
            let existing = client.topics(TOPICS).ok().map(|names| Arc::new(names.into_iter().collect()));
            Command::Listed { topics, existing, reply }
        })
    }

    /// Runs `job` on the helper thread; the command that it returns comes back here. False: it is not run.
    fn help(&self, job: impl FnOnce(&Arc<Client>) -> Command + Send + 'static) -> bool {
        let (commands, shared) = (self.commands.clone(), self.shared.clone());
        self.helper.run(move |client| {
            let _ = commands.send(job(client));
            shared.waker.wake();
        })
    }

    /// Does what is due; returns how long the thread may wait.
    fn timers(&mut self) -> Duration {
        if self.shared.holding.load(Ordering::SeqCst) {
            self.relieve();
        }
        let now = Instant::now();
        if let (Some(at), Some(interval)) = (self.commit_at, self.limits.auto_commit) {
            if at <= now {
                self.commit_at = Some(now + interval);
                self.commit_done(None);
            }
        }
        self.commit_again(now);
        if self.move_at.is_some_and(|at| at <= now) {
            self.move_on();
        }
        let deadline = self.stopping.as_ref().map(|stopping| stopping.deadline);
        let left = self.leaving.as_ref().map(|leaving| leaving.until);
        let next = self.commit_at.into_iter().chain(self.commits.due()).chain(deadline).chain(left).chain(self.move_at);
        next.min().map_or(self.limits.poll, |at| at.saturating_duration_since(now).min(self.limits.poll))
    }

    fn on_event(&mut self, event: &ffi::Event<'_>) {
        match event.kind() {
            ffi::ERROR => event.error().into_iter().for_each(|error| self.tell(error)),
            ffi::LOG => self.log(LogLine::of_librdkafka(event.log())),
            ffi::STATS => (self.sink)(GroupEvent::Stats(event.stats())),
            ffi::REBALANCE => match event.rebalance(&self.client) {
                Ok(rebalance) => self.on_rebalance(rebalance),
                Err(error) => self.tell(error),
            },
            ffi::COMMIT => {
                let (opaque, ended) = event.committed();
                self.committed(opaque, ended);
            }
            _ => {}
        }
    }

    /// To the receiver, the logger, or nobody who was told already.
    fn tell(&self, error: Error) {
        if error.code == code::GROUP_AUTHORIZATION_FAILED && !self.limits.in_group {
            // The group is only the name that assign() wants.
            return self.log(LogLine::debug(error.to_string()));
        }
        match self.shared.troubles.judge(error) {
            Verdict::Tell(error) => (self.sink)(GroupEvent::Error(error)),
            Verdict::Warn(line) => self.log(line),
            Verdict::Known => {}
        }
    }

    fn log(&self, line: LogLine) {
        (self.sink)(GroupEvent::Log(line));
    }

    /// Begins to leave the group. What comes meanwhile comes through a queue of its own.
    fn leave(&mut self) {
        let Some(stopping) = &mut self.stopping else { return };
        // Leaving can crash when the coordinator is gone; then the group notices by itself that the member is.
        let unreachable = self.shared.troubles.last().is_some_and(|error| error.code == code::ALL_BROKERS_DOWN);
        let out = self.subscriptions.is_empty() && self.leaving.is_none();
        if !self.limits.in_group || out || unreachable {
            stopping.deadline = Instant::now();
            return;
        }
        let queue = Arc::new(self.client.new_queue());
        match self.client.leave(&queue) {
            Ok(()) => {
                stopping.leaving = true;
                self.shared.waker.watch(vec![queue.clone()]);
                self.events = queue;
            }
            Err(_) => stopping.deadline = Instant::now(), // a fatal error: the member is out already
        }
    }

    fn left(&self) -> bool {
        self.stopping
            .as_ref()
            .is_some_and(|stopping| (stopping.leaving && self.client.left()) || stopping.deadline <= Instant::now())
    }

    /// Gives back everything of librdkafka, then answers.
    fn close(self) {
        let Self {
            client,
            helper,
            shared,
            incoming,
            sink,
            inbox,
            events,
            hook,
            messages,
            assignment,
            leaving,
            stopping,
            files,
            ..
        } = self;
        let stopping = stopping.expect("only a stop ends the thread");
        let left = stopping.deadline.saturating_duration_since(Instant::now()).min(Duration::from_secs(1));
        shared.waker.retire();
        helper.end(left);
        shared.troubles.close();
        drop(shared.client.lock().take());
        drop((messages, hook, events, inbox, assignment));
        let_go(client, left);
        let written = files.map_or(Ok(()), |files| files.close(left));
        sink(GroupEvent::Stopped);
        for command in incoming.try_iter() {
            if let Command::Stop { reply, .. } = command {
                reply.send(written.clone());
            }
        }
        for reply in stopping.replies {
            reply.send(written.clone());
        }
        leaving.into_iter().flat_map(|leaving| leaving.replies).for_each(|reply| reply.send(Ok(())));
    }
}
