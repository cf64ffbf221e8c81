//! The recorder's threads, and the state that they share with its callers.

use std::collections::VecDeque;
use std::io;
use std::mem;
use std::panic::{catch_unwind, AssertUnwindSafe};
use std::sync::Arc;
use std::thread::JoinHandle;
use std::time::{Duration, Instant};

use parking_lot::{Condvar, Mutex, MutexGuard};

use super::rounds::{Round, Rounds};
use super::{OffsetEvent, OffsetStore};
use crate::code;
use crate::error::{Error, ErrorKind, Result};

/// How long `close` waits past its deadline for a store that hangs before it answers in its place.
pub(super) const GRACE: Duration = Duration::from_millis(250);

pub(super) type OpenReply = Box<dyn FnOnce(Result<Vec<Option<i64>>>) + Send>;
pub(super) type CloseReply = Box<dyn FnOnce(Result<()>) + Send>;

pub(super) struct Shared {
    pub(super) state: Mutex<State>,
    /// Wakes the recorder's thread: there is something to do.
    pub(super) work: Condvar,
    /// Wakes who waits for it: a round is over, or a thread has ended.
    pub(super) progress: Condvar,
    pub(super) on_event: Arc<dyn Fn(OffsetEvent) + Send + Sync>,
}

pub(super) struct State {
    pub(super) phase: Phase,
    /// Here unless a thread of ours is using it.
    pub(super) store: Option<Box<dyn OffsetStore>>,
    pub(super) opens: VecDeque<(Vec<i32>, OpenReply)>,
    pub(super) close_replies: Vec<CloseReply>,
    pub(super) rounds: Rounds,
    /// Our threads that have not ended, and the handles to join them by.
    pub(super) running: usize,
    pub(super) threads: Vec<JoinHandle<()>>,
}

pub(super) enum Phase {
    /// No thread yet.
    Idle,
    Running,
    /// The last rounds, until the deadline.
    Closing(Instant),
    /// The store is closed. Values that still come are late; a thread is writing them if the flag is set.
    Closed {
        outcome: Result<()>,
        late: bool,
    },
}

enum Work {
    Open(Vec<i32>, OpenReply),
    Write(Round),
    End(Result<()>),
}

impl Shared {
    /// Makes sure that the thread runs that the present phase needs.
    pub(super) fn start(self: &Arc<Self>, state: &mut State) -> Result<()> {
        match &mut state.phase {
            Phase::Idle => {
                self.spawn(state, "kafka-offsets", Self::run)?;
                state.phase = Phase::Running;
            }
            Phase::Closed { late: false, .. } => {
                self.spawn(state, "kafka-offsets-late", Self::run_late)?;
                if let Phase::Closed { late, .. } = &mut state.phase {
                    *late = true;
                }
            }
            _ => {}
        }
        Ok(())
    }

    pub(super) fn spawn(
        self: &Arc<Self>,
        state: &mut State,
        name: &str,
        body: impl FnOnce(&Arc<Self>) + Send + 'static,
    ) -> Result<()> {
        let shared = Arc::clone(self);
        let spawned: io::Result<_> = crate::thread::spawn(name, move || {
            // Counted down even if a reply or the event callback panics, or dropping would wait for nothing.
            let _ = catch_unwind(AssertUnwindSafe(|| body(&shared)));
            shared.state.lock().running -= 1;
            shared.progress.notify_all();
        });
        let handle =
            spawned.map_err(|error| Error::offsets(format!("cannot start the thread {name} for offsets: {error}")))?;
        state.threads.retain(|handle| !handle.is_finished());
        state.threads.push(handle);
        state.running += 1;
        Ok(())
    }

    /// The body of the recorder's thread.
    fn run(self: &Arc<Self>) {
        let Some(mut store) = self.state.lock().store.take() else { return };
        let outcome = loop {
            match self.next_work() {
                Work::Open(partitions, reply) => reply(fenced("reading", || store.open(&partitions))),
                Work::Write(mut round) => {
                    let outcome = fenced("writing", || store.write(&round.offsets));
                    if outcome.is_err() {
                        let unwritten = fenced("writing", || Ok(store.unwritten(&round.offsets)));
                        round.offsets = unwritten.unwrap_or(round.offsets);
                    }
                    self.finish(round, outcome);
                }
                Work::End(outcome) => break outcome,
            }
        };
        let _ = fenced("closing", || {
            store.close();
            Ok(())
        });
        let mut state = self.state.lock();
        state.store = Some(store);
        // Offsets recorded after the last round are late, and this thread is as good as a new one.
        let late = !state.rounds.is_empty();
        state.phase = Phase::Closed { outcome: outcome.clone(), late };
        let replies = mem::take(&mut state.close_replies);
        drop(state);
        self.progress.notify_all();
        for reply in replies {
            reply(outcome.clone());
        }
        if late {
            self.run_late();
        }
    }

    /// Waits until there is something to do.
    fn next_work(&self) -> Work {
        let mut state = self.state.lock();
        loop {
            if let Some((partitions, reply)) = state.opens.pop_front() {
                return Work::Open(partitions, reply);
            }
            let now = Instant::now();
            let deadline = match state.phase {
                Phase::Closing(deadline) => Some(deadline),
                _ => None,
            };
            if let Some(deadline) = deadline {
                if state.rounds.is_empty() {
                    return Work::End(Ok(()));
                }
                // `close` hurries, so there is one attempt even if the deadline is now.
                if now >= deadline && !state.rounds.is_urgent() {
                    // Without a failure these values just came too late for the last round.
                    return Work::End(if state.rounds.is_failing() { state.rounds.give_up() } else { Ok(()) });
                }
            }
            let due = state.rounds.due(now);
            if state.rounds.is_empty() {
                self.work.wait(&mut state);
            } else if due <= now {
                return Work::Write(state.rounds.take());
            } else {
                self.work.wait_until(&mut state, deadline.map_or(due, |deadline| deadline.min(due)));
            }
        }
    }

    fn finish(&self, round: Round, outcome: Result<()>) {
        let mut state = self.state.lock();
        let event = match outcome {
            Ok(()) => state.rounds.succeeded(&round, Instant::now()).then_some(OffsetEvent::Recovered),
            Err(error) => {
                let news = state.rounds.failed(round, &error, Instant::now());
                news.then_some(OffsetEvent::WriteFailed(error))
            }
        };
        drop(state);
        self.progress.notify_all();
        if let Some(event) = event {
            (self.on_event)(event);
        }
    }

    /// Writes the values that came after `close`, until there are no more.
    fn run_late(self: &Arc<Self>) {
        let mut state = self.state.lock();
        let Some(mut store) = state.store.take() else { return };
        while !state.rounds.is_empty() {
            let round = state.rounds.take();
            drop(state);
            let mut lost = false;
            for &(partition, offset) in &round.offsets {
                let reason = match fenced("writing", || store.write_late(partition, offset)) {
                    Ok(true) => continue,
                    Ok(false) => "another consumer has the partition, or has come further".to_owned(),
                    Err(error) => error.to_string(),
                };
                lost = true;
                self.warn_late(partition, offset, &reason);
            }
            state = self.state.lock();
            state.rounds.settled(&round, lost);
            self.progress.notify_all();
        }
        state.store = Some(store);
        if let Phase::Closed { late, .. } = &mut state.phase {
            *late = false;
        }
    }

    /// There is no thread to write late values on.
    pub(super) fn drop_late(&self, mut state: MutexGuard<'_, State>, error: &Error) {
        let round = state.rounds.take();
        state.rounds.settled(&round, true);
        drop(state);
        for (partition, offset) in round.offsets {
            self.warn_late(partition, offset, &error.to_string());
        }
    }

    fn warn_late(&self, partition: i32, offset: i64, reason: &str) {
        (self.on_event)(OffsetEvent::Warning(format!(
            "offset {offset} of partition {partition} was settled after the consumer had stopped and is not recorded \
             ({reason}); messages up to it will be delivered again"
        )));
    }

    /// The body of the thread that answers `close` if the store hangs.
    pub(super) fn watch(&self, deadline: Instant) {
        let deadline = deadline + GRACE;
        let mut state = self.state.lock();
        while matches!(state.phase, Phase::Closing(_)) {
            if self.progress.wait_until(&mut state, deadline).timed_out() {
                let replies = mem::take(&mut state.close_replies);
                drop(state);
                for reply in replies {
                    reply(Err(hung()));
                }
                return;
            }
        }
    }
}

/// Answers a `close` that a store keeps from ending.
pub(super) fn hung() -> Error {
    let message = "the offsets' last write has not ended by the deadline; messages that it covers may be delivered \
                   again, and the partitions stay locked until it ends or the process does";
    Error::new(ErrorKind::Timeout, code::TIMED_OUT, message)
}

/// A store is the user's as well as ours; its panic must not take the thread along, and with it all the replies.
fn fenced<T>(doing: &str, call: impl FnOnce() -> Result<T>) -> Result<T> {
    catch_unwind(AssertUnwindSafe(call)).unwrap_or_else(|_| {
        Err(Error::new(ErrorKind::Offsets, code::FAIL, format!("the offset store panicked while {doing} offsets")))
    })
}
