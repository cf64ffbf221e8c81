//! The thread that drives a member's client: heartbeats go on because it polls, whatever the receiver does.

use std::collections::HashMap;
use std::sync::atomic::Ordering;
use std::sync::Arc;
use std::time::{Duration, Instant};

use crossbeam_channel::Receiver;

use super::assignment::{reset_of, Assignment, Key};
use super::{
    AssignedPartition, GroupEvent, Rebalance, RebalanceKind, Shared, Sink, Subscription, TopicPartitionOffset,
};
use crate::batch::{self, Batch, Run};
use crate::error::{code, Error, Result};
use crate::ffi::{self, Client, Membership, Messages, Queue, ReadyHook};
use crate::helper::{let_go, Helper};
use crate::reply::Reply;
use crate::trouble::{LogLine, Verdict};

const GROUP_AUTHORIZATION_FAILED: i32 = 30;
/// No offset: the group's, or where the topic begins.
const COMMITTED: i64 = -1001;
/// A batch ends at this many bytes of keys and values.
const BATCH_DATA: usize = 1024 * 1024;
/// How long a position may take to be moved.
pub(super) const MOVE: Duration = Duration::from_secs(5);
/// The pause before a move is tried again.
const TRY_AGAIN: Duration = Duration::from_millis(20);
/// What stands in the way of leaving: the coordinator may be unreachable.
const BROKERS_DOWN: i32 = -187;

/// What others ask of the client's thread.
pub(super) enum Command {
    Subscribe { topics: Vec<Subscription>, reply: Reply<()> },
    Assign { partitions: Vec<TopicPartitionOffset>, reply: Reply<()> },
    Rebalanced { id: u64, offsets: Option<Vec<i64>> },
    Seek { to: TopicPartitionOffset, until: Instant, reply: Reply<Option<i32>> },
    Pause { partitions: Vec<(String, i32)>, reply: Reply<()> },
    Resume { partitions: Vec<TopicPartitionOffset>, until: Instant, reply: Reply<Vec<Option<i32>>> },
    Commit { offsets: Vec<TopicPartitionOffset>, reply: Reply<()> },
    CommitDone { reply: Reply<()> },
    Stop { deadline: Instant, reply: Reply<()> },
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

/// What goes on when a commit has ended.
enum Committing {
    Reply(Reply<()>),
    Timed,
    Revoke(Pending),
    Stop,
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
    assignment: Assignment,
    subscriptions: Vec<Subscription>,
    membership: Membership,
    pending: Option<Pending>,
    next_id: u64,
    committing: HashMap<usize, Committing>,
    next_commit: usize,
    commit_at: Option<Instant>,
    /// Moves of partitions that librdkafka was not ready for.
    later: Vec<(Instant, Command)>,
    stopping: Option<Stopping>,
}

impl Driver {
    pub(super) fn new(
        limits: Limits,
        client: Arc<Client>,
        helper: Arc<Helper>,
        shared: Arc<Shared>,
        incoming: Receiver<Command>,
        sink: Sink,
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
            incoming,
            sink,
            inbox,
            events,
            hook,
            runs: Vec::new(),
            next_batch: 1,
            subscriptions: Vec::new(),
            membership: Membership::default(),
            pending: None,
            next_id: 1,
            committing: HashMap::new(),
            next_commit: 1,
            later: Vec::new(),
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
        (self.limits.hand_over / 4).max(2 * BATCH_DATA as u64)
    }

    /// Hands over what is in `messages`, one batch, or judges the error at its front.
    fn hand_over(&mut self) {
        while self.messages.len() > 0 {
            let front = self.messages.get(0);
            if front.error() != 0 {
                let mut error = Error::kafka(front.error(), front.error_text());
                error.topic = Some(front.topic_name()).filter(|topic| !topic.is_empty());
                error.partition = Some(front.partition()).filter(|partition| *partition >= 0);
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
            self.messages.release(1); // of a partition that is gone, paused or about to go
        }
        if self.messages.len() == 0 {
            return;
        }
        let left = self.limits.hand_over.saturating_sub(self.shared.tracker.lock().outstanding_bytes());
        let limits = batch::Limits { count: self.limits.max_messages, data: BATCH_DATA, charge: left };
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
        self.take = (BATCH_DATA / (chosen.1 / count).max(1)).clamp(16, 10_000).min(self.limits.max_messages);
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
            self.assignment
                .get(*key)
                .is_some_and(|place| !place.paused && !place.leaving && !place.held && !place.failed)
        });
        let Ok(list) = self.assignment.list(read.map(|key| (key, COMMITTED))) else { return };
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
            Command::Subscribe { topics, reply } => reply.send(self.subscribe(topics)),
            Command::Assign { partitions, reply } => reply.send(self.assign(&partitions)),
            Command::Rebalanced { id, offsets } => self.rebalanced(id, offsets),
            Command::Seek { to, until, reply } => match self.seek(&to) {
                Err(error) if too_early(&error, until) => self.again(Command::Seek { to, until, reply }),
                answer => reply.send(answer),
            },
            Command::Pause { partitions, reply } => reply.send(self.pause(&partitions)),
            Command::Resume { partitions, until, reply } => match self.resume(&partitions) {
                Err(error) if too_early(&error, until) => self.again(Command::Resume { partitions, until, reply }),
                answer => reply.send(answer),
            },
            Command::Commit { offsets, reply } => self.commit(&offsets, Committing::Reply(reply)),
            Command::CommitDone { reply } => {
                let done = self.done(|_| true);
                self.commit(&done, Committing::Reply(reply));
            }
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

    /// The partition has only been assigned: librdkafka still asks where it begins.
    fn again(&mut self, command: Command) {
        self.later.push((Instant::now() + TRY_AGAIN, command));
    }

    fn subscribe(&mut self, topics: Vec<Subscription>) -> Result<()> {
        if !self.limits.in_group {
            return Err(Error::config("subscribing needs a group (group.id); without one there is assign()"));
        }
        for subscription in topics.iter().filter(|subscription| !subscription.topic.starts_with('^')) {
            self.assignment.begin_at(&subscription.topic, subscription.reset)?;
        }
        let names: Vec<String> = topics.iter().map(|subscription| subscription.topic.clone()).collect();
        self.subscriptions = topics;
        self.client.subscribe(&names)
    }

    /// An assignment of one's own: what was goes at once, what comes begins at once.
    fn assign(&mut self, partitions: &[TopicPartitionOffset]) -> Result<()> {
        let before = self.assignment.keys();
        if !before.is_empty() {
            let gone: Vec<_> = before.into_iter().map(|key| (key, self.assignment.new_epoch())).collect();
            self.tell_rebalance(0, RebalanceKind::Revoke, &gone);
            self.client.unassign()?;
            self.forget(&gone);
        }
        let mut come: Vec<(Key, i32, i64)> = Vec::new();
        for at in partitions {
            self.assignment.begin_at(&at.topic, super::Reset::Earliest)?;
            let key = (self.assignment.topic(&at.topic), at.partition);
            if come.iter().any(|(known, ..)| *known == key) {
                return Err(Error::config(format!("{}/{} is assigned twice", at.topic, at.partition)));
            }
            come.push((key, self.assignment.new_epoch(), at.offset));
        }
        self.assignment.add(&come, Client::assign)?;
        let come: Vec<_> = come.into_iter().map(|(key, epoch, _)| (key, epoch)).collect();
        self.tell_rebalance(0, RebalanceKind::Assign, &come);
        self.publish();
        Ok(())
    }

    /// Others see what is assigned and not about to go.
    fn publish(&self) {
        let keys = self.assignment.keys().into_iter();
        let current = keys
            .filter_map(|key| self.assignment.get(key).filter(|place| !place.leaving).map(|place| (key, place.epoch)));
        *self.shared.epochs.lock() = current.collect();
    }

    fn tell_rebalance(&self, id: u64, kind: RebalanceKind, partitions: &[(Key, i32)]) {
        let protocol = if self.limits.in_group { self.client.rebalance_protocol() } else { "NONE".to_owned() };
        (self.sink)(GroupEvent::Rebalance(Rebalance {
            id,
            kind,
            partitions: partitions.iter().map(|(key, epoch)| self.named(*key, *epoch)).collect(),
            member_id: self.membership.member_id.clone(),
            generation: if self.limits.in_group { self.membership.generation } else { -1 },
            protocol,
        }));
    }

    /// librdkafka waits with the rebalance until it is told to assign or unassign: when the hooks are through.
    fn on_rebalance(&mut self, rebalance: ffi::Rebalance) {
        let kind = match rebalance {
            ffi::Rebalance { assign: true, .. } => RebalanceKind::Assign,
            ffi::Rebalance { lost: true, .. } => RebalanceKind::Lost,
            _ => RebalanceKind::Revoke,
        };
        let mut partitions = Vec::new();
        for element in rebalance.partitions {
            let key = (self.assignment.topic(&element.topic), element.partition);
            let epoch = match (kind, self.assignment.get_mut(key)) {
                (RebalanceKind::Assign, _) => self.assignment.new_epoch(),
                (_, Some(place)) => {
                    place.leaving = true;
                    place.epoch
                }
                (_, None) => continue,
            };
            partitions.push((key, epoch));
        }
        let id = self.next_id;
        self.next_id += 1;
        self.membership = self.client.membership();
        let cooperative = self.client.rebalance_protocol() == "COOPERATIVE";
        self.publish();
        self.pending = Some(Pending { id, kind, partitions: partitions.clone(), cooperative });
        self.tell_rebalance(id, kind, &partitions);
    }

    fn rebalanced(&mut self, id: u64, offsets: Option<Vec<i64>>) {
        let Some(pending) = self.pending.take_if(|pending| pending.id == id) else { return };
        match pending.kind {
            RebalanceKind::Assign => {
                if let Err(error) = self.come(&pending, &offsets.unwrap_or_default()) {
                    self.tell(error);
                }
            }
            RebalanceKind::Revoke if self.limits.auto_commit.is_some() => {
                let ids: Vec<_> =
                    pending.partitions.iter().filter_map(|(key, _)| self.assignment.get(*key)).map(|p| p.id).collect();
                let done = self.done(|id| ids.contains(&id));
                self.commit(&done, Committing::Revoke(pending));
            }
            _ => self.go(&pending),
        }
    }

    fn come(&mut self, pending: &Pending, offsets: &[i64]) -> Result<()> {
        for (key, _) in &pending.partitions {
            let topic = self.assignment.name(key.0).clone();
            self.assignment.begin_at(&topic, reset_of(&self.subscriptions, &topic))?;
        }
        let at = |i: usize| offsets.get(i).copied().unwrap_or(COMMITTED);
        let places: Vec<_> =
            pending.partitions.iter().enumerate().map(|(i, (key, epoch))| (*key, *epoch, at(i))).collect();
        let how = if pending.cooperative { Client::incremental_assign } else { Client::assign };
        let added = self.assignment.add(&places, how);
        self.publish();
        added
    }

    fn go(&mut self, pending: &Pending) {
        let list = self.assignment.list(pending.partitions.iter().map(|(key, _)| (*key, COMMITTED)));
        let gone = match pending.cooperative {
            true => list.and_then(|list| self.client.incremental_unassign(&list)),
            false => self.client.unassign(),
        };
        self.forget(&pending.partitions);
        if let Err(error) = gone {
            self.tell(error);
        }
    }

    fn forget(&mut self, partitions: &[(Key, i32)]) {
        let ids: Vec<_> = partitions.iter().filter_map(|(key, _)| self.assignment.remove(*key)).collect();
        let mut tracker = self.shared.tracker.lock();
        let mut recordable = self.shared.recordable.lock();
        for id in ids {
            tracker.forget(id);
            recordable.remove(&id);
        }
        drop((tracker, recordable));
        self.publish();
    }

    /// A partition begins anew: what was taken from the queue is out of date.
    fn renew(&mut self, key: Key, offset: i64) -> Option<i32> {
        let epoch = self.assignment.new_epoch();
        let place = self.assignment.get_mut(key)?;
        (place.epoch, place.next, place.paused) = (epoch, (offset >= 0).then_some(offset), false);
        place.failed = false;
        let mut tracker = self.shared.tracker.lock();
        tracker.forget(place.id);
        self.shared.recordable.lock().remove(&place.id);
        drop(tracker);
        self.shared.epochs.lock().insert(key, epoch);
        Some(epoch)
    }

    fn drop_taken(&mut self, keys: &[Key]) {
        let assignment = &self.assignment;
        self.messages.retain(|message| {
            assignment.find(&message.topic_name(), message.partition()).is_none_or(|key| !keys.contains(&key))
        });
    }

    fn seek(&mut self, to: &TopicPartitionOffset) -> Result<Option<i32>> {
        let Some(key) = self.assignment.find(&to.topic, to.partition) else { return Ok(None) };
        // A paused one is sought when it is resumed; librdkafka would forget.
        self.client.seek(&self.assignment.list([(key, to.offset)].into_iter())?, MOVE)?;
        self.drop_taken(&[key]);
        let paused = self.assignment.get(key).is_some_and(|place| place.paused);
        let epoch = self.renew(key, to.offset);
        if let Some(place) = self.assignment.get_mut(key) {
            place.paused = paused;
        }
        Ok(epoch)
    }

    fn pause(&mut self, partitions: &[(String, i32)]) -> Result<()> {
        let keys: Vec<_> =
            partitions.iter().filter_map(|(topic, partition)| self.assignment.find(topic, *partition)).collect();
        if keys.is_empty() {
            return Ok(());
        }
        self.client.pause(&self.assignment.list(keys.iter().map(|key| (*key, COMMITTED)))?)?;
        for key in &keys {
            if let Some(place) = self.assignment.get_mut(*key) {
                place.paused = true;
            }
        }
        self.drop_taken(&keys);
        Ok(())
    }

    fn resume(&mut self, partitions: &[TopicPartitionOffset]) -> Result<Vec<Option<i32>>> {
        let found: Vec<_> =
            partitions.iter().map(|at| (self.assignment.find(&at.topic, at.partition), at.offset)).collect();
        let here = || found.iter().filter_map(|(key, offset)| key.map(|key| (key, *offset)));
        let sought = || here().filter(|(_, offset)| *offset != COMMITTED);
        if sought().next().is_some() {
            self.client.seek(&self.assignment.list(sought())?, MOVE)?;
        }
        if here().next().is_some() {
            self.client.resume(&self.assignment.list(here())?)?;
        }
        Ok(found.into_iter().map(|(key, offset)| key.and_then(|key| self.renew(key, offset))).collect())
    }

    /// Takes what is done and not committed: the next offsets of the partitions that are wanted.
    fn done(&mut self, wanted: impl Fn(i32) -> bool) -> Vec<TopicPartitionOffset> {
        let done: Vec<_> = self.shared.recordable.lock().extract_if(|id, _| wanted(*id)).collect();
        done.into_iter()
            .map(|(id, last)| {
                let (topic, partition) = self.assignment.key_of(id);
                TopicPartitionOffset::new(&**self.assignment.name(topic), partition, last + 1)
            })
            .collect()
    }

    /// Commits, and goes on with `then` when that has ended.
    fn commit(&mut self, offsets: &[TopicPartitionOffset], then: Committing) {
        if offsets.is_empty() {
            return self.commit_ended(then, Ok(()));
        }
        let opaque = self.next_commit;
        self.next_commit += 1;
        let list = ffi::Partitions::list(offsets.iter().map(|at| (at.topic.as_str(), at.partition, at.offset)));
        let begun = list.and_then(|mut list| {
            for (index, at) in offsets.iter().enumerate() {
                at.metadata.iter().for_each(|metadata| list.set_metadata(index, metadata));
            }
            if !self.limits.in_group {
                return Err(Error::config("committing needs a group (group.id)"));
            }
            self.client.commit(&list, &self.events, opaque)
        });
        match begun {
            Ok(()) => drop(self.committing.insert(opaque, then)),
            Err(error) => self.commit_ended(then, Err(error)),
        }
    }

    fn commit_ended(&mut self, then: Committing, ended: Result<()>) {
        match then {
            Committing::Reply(reply) => reply.send(ended),
            Committing::Timed => ended.unwrap_or_else(|error| self.not_committed(&error)),
            Committing::Revoke(pending) => {
                ended.unwrap_or_else(|error| self.not_committed(&error));
                self.go(&pending);
            }
            Committing::Stop => {
                ended.unwrap_or_else(|error| self.not_committed(&error));
                self.leave();
            }
        }
    }

    fn not_committed(&self, error: &Error) {
        self.log(LogLine::warning(format!("offsets were not committed, their messages may come again: {error}")));
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
                let done = self.done(|_| true);
                if !done.is_empty() {
                    self.commit(&done, Committing::Timed);
                }
            }
        }
        let due: Vec<_> = self.later.extract_if(.., |(at, _)| *at <= now).collect();
        for (_, command) in due {
            self.apply(command);
        }
        let later = self.later.iter().map(|(at, _)| *at).min();
        let deadline = self.stopping.as_ref().map(|stopping| stopping.deadline);
        let next = self.commit_at.into_iter().chain(deadline).chain(later).min();
        next.map_or(self.limits.poll, |at| at.saturating_duration_since(now).min(self.limits.poll))
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
                if let Some(then) = self.committing.remove(&opaque) {
                    self.commit_ended(then, ended);
                }
            }
            _ => {}
        }
    }

    /// To the receiver, the logger, or nobody who was told already.
    fn tell(&self, error: Error) {
        if error.code == GROUP_AUTHORIZATION_FAILED && !self.limits.in_group {
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
        let unreachable = self.shared.troubles.last().is_some_and(|error| error.code == BROKERS_DOWN);
        if !self.limits.in_group || self.subscriptions.is_empty() || unreachable {
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
            client, helper, shared, incoming, sink, inbox, events, hook, messages, assignment, stopping, ..
        } = self;
        let stopping = stopping.expect("only a stop ends the thread");
        let left = stopping.deadline.saturating_duration_since(Instant::now()).min(Duration::from_secs(1));
        shared.waker.retire();
        helper.end(left);
        shared.troubles.close();
        drop(shared.client.lock().take());
        drop((messages, hook, events, inbox, assignment));
        let_go(client, left);
        sink(GroupEvent::Stopped);
        for command in incoming.try_iter() {
            if let Command::Stop { reply, .. } = command {
                reply.send(Ok(()));
            }
        }
        for reply in stopping.replies {
            reply.send(Ok(()));
        }
    }
}

fn too_early(error: &Error, until: Instant) -> bool {
    matches!(error.code, code::STATE | code::PREV_IN_PROGRESS) && Instant::now() < until
}
