//! The helper thread: what blocks in librdkafka runs here, so that the client's thread keeps serving its queues.

use std::sync::Arc;
use std::thread::JoinHandle;
use std::time::{Duration, Instant};

use crossbeam_channel::{unbounded, Receiver, Sender};
use parking_lot::{Condvar, Mutex};

use crate::ffi::Client;

type Job = Box<dyn FnOnce(&Arc<Client>) + Send>;

/// Starts its thread with the first job; jobs run one after the other.
pub(crate) struct Helper {
    name: String,
    state: Mutex<State>,
}

enum State {
    Idle(Arc<Client>),
    Running(Sender<Job>, JoinHandle<()>),
    Ended,
}

impl Helper {
    pub(crate) fn new(name: &str, client: Arc<Client>) -> Self {
        Self { name: format!("{name}-help"), state: Mutex::new(State::Idle(client)) }
    }

    /// Runs the job on the helper thread; dropped when the client is closing.
    pub(crate) fn run(&self, job: impl FnOnce(&Arc<Client>) + Send + 'static) {
        let mut state = self.state.lock();
        if let State::Idle(client) = &*state {
            let (tx, rx): (Sender<Job>, Receiver<Job>) = unbounded();
            let client = client.clone();
            let thread = std::thread::Builder::new().name(self.name.clone()).spawn(move || {
                for job in rx {
                    job(&client);
                }
            });
            match thread {
                Ok(thread) => *state = State::Running(tx, thread),
                // Out of threads: the job is dropped, and its reply says that it was.
                Err(_) => return,
            }
        }
        if let State::Running(tx, _) = &*state {
            let _ = tx.send(Box::new(job));
        }
    }

    /// Lets go of the client when the jobs that were given are done, and waits for that.
    pub(crate) fn end(&self) {
        let state = std::mem::replace(&mut *self.state.lock(), State::Ended);
        if let State::Running(tx, thread) = state {
            drop(tx);
            let _ = thread.join();
        }
    }
}

/// Tells those who wait that their client is closing.
#[derive(Default)]
pub(crate) struct Closing {
    closing: Mutex<bool>,
    changed: Condvar,
}

impl Closing {
    pub(crate) fn begin(&self) {
        *self.closing.lock() = true;
        self.changed.notify_all();
    }

    pub(crate) fn begun(&self) -> bool {
        *self.closing.lock()
    }

    /// Waits until the client is closing (true) or the deadline is over.
    pub(crate) fn wait_until(&self, deadline: Instant) -> bool {
        let mut closing = self.closing.lock();
        while !*closing && !self.changed.wait_until(&mut closing, deadline).timed_out() {}
        *closing
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

impl Default for Retry {
    fn default() -> Self {
        Self { max_tries: 15, interval: Duration::from_secs(1) }
    }
}

/// Waits for a client's thread to end; false when it does not in time.
pub(crate) fn join(thread: &Mutex<Option<JoinHandle<()>>>, timeout: Duration) -> bool {
    let deadline = Instant::now() + timeout;
    let mut thread = thread.lock();
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
