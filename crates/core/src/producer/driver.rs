//! The thread that drives a producer's client: it hands messages to librdkafka and counts its delivery reports.

use std::collections::HashMap;
use std::sync::atomic::Ordering;
use std::sync::Arc;
use std::time::{Duration, Instant};

use crossbeam_channel::Receiver;

use super::outbound::TopicState;
use super::tickets::{opaque_of, Tickets, Waiter};
use super::{ProducerEvent, Refusal, Shared, Sink};
use crate::error::{code, Error, Result};
use crate::ffi::{self, error_text, Choice, Client, Outgoing, ProduceScratch, Queue, Topic};
use crate::helper::{let_go, Helper};
use crate::packed::{header_block, PackedRecords};
use crate::reply::{closed, Reply};
use crate::trouble::{LogLine, Verdict};

/// Nothing waits longer than this; the thread is woken for whatever comes earlier.
const LONGEST_WAIT: Duration = Duration::from_secs(3600);
/// How long purged messages may take to come back.
const PURGE: Duration = Duration::from_secs(5);
/// After so many commands the delivery reports are served.
const COMMANDS_AT_ONCE: usize = 64;

/// What others ask of the client's thread.
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

/// What blocks in librdkafka.
type Job = Box<dyn FnOnce(&Arc<Client>) + Send>;

/// So many messages, one after the other, for one topic.
pub(super) struct Run {
    pub(super) topic: Arc<TopicState>,
    /// For messages that have none of their own; -1 = the partitioner's choice.
    pub(super) partition: i32,
    pub(super) count: usize,
    pub(super) waiter: Waiter,
}

/// Messages of one partition that go to librdkafka in one call.
struct Stretch<'a> {
    topic: Arc<TopicState>,
    partition: i32,
    messages: Vec<Outgoing<'a>>,
}

/// Messages without a key of one send, those of a partition one after the other: only the first of each asks the partitioner.
/// In turn one by one they cost 0.35 us more each, most of it in librdkafka: locks, and memory that is read crosswise.
#[derive(Default)]
struct Spread {
    partition: i32,
    /// How many more go there.
    left: usize,
    /// How many partitions were chosen.
    chosen: usize,
}

impl Spread {
    /// Where the next message goes; none: the partitioner has to be asked.
    fn next(&mut self) -> Option<i32> {
        self.left = self.left.checked_sub(1)?;
        Some(self.partition)
    }

    /// A message went where the partitioner said; its even share of the `messages` of the send follows.
    fn chosen(&mut self, choice: Choice, messages: usize) {
        let share = messages / choice.count + usize::from(self.chosen < messages % choice.count);
        (self.partition, self.left) = (choice.partition, share.saturating_sub(1));
        self.chosen += 1;
    }
}

struct Stopping {
    deadline: Instant,
    purged: Option<usize>,
    replies: Vec<Reply<usize>>,
}

pub(super) struct Driver {
    client: Arc<Client>,
    helper: Arc<Helper>,
    shared: Arc<Shared>,
    incoming: Receiver<Command>,
    sink: Sink,
    queue: Arc<Queue>,
    /// librdkafka's handles by name, and what is known of the topic by the handle's id.
    handles: HashMap<String, Topic>,
    states: HashMap<usize, Arc<TopicState>>,
    tickets: Tickets,
    scratch: ProduceScratch,
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
    ) -> Self {
        let queue = Arc::new(client.main_queue());
        shared.waker.watch(vec![queue.clone()]);
        Self {
            client,
            helper,
            shared,
            incoming,
            sink,
            queue,
            handles: HashMap::new(),
            states: HashMap::new(),
            tickets: Tickets::default(),
            scratch: ProduceScratch::default(),
            stopping: None,
            lost: 0,
        }
    }

    pub(super) fn run(mut self) {
        loop {
            for command in self.incoming.clone().try_iter().take(COMMANDS_AT_ONCE) {
                self.apply(command);
            }
            self.tell_receipts();
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
                self.tell_receipts();
                next = queue.poll(Duration::ZERO);
            }
        }
    }

    fn apply(&mut self, command: Command) {
        match command {
            // A stop without time waits in the line: what stands before it would only be purged.
            Command::Send { runs, records, refused } if self.shared.purging.load(Ordering::Relaxed) => {
                self.lost += records.len() - refused.len();
                self.refuse_all(runs, &records, &refused);
            }
            Command::Send { runs, records, refused } => {
                self.send(runs, &records, &refused);
                self.shared.reuse(records);
            }
            Command::Run { topic, job } => {
                if let Some(topic) = topic {
                    // Whoever asks about a topic before it is sent to must not make its handle without its properties. An
                    // error is told to those who send.
                    let _ = self.open(&topic);
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

    /// Hands messages to librdkafka in their order: those of one partition that follow one another in one call, those with
    /// headers or a timestamp one by one.
    fn send(&mut self, runs: Vec<Run>, records: &PackedRecords, refused: &[Refusal]) {
        let in_turn = self.client.round_robin().is_some();
        let mut messages = records.iter();
        let mut stretch: Option<Stretch<'_>> = None;
        let (mut start, mut refused) = (0, refused);
        for run in runs {
            let end = start + run.count;
            let (mine, others) = refused.split_at(refused.partition_point(|refusal| refusal.index < end));
            refused = others;
            let errors = mine.iter().map(|refusal| (refusal.index - start, &refusal.error));
            let place = self.tickets.open(run.waiter, run.count, errors);
            let mut spread = Spread::default();
            for (index, record) in messages.by_ref().take(run.count).enumerate() {
                if mine.binary_search_by_key(&(start + index), |refusal| refusal.index).is_ok() {
                    continue;
                }
                let own = if record.partition >= 0 { record.partition } else { run.partition };
                let spreads = in_turn && own < 0 && record.key.is_none();
                let partition = if spreads { spread.next().unwrap_or(own) } else { own };
                let message = Outgoing { key: record.key, value: record.value, opaque: opaque_of(place, index) };
                match &mut stretch {
                    Some(stretch)
                        if record.is_plain()
                            && stretch.partition == partition
                            && Arc::ptr_eq(&stretch.topic, &run.topic) =>
                    {
                        stretch.messages.push(message)
                    }
                    _ => {
                        self.produce(&mut stretch);
                        if record.is_plain() {
                            let messages = vec![message];
                            stretch = Some(Stretch { topic: run.topic.clone(), partition, messages });
                        } else {
                            self.produce_one(&run.topic, partition, message, record.timestamp, record.headers);
                        }
                    }
                }
                if spreads && partition < 0 && run.count > 1 {
                    self.produce(&mut stretch);
                    if let Some(choice) = self.choice(&run.topic) {
                        spread.chosen(choice, run.count);
                    }
                }
            }
            start = end;
        }
        self.produce(&mut stretch);
    }

    /// Where the partitioner sent the topic's last message; none while the topic's partitions are not known.
    fn choice(&self, topic: &TopicState) -> Option<Choice> {
        self.client.round_robin()?.take_choice(self.handles.get(&topic.name)?.id())
    }

    fn produce(&mut self, stretch: &mut Option<Stretch<'_>>) {
        let Some(Stretch { topic, partition, messages }) = stretch.take() else { return };
        if let Err(error) = self.open(&topic) {
            for message in messages {
                self.fail(&topic, partition, &message, error.clone());
            }
            return;
        }
        let mut failed = Vec::new();
        self.handles[&topic.name]
            .produce(&mut self.scratch, partition, &messages, |index, code| failed.push((index, code)));
        for (index, code) in failed {
            let error = why(&self.client, code, messages[index].size());
            self.fail(&topic, partition, &messages[index], error);
        }
    }

    fn produce_one(
        &mut self,
        topic: &Arc<TopicState>,
        partition: i32,
        message: Outgoing<'_>,
        timestamp: i64,
        headers: &[u8],
    ) {
        let produced = self.open(topic).and_then(|()| {
            self.handles[&topic.name].produce_one(partition, &message, timestamp, header_block(headers))
        });
        if let Err(error) = produced {
            let error = if error.code == code::FATAL { why(&self.client, error.code, message.size()) } else { error };
            self.fail(topic, partition, &message, error);
        }
    }

    fn open(&mut self, topic: &Arc<TopicState>) -> Result<()> {
        if !self.handles.contains_key(&topic.name) {
            let handle = self.client.topic_with(&topic.name, &topic.properties)?;
            self.states.insert(handle.id(), topic.clone());
            self.handles.insert(topic.name.clone(), handle);
        }
        Ok(())
    }

    /// librdkafka did not take this message.
    fn fail(&mut self, topic: &TopicState, partition: i32, message: &Outgoing<'_>, error: Error) {
        self.failed(topic, partition, error.code, message.opaque);
        self.tickets.failed(message.opaque, || error.at(&topic.name, partition));
        self.settled(topic, 1, message.size() as u64);
    }

    /// Receipts wait to be taken: told once until they are.
    fn tell_receipts(&mut self) {
        let mut done = self.tickets.take_done();
        if done.is_empty() {
            return;
        }
        let mut waiting = self.shared.receipts.lock();
        let first = waiting.is_empty();
        waiting.append(&mut done);
        drop(waiting);
        if first {
            (self.sink)(ProducerEvent::Receipts);
        }
    }

    /// What nobody waits for is told as a failure.
    fn failed(&self, topic: &TopicState, partition: i32, code: i32, opaque: usize) {
        if opaque == 0 && self.shared.failures.lock().add(code, &topic.name, partition, 1) {
            (self.sink)(ProducerEvent::Failures);
        }
    }

    fn settled(&self, topic: &TopicState, messages: u64, bytes: u64) {
        if self.shared.outbound.settled(topic, messages, bytes) {
            (self.sink)(ProducerEvent::Drained);
        }
    }

    fn on_event(&mut self, event: &ffi::Event<'_>) {
        match event.kind() {
            ffi::DELIVERIES => self.on_deliveries(event),
            ffi::ERROR => event.error().into_iter().for_each(|error| match self.shared.troubles.judge(error) {
                Verdict::Tell(error) => (self.sink)(ProducerEvent::Error(error)),
                Verdict::Warn(line) => (self.sink)(ProducerEvent::Log(line)),
                Verdict::Known => {}
            }),
            ffi::LOG => (self.sink)(ProducerEvent::Log(LogLine::of_librdkafka(event.log()))),
            ffi::STATS => (self.sink)(ProducerEvent::Stats(event.stats())),
            _ => {}
        }
    }

    /// Counts the reports of one event, thousands of messages, mostly of one topic.
    fn on_deliveries(&mut self, event: &ffi::Event<'_>) {
        let (mut topic, mut topic_id) = (None::<Arc<TopicState>>, 0);
        let (mut messages, mut bytes, mut delivered) = (0, 0, false);
        event.messages(|message| {
            if topic_id != message.topic_id() {
                if let Some(topic) = &topic {
                    self.settled(topic, messages, bytes);
                }
                (messages, bytes) = (0, 0);
                topic_id = message.topic_id();
                topic = self.states.get(&topic_id).cloned();
            }
            let Some(topic) = &topic else { return };
            messages += 1;
            let size = message.key().map_or(0, <[u8]>::len) + message.value().map_or(0, <[u8]>::len);
            bytes += size as u64;
            let (code, opaque) = (message.error(), message.opaque());
            if code != 0 {
                self.failed(topic, message.partition(), code, opaque);
                let Self { tickets, client, .. } = self;
                tickets.failed(opaque, || why(client, code, size).at(&topic.name, message.partition()));
            } else {
                delivered = true;
                self.tickets.delivered(opaque, &message);
            }
        });
        if let Some(topic) = &topic {
            self.settled(topic, messages, bytes);
        }
        if delivered && self.shared.troubles.any() {
            let healthy = topic.as_ref().map(|topic| topic.name.as_str());
            self.shared.troubles.healed(|topic, _| healthy == Some(topic));
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
        let mut lost = self.lost + stopping.purged.unwrap_or(0);
        // What came behind the last look: sends on other threads that were faster than the stop's mark, and more stops.
        for command in self.incoming.clone().try_iter() {
            match command {
                Command::Stop { reply, .. } => stopping.replies.push(reply),
                Command::Send { runs, records, refused } => {
                    lost += records.len() - refused.len();
                    self.refuse_all(runs, &records, &refused);
                }
                Command::Run { job, .. } => drop(job), // which answers that the client is gone
            }
        }
        self.shared.waker.retire();
        self.helper.end(Duration::ZERO);
        self.shared.troubles.close();
        let Self { client, incoming, queue, handles, tickets, shared, sink, .. } = self;
        drop((handles, queue));
        let_go(client, Duration::from_secs(1));
        let receipts = tickets.end(&closed());
        if !receipts.is_empty() {
            shared.receipts.lock().extend(receipts);
            sink(ProducerEvent::Receipts);
        }
        for reply in stopping.replies {
            reply.send(Ok(lost));
        }
        drop(incoming);
    }

    /// Fails a whole send that comes after the end.
    fn refuse_all(&mut self, runs: Vec<Run>, records: &PackedRecords, refused: &[Refusal]) {
        let mut messages = records.iter().enumerate();
        for run in runs {
            // Those that were refused have answered nobody yet: the end is as good an answer.
            let place = self.tickets.open(run.waiter, run.count, std::iter::empty());
            for (index, (at, record)) in messages.by_ref().take(run.count).enumerate() {
                let opaque = opaque_of(place, index);
                if refused.binary_search_by_key(&at, |refusal| refusal.index).is_ok() {
                    self.tickets.failed(opaque, closed);
                } else {
                    let message = Outgoing { key: record.key, value: record.value, opaque };
                    self.fail(&run.topic, run.partition, &message, why(&self.client, code::PURGE_QUEUE, 0));
                }
            }
        }
    }
}

/// Why a message of this size was not delivered; what ended the client stands behind `_FATAL` and what was purged
/// then.
fn why(client: &Client, code: i32, size: usize) -> Error {
    match code {
        code::MSG_SIZE_TOO_LARGE => Error::kafka(
            code,
            format!(
                "a message of {size} bytes is too large: with its framing, or its batch, it is more than the producer \
                 (message.max.bytes) or the broker (max.message.bytes of the topic) takes"
            ),
        ),
        code::FATAL | code::PURGE_QUEUE | code::PURGE_INFLIGHT => {
            client.fatal_error().unwrap_or_else(|| Error::kafka(code, error_text(code)))
        }
        code => Error::kafka(code, error_text(code)),
    }
}
