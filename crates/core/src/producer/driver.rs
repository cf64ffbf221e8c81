//! The thread that drives a producer's client: it hands messages to librdkafka and counts its delivery reports.

use std::sync::Arc;
use std::time::{Duration, Instant};

use crossbeam_channel::Receiver;
use parking_lot::Mutex;

use super::dispatch::{Dispatch, News, Run};
use super::outbound::TopicState;
use super::tickets::Done;
use super::{ProducerEvent, Refusal, Shared, Sink};
use crate::ffi::{self, Client, Queue};
use crate::helper::{let_go, Helper};
use crate::packed::PackedRecords;
use crate::reply::{closed, Reply};
use crate::trouble::Verdict;

/// Nothing waits longer than this; the thread is woken for whatever comes earlier.
const LONGEST_WAIT: Duration = Duration::from_secs(3600);
/// How long purged messages may take to come back.
const PURGE: Duration = Duration::from_secs(5);
/// After so many commands the delivery reports are served.
const COMMANDS_AT_ONCE: usize = 64;

/// Where messages are handed to librdkafka: on the client's thread, or on that of who sends while nothing waits in the line.
/// None when the client has ended.
pub(super) type Line = Arc<Mutex<Option<Dispatch>>>;
const UNTIL_CLOSE: &str = "only `close` takes it";

/// Commands from others to the client's thread.
pub(super) enum Command {
    Send {
        runs: Vec<Run>,
        records: PackedRecords,
        /// By place in `records`, ascending.
        refused: Vec<Refusal>,
    },
    /// For the helper thread, behind everything that was sent before; the topic is opened first.
    Run {
        topic: Option<Arc<TopicState>>,
        job: Job,
    },
    Stop {
        deadline: Instant,
        reply: Reply<usize>,
    },
}

/// A call that blocks in librdkafka.
type Job = Box<dyn FnOnce(&Arc<Client>) + Send>;

struct Stopping {
    deadline: Instant,
    purged: Option<usize>,
    replies: Vec<Reply<usize>>,
}

impl Stopping {
    /// Takes what nobody will do any more: a send is lost, a job that is dropped answers that the client is gone, and a stop has the
    /// same answer as the first. Returns how many messages are lost.
    fn drain(
        &mut self,
        incoming: &Receiver<Command>,
        mut refuse: impl FnMut(Vec<Run>, PackedRecords, Vec<Refusal>),
    ) -> usize {
        let mut lost = 0;
        for command in incoming.try_iter() {
            match command {
                Command::Stop { reply, .. } => self.replies.push(reply),
                Command::Send { runs, records, refused } => {
                    lost += records.len() - refused.len();
                    refuse(runs, records, refused);
                }
                Command::Run { job, .. } => drop(job),
            }
        }
        lost
    }
}

pub(super) struct Driver {
    client: Arc<Client>,
    helper: Arc<Helper>,
    shared: Arc<Shared>,
    incoming: Receiver<Command>,
    sink: Sink,
    queue: Arc<Queue>,
    line: Line,
    stopping: Option<Stopping>,
    /// Messages that the end overtook on their way to librdkafka.
    lost: usize,
}

impl Driver {
    pub(super) fn new(
        client: Arc<Client>,
        helper: Arc<Helper>,
        shared: Arc<Shared>,
        incoming: Receiver<Command>,
        sink: Sink,
        line: Line,
    ) -> Self {
        let queue = Arc::new(client.main_queue());
        shared.waker.watch(vec![queue.clone()]);
        Self { client, helper, shared, incoming, sink, queue, line, stopping: None, lost: 0 }
    }

    pub(super) fn run(mut self) {
        loop {
            self.apply_waiting();
            self.tell();
            if self.ended() {
                return self.close();
            }
            // A wake-up that came while commands were applied is kept by the queue: the poll returns at once.
            let wait = match &self.stopping {
                _ if !self.incoming.is_empty() => Duration::ZERO,
                Some(stopping) => stopping.deadline.saturating_duration_since(Instant::now()),
                None => LONGEST_WAIT,
            };
            let queue = self.queue.clone();
            let mut next = queue.poll(wait);
            while let Some(event) = next {
                self.on_event(&event);
                drop(event);
                self.tell();
                next = queue.poll(Duration::ZERO);
            }
        }
    }

    /// Under the lock from the look into the line on: what is sent past the line must not overtake what was taken out of it.
    fn apply_waiting(&mut self) {
        let line = self.line.clone();
        let mut line = line.lock();
        let dispatch = line.as_mut().expect(UNTIL_CLOSE);
        for command in self.incoming.clone().try_iter().take(COMMANDS_AT_ONCE) {
            self.apply(command, dispatch);
        }
    }

    fn apply(&mut self, command: Command, dispatch: &mut Dispatch) {
        match command {
            // The stop waits in the line: when its time is over, what stands before it would only be purged.
            Command::Send { runs, records, refused } if self.shared.has_given_up() => {
                self.lost += records.len() - refused.len();
                dispatch.refuse_all(runs, records.view(), &refused);
            }
            Command::Send { runs, records, refused } => {
                dispatch.send(runs, records.view(), &refused);
                self.shared.reuse(records);
            }
            Command::Run { topic, job } => {
                if let Some(topic) = topic {
                    // Whoever asks about a topic before it is sent to must not make its handle without its properties. An
                    // error is told to those who send.
                    let _ = dispatch.open(&topic);
                }
                self.helper.run(job);
            }
            Command::Stop { deadline, reply } => match &mut self.stopping {
                Some(stopping) => stopping.replies.push(reply),
                None => {
                    self.stopping = Some(Stopping { deadline, purged: None, replies: vec![reply] });
                    // Ends the linger of what is queued; waits beside us, because the reports come through this thread.
                    self.helper.run(move |client| {
                        client.flush(deadline.saturating_duration_since(Instant::now()));
                    });
                }
            },
        }
    }

    /// Tells what there is, without the lock. Failures and receipts wait to be taken, and are told once until they are.
    fn tell(&mut self) {
        let news = self.line.lock().as_mut().expect(UNTIL_CLOSE).take_news();
        tell(&self.shared, &self.sink, news);
    }

    fn on_event(&mut self, event: &ffi::Event<'_>) {
        match event.kind() {
            ffi::DELIVERIES => self.on_deliveries(event),
            ffi::ERROR => event.error().into_iter().for_each(|error| match self.shared.troubles.judge(error) {
                Verdict::Tell(error) => (self.sink)(ProducerEvent::Error(error)),
                Verdict::Warn(line) => (self.sink)(ProducerEvent::Log(line)),
                Verdict::Known => {}
            }),
            ffi::LOG => (self.sink)(ProducerEvent::Log(self.shared.troubles.line(event.log()))),
            ffi::STATS => (self.sink)(ProducerEvent::Stats(event.stats())),
            _ => {}
        }
    }

    /// Thousands of messages: with the lock for some of them at a time, so that whoever sends gets it in between.
    fn on_deliveries(&self, event: &ffi::Event<'_>) {
        let mut room = ffi::Room::default();
        loop {
            let reports = event.messages(&mut room);
            if reports.len() == 0 {
                return;
            }
            self.line.lock().as_mut().expect(UNTIL_CLOSE).on_deliveries(reports);
        }
    }

    /// Whether a stop is through: drained, or out of time and purged.
    fn ended(&mut self) -> bool {
        let Some(stopping) = &mut self.stopping else { return false };
        let left = self.shared.outbound.queue_length();
        if left == 0 {
            return true;
        }
        let now = Instant::now();
        if now < stopping.deadline {
            return false;
        }
        match stopping.purged {
            Some(_) => true, // purging took too long: what is left is lost without a report
            None => {
                stopping.purged = Some(left);
                stopping.deadline = now + PURGE;
                self.client.purge();
                false
            }
        }
    }

    /// Gives back everything of librdkafka, then answers.
    fn close(mut self) {
        let mut stopping = self.stopping.take().expect("only a stop ends the thread");
        let mut dispatch = self.line.lock().take().expect(UNTIL_CLOSE);
        let mut lost = self.lost + stopping.purged.unwrap_or(0);
        // Commands that came behind the last look: sends on other threads that were faster than the stop's mark, and more stops.
        lost += stopping
            .drain(&self.incoming, |runs, records, refused| dispatch.refuse_all(runs, records.view(), &refused));
        self.shared.waker.retire();
        self.helper.end(Duration::ZERO);
        self.shared.troubles.close();
        let Self { client, incoming, queue, shared, sink, .. } = self;
        drop(queue);
        tell(&shared, &sink, dispatch.take_news());
        let mut tickets = dispatch.end();
        let_go(client, Duration::from_secs(1));
        // Meanwhile, too; nobody is left to tell of a failure without a ticket.
        lost += stopping.drain(&incoming, |runs, _, _| {
            for run in runs {
                tickets.open(run.waiter, run.count, std::iter::empty());
            }
        });
        tell_done(&shared, &sink, tickets.end(&closed()));
        for reply in stopping.replies {
            reply.send(Ok(lost));
        }
        drop(incoming);
    }
}

fn tell(shared: &Shared, sink: &Sink, News { failures, drained, done }: News) {
    if failures {
        sink(ProducerEvent::Failures);
    }
    if drained {
        sink(ProducerEvent::Drained);
    }
    tell_done(shared, sink, done);
}

fn tell_done(shared: &Shared, sink: &Sink, Done { mut receipts, answers }: Done) {
    for (reply, results) in answers {
        reply.send(Ok(results));
    }
    if receipts.is_empty() {
        return;
    }
    let mut waiting = shared.receipts.lock();
    let first = waiting.is_empty();
    waiting.append(&mut receipts);
    drop(waiting);
    if first {
        sink(ProducerEvent::Receipts);
    }
}
