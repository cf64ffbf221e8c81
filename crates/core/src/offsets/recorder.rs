//! The thread that writes offsets, and what other threads share with it.
//!
//! A recorder has one thread, `kafka-offsets`, from its first use until `close`. It alone calls the store, and never
//! while it holds the lock, so that [`Recorder::record`] costs its caller a short critical section whatever the disk
//! does. Values wait in [`Rounds`], one per partition; the thread takes all of them for a round.
//!
//! Two other threads exist for a moment: `kafka-offsets-close` answers `close` if the store hangs, and
//! `kafka-offsets-late` writes values that come after it.

use std::collections::VecDeque;
use std::mem;
use std::sync::Arc;
use std::thread;
use std::time::{Duration, Instant};

use parking_lot::{Condvar, Mutex};

use super::file::{NOTHING, UNRECORDED};
use super::rounds::Rounds;
use super::worker::{hung, CloseReply, Phase, Shared, State, GRACE};
use super::{OffsetEvent, OffsetStore};
use crate::error::{Error, Result};

/// The time that dropping a recorder that was not closed may take.
const DROP_DEADLINE: Duration = Duration::from_millis(500);

/// Writes the last processed offsets of one consumer's partitions, on a thread of its own.
///
/// Dropping it closes it, waiting at most half a second.
pub struct Recorder {
    shared: Arc<Shared>,
}

impl Recorder {
    /// A recorder over `store`. `on_event` is called on the recorder's threads and should return soon.
    pub fn new(store: Box<dyn OffsetStore>, on_event: Arc<dyn Fn(OffsetEvent) + Send + Sync>) -> Self {
        let state = State {
            phase: Phase::Idle,
            store: Some(store),
            opens: VecDeque::new(),
            close_replies: Vec::new(),
            rounds: Rounds::default(),
            running: 0,
            threads: Vec::new(),
        };
        let (work, progress) = (Condvar::new(), Condvar::new());
        Self { shared: Arc::new(Shared { state: Mutex::new(state), work, progress, on_event }) }
    }

    /// Takes the partitions and reads their last processed offsets, in the order asked for. Called again for
    /// partitions that are added later. `reply` runs on the recorder's thread, or on this one if there is none to be
    /// had or the recorder is closed.
    pub fn open(&self, partitions: Vec<i32>, reply: impl FnOnce(Result<Vec<Option<i64>>>) + Send + 'static) {
        let mut state = self.shared.state.lock();
        let refusal = match state.phase {
            Phase::Closing(_) | Phase::Closed { .. } => Some(stopped()),
            Phase::Idle | Phase::Running => self.shared.start(&mut state).err(),
        };
        match refusal {
            None => {
                state.opens.push_back((partitions, Box::new(reply)));
                self.shared.work.notify_one();
            }
            Some(error) => {
                drop(state);
                reply(Err(error));
            }
        }
    }

    /// Everything up to `last_processed` is processed in this partition. Any thread may call it; it does not wait.
    /// A later value replaces one that is not written yet, even if it is lower. After `close` the value is late: it
    /// is recorded if the partition can still be had, and otherwise dropped with a warning.
    ///
    /// A number below 0 is no offset (nothing is processed yet) and is ignored; see [`clear`](Self::clear).
    pub fn record(&self, partition: i32, last_processed: i64) {
        if last_processed >= 0 {
            self.set(partition, last_processed);
        }
    }

    /// Nothing is processed in this partition: whoever opens it next begins with its first message. Otherwise as
    /// [`record`](Self::record).
    pub fn begin(&self, partition: i32) {
        self.set(partition, NOTHING);
    }

    /// Nothing is recorded of this partition any more: whoever opens it next reads it as if for the first time. Otherwise as
    /// [`record`](Self::record).
    pub fn clear(&self, partition: i32) {
        self.set(partition, UNRECORDED);
    }

    fn set(&self, partition: i32, value: i64) {
        let mut state = self.shared.state.lock();
        state.rounds.record(partition, value);
        match self.shared.start(&mut state) {
            Ok(()) => {
                self.shared.work.notify_one();
            }
            Err(error) => {
                if matches!(state.phase, Phase::Closed { .. }) {
                    self.shared.drop_late(state, &error);
                } else if state.rounds.note_failure(&error, Instant::now()) {
                    drop(state);
                    (self.shared.on_event)(OffsetEvent::WriteFailed(error));
                }
            }
        }
    }

    /// Waits until everything that was recorded before is durable: for the exit of the process. `false` if the
    /// deadline passes first, or if a value had to be given up. Blocks, and is of no use on the recorder's thread.
    pub fn flush(&self, deadline: Duration) -> bool {
        let deadline = instant(deadline);
        let mut state = self.shared.state.lock();
        let target = state.rounds.recorded();
        if !state.rounds.is_accounted(target) {
            state.rounds.hurry();
            self.shared.work.notify_one();
        }
        while !state.rounds.is_accounted(target) {
            if self.shared.progress.wait_until(&mut state, deadline).timed_out() {
                break;
            }
        }
        state.rounds.is_accounted(target) && !state.rounds.has_lost()
    }

    /// Writes what is pending, retrying until the deadline, releases the partitions and ends the thread. `reply` gets
    /// an error that names path, partition and offset if something could not be written; those messages will be
    /// delivered again. It runs on one of the recorder's threads, or on this one if there is none.
    ///
    /// The first call decides the deadline; the others get its outcome. Openings that wait are refused.
    pub fn close(&self, deadline: Duration, reply: impl FnOnce(Result<()>) + Send + 'static) {
        self.begin_close(deadline, Box::new(reply), true);
    }

    fn begin_close(&self, allowed: Duration, reply: CloseReply, watched: bool) {
        let mut state = self.shared.state.lock();
        match &state.phase {
            Phase::Closed { outcome, .. } => {
                let outcome = outcome.clone();
                drop(state);
                return reply(outcome);
            }
            // Nobody watches any more.
            Phase::Closing(deadline) if Instant::now() >= *deadline + GRACE => {
                drop(state);
                return reply(Err(hung()));
            }
            Phase::Closing(_) => return state.close_replies.push(reply),
            Phase::Idle if state.rounds.is_empty() => {
                state.phase = Phase::Closed { outcome: Ok(()), late: false };
                drop(state);
                return reply(Ok(()));
            }
            // Values are pending because no thread could be started for them: try once more.
            Phase::Idle => {
                if self.shared.start(&mut state).is_err() {
                    let outcome = state.rounds.give_up();
                    state.phase = Phase::Closed { outcome: outcome.clone(), late: false };
                    drop(state);
                    return reply(outcome);
                }
            }
            Phase::Running => {}
        }
        let deadline = instant(allowed);
        state.phase = Phase::Closing(deadline);
        state.rounds.hurry();
        state.close_replies.push(reply);
        let refused = mem::take(&mut state.opens);
        self.shared.work.notify_one();
        if watched {
            // A store that hangs (a dead network disk) must not keep `close` from ending. Without this thread all is
            // well as long as the store does not hang, so its absence is no error.
            let _ = self.shared.spawn(&mut state, "kafka-offsets-close", move |shared| shared.watch(deadline));
        }
        drop(state);
        for (_, reply) in refused {
            reply(Err(stopped()));
        }
    }
}

impl Drop for Recorder {
    fn drop(&mut self) {
        self.begin_close(DROP_DEADLINE, Box::new(|_| {}), false);
        let deadline = instant(DROP_DEADLINE + GRACE);
        let mut state = self.shared.state.lock();
        let current = thread::current().id();
        if state.threads.iter().any(|handle| handle.thread().id() == current) {
            return;
        }
        while state.running > 0 && !self.shared.progress.wait_until(&mut state, deadline).timed_out() {}
        if state.running == 0 {
            // All that they still do is return, so this takes no time; after it their code may be unloaded.
            let threads = mem::take(&mut state.threads);
            drop(state);
            for handle in threads {
                let _ = handle.join();
            }
        }
    }
}

fn stopped() -> Error {
    Error::state("the consumer was stopped, so its offsets are no longer read")
}

fn instant(from_now: Duration) -> Instant {
    let now = Instant::now();
    let year = Duration::from_secs(365 * 24 * 60 * 60);
    now + from_now.min(year)
}

#[cfg(test)]
mod tests {
    use crossbeam_channel::{unbounded, Receiver, Sender};

    use super::*;
    use crate::code;
    use crate::error::ErrorKind;

    const LONG: Duration = Duration::from_secs(60);

    /// A store whose every call is seen by the test and answered by it.
    struct Scripted {
        calls: Sender<Call>,
        answers: Receiver<Result<()>>,
    }

    #[derive(Debug, PartialEq)]
    enum Call {
        Open(Vec<i32>),
        Write(Vec<(i32, i64)>),
        Close,
        Late(i32, i64),
        Dropped,
    }

    impl OffsetStore for Scripted {
        fn open(&mut self, partitions: &[i32]) -> Result<Vec<Option<i64>>> {
            self.calls.send(Call::Open(partitions.into())).unwrap();
            Ok(partitions.iter().map(|partition| Some(i64::from(*partition) * 10)).collect())
        }

        fn write(&mut self, offsets: &[(i32, i64)]) -> Result<()> {
            self.calls.send(Call::Write(offsets.into())).unwrap();
            self.answers.recv().unwrap_or_else(|_| panic!("the test has no answer"))
        }

        fn close(&mut self) {
            self.calls.send(Call::Close).unwrap();
        }

        fn write_late(&mut self, partition: i32, offset: i64) -> Result<bool> {
            self.calls.send(Call::Late(partition, offset)).unwrap();
            Ok(offset != 13)
        }
    }

    impl Drop for Scripted {
        fn drop(&mut self) {
            let _ = self.calls.send(Call::Dropped);
        }
    }

    struct Stage {
        recorder: Recorder,
        calls: Receiver<Call>,
        answers: Sender<Result<()>>,
        events: Receiver<OffsetEvent>,
    }

    fn stage() -> Stage {
        let (calls_in, calls) = unbounded();
        let (answers, answers_out) = unbounded();
        let (events_in, events) = unbounded();
        let store = Scripted { calls: calls_in, answers: answers_out };
        let recorder = Recorder::new(Box::new(store), Arc::new(move |event| drop(events_in.send(event))));
        Stage { recorder, calls, answers, events }
    }

    impl Stage {
        fn call(&self) -> Call {
            self.calls.recv_timeout(LONG).unwrap()
        }

        fn event(&self) -> OffsetEvent {
            self.events.recv_timeout(LONG).unwrap()
        }

        fn close(&self, deadline: Duration) -> Receiver<Result<()>> {
            let (sender, receiver) = unbounded();
            self.recorder.close(deadline, move |outcome| drop(sender.send(outcome)));
            receiver
        }
    }

    fn full() -> Error {
        Error::offsets("cannot write /offsets/t-0.offset: the disk is full")
    }

    #[test]
    fn partitions_are_opened_on_a_thread_of_its_own_and_more_can_follow() {
        let stage = stage();
        for partitions in [vec![0, 2], vec![5]] {
            let (sender, receiver) = unbounded();
            let caller = thread::current().id();
            let reply = move |offsets| drop(sender.send((offsets, thread::current().id() == caller)));
            stage.recorder.open(partitions.clone(), reply);
            let expected = partitions.iter().map(|partition| Some(i64::from(*partition) * 10)).collect();
            assert_eq!(receiver.recv_timeout(LONG).unwrap(), (Ok(expected), false));
            assert_eq!(stage.call(), Call::Open(partitions));
        }
    }

    #[test]
    fn while_a_round_is_in_flight_values_coalesce_and_recording_does_not_wait() {
        let stage = stage();
        stage.recorder.record(0, 1);
        assert_eq!(stage.call(), Call::Write(vec![(0, 1)]));
        for offset in 2..1000 {
            stage.recorder.record(0, offset);
            stage.recorder.record(1, offset * 2);
        }
        assert!(stage.calls.is_empty());
        stage.answers.send(Ok(())).unwrap();
        assert_eq!(stage.call(), Call::Write(vec![(0, 999), (1, 1998)]));
        stage.answers.send(Ok(())).unwrap();
        assert!(stage.recorder.flush(LONG));
        assert!(stage.calls.is_empty() && stage.events.is_empty());
    }

    #[test]
    fn no_offset_is_no_value() {
        let stage = stage();
        stage.recorder.record(0, -1);
        assert!(stage.recorder.flush(LONG));
        assert_eq!(stage.close(LONG).recv_timeout(LONG).unwrap(), Ok(()));
        assert!(stage.calls.is_empty());
    }

    #[test]
    fn a_failed_round_is_told_once_and_retried_with_what_came_since() {
        let stage = stage();
        stage.recorder.record(0, 1);
        stage.recorder.record(1, 1);
        let mut written = stage.call();
        for _ in 0..3 {
            stage.answers.send(Err(full())).unwrap();
            written = stage.call();
        }
        assert_eq!(stage.event(), OffsetEvent::WriteFailed(full()));
        stage.recorder.record(1, 7);
        stage.answers.send(Err(full())).unwrap();
        assert_eq!(written, Call::Write(vec![(0, 1), (1, 1)]));
        assert_eq!(stage.call(), Call::Write(vec![(0, 1), (1, 7)]));
        stage.answers.send(Ok(())).unwrap();
        assert_eq!(stage.event(), OffsetEvent::Recovered);
        assert!(stage.events.is_empty());
    }

    #[test]
    fn flush_says_whether_everything_is_durable() {
        let stage = stage();
        assert!(stage.recorder.flush(Duration::ZERO), "there is nothing to write");
        stage.recorder.record(0, 1);
        assert!(!stage.recorder.flush(Duration::from_millis(1)));
        stage.answers.send(Ok(())).unwrap();
        assert!(stage.recorder.flush(LONG));
    }

    #[test]
    fn flush_does_not_wait_for_the_next_retry() {
        let stage = stage();
        stage.recorder.record(0, 1);
        for _ in 0..6 {
            stage.answers.send(Err(full())).unwrap();
            stage.call();
        }
        // The sixth failure is followed by a wait of 3200 ms.
        assert!(matches!(stage.event(), OffsetEvent::WriteFailed(_)));
        let started = Instant::now();
        stage.answers.send(Ok(())).unwrap();
        assert!(stage.recorder.flush(LONG));
        assert!(started.elapsed() < Duration::from_secs(3), "{:?}", started.elapsed());
    }

    #[test]
    fn close_writes_the_last_round_releases_the_store_and_ends_the_thread() {
        let stage = stage();
        stage.recorder.record(0, 1);
        let outcome = stage.close(LONG);
        assert_eq!(stage.call(), Call::Write(vec![(0, 1)]));
        stage.recorder.record(0, 2);
        stage.answers.send(Ok(())).unwrap();
        assert_eq!(stage.call(), Call::Write(vec![(0, 2)]));
        stage.answers.send(Ok(())).unwrap();
        assert_eq!(outcome.recv_timeout(LONG).unwrap(), Ok(()));
        assert_eq!(stage.call(), Call::Close);
        assert_eq!(stage.close(LONG).recv_timeout(LONG).unwrap(), Ok(()), "a second close has the same outcome");

        let (sender, receiver) = unbounded();
        stage.recorder.open(vec![0], move |offsets| drop(sender.send(offsets)));
        assert_eq!(receiver.recv_timeout(LONG).unwrap().unwrap_err().kind, ErrorKind::State);

        let mut state = stage.recorder.shared.state.lock();
        while state.running > 0 {
            assert!(!stage.recorder.shared.progress.wait_for(&mut state, LONG).timed_out());
        }
    }

    #[test]
    fn close_retries_until_its_deadline_and_names_what_could_not_be_written() {
        let stage = stage();
        stage.recorder.record(4, 42);
        for _ in 0..20 {
            stage.answers.send(Err(full())).unwrap();
        }
        let error = stage.close(Duration::from_millis(250)).recv_timeout(LONG).unwrap().unwrap_err();
        assert_eq!(error.partition, Some(4));
        assert!(error.to_string().contains("4: 42") && error.to_string().contains("t-0.offset"), "{error}");
        let calls: Vec<_> = stage.calls.try_iter().collect();
        assert!((2..=6).contains(&calls.len()), "{calls:?}");
        assert_eq!(calls.last(), Some(&Call::Close));
        assert!(!stage.recorder.flush(LONG), "a value was given up");
    }

    #[test]
    fn close_tries_once_even_without_time_to_retry() {
        let stage = stage();
        stage.recorder.record(0, 1);
        assert_eq!(stage.call(), Call::Write(vec![(0, 1)]));
        stage.recorder.record(0, 2);
        let outcome = stage.close(Duration::ZERO);
        stage.answers.send(Ok(())).unwrap();
        assert_eq!(stage.call(), Call::Write(vec![(0, 2)]));
        stage.answers.send(Ok(())).unwrap();
        assert_eq!(outcome.recv_timeout(LONG).unwrap(), Ok(()));
    }

    #[test]
    fn close_ends_although_the_store_hangs() {
        let stage = stage();
        stage.recorder.record(0, 1);
        stage.call();
        let error = stage.close(Duration::from_millis(10)).recv_timeout(LONG).unwrap().unwrap_err();
        assert_eq!((error.kind, error.code), (ErrorKind::Timeout, code::TIMED_OUT));
        let error = stage.close(LONG).recv_timeout(LONG).unwrap().unwrap_err();
        assert_eq!(error.kind, ErrorKind::Timeout);
        stage.answers.send(Ok(())).unwrap();
        assert_eq!(stage.call(), Call::Close);
    }

    #[test]
    fn a_late_value_is_recorded_or_dropped_with_a_warning() {
        let stage = stage();
        assert_eq!(stage.close(LONG).recv_timeout(LONG).unwrap(), Ok(()));
        stage.recorder.record(0, 12);
        assert_eq!(stage.call(), Call::Late(0, 12));
        assert!(stage.recorder.flush(LONG));
        stage.recorder.record(3, 13);
        assert_eq!(stage.call(), Call::Late(3, 13));
        let OffsetEvent::Warning(text) = stage.event() else { panic!("a warning") };
        assert!(text.contains("offset 13 of partition 3"), "{text}");
        assert!(!stage.recorder.flush(LONG));
        assert!(stage.events.is_empty());
    }

    #[test]
    fn dropping_it_writes_what_is_pending_and_ends_the_thread() {
        let stage = stage();
        stage.recorder.record(0, 1);
        stage.answers.send(Ok(())).unwrap();
        drop(stage.recorder);
        let calls: Vec<_> = stage.calls.try_iter().collect();
        assert_eq!(calls, [Call::Write(vec![(0, 1)]), Call::Close, Call::Dropped]);
    }

    #[test]
    fn dropping_it_in_a_reply_does_not_wait_for_itself() {
        let Stage { recorder, calls, .. } = stage();
        let recorder = Arc::new(recorder);
        let (sender, receiver) = unbounded();
        let last = Arc::clone(&recorder);
        let (gone, is_gone) = unbounded::<()>();
        recorder.open(vec![0], move |_| {
            let _ = is_gone.recv();
            let started = Instant::now();
            drop(last);
            let _ = sender.send(started.elapsed());
        });
        drop(recorder);
        drop(gone);
        assert!(receiver.recv_timeout(LONG).unwrap() < DROP_DEADLINE);
        for call in [Call::Open(vec![0]), Call::Close, Call::Dropped] {
            assert_eq!(calls.recv_timeout(LONG).unwrap(), call);
        }
    }

    #[test]
    fn a_store_that_panics_is_an_error_and_not_the_end_of_the_thread() {
        let stage = stage();
        drop(stage.answers);
        stage.recorder.record(0, 1);
        let event = stage.events.recv_timeout(LONG).unwrap();
        assert!(matches!(event, OffsetEvent::WriteFailed(error) if error.code == code::FAIL));
        let (sender, receiver) = unbounded();
        stage.recorder.close(Duration::from_millis(50), move |outcome| drop(sender.send(outcome)));
        let error = receiver.recv_timeout(LONG).unwrap().unwrap_err();
        assert!(error.to_string().contains("panicked"), "{error}");
    }
}
