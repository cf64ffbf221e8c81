//! Waiting until everything that the partitions hold is read and done. On the client's thread; the cluster is asked on the helper thread.

use std::sync::atomic::Ordering;

use super::*;
use crate::group::{ask_ends, assignment::Place};

/// How long a question may take: a leader that is gone is not waited for.
const QUESTION: Duration = Duration::from_secs(3);
/// The pause before the cluster is asked again what it could not say.
const ASK_AGAIN: Duration = Duration::from_millis(100);

/// A call that waits.
pub(in crate::group) struct CatchUp {
    /// Only to know where the partitions end, as far as they can be read: the receiver hears of it when everything is told.
    pub(in crate::group) until: bool,
    pub(in crate::group) deadline: Instant,
    pub(in crate::group) reply: Reply<()>,
}

/// Where a partition has to be.
pub(in crate::group) struct Goal {
    key: Key,
    /// Its stay: one that went and came is another, unless the group gave it back.
    stay: i32,
    end: i64,
}

#[derive(Default)]
pub(super) struct Catching {
    /// By number those whose goals are not known: the cluster is being asked,
    new: HashMap<u64, CatchUp>,
    last: u64,
    /// or will be in a moment,
    again: Vec<u64>,
    ask_at: Option<Instant>,
    /// or when the group has divided its partitions.
    undivided: Vec<u64>,
    waiting: Vec<(Vec<Goal>, CatchUp)>,
    /// Goals of `until_ends`: when they are reached the receiver hears that this was all.
    until: Option<Vec<Goal>>,
}

impl Catching {
    pub(super) fn due(&self) -> Option<Instant> {
        let all = self.new.values().chain(self.waiting.iter().map(|(_, catch_up)| catch_up));
        self.ask_at.into_iter().chain(all.map(|catch_up| catch_up.deadline)).min()
    }
}

impl Driver {
    pub(super) fn catch_up(&mut self, catch_up: CatchUp) {
        self.catching.last += 1;
        let wait = self.catching.last;
        self.catching.new.insert(wait, catch_up);
        self.look_for(wait);
    }

    /// Begins with what is read: a topic that was made a moment ago counts, too.
    fn look_for(&mut self, wait: u64) {
        let (commands, waker) = (self.commands.clone(), self.shared.waker.clone());
        self.look_now(Reply::new(move |looked| {
            let _ = commands.send(Command::Looked { looked, wait });
            waker.wake();
        }));
    }

    pub(super) fn looked(&mut self, looked: Result<()>, wait: u64) {
        let Some(CatchUp { until, .. }) = self.catching.new.get(&wait) else { return }; // its time was over
        let read_committed = *until && self.limits.markers;
        if let Err(error) = looked {
            return self.ask_later(error, wait);
        }
        if self.is_undivided() {
            return self.catching.undivided.push(wait);
        }
        let keys = self.assignment.keys().into_iter();
        let stays: Vec<_> = keys
            .filter_map(|key| self.assignment.get(key).filter(|place| !place.leaving).map(|place| (key, place.stay)))
            .collect();
        let named = |(topic, partition): Key| (self.assignment.name(topic).to_string(), partition);
        let partitions: Vec<_> = stays.iter().map(|(key, _)| named(*key)).collect();
        if partitions.is_empty() {
            return self.ends(Ok(Vec::new()), wait);
        }
        let (commands, waker, shared) = (self.commands.clone(), self.shared.waker.clone(), self.shared.clone());
        let told = Reply::new(move |ends: Result<Vec<i64>>| {
            let goal = |((key, stay), end)| Goal { key, stay, end };
            let goals = ends.map(|ends| stays.into_iter().zip(ends).map(goal).collect());
            let _ = commands.send(Command::Ends { goals, wait });
            waker.wake();
        });
        self.helper.run(move |_| ask_ends(&shared, partitions, read_committed, QUESTION, told));
    }

    pub(super) fn ends(&mut self, goals: Result<Vec<Goal>>, wait: u64) {
        match goals {
            Ok(mut goals) => {
                let Some(catch_up) = self.catching.new.remove(&wait) else { return };
                if !self.is_undivided() {
                    self.follow(&mut goals); // the group may have divided them anew meanwhile
                }
                if catch_up.until {
                    self.catching.until = Some(goals);
                    catch_up.reply.send(Ok(()));
                } else {
                    self.catching.waiting.push((goals, catch_up));
                    self.shared.catching.store(true, Ordering::SeqCst);
                }
                self.look_whether_caught_up();
            }
            Err(error) => self.ask_later(error, wait),
        }
    }

    /// While a leader moves, or is not there, there is no answer.
    fn ask_later(&mut self, error: Error, wait: u64) {
        if code::is_retriable(error.code) {
            self.catching.again.push(wait);
            self.catching.ask_at.get_or_insert(Instant::now() + ASK_AGAIN);
        } else if let Some(catch_up) = self.catching.new.remove(&wait) {
            catch_up.reply.send(Err(error));
        }
    }

    /// The group has taken partitions away, and has not said which come back; or has said nothing yet.
    fn is_undivided(&self) -> bool {
        self.limits.in_group && !self.divided && !self.subscriptions.is_empty()
    }

    /// Partitions that the group lets it have are known again.
    pub(super) fn divide(&mut self) {
        self.divided = true;
        let mut waiting = std::mem::take(&mut self.catching.waiting);
        let mut until = self.catching.until.take();
        waiting.iter_mut().map(|(goals, _)| goals).chain(&mut until).for_each(|goals| self.follow(goals));
        (self.catching.waiting, self.catching.until) = (waiting, until);
        std::mem::take(&mut self.catching.undivided).into_iter().for_each(|wait| self.looked(Ok(()), wait));
    }

    /// Partitions that the group gave back are still waited for.
    fn follow(&self, goals: &mut [Goal]) {
        for goal in goals.iter_mut().filter(|_| self.limits.in_group) {
            goal.stay = self.assignment.get(goal.key).map_or(goal.stay, |place| place.stay);
        }
    }

    /// At every turn: a position has moved, or something was done.
    pub(super) fn look_whether_caught_up(&mut self) {
        let now = Instant::now();
        if self.catching.ask_at.is_some_and(|at| at <= now) {
            self.catching.ask_at = None;
            std::mem::take(&mut self.catching.again).into_iter().for_each(|wait| self.look_for(wait));
        }
        let text = match self.is_undivided() {
            true => "the group has not divided its partitions in time",
            false => "the cluster has not said in time where the partitions end",
        };
        let late = self.catching.new.iter().filter(|(_, catch_up)| catch_up.deadline <= now).map(|(wait, _)| *wait);
        for wait in late.collect::<Vec<_>>() {
            let late = self.catching.new.remove(&wait);
            late.into_iter().for_each(|late| late.reply.send(Err(Error::kafka(code::TIMED_OUT, text))));
        }
        if let Some(mut goals) = self.catching.until.take() {
            let undivided = self.is_undivided();
            goals.retain(|goal| place_of(&self.assignment, goal).map_or(undivided, |place| is_behind(place, goal)));
            match goals.is_empty() {
                true => (self.sink)(GroupEvent::Reached),
                false => self.catching.until = Some(goals),
            }
        }
        if self.catching.waiting.is_empty() {
            return;
        }
        let (tracker, undivided) = (self.shared.credit.tracker.lock(), self.is_undivided());
        let assignment = &self.assignment;
        let is_open = |goal: &Goal| match place_of(assignment, goal) {
            Some(place) => is_behind(place, goal) || tracker.is_outstanding(place.id, goal.end),
            None => undivided,
        };
        let mut ended = Vec::new();
        for (mut goals, catch_up) in std::mem::take(&mut self.catching.waiting) {
            goals.retain(is_open);
            match goals.first() {
                None => ended.push((catch_up.reply, Ok(()))),
                Some(goal) if catch_up.deadline <= now => {
                    let (topic, partition) = (self.assignment.name(goal.key.0), goal.key.1);
                    let text = format!(
                        "{topic}/{partition} and perhaps others were not read and done up to {} in time",
                        goal.end
                    );
                    ended.push((catch_up.reply, Err(Error::kafka(code::TIMED_OUT, text))));
                }
                Some(_) => self.catching.waiting.push((goals, catch_up)),
            }
        }
        drop(tracker);
        self.shared.catching.store(!self.catching.waiting.is_empty(), Ordering::SeqCst);
        ended.into_iter().for_each(|(reply, answer)| reply.send(answer));
    }
}

fn place_of<'a>(assignment: &'a Assignment, goal: &Goal) -> Option<&'a Place> {
    assignment.get(goal.key).filter(|place| place.stay == goal.stay)
}

/// Something below the goal was not told.
fn is_behind(place: &Place, goal: &Goal) -> bool {
    !place.heard || place.next.unwrap_or(0) < goal.end
}
