//! The admin's thread: starts requests, and gives their answers to those who wait.

use std::collections::HashMap;
use std::sync::Arc;
use std::time::{Duration, Instant};

use crossbeam_channel::{Receiver, TryRecvError};

use super::{AdminEvent, AdminRequest, DescribeTopics, Shared};
use crate::code;
use crate::error::{Error, ErrorKind, Result};
use crate::ffi::{self, Client, Event, Queue};
use crate::helper::{deadline, let_go, Helper};
use crate::lookup;
use crate::trouble::{Guarded, Verdict};

/// How long an answer may come after the time that was given to the broker.
const GRACE: Duration = Duration::from_secs(2);

/// After so long a request may wait for a broker that has gone: librdkafka sends most of them to the one broker that it
/// heard of as the controller, and asks nobody who took its place.
const PATIENCE: Duration = Duration::from_secs(1);

/// Starts a request under an id; none when it failed at once.
pub(super) type Job = Box<dyn FnOnce(&Client, &Queue, usize) -> Option<Pending> + Send>;

/// Takes the answer, and returns what comes next.
type Settle = Box<dyn FnOnce(Result<&Event<'_>>) -> Option<Job> + Send>;

/// A request that is on its way.
pub(super) struct Pending {
    begin: Instant,
    deadline: Instant,
    settle: Settle,
}

/// The job of a request, and of the description of its topics before it.
pub(super) fn job<R: AdminRequest>(
    request: R,
    timeout: Duration,
    reply: Guarded<R::Answer>,
    shared: Arc<Shared>,
) -> Job {
    let (end, topics, refused) = (deadline(timeout), request.topics(), reply.clone());
    let request = step(request, end, shared.clone(), move |answer| {
        reply.send(answer);
        None
    });
    if topics.is_empty() {
        return request;
    }
    // The request itself says what is wrong with single topics.
    step(DescribeTopics { topics }, end, shared, move |described| match described {
        Ok(_) => Some(request),
        Err(error) => {
            refused.send(Err(error));
            None
        }
    })
}

/// A job that makes one request and hands its answer to `then`, which returns what comes next.
fn step<R: AdminRequest>(
    request: R,
    end: Instant,
    shared: Arc<Shared>,
    then: impl FnOnce(Result<R::Answer>) -> Option<Job> + Send + 'static,
) -> Job {
    Box::new(move |client, queue, id| {
        if let Err(error) = client.start(&request, end.saturating_duration_since(Instant::now()), queue, id) {
            then(Err(error));
            return None;
        }
        let settle = move |event: Result<&Event<'_>>| {
            let answer = event.and_then(|event| ffi::answer(&request, event));
            if answer.is_ok() {
                shared.troubles.healed(|_, _| true);
            }
            then(answer.map_err(|error| match error.code {
                code::TIMED_OUT => timed_out(error, &shared),
                // Mostly met on the embedded cluster.
                code::UNSUPPORTED_FEATURE => Error::kafka(
                    error.code,
                    format!("{} (a MockCluster has few such requests; it makes topics itself)", error.message),
                ),
                _ => error,
            }))
        };
        Some(Pending { begin: Instant::now(), deadline: end + GRACE, settle: Box::new(settle) })
    })
}

/// The time of a call was over; the last trouble that was told is why.
fn timed_out(error: Error, shared: &Shared) -> Error {
    let timeout = Error::new(ErrorKind::Timeout, error.code, error.message);
    match shared.troubles.last() {
        Some(told) => timeout.because(told),
        None => timeout,
    }
}

pub(super) struct Driver {
    client: Arc<Client>,
    /// Answers, and what librdkafka tells on the side.
    queue: Arc<Queue>,
    helper: Arc<Helper>,
    shared: Arc<Shared>,
    jobs: Receiver<Job>,
    pending: HashMap<usize, Pending>,
    last_id: usize,
    /// When brokers were last asked who they are.
    asked: Instant,
    sink: Box<dyn Fn(AdminEvent) + Send>,
}

impl Driver {
    pub(super) fn new(
        client: Arc<Client>,
        helper: Arc<Helper>,
        shared: Arc<Shared>,
        jobs: Receiver<Job>,
        sink: impl Fn(AdminEvent) + Send + 'static,
    ) -> Self {
        let queue = Arc::new(client.new_queue());
        client.main_queue().forward(&queue);
        shared.waker.watch(vec![queue.clone()]);
        let (pending, asked) = (HashMap::new(), Instant::now());
        Self { client, queue, helper, shared, jobs, pending, last_id: 0, asked, sink: Box::new(sink) }
    }

    /// Ends when the admin is dropped; those who wait are answered by the replies that go with it.
    pub(super) fn run(mut self) {
        while self.start_jobs() {
            let oldest = self.pending.values().map(|pending| pending.begin).min();
            let look = oldest.map(|oldest| oldest.max(self.asked) + PATIENCE);
            let next = self.pending.values().map(|pending| pending.deadline).chain(look).min();
            let wait = next.map_or(Duration::MAX, |next| next.saturating_duration_since(Instant::now()));
            let queue = self.queue.clone();
            if let Some(event) = queue.poll(wait) {
                self.serve(&event);
            }
            if look.is_some_and(|look| look <= Instant::now()) {
                self.asked = Instant::now();
                self.helper.run(|client| drop(lookup::reach(client, PATIENCE)));
            }
            self.expire();
        }
        self.shared.waker.retire();
        let Self { client, queue, .. } = self;
        drop(queue);
        let_go(client, super::END);
    }

    /// False when no more can come.
    fn start_jobs(&mut self) -> bool {
        loop {
            match self.jobs.try_recv() {
                Ok(job) => self.start(job),
                Err(TryRecvError::Empty) => return true,
                Err(TryRecvError::Disconnected) => return false,
            }
        }
    }

    fn start(&mut self, job: Job) {
        self.last_id += 1;
        if let Some(pending) = job(&self.client, &self.queue, self.last_id) {
            self.pending.insert(self.last_id, pending);
        }
    }

    fn serve(&mut self, event: &Event<'_>) {
        match event.kind() {
            ffi::ERROR => event.error().into_iter().for_each(|error| match self.shared.troubles.judge(error) {
                Verdict::Tell(error) => (self.sink)(AdminEvent::Error(error)),
                Verdict::Warn(line) => (self.sink)(AdminEvent::Log(line)),
                Verdict::Known => {}
            }),
            ffi::LOG => (self.sink)(AdminEvent::Log(self.shared.troubles.line(event.log()))),
            ffi::STATS => (self.sink)(AdminEvent::Stats(event.stats())),
            _ => {
                if let Some(pending) = self.pending.remove(&event.opaque()) {
                    (pending.settle)(Ok(event)).into_iter().for_each(|next| self.start(next));
                }
            }
        }
    }

    /// librdkafka keeps the time of each request; this is for a step of it that does not.
    fn expire(&mut self) {
        let now = Instant::now();
        for (_, pending) in self.pending.extract_if(|_, pending| pending.deadline <= now) {
            (pending.settle)(Err(Error::kafka(code::TIMED_OUT, "the cluster did not answer in time")));
        }
    }
}
