//! The helper thread: what blocks in librdkafka runs here, so that the client's thread keeps serving its queues.

use std::cell::Cell;
use std::sync::atomic::{AtomicBool, Ordering};
use std::sync::Arc;
use std::thread::JoinHandle;
use std::time::{Duration, Instant};

use crossbeam_channel::{bounded, unbounded, Receiver, RecvTimeoutError, Sender};
use parking_lot::Mutex;

use crate::code;
use crate::error::{Error, ErrorKind, Result};
use crate::ffi::Client;
use crate::reply::{closed, Reply};
use crate::thread;

/// Returns when it is to be run again.
type Job = Box<dyn FnMut(&Arc<Client>) -> Option<Instant> + Send>;

/// The end of a client is given at least this long, even when the user gave less: most take a few milliseconds.
const LEAST_END: Duration = Duration::from_millis(250);

/// How long a call waits for its answer that takes no time of its own.
pub(crate) const ANSWER: Duration = Duration::from_secs(15);
/// How long an answer may come after the time that its call was given: it says why it was over.
const LATE: Duration = Duration::from_secs(3);
/// The same for a client's end.
const END: Duration = Duration::from_secs(1);

thread_local! {
    /// The helper of the client that this thread serves.
    static SERVED: Cell<usize> = const { Cell::new(0) };
}

/// Starts its thread with the first job; jobs run one after the other.
pub(crate) struct Helper {
    name: String,
    state: Mutex<State>,
    ended: Arc<AtomicBool>,
}

enum State {
    Idle(Arc<Client>),
    Running(Sender<Job>, Ending),
    Ended,
}

/// A thread that ends soon: `over` disconnects when it has done its work.
struct Ending {
    over: Receiver<()>,
    thread: JoinHandle<()>,
}

impl Ending {
    fn spawn(name: &str, body: impl FnOnce() + Send + 'static) -> std::io::Result<Self> {
        let (running, over) = bounded(0);
        let thread = thread::spawn(name, move || {
            body();
            drop::<Sender<()>>(running);
        })?;
        Ok(Self { over, thread })
    }

    /// Joins the thread, or leaves it to itself when it takes longer.
    fn join(self, timeout: Duration) {
        if self.over.recv_timeout(timeout.max(LEAST_END)) == Err(RecvTimeoutError::Disconnected) {
            let _ = self.thread.join();
        }
    }
}

impl Helper {
    pub(crate) fn new(name: &str, client: Arc<Client>) -> Self {
        Self { name: format!("{name}-help"), state: Mutex::new(State::Idle(client)), ended: Arc::default() }
    }

    /// The body of the thread that serves the client.
    pub(crate) fn serving(self: &Arc<Self>, drive: impl FnOnce() + Send + 'static) -> impl FnOnce() + Send + 'static {
        let helper = self.clone();
        move || {
            SERVED.set(Arc::as_ptr(&helper) as usize);
            drive();
        }
    }

    /// Runs `call`, which takes this time itself, and blocks until it has answered.
    pub(crate) fn wait<T: Send + 'static>(
        self: &Arc<Self>,
        timeout: Duration,
        call: impl FnOnce(Reply<T>),
    ) -> Result<T> {
        self.answered(timeout.saturating_add(LATE), call)
    }

    /// The same for the client's end: for this time and a second at most, whatever the client's thread does.
    pub(crate) fn wait_for_end<T: Send + 'static>(
        self: &Arc<Self>,
        timeout: Duration,
        call: impl FnOnce(Reply<T>),
    ) -> Result<T> {
        self.answered(timeout.saturating_add(END), call)
    }

    /// Runs `call` with a reply and blocks until it is answered, or the time is over. On a thread that serves the client
    /// nobody would answer: there it is refused.
    pub(crate) fn answered<T: Send + 'static>(
        self: &Arc<Self>,
        limit: Duration,
        call: impl FnOnce(Reply<T>),
    ) -> Result<T> {
        if SERVED.get() == Arc::as_ptr(self) as usize {
            return Err(Error::state(
                "this call waits for the thread that it is made on, which tells its client's events: make it on another \
                 thread, or use its form that answers later (..._with)",
            ));
        }
        let (tx, rx) = bounded(1);
        call(Reply::new(move |answer| drop(tx.send(answer))));
        rx.recv_deadline(deadline(limit)).unwrap_or_else(|error| match error {
            RecvTimeoutError::Disconnected => Err(closed()),
            RecvTimeoutError::Timeout => {
                let text = format!("no answer within {:.1} s; the call may still have its effect", limit.as_secs_f64());
                Err(Error::new(ErrorKind::Timeout, code::TIMED_OUT, text))
            }
        })
    }

    /// Runs the job on the helper thread. Returns false when it is dropped instead: the client is closing, or there is no
    /// thread to be had.
    pub(crate) fn run(self: &Arc<Self>, job: impl FnOnce(&Arc<Client>) + Send + 'static) -> bool {
        let mut job = Some(job);
        self.run_again(move |client| {
            if let Some(job) = job.take() {
                job(client);
            }
            None
        })
    }

    /// Like `run`, for a job that returns when it is to be run again; others run in the time between.
    pub(crate) fn run_again(
        self: &Arc<Self>,
        job: impl FnMut(&Arc<Client>) -> Option<Instant> + Send + 'static,
    ) -> bool {
        let mut state = self.state.lock();
        if let State::Idle(client) = &*state {
            let (tx, rx): (Sender<Job>, Receiver<Job>) = unbounded();
            let (client, ended) = (client.clone(), self.ended.clone());
            let served = Arc::as_ptr(self) as usize;
            let thread = Ending::spawn(&self.name, move || {
                SERVED.set(served);
                work(&client, &rx, &ended);
            });
            match thread {
                Ok(thread) => *state = State::Running(tx, thread),
                Err(_) => return false,
            }
        }
        match &*state {
            State::Running(tx, _) => tx.send(Box::new(job)).is_ok(),
            _ => false,
        }
    }

    /// Drops the jobs that wait, and waits for the one that runs. If that takes longer than `timeout` (a question to a
    /// broker that is silent) it is left alone: it holds the client, which is destroyed after it.
    pub(crate) fn end(&self, timeout: Duration) {
        self.ended.store(true, Ordering::SeqCst);
        let state = std::mem::replace(&mut *self.state.lock(), State::Ended);
        if let State::Running(tx, thread) = state {
            drop(tx);
            thread.join(timeout);
        }
    }
}

/// The helper thread.
fn work(client: &Arc<Client>, jobs: &Receiver<Job>, ended: &AtomicBool) {
    let mut later: Vec<(Instant, Job)> = Vec::new();
    loop {
        let next = later.iter().enumerate().min_by_key(|(_, (at, _))| *at).map(|(i, (at, _))| (i, *at));
        let job = match next {
            Some((i, at)) if at <= Instant::now() => Ok(later.swap_remove(i).1),
            Some((_, at)) => jobs.recv_deadline(at),
            None => jobs.recv().map_err(|_| RecvTimeoutError::Disconnected),
        };
        let mut job = match job {
            Ok(job) => job,
            Err(RecvTimeoutError::Timeout) => continue,
            Err(RecvTimeoutError::Disconnected) => return,
        };
        if ended.load(Ordering::SeqCst) {
            continue; // dropped
        }
        if let Some(at) = job(client) {
            later.push((at, job));
        }
    }
}

/// Destroys the client, unless others hold it still. That joins librdkafka's threads, and one of them may be resolving a
/// name, which nothing interrupts: what takes longer than `timeout` goes on without us.
pub(crate) fn let_go(client: Arc<Client>, timeout: Duration) {
    // Without a thread the closure is dropped here, and the client with it.
    if let Ok(thread) = Ending::spawn("kafka-end", move || drop(client)) {
        thread.join(timeout);
    }
}

/// The instant after this time; a time without end (`Duration::MAX`) is a year.
pub(crate) fn deadline(timeout: Duration) -> Instant {
    const YEAR: Duration = Duration::from_secs(365 * 24 * 60 * 60);
    Instant::now() + timeout.min(YEAR)
}

/// Tells those who would ask again that their client is closing.
#[derive(Default)]
pub(crate) struct Closing(AtomicBool);

impl Closing {
    pub(crate) fn begin(&self) {
        self.0.store(true, Ordering::SeqCst);
    }

    pub(crate) fn begun(&self) -> bool {
        self.0.load(Ordering::SeqCst)
    }
}

/// How often, and how far apart, something that can heal is tried.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Retry {
    /// How many tries; at least one is made. Default 15.
    pub max_tries: u32,
    /// From the begin of one try to the begin of the next. Default 1 s.
    pub interval: Duration,
}

impl Retry {
    /// Longer than all tries take.
    pub(crate) fn longest(&self) -> Duration {
        self.interval.max(Duration::from_secs(3)).saturating_mul(self.max_tries.max(1)).saturating_add(ANSWER)
    }
}

impl Default for Retry {
    fn default() -> Self {
        Self { max_tries: 15, interval: Duration::from_secs(1) }
    }
}

/// Waits for a client's thread to end; false when it does not in time.
pub(crate) fn join(thread: &Mutex<Option<JoinHandle<()>>>, timeout: Duration) -> bool {
    let deadline = deadline(timeout);
    let Some(mut thread) = thread.try_lock_until(deadline) else { return false };
    if thread.as_ref().is_some_and(|thread| thread.thread().id() == std::thread::current().id()) {
        return false; // called by the client's own thread, from an event
    }
    // std has no join with a deadline. Only reached when a client ends, so a short sleep costs nothing.
    while thread.as_ref().is_some_and(|thread| !thread.is_finished()) && Instant::now() < deadline {
        std::thread::sleep(Duration::from_micros(200));
    }
    match thread.take() {
        Some(running) if !running.is_finished() => {
            *thread = Some(running);
            false
        }
        Some(ended) => ended.join().is_ok(),
        None => true,
    }
}
