//! Committing, to the group's coordinator or to files. On the client's thread.

use super::*;

/// The coordinator's codes for a group that is being divided anew, or a member that is a step behind.
const REBALANCING: [i32; 5] = [
    code::ILLEGAL_GENERATION,
    code::UNKNOWN_MEMBER_ID,
    code::REBALANCE_IN_PROGRESS,
    code::FENCED_MEMBER_EPOCH,
    code::STALE_MEMBER_EPOCH,
];
/// How long offsets may take to be on disk.
const WRITE: Duration = Duration::from_secs(10);
/// The pause before a commit that met a rebalance is tried again.
const TRY_AGAIN: Duration = Duration::from_millis(50);

/// The next step when a commit has ended.
pub(super) enum Committing {
    Reply(Reply<()>),
    /// Of what is done: each with the origin of its place. Without a reply the timer wanted it.
    Done {
        offsets: Vec<(TopicPartitionOffset, i32)>,
        reply: Option<Reply<()>>,
    },
    Revoke(Pending),
    Stop,
}

/// A commit that has not ended.
struct Attempt {
    /// Each with the stay of its partition, if it is assigned.
    offsets: Vec<(TopicPartitionOffset, Option<i32>)>,
    then: Committing,
    /// How long a rebalance is waited for.
    until: Instant,
    /// Partitions left out of it, because they have gone.
    gone: Vec<String>,
}

/// Commits on their way, and those that wait for the end of a rebalance. They are numbered: of one partition the younger
/// commit is what stays, in whatever order they are tried again.
#[derive(Default)]
pub(super) struct Commits {
    last: usize,
    under_way: HashMap<usize, Attempt>,
    waiting: BTreeMap<usize, Attempt>,
    again_at: Option<Instant>,
    /// Calls to commit what is done, while that is under way already.
    behind: Vec<Reply<()>>,
}

impl Commits {
    /// Something of what is done is on its way: it may come back.
    fn done_under_way(&self) -> bool {
        self.under_way.values().chain(self.waiting.values()).any(|at| matches!(at.then, Committing::Done { .. }))
    }

    /// When those that wait are tried again.
    pub(super) fn due(&self) -> Option<Instant> {
        self.again_at
    }
}

impl Driver {
    /// Takes what is done and not committed: the next offsets of the partitions that are wanted.
    pub(super) fn done(&mut self, wanted: impl Fn(i32) -> bool) -> Vec<TopicPartitionOffset> {
        let done: Vec<_> = self.shared.recordable.lock().extract_if(|id, _| wanted(*id)).collect();
        done.into_iter()
            .map(|(id, last)| {
                let (topic, partition) = self.assignment.key_of(id);
                TopicPartitionOffset::new(&**self.assignment.name(topic), partition, last + 1)
            })
            .collect()
    }

    /// Commits, and goes on with `then` when that has ended. A commit that meets a rebalance waits for its end.
    pub(super) fn commit(&mut self, offsets: &[TopicPartitionOffset], then: Committing) {
        if offsets.is_empty() {
            return self.commit_ended(then, Ok(()));
        }
        let offsets = offsets.iter().map(|at| (at.clone(), self.stay(at))).collect();
        let until = self.patience(&then);
        self.commits.last += 1;
        let number = self.commits.last;
        let attempt = Attempt { offsets, then, until, gone: Vec::new() };
        // Behind one that waits: it would be refused as that was, and must not be overtaken.
        match self.commits.waiting.is_empty() {
            true => self.try_commit(number, attempt),
            false => drop(self.commits.waiting.insert(number, attempt)),
        }
    }

    /// The stay of a partition, which is another when it was away meanwhile.
    fn stay(&self, at: &TopicPartitionOffset) -> Option<i32> {
        let key = self.assignment.find(&at.topic, at.partition)?;
        self.assignment.get(key).map(|place| place.stay)
    }

    /// The group gives a member `max.poll.interval.ms` for a rebalance; who stops has to leave in time.
    fn patience(&self, then: &Committing) -> Instant {
        let now = Instant::now();
        match (then, &self.stopping) {
            (Committing::Stop, Some(stopping)) => now + stopping.deadline.saturating_duration_since(now) / 2,
            _ => now + self.limits.poll * 4,
        }
    }

    fn try_commit(&mut self, number: usize, attempt: Attempt) {
        let offsets: Vec<_> = attempt.offsets.iter().map(|(at, _)| at.clone()).collect();
        if let Some(files) = self.files.clone() {
            self.commits.under_way.insert(number, attempt);
            self.help(move |_| Command::Written { opaque: number, ended: files.commit(&offsets, WRITE) });
            return;
        }
        let list = ffi::Partitions::list(offsets.iter().map(|at| (at.topic.as_str(), at.partition, at.offset)));
        let begun = list.and_then(|mut list| {
            for (index, at) in offsets.iter().enumerate() {
                at.metadata.iter().for_each(|metadata| list.set_metadata(index, metadata));
            }
            if !self.limits.in_group {
                return Err(Error::config("committing needs a group (group.id)"));
            }
            self.client.commit(&list, &self.handover.events, number)
        });
        match begun {
            Ok(()) => drop(self.commits.under_way.insert(number, attempt)),
            Err(error) => self.commit_ended(attempt.then, Err(error)),
        }
    }

    /// The coordinator's answer, or that of the files.
    pub(super) fn committed(&mut self, number: usize, ended: Result<()>) {
        let Some(attempt) = self.commits.under_way.remove(&number) else { return };
        match ended {
            Err(error)
                if REBALANCING.contains(&error.code)
                    && Instant::now() < attempt.until
                    && !hopeless(&attempt, &error) =>
            {
                self.commits.waiting.insert(number, attempt);
                self.commits.again_at.get_or_insert(Instant::now() + TRY_AGAIN);
            }
            ended => {
                if ended.is_ok() {
                    self.supersede(number, &attempt.offsets);
                }
                self.commit_ended(attempt.then, ended.and(gone(&attempt.gone)));
            }
        }
    }

    /// Offsets committed now are younger than those that wait.
    fn supersede(&mut self, number: usize, committed: &[(TopicPartitionOffset, Option<i32>)]) {
        for (_, waiting) in self.commits.waiting.range_mut(..number) {
            waiting.offsets.retain(|(at, _)| !committed.iter().any(|(younger, _)| is_same_partition(younger, at)));
        }
    }

    /// Those that wait are tried again, in their order, once nothing younger is under way.
    pub(super) fn commit_again(&mut self, now: Instant) {
        if self.commits.again_at.is_none_or(|at| at > now) {
            return;
        }
        if !self.commits.under_way.is_empty() {
            self.commits.again_at = Some(now + TRY_AGAIN);
            return;
        }
        self.commits.again_at = None;
        for (number, mut attempt) in std::mem::take(&mut self.commits.waiting) {
            // The coordinator would take them from any member, but who has them now says where they are.
            let left: Vec<_> =
                attempt.offsets.extract_if(.., |(at, stay)| stay.is_some() && self.stay(at) != *stay).collect();
            attempt.gone.extend(left.into_iter().map(|(at, _)| format!("{}/{}", at.topic, at.partition)));
            // Offsets from before a seek are out of date.
            if let Committing::Done { offsets: done, .. } = &attempt.then {
                let moved = |at: &TopicPartitionOffset| {
                    done.iter()
                        .any(|(of, origin)| of == at && self.place_of(at).is_some_and(|place| place.origin != *origin))
                };
                attempt.offsets.retain(|(at, _)| !moved(at));
            }
            match attempt.offsets.is_empty() {
                true => self.commit_ended(attempt.then, gone(&attempt.gone)),
                false => self.try_commit(number, attempt),
            }
        }
    }

    pub(super) fn commit_ended(&mut self, then: Committing, ended: Result<()>) {
        match then {
            Committing::Reply(reply) => reply.send(ended),
            Committing::Done { offsets, reply } => {
                if ended.is_err() {
                    self.put_back(&offsets);
                }
                match (reply, ended) {
                    (Some(reply), ended) => reply.send(ended),
                    (None, Err(error)) => self.not_committed(&error),
                    (None, Ok(())) => {}
                }
                for reply in std::mem::take(&mut self.commits.behind) {
                    self.commit_done(Some(reply));
                }
            }
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

    /// Commits what is done, and goes on doing so until it is committed or out of date. One at a time: who comes meanwhile is
    /// answered when all that was done before is committed, too.
    pub(super) fn commit_done(&mut self, reply: Option<Reply<()>>) {
        if self.commits.done_under_way() {
            return self.commits.behind.extend(reply);
        }
        let done = self.done(|_| true);
        if done.is_empty() && reply.is_none() {
            return;
        }
        let origin = |at: &TopicPartitionOffset| Some(self.place_of(at)?.origin);
        let offsets = done.iter().filter_map(|at| Some((at.clone(), origin(at)?))).collect();
        self.commit(&done, Committing::Done { offsets, reply });
    }

    /// A program that commits offsets of its own has the last word: what was done before is not committed over them.
    pub(super) fn overrule(&mut self, offsets: &[TopicPartitionOffset]) {
        for place in offsets.iter().filter_map(|at| self.place_of(at)) {
            self.shared.recordable.lock().remove(&place.id);
        }
        for attempt in self.commits.under_way.values_mut().chain(self.commits.waiting.values_mut()) {
            if let Committing::Done { offsets: done, .. } = &mut attempt.then {
                done.retain(|(at, _)| !offsets.iter().any(|own| is_same_partition(own, at)));
            }
        }
    }

    fn place_of(&self, at: &TopicPartitionOffset) -> Option<&Place> {
        self.assignment.get(self.assignment.find(&at.topic, at.partition)?)
    }

    /// The next commit tries these again, unless more is done by then, or the partition has gone or was moved elsewhere.
    fn put_back(&self, offsets: &[(TopicPartitionOffset, i32)]) {
        let mut recordable = self.shared.recordable.lock();
        for (at, origin) in offsets {
            if let Some(place) = self.place_of(at).filter(|place| place.origin == *origin) {
                recordable.entry(place.id).or_insert(at.offset - 1);
            }
        }
    }

    fn not_committed(&self, error: &Error) {
        self.log(LogLine::warning(format!("offsets were not committed, their messages may come again: {error}")));
    }
}

/// The rebalance waits for this commit, or has gone on without this member: waiting for its end would be for ever.
fn hopeless(attempt: &Attempt, error: &Error) -> bool {
    matches!(attempt.then, Committing::Revoke(_)) && REBALANCING[..3].contains(&error.code)
}

fn is_same_partition(one: &TopicPartitionOffset, other: &TopicPartitionOffset) -> bool {
    one.partition == other.partition && one.topic == other.topic
}

fn gone(partitions: &[String]) -> Result<()> {
    if partitions.is_empty() {
        return Ok(());
    }
    let names = partitions.join(", ");
    Err(Error::kafka(code::REBALANCE_IN_PROGRESS, format!("the group took {names} away before the offsets were committed: the member that has them now reads their last messages again")))
}
