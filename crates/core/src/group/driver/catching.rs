//! Waiting until everything that the partitions hold is read and done. On the client's thread; the cluster is asked on the helper thread.

use std::sync::atomic::Ordering;

use super::*;
use crate::group::ask_ends;

/// How long a question may take: a leader that is gone is not waited for.
const QUESTION: Duration = Duration::from_secs(3);
/// The pause before the cluster is asked again what it could not say.
const ASK_AGAIN: Duration = Duration::from_millis(100);

/// Who waits.
pub(in crate::group) struct CatchUp {
    pub(in crate::group) deadline: Instant,
    pub(in crate::group) reply: Reply<()>,
}

/// Where a partition has to be.
pub(in crate::group) struct Goal {
    key: Key,
    /// Its stay: one that went and came is another.
    stay: i32,
    end: i64,
}

#[derive(Default)]
pub(super) struct Catching {
    /// For a new answer of the cluster.
    asking: Vec<CatchUp>,
    ask_at: Option<Instant>,
    waiting: Vec<(Vec<Goal>, CatchUp)>,
}

impl Catching {
    pub(super) fn due(&self) -> Option<Instant> {
        self.ask_at.into_iter().chain(self.waiting.iter().map(|(_, catch_up)| catch_up.deadline)).min()
    }
}

impl Driver {
    /// Begins with what is read: a topic that was made a moment ago counts, too.
    pub(super) fn catch_up(&mut self, catch_up: CatchUp) {
        let (commands, waker) = (self.commands.clone(), self.shared.waker.clone());
        self.look_now(Reply::new(move |looked| {
            let _ = commands.send(Command::Looked { looked, catch_up });
            waker.wake();
        }));
    }

    pub(super) fn looked(&mut self, looked: Result<()>, catch_up: CatchUp) {
        if let Err(error) = looked {
            return self.ask_later(error, catch_up);
        }
        let keys = self.assignment.keys().into_iter();
        let stays: Vec<_> = keys
            .filter_map(|key| self.assignment.get(key).filter(|place| !place.leaving).map(|place| (key, place.stay)))
            .collect();
        let named = |(topic, partition): Key| (self.assignment.name(topic).to_string(), partition);
        let partitions: Vec<_> = stays.iter().map(|(key, _)| named(*key)).collect();
        if partitions.is_empty() {
            return self.ends(Ok(Vec::new()), catch_up);
        }
        let (commands, waker, shared) = (self.commands.clone(), self.shared.waker.clone(), self.shared.clone());
        let told = Reply::new(move |ends: Result<Vec<i64>>| {
            let goal = |((key, stay), end)| Goal { key, stay, end };
            let goals = ends.map(|ends| stays.into_iter().zip(ends).map(goal).collect());
            let _ = commands.send(Command::Ends { goals, catch_up });
            waker.wake();
        });
        self.helper.run(move |_| ask_ends(&shared, partitions, false, QUESTION, told));
    }

    pub(super) fn ends(&mut self, goals: Result<Vec<Goal>>, catch_up: CatchUp) {
        match goals {
            Ok(goals) => {
                self.catching.waiting.push((goals, catch_up));
                self.shared.catching.store(true, Ordering::SeqCst);
                self.look_whether_caught_up();
            }
            Err(error) => self.ask_later(error, catch_up),
        }
    }

    /// While a leader moves, or is not there, there is no answer.
    fn ask_later(&mut self, error: Error, catch_up: CatchUp) {
        if !code::is_retriable(error.code) || Instant::now() >= catch_up.deadline {
            return catch_up.reply.send(Err(error));
        }
        self.catching.asking.push(catch_up);
        self.catching.ask_at.get_or_insert(Instant::now() + ASK_AGAIN);
    }

    /// At every turn: a position has moved, or something was done.
    pub(super) fn look_whether_caught_up(&mut self) {
        let now = Instant::now();
        if self.catching.ask_at.is_some_and(|at| at <= now) {
            self.catching.ask_at = None;
            std::mem::take(&mut self.catching.asking).into_iter().for_each(|catch_up| self.catch_up(catch_up));
        }
        if self.catching.waiting.is_empty() {
            return;
        }
        let tracker = self.shared.credit.tracker.lock();
        let is_open = |goal: &Goal| {
            let place = self.assignment.get(goal.key).filter(|place| place.stay == goal.stay);
            place.is_some_and(|place| place.next.unwrap_or(0) < goal.end || tracker.is_outstanding(place.id, goal.end))
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
