//! The thread that drives a member's client: heartbeats go on because it polls, whatever the receiver does.

mod catching;
mod commits;
mod ending;
mod leaving;
mod messages;
mod moves;
mod reading;
mod rebalance;
mod rules;

use std::collections::{BTreeMap, HashMap, VecDeque};
use std::sync::Arc;
use std::time::{Duration, Instant};

use crossbeam_channel::{Receiver, Sender};

pub(super) use self::catching::CatchUp;
use self::catching::{Catching, Goal};
use self::commits::{Commits, Committing};
use self::ending::Stopping;
use self::leaving::Leaving;
use self::moves::{check_begin, Moved};
use self::reading::{Found, Reader};
use self::rules::Ruling;
use super::assignment::{Assignment, Come, Key, Move, Place, Target};
use super::files::Files;
use super::subscriptions::{Existing, Subscriptions};
use super::{
    AssignedPartition, Current, GroupEvent, Reading, Rebalance, RebalanceKind, Shared, Sink, Start, Subscription,
    TopicPartitionOffset,
};
use crate::code;
use crate::consumer::Reset;
use crate::error::{Error, Result};
use crate::ffi::{self, Client, Membership};
use crate::handover::{self, Handover};
use crate::helper::{let_go, Helper};
use crate::logical;
use crate::reply::Reply;
use crate::rule::Rule;
use crate::trouble::{LogLine, Verdict};

/// Messages are taken up to so many at a time.
const MOST_AT_ONCE: usize = 10_000;

/// Commands from others to the client's thread.
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
    Read {
        topics: Vec<Reading>,
        reply: Reply<()>,
    },
    /// The cluster's answer on what is read.
    Found {
        generation: u64,
        found: Result<Found>,
    },
    CatchUp(CatchUp),
    /// Topics that are read were looked up, for the wait of this number.
    Looked {
        looked: Result<()>,
        wait: u64,
    },
    /// Where the partitions end, for the same.
    Ends {
        goals: Result<Vec<Goal>>,
        wait: u64,
    },
    /// Where reading begins is on disk.
    Begun {
        generation: u64,
        recorded: Result<()>,
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
        /// The receiver lets go what it was handed, and wants it again: rules decide it as before.
        again: bool,
        reply: Reply<Option<i32>>,
    },
    Pause {
        partitions: Vec<(String, i32)>,
        reply: Reply<()>,
    },
    Resume {
        partitions: Vec<TopicPartitionOffset>,
        /// As for a seek; each.
        again: Vec<bool>,
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
    Rule {
        rule: Option<Rule>,
        processed: Vec<TopicPartitionOffset>,
        reply: Reply<Vec<TopicPartitionOffset>>,
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

/// Limits that follow from the configuration.
pub(super) struct Limits {
    pub(super) max_messages: usize,
    /// Messages that are prefetched for a receiver that waits for them.
    pub(super) prefetch: i32,
    pub(super) poll: Duration,
    /// How often it is looked for topics and partitions that are made later.
    pub(super) look: Duration,
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

pub(super) struct Driver {
    limits: Limits,
    client: Arc<Client>,
    helper: Arc<Helper>,
    shared: Arc<Shared>,
    commands: Sender<Command>,
    incoming: Receiver<Command>,
    sink: Sink,
    files: Option<Arc<Files>>,
    handover: Handover,
    assignment: Assignment,
    subscriptions: Subscriptions,
    reading: Reader,
    catching: Catching,
    ruling: Ruling,
    membership: Membership,
    pending: Option<Pending>,
    /// In a group: what it has is what the group lets it have, as far as it knows.
    divided: bool,
    next_id: u64,
    commits: Commits,
    commit_at: Option<Instant>,
    /// Calls that wait for moves that are under way, with their partitions.
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
        rule: Option<Rule>,
    ) -> Result<Self> {
        let Limits { max_messages, prefetch, .. } = limits;
        let most = handover::Limits { batch: max_messages, take: max_messages.min(MOST_AT_ONCE), prefetch };
        let handover = Handover::new(&client, shared.credit.clone(), shared.clone(), most)?;
        Ok(Self {
            commit_at: limits.auto_commit.map(|interval| Instant::now() + interval),
            assignment: Assignment::new(client.clone(), handover.inbox.clone()),
            handover,
            limits,
            client,
            helper,
            shared,
            commands,
            incoming,
            sink,
            files,
            subscriptions: Subscriptions::default(),
            reading: Reader::default(),
            catching: Catching::default(),
            ruling: Ruling::new(rule),
            membership: Membership::default(),
            pending: None,
            divided: false,
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
            let events = self.handover.events.clone();
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
            if self.handover.has_credit() {
                // A rebalance's answer, sent by this thread itself, has woken nobody.
                let wait = if self.incoming.is_empty() { wait } else { Duration::ZERO };
                if self.handover.take(wait) && self.ruling.active() {
                    self.leave_out();
                    if self.handover.messages.len() == 0 {
                        continue;
                    }
                }
                match self.handover.messages.len() {
                    0 => self.advance(),
                    _ => self.hand_over(),
                }
            } else if let Some(event) = self.handover.wait_for_credit(&events, wait, || !self.incoming.is_empty()) {
                self.on_event(&event);
            }
        }
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
            Command::Assign { partitions, reply } => {
                self.end_reading();
                match self.files.clone() {
                    None => reply.send(self.assign(&partitions)),
                    Some(files) => drop(self.help(move |_| {
                        let mut partitions = partitions;
                        let opened = files.open(&mut partitions, logical::BEGIN);
                        Command::Opened { partitions: opened.map(|()| partitions), reply }
                    })),
                }
            }
            Command::Read { topics, reply } => self.read(topics, reply),
            Command::CatchUp(catch_up) => self.catch_up(catch_up),
            Command::Looked { looked, wait } => self.looked(looked, wait),
            Command::Ends { goals, wait } => self.ends(goals, wait),
            Command::Found { generation, found } => self.found(generation, found),
            Command::Begun { generation, recorded } => self.begun(generation, recorded),
            Command::Opened { partitions, reply } => reply.send(partitions.and_then(|opened| self.assign(&opened))),
            Command::Written { opaque, ended } => self.committed(opaque, ended),
            Command::Rebalanced { id, offsets } => self.rebalanced(id, offsets),
            Command::Seek { to, again, reply } => self.seek(&to, again, reply),
            Command::Pause { partitions, reply } => reply.send(self.pause(&partitions)),
            Command::Resume { partitions, again, reply } => self.resume(&partitions, &again, reply),
            Command::Rule { rule, processed, reply } => reply.send(self.set_rule(rule, &processed)),
            Command::Committed { found } => self.on_committed(found),
            Command::Commit { offsets, reply } => {
                self.overrule(&offsets);
                self.commit(&offsets, Committing::Reply(reply));
            }
            Command::CommitDone { reply } => self.commit_done(Some(reply)),
            Command::Stop { deadline, reply } => self.stop(deadline, reply),
        }
    }

    /// Runs `job` on the helper thread; the command that it returns comes back here. False: it is not run.
    fn help(&self, job: impl FnOnce(&Arc<Client>) -> Command + Send + 'static) -> bool {
        let (commands, waker) = (self.commands.clone(), self.shared.waker.clone());
        self.helper.run(move |client| {
            let _ = commands.send(job(client));
            waker.wake();
        })
    }

    /// Does what is due; returns how long the thread may wait.
    fn timers(&mut self) -> Duration {
        if self.shared.credit.is_holding() {
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
        if self.stopping.is_none() && self.reading.look_at.is_some_and(|at| at <= now) {
            self.look();
        }
        if self.ruling.tell_at.is_some_and(|at| at <= now) {
            self.tell_moved();
        }
        self.look_whether_caught_up();
        let deadline = self.stopping.as_ref().map(|stopping| stopping.deadline);
        let left = self.leaving.as_ref().map(|leaving| leaving.until);
        let reading = self.reading.look_at;
        let next = self
            .commit_at
            .into_iter()
            .chain(self.commits.due())
            .chain(deadline)
            .chain(left)
            .chain(self.move_at)
            .chain(self.catching.due())
            .chain(reading)
            .chain(self.ruling.tell_at);
        next.min().map_or(self.limits.poll, |at| at.saturating_duration_since(now).min(self.limits.poll))
    }

    fn on_event(&mut self, event: &ffi::Event<'_>) {
        match event.kind() {
            ffi::ERROR => event.error().into_iter().for_each(|error| self.tell(error)),
            ffi::LOG => self.log(self.shared.troubles.line(event.log())),
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
}
