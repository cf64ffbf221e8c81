//! The consumer in a group: subscribed topics whose partitions come and go, or an assignment of its own.

mod assignment;
mod config;
mod driver;
mod event;
mod files;
mod partition;
mod questions;
mod subscriptions;

use std::collections::{HashMap, HashSet};
use std::sync::atomic::{AtomicBool, Ordering};
use std::sync::{Arc, OnceLock};
use std::thread::JoinHandle;
use std::time::Duration;

use crossbeam_channel::{unbounded, Sender};
use parking_lot::Mutex;

pub use config::GroupConfig;
use driver::{CatchUp, Command, Driver};
pub use event::{AssignedPartition, GroupEvent, Rebalance, RebalanceKind};
use files::Files;
pub use partition::{Reading, Start, Subscription, TopicPartitionOffset};
use questions::Questions;

use crate::batch::{Batch, Settler};
use crate::code;
use crate::error::{Error, Result};
use crate::ffi::{Client, ClientKind, Partitions, Waker};
use crate::handover::{Credit, Inbox};
use crate::helper::{deadline, Closing, Helper, ANSWER};
use crate::logical;
use crate::lookup;
use crate::reply::{closed, fence, Reply};
use crate::requests::{ListOffsets, ListedOffset, OffsetQuery, OffsetSpec, Placed};
use crate::rule::Rule;
use crate::thread;
use crate::trouble::Troubles;

pub(crate) type Sink = Arc<dyn Fn(GroupEvent) + Send + Sync>;

/// State that the client's thread and everybody else share.
pub(crate) struct Shared {
    pub(crate) credit: Arc<Credit>,
    /// Messages done and not committed, by the tracker's number: the last offset. Written under the tracker's lock.
    pub(crate) recordable: Mutex<HashMap<i32, i64>>,
    /// Partitions assigned and not about to go, by topic number and partition.
    pub(crate) epochs: Mutex<HashMap<(i32, i32), Current>>,
    /// Topics that the cluster was asked about, which made a handle of each.
    pub(crate) asked: Mutex<HashSet<String>>,
    /// Of the topics that are read.
    pub(crate) topic_ids: Mutex<HashMap<String, String>>,
    pub(crate) questions: Questions,
    /// Somebody waits until what was handed over is done: the client's thread has to hear of it.
    pub(crate) catching: AtomicBool,
    pub(crate) waker: Arc<Waker>,
    pub(crate) troubles: Troubles,
    pub(crate) closing: Closing,
    /// For what asks librdkafka's memory only. Taken away before the end, so that no other thread holds the last piece.
    pub(crate) client: Mutex<Option<Arc<Client>>>,
}

/// A partition as others see it.
pub(crate) struct Current {
    pub(crate) epoch: i32,
    /// Behind the last message that `admit` let through since the partition began anew, and the batch that had it.
    pub(crate) received: Option<(i64, u64)>,
}

impl Shared {
    fn is_done(&self) {
        if self.catching.load(Ordering::SeqCst) {
            self.waker.wake();
        }
    }
}

impl Settler for Shared {
    fn settle(&self, batch: u64) {
        self.credit.settle(batch, |recordable| self.recordable.lock().extend(recordable));
        self.is_done();
    }

    fn abandon(&self, batch: u64) {
        self.credit.abandon(batch);
    }
}

/// A consumer in a group: at least once, because offsets are committed only when their messages are done.
///
/// One dedicated thread drives the client, heartbeats included: however long a message takes, the member keeps its place. One
/// more, started when needed, does what blocks. [`stop`](Self::stop) commits, leaves the group and ends both.
///
/// A call that blocks and takes no time waits for 15 s, then it fails with `_TIMED_OUT` and may still have its effect. In a
/// callback, which runs on a thread of the consumer's own, such calls are refused: there are those that answer later (`_with`).
pub struct GroupConsumer {
    shared: Arc<Shared>,
    helper: Arc<Helper>,
    commands: Sender<Command>,
    thread: Mutex<Option<JoinHandle<()>>>,
    inbox: Option<Arc<Inbox>>,
}

pub(crate) fn to_stderr(event: GroupEvent) {
    match event {
        GroupEvent::Error(error) => eprintln!("kafka-native: {error}"),
        GroupEvent::Log(line) if line.level <= 4 => eprintln!("{}: {}", line.facility, line.message),
        _ => {}
    }
}

impl GroupConsumer {
    /// A consumer whose batches are taken with [`recv`](Self::recv); errors and log lines go to standard error.
    pub fn new(config: GroupConfig) -> Result<Self> {
        Self::with_events(config, to_stderr)
    }

    /// A consumer whose batches are taken with [`recv`](Self::recv), with a receiver of everything else. A rebalance happens
    /// when the receiver returns.
    pub fn with_events(config: GroupConfig, on_event: impl Fn(GroupEvent) + Send + Sync + 'static) -> Result<Self> {
        let inbox = Arc::new(Inbox::default());
        let arriving = inbox.clone();
        let deliver = move |batch| match batch {
            Some(batch) => arriving.put(batch),
            None => arriving.close(),
        };
        let mut consumer = Self::delivering(config, deliver, on_event)?;
        consumer.inbox = Some(inbox);
        Ok(consumer)
    }

    /// Batches go to `deliver` (none: no more come), to be [`admit`](Self::admit)ted; rebalances are answered.
    pub(crate) fn delivering(
        config: GroupConfig,
        deliver: impl Fn(Option<Batch>) + Send + Sync + 'static,
        on_event: impl Fn(GroupEvent) + Send + Sync + 'static,
    ) -> Result<Self> {
        let commands: Arc<OnceLock<Sender<Command>>> = Arc::default();
        let answering = commands.clone();
        let consumer = Self::with_sink(config, move |event| match event {
            GroupEvent::Batch(batch) => deliver(Some(batch)),
            GroupEvent::Rebalance(rebalance) => {
                let id = rebalance.id;
                fence(|| on_event(GroupEvent::Rebalance(rebalance)));
                // The client's thread itself tells it, and looks at its commands before it waits.
                let _ = answering.wait().send(Command::Rebalanced { id, offsets: None });
            }
            end @ (GroupEvent::Reached | GroupEvent::Stopped) => {
                deliver(None);
                on_event(end);
            }
            event => on_event(event),
        })?;
        let _ = commands.set(consumer.commands.clone());
        Ok(consumer)
    }

    /// A consumer that tells everything to `sink`: answer a batch with [`started`](Self::started) and settle it, whole or
    /// run by run; answer a rebalance with [`rebalanced`](Self::rebalanced), in time before the group gives up waiting
    /// (`max.poll.interval.ms`).
    pub fn with_sink(config: GroupConfig, sink: impl Fn(GroupEvent) + Send + Sync + 'static) -> Result<Self> {
        let sink: Sink = Arc::new(move |event| fence(|| sink(event)));
        let settings = config.clone();
        let derived = config.derive()?;
        let client = Client::new(ClientKind::Consumer, derived.conf)?;
        let waker = Arc::<Waker>::default();
        let shared = Arc::new(Shared {
            credit: Arc::new(Credit::new(settings.batches_ahead, derived.hand_over, waker.clone())),
            recordable: Mutex::default(),
            epochs: Mutex::default(),
            asked: Mutex::default(),
            topic_ids: Mutex::default(),
            questions: Questions::new(derived.questions),
            catching: AtomicBool::new(false),
            waker,
            troubles: Troubles::default(),
            closing: Closing::default(),
            client: Mutex::new(Some(client.clone())),
        });
        let helper = Arc::new(Helper::new("kafka-group", client.clone()));
        let (commands, incoming) = unbounded();
        let limits = driver::Limits {
            max_messages: settings.max_messages,
            prefetch: derived.prefetch,
            poll: derived.poll,
            look: derived.look,
            auto_commit: settings.auto_commit.filter(|_| derived.in_group || settings.offset_directory.is_some()),
            in_group: derived.in_group,
            markers: derived.markers,
        };
        let files = settings.offset_directory.map(|directory| Files::new(directory, sink.clone())).transpose()?;
        let files = files.map(Arc::new);
        let driver = Driver::new(
            limits,
            client,
            helper.clone(),
            shared.clone(),
            commands.clone(),
            incoming,
            sink,
            files,
            settings.rule,
        )?;
        let thread = thread::spawn("kafka-group", helper.serving(move || driver.run()))
            .map_err(|error| crate::Error::state(format!("no thread for the consumer: {error}")))?;
        Ok(Self { shared, helper, commands, thread: Mutex::new(Some(thread)), inbox: None })
    }

    fn command(&self, command: Command) {
        // Sent or dropped: a reply in it answers that the client is gone.
        if self.commands.send(command).is_ok() {
            self.shared.waker.wake();
        }
    }

    /// Runs `job` on the helper thread.
    fn ask<T: Send + 'static>(&self, reply: Reply<T>, job: impl FnOnce(&Arc<Client>) -> Result<T> + Send + 'static) {
        if self.shared.closing.begun() {
            return reply.send(Err(closed()));
        }
        let reply = self.shared.troubles.guard(reply);
        self.helper.run(move |client| reply.send(job(client)));
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

    /// Replaces the subscription and, the first time, joins the group; without topics it leaves the group, which answers when the
    /// coordinator has said so, or has not for 5 s. A subscription made meanwhile waits for that.
    ///
    /// # Errors
    /// A name or pattern that librdkafka does not take; a consumer without a group.
    pub fn subscribe(&self, topics: &[Subscription]) -> Result<()> {
        self.helper.answered(ANSWER, |reply| self.subscribe_with(topics.to_vec(), None, reply))
    }

    /// [`subscribe`](Self::subscribe) that answers on another thread. `existing`: the topics that there were when the program
    /// subscribed, with the numbers of their partitions; none: the cluster is asked where that counts.
    pub fn subscribe_with(&self, topics: Vec<Subscription>, existing: Option<HashMap<String, i32>>, reply: Reply<()>) {
        self.command(Command::Subscribe { topics, existing: existing.map(Arc::new), reply });
    }

    /// Reads all partitions of these topics, without a group; patterns match no topics of Kafka's own, and a topic that has several of
    /// these begins as its name says, or else the first pattern. Topics and partitions that are made later are found within seconds
    /// (`topic.metadata.refresh.interval.ms`) and begin with their first message, as does a topic that was deleted and made anew, which a
    /// log line says. Returns when it is settled where each partition begins: what is produced after that is read. With offset files a
    /// partition goes on behind what they say, which from then on is where it began, at least; files of an older topic of the name count
    /// for nothing.
    ///
    /// Called again it replaces what is read: what was wanted before goes on where it is, whatever is said now.
    ///
    /// # Errors
    /// A name or pattern that is none; what a broker refuses; offset files that cannot be written; `_TIMED_OUT` when the cluster cannot be
    /// asked in time, which it is on.
    pub fn read(&self, topics: &[Reading]) -> Result<()> {
        self.helper.answered(ANSWER, |reply| self.read_with(topics.to_vec(), reply))
    }

    /// [`read`](Self::read) that answers on another thread.
    pub fn read_with(&self, topics: Vec<Reading>, reply: Reply<()>) {
        self.command(Command::Read { topics, reply });
    }

    /// Kafka's id of a topic that is [read](Self::read), which one that is made anew under its name does not have.
    pub fn topic_id(&self, topic: &str) -> Option<String> {
        self.shared.topic_ids.lock().get(topic).filter(|id| !id.is_empty()).cloned()
    }

    /// Replaces the assignment, without a group's help; the rebalances that it tells of want no answer. With offset files,
    /// `-1000` goes on behind what they say.
    pub fn assign(&self, partitions: &[TopicPartitionOffset]) -> Result<()> {
        self.helper.answered(ANSWER, |reply| self.assign_with(partitions.to_vec(), reply))
    }

    /// [`assign`](Self::assign) that answers on another thread.
    pub fn assign_with(&self, partitions: Vec<TopicPartitionOffset>, reply: Reply<()>) {
        self.command(Command::Assign { partitions, reply });
    }

    /// Lets a rebalance happen; for [`RebalanceKind::Assign`] with the next offsets of its partitions, `-1001` for what the
    /// group committed. A late call is ignored.
    pub fn rebalanced(&self, id: u64, offsets: Option<Vec<i64>>) {
        self.command(Command::Rebalanced { id, offsets });
    }

    /// Goes on at another offset, or at the log's begin (-2) or end (-1); answers the partition's new epoch, none when it is not
    /// assigned. Messages fetched before never come after the answer. A partition that has only come is moved as soon as the
    /// group's coordinator has said where it begins: it is tried until it succeeds, or the partition goes.
    pub fn seek_with(&self, to: TopicPartitionOffset, reply: Reply<Option<i32>>) {
        self.command(Command::Seek { to, again: false, reply });
    }

    /// [`seek_with`](Self::seek_with) for a receiver that lets go what it was handed, and wants it again: a rule that was replaced since
    /// decides it as before.
    pub fn read_again_with(&self, from: TopicPartitionOffset, reply: Reply<Option<i32>>) {
        self.command(Command::Seek { to: from, again: true, reply });
    }

    /// [`seek_with`](Self::seek_with) that waits.
    pub fn seek(&self, to: TopicPartitionOffset) -> Result<Option<i32>> {
        self.helper.answered(ANSWER, |reply| self.seek_with(to, reply))
    }

    /// Stops reading these; what was prefetched of them is thrown away. Partitions that are not assigned are left out.
    pub fn pause_with(&self, partitions: Vec<(String, i32)>, reply: Reply<()>) {
        self.command(Command::Pause { partitions, reply });
    }

    /// Reads these again, at these offsets; answers their new epochs, none for what is not assigned. `-1001` goes on where the
    /// receiver is, which leaves nothing out: behind the last message that [`recv`](Self::recv) returned, or
    /// [`admit`](Self::admit) let through; without one since the partition came or was moved, where it began then. Messages
    /// received before still count when they are done.
    pub fn resume_with(&self, partitions: Vec<TopicPartitionOffset>, reply: Reply<Vec<Option<i32>>>) {
        let again = vec![true; partitions.len()];
        self.command(Command::Resume { partitions, again, reply });
    }

    /// [`resume_with`](Self::resume_with) where some are also sought elsewhere: the rule decides these anew.
    pub fn resume_sought_with(
        &self,
        partitions: Vec<TopicPartitionOffset>,
        sought: &[bool],
        reply: Reply<Vec<Option<i32>>>,
    ) {
        let again = (0..partitions.len()).map(|i| !sought.get(i).is_some_and(|sought| *sought)).collect();
        self.command(Command::Resume { partitions, again, reply });
    }

    /// Replaces the [rule](GroupConfig::rule); none: every message is wanted. Answers for every partition from which offset on the new
    /// rule decides: everything below it was decided by the one before, and still is where it is read again after a pause. `-2` where
    /// nothing was decided yet. Where the program seeks, and in partitions that come, the newest rule decides everything.
    ///
    /// # Errors
    /// Rules that lie in one another more than 100 deep; a thousand replacements while messages wait to be processed.
    pub fn set_rule(&self, rule: Option<Rule>) -> Result<Vec<TopicPartitionOffset>> {
        self.helper.answered(ANSWER, |reply| self.set_rule_with(rule, Vec::new(), reply))
    }

    /// [`set_rule`](Self::set_rule) that answers on another thread. `processed`, for a sink of one's own: below these offsets nothing is
    /// asked for again, so that the rules of there can be forgotten.
    pub fn set_rule_with(
        &self,
        rule: Option<Rule>,
        processed: Vec<TopicPartitionOffset>,
        reply: Reply<Vec<TopicPartitionOffset>>,
    ) {
        self.command(Command::Rule { rule, processed, reply });
    }

    /// Commits the next offsets to be read. Answers when the group's coordinator has them, or with the first error.
    pub fn commit_with(&self, offsets: Vec<TopicPartitionOffset>, reply: Reply<()>) {
        self.command(Command::Commit { offsets, reply });
    }

    /// [`commit_with`](Self::commit_with) that waits.
    pub fn commit(&self, offsets: &[TopicPartitionOffset]) -> Result<()> {
        self.helper.answered(ANSWER, |reply| self.commit_with(offsets.to_vec(), reply))
    }

    /// Commits everything that is [`done`](Batch::done), as far as everything before it is.
    pub fn commit_done(&self) -> Result<()> {
        self.helper.answered(ANSWER, |reply| self.commit_done_with(reply))
    }

    /// [`commit_done`](Self::commit_done) that answers on another thread.
    pub fn commit_done_with(&self, reply: Reply<()>) {
        self.command(Command::CommitDone { reply });
    }

    /// Offsets that the group has committed for these, in their order; none = nothing.
    pub fn committed_with(&self, partitions: Vec<(String, i32)>, timeout: Duration, reply: Reply<Vec<Option<i64>>>) {
        self.ask(reply, move |client| {
            let list = Partitions::list(
                partitions.iter().map(|(topic, partition)| (topic.as_str(), *partition, logical::INVALID)),
            )?;
            let found = client.committed(&list, timeout)?;
            Ok(found.into_iter().map(|found| (found.offset >= 0).then_some(found.offset)).collect())
        });
    }

    /// [`committed_with`](Self::committed_with) that waits.
    pub fn committed(&self, partitions: &[(String, i32)], timeout: Duration) -> Result<Vec<Option<i64>>> {
        self.helper.wait(timeout, |reply| self.committed_with(partitions.to_vec(), timeout, reply))
    }

    /// The offsets of the first messages that are not older than these times (milliseconds since 1970, in place of the
    /// offsets); the end of the partition where there is none.
    pub fn offsets_for_times_with(&self, times: Vec<TopicPartitionOffset>, timeout: Duration, reply: Reply<Vec<i64>>) {
        self.shared.asked.lock().extend(times.iter().map(|time| time.topic.clone()));
        self.ask(reply, move |client| {
            let ask = |when: fn(&TopicPartitionOffset) -> i64| {
                let places = times.iter().map(|time| (time.topic.as_str(), time.partition, when(time)));
                client.offsets_for_times(&Partitions::list(places)?, timeout)
            };
            // The ends first: what comes meanwhile is not left out where no message has the time.
            let ends = ask(|_| logical::END)?;
            let found = ask(|time| time.offset)?;
            let offsets = found.into_iter().zip(ends).map(|(found, end)| match found.offset {
                offset if offset >= 0 => offset,
                _ => end.offset,
            });
            Ok(offsets.collect())
        });
    }

    /// The ends of these: their high watermarks, or with `read_committed` their last stable offsets. An error that is retriable where a
    /// leader moves or does not answer.
    pub fn ends_with(
        &self,
        partitions: Vec<(String, i32)>,
        read_committed: bool,
        timeout: Duration,
        reply: Reply<Vec<i64>>,
    ) {
        if self.shared.closing.begun() {
            return reply.send(Err(closed()));
        }
        let shared = self.shared.clone();
        self.helper.run(move |_| ask_ends(&shared, partitions, read_committed, timeout, reply));
    }

    /// Returns when everything that this consumer's partitions hold at the call, up to their high watermarks, was taken and is done
    /// ([`Batch::done`]): who produced a message before has read it then. So batches have to be taken by another thread meanwhile. Transaction
    /// markers, aborted messages, compacted holes and what a rule leaves out count as done; an open transaction is waited for. A topic that is
    /// [read](Self::read) and was made a moment ago counts, too; a partition that goes is not waited for.
    ///
    /// # Errors
    /// `_TIMED_OUT` when that takes longer; what a broker refuses.
    pub fn caught_up(&self, timeout: Duration) -> Result<()> {
        self.helper.wait(timeout, |reply| self.caught_up_with(timeout, reply))
    }

    /// [`caught_up`](Self::caught_up) that answers on another thread.
    pub fn caught_up_with(&self, timeout: Duration, reply: Reply<()>) {
        self.command(Command::CatchUp(CatchUp { until: false, deadline: deadline(timeout), reply }));
    }

    /// Ends by itself at the ends of its partitions as they are now, as far as its isolation reads: [`recv`](Self::recv) gives none behind
    /// the last message below them (others may come before it), and a sink hears [`GroupEvent::Reached`]. Of a group's member it is what the
    /// group lets it have. Returns when the ends are known; [`stop`](Self::stop) is still wanted.
    ///
    /// ```no_run
    /// # fn main() -> kafka_native::Result<()> {
    /// # use kafka_native::{GroupConfig, GroupConsumer, Reading, Start};
    /// # use std::time::Duration;
    /// let job = GroupConsumer::new(GroupConfig::without_group("localhost:9092"))?;
    /// job.read(&[Reading::new("clicks", Start::Beginning)])?;
    /// job.until_ends(Duration::from_secs(30))?;
    /// while let Some(batch) = job.recv(Duration::MAX) {
    ///     batch.messages().for_each(|message| println!("{}", message.offset));
    ///     batch.done();
    /// }
    /// job.stop(Duration::from_secs(5))
    /// # }
    /// ```
    ///
    /// # Errors
    /// `_TIMED_OUT` when nobody says in time where the partitions end; what a broker refuses.
    pub fn until_ends(&self, timeout: Duration) -> Result<()> {
        self.helper.wait(timeout, |reply| self.until_ends_with(timeout, reply))
    }

    /// [`until_ends`](Self::until_ends) that answers on another thread.
    pub fn until_ends_with(&self, timeout: Duration, reply: Reply<()>) {
        self.command(Command::CatchUp(CatchUp { until: true, deadline: deadline(timeout), reply }));
    }

    /// The numbers of a topic's partitions.
    pub fn partitions_of_with(&self, topic: &str, timeout: Duration, reply: Reply<Vec<i32>>) {
        let topic = topic.to_owned();
        self.shared.asked.lock().insert(topic.clone());
        self.ask(reply, move |client| lookup::partitions_once(client, &topic, timeout));
    }

    /// The names of all topics that this client may see, with how many partitions they have.
    pub fn topics_with(&self, timeout: Duration, reply: Reply<Vec<(String, i32)>>) {
        self.ask(reply, move |client| client.topics(timeout));
    }

    /// The member's place in its group, serialised, for the transaction of a producer.
    pub fn group_metadata_with(&self, reply: Reply<Vec<u8>>) {
        self.ask(reply, |client| client.group_metadata());
    }

    /// [`group_metadata_with`](Self::group_metadata_with) that waits.
    pub fn group_metadata(&self) -> Result<Vec<u8>> {
        self.helper.answered(ANSWER, |reply| self.group_metadata_with(reply))
    }

    /// (low, high) as the last fetch told them; none = not known. Asks nobody.
    pub fn watermarks(&self, topic: &str, partition: i32) -> Option<(i64, i64)> {
        let mut asked = self.shared.asked.lock();
        if !asked.contains(topic) {
            asked.insert(topic.to_owned());
        }
        drop(asked);
        self.shared.client.lock().as_ref()?.cached_watermarks(topic, partition)
    }

    /// The next batch; none when the time is over, or the consumer was stopped. Messages of partitions that have gone
    /// meanwhile are left out.
    ///
    /// # Panics
    /// When the consumer was made with a sink of its own.
    pub fn recv(&self, timeout: Duration) -> Option<Batch> {
        let inbox = self.inbox.as_ref().expect("a consumer with a sink gets its batches there");
        let end = deadline(timeout);
        loop {
            if let Some(batch) = self.admit(inbox.take(end)?) {
                return Some(batch);
            }
        }
    }

    /// The receiver begins with this batch: [`started`](Self::started), and leaves out what is out of date, of partitions that
    /// have gone or were moved since; none when that is all of it. Messages left out do not count as done with the batch.
    ///
    /// For a sink of one's own, in place of `started`, right before the messages are processed.
    pub fn admit(&self, mut batch: Batch) -> Option<Batch> {
        self.shared.credit.started(batch.id());
        let mut epochs = self.shared.epochs.lock();
        let mut runs = 0;
        for (run, at) in batch.places().enumerate() {
            runs += 1;
            match epochs.get_mut(&(at.topic, at.partition)).filter(|current| current.epoch == at.epoch) {
                Some(current) => current.received = Some((at.last_offset + 1, batch.id)),
                None => batch.outdated.push(run),
            }
        }
        drop(epochs);
        if !batch.outdated.is_empty() {
            self.shared.credit.tracker.lock().leave_out(batch.id, &batch.outdated);
        }
        (batch.outdated.len() < runs).then_some(batch)
    }

    /// The receiver begins with this batch: another may be told.
    pub fn started(&self, batch: u64) {
        self.shared.credit.started(batch);
    }

    /// [`Batch::done`] by number.
    pub fn settle(&self, batch: u64) {
        self.shared.settle(batch);
    }

    /// One run of a batch needs its bytes no longer. Offsets are then the receiver's own business
    /// ([`commit_with`](Self::commit_with)). Once a run.
    pub fn free(&self, batch: u64, run: usize) {
        self.shared.credit.free(batch, run);
        self.shared.is_done();
    }

    /// Ends: what is done is committed, the group is left, the client destroyed. Takes the time at most, and a second.
    pub fn stop(&self, timeout: Duration) -> Result<()> {
        let stopped = self.helper.wait_for_end(timeout, |reply| self.stop_with(timeout, reply));
        self.join(timeout);
        stopped
    }

    /// [`stop`](Self::stop) that answers on another thread.
    pub fn stop_with(&self, timeout: Duration, reply: Reply<()>) {
        self.shared.closing.begin();
        match self.commands.send(Command::Stop { deadline: deadline(timeout), reply }) {
            Ok(()) => self.shared.waker.wake(),
            Err(unsent) => match unsent.into_inner() {
                Command::Stop { reply, .. } => reply.send(Ok(())), // stopped before
                _ => unreachable!("what came back is what was sent"),
            },
        }
    }

    /// Waits for the client's thread to end, after a stop.
    pub fn join(&self, timeout: Duration) -> bool {
        crate::helper::join(&self.thread, timeout)
    }
}

/// For the helper thread; answers on another.
fn ask_ends(
    shared: &Shared,
    partitions: Vec<(String, i32)>,
    read_committed: bool,
    timeout: Duration,
    reply: Reply<Vec<i64>>,
) {
    let query = |(topic, partition)| OffsetQuery { topic, partition, at: OffsetSpec::Latest };
    let offsets = partitions.iter().cloned().map(query).collect();
    let found =
        Reply::new(move |found: Result<Vec<_>>| reply.send(found.and_then(|found| ends_of(&partitions, found))));
    shared.questions.ask_with(ListOffsets { offsets, read_committed }, timeout, found);
}

fn ends_of(partitions: &[(String, i32)], found: Vec<Placed<ListedOffset>>) -> Result<Vec<i64>> {
    let mut ends = HashMap::new();
    for Placed { topic, partition, result } in found {
        ends.insert((topic, partition), result?.offset);
    }
    let end = |at: &(String, i32)| {
        // Of a leader that does not answer in time librdkafka says nothing.
        let unknown =
            || Error::kafka(code::TIMED_OUT, format!("the leader of {}/{} did not say where it ends", at.0, at.1));
        ends.get(at).copied().flatten().ok_or_else(unknown)
    };
    partitions.iter().map(end).collect()
}

impl Drop for GroupConsumer {
    fn drop(&mut self) {
        if !self.shared.closing.begun() {
            let half_a_second = Duration::from_millis(500);
            self.stop_with(half_a_second, Reply::new(|_| ()));
            self.join(half_a_second);
        }
        if let Some(inbox) = &self.inbox {
            inbox.abandon();
        }
    }
}
