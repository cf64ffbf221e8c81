//! The thread that drives a producer's client: it hands messages to librdkafka and counts its delivery reports.

use std::collections::HashMap;
use std::sync::Arc;
use std::time::{Duration, Instant};

use crossbeam_channel::Receiver;

use super::outbound::TopicState;
use super::{Delivery, ProducerEvent, Refusal, Shared, Sink};
use crate::error::{code, Error, Result};
use crate::ffi::{self, error_text, Client, Outgoing, ProduceScratch, Queue, Topic};
use crate::helper::{let_go, Helper};
use crate::packed::{header_block, PackedRecord, PackedRecords};
use crate::reply::Reply;
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
        topic: Arc<TopicState>,
        partition: i32,
        records: PackedRecords,
        refused: Vec<Refusal>,
        reply: Option<Reply<Vec<Result<Delivery>>>>,
    },
    Stop {
        deadline: Instant,
        reply: Reply<usize>,
    },
}

/// A send whose delivery somebody waits for.
struct Ticket {
    left: usize,
    results: Vec<Result<Delivery>>,
    reply: Reply<Vec<Result<Delivery>>>,
}

/// What librdkafka carries along with a message: its ticket's place + 1 and its index in the ticket; 0 = nobody waits.
fn opaque_of(ticket: usize, index: usize) -> usize {
    ((ticket + 1) << 32) | index
}

#[cfg(not(target_pointer_width = "64"))]
compile_error!("kafka-native needs a 64-bit target: a message's opaque holds two 32-bit numbers");

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
    tickets: Vec<Option<Ticket>>,
    /// Places in `tickets` to be used again.
    free: Vec<usize>,
    scratch: ProduceScratch,
    stopping: Option<Stopping>,
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
            tickets: Vec::new(),
            free: Vec::new(),
            scratch: ProduceScratch::default(),
            stopping: None,
        }
    }

    pub(super) fn run(mut self) {
        loop {
            for command in self.incoming.clone().try_iter().take(COMMANDS_AT_ONCE) {
                self.apply(command);
            }
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
                next = queue.poll(Duration::ZERO);
            }
        }
    }

    fn apply(&mut self, command: Command) {
        match command {
            Command::Send { topic, partition, records, refused, reply } => {
                self.send(&topic, partition, &records, &refused, reply)
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

    fn send(
        &mut self,
        topic: &Arc<TopicState>,
        partition: i32,
        records: &PackedRecords,
        refused: &[Refusal],
        reply: Option<Reply<Vec<Result<Delivery>>>>,
    ) {
        let ticket = reply.and_then(|reply| self.ticket(records.len(), refused, reply));
        if !self.handles.contains_key(&topic.name) {
            if let Err(error) = self.open(topic) {
                return self.fail_all(topic, partition, accepted(records, refused, ticket), error.code);
            }
        }
        let mut failed: Vec<(usize, usize, i32)> = Vec::new();
        let handle = &self.handles[&topic.name];
        if records.plain() {
            let messages = accepted(records, refused, ticket).map(|(opaque, record)| outgoing(opaque, record));
            handle.produce(&mut self.scratch, partition, messages, |opaque, size, code| {
                failed.push((opaque, size, code))
            });
        } else {
            for (opaque, record) in accepted(records, refused, ticket) {
                let headers = header_block(record.headers);
                if let Err(error) = handle.produce_one(partition, outgoing(opaque, record), record.timestamp, headers) {
                    failed.push((opaque, record.size(), error.code));
                }
            }
        }
        self.fail(topic, partition, &failed);
    }

    fn open(&mut self, topic: &Arc<TopicState>) -> Result<()> {
        let handle = self.client.topic(&topic.name)?;
        self.states.insert(handle.id(), topic.clone());
        self.handles.insert(topic.name.clone(), handle);
        Ok(())
    }

    /// Opens an account for a send whose delivery somebody waits for; none when everything was refused and it is answered.
    fn ticket(&mut self, count: usize, refused: &[Refusal], reply: Reply<Vec<Result<Delivery>>>) -> Option<usize> {
        let mut results = vec![Ok(Delivery { partition: -1, offset: -1 }); count];
        for refusal in refused {
            results[refusal.index] = Err(refusal.error.clone());
        }
        let ticket = Ticket { left: count - refused.len(), results, reply };
        if ticket.left == 0 {
            ticket.reply.send(Ok(ticket.results));
            return None;
        }
        let free = self.free.pop().unwrap_or_else(|| {
            self.tickets.push(None);
            self.tickets.len() - 1
        });
        self.tickets[free] = Some(ticket);
        Some(free)
    }

    /// One message of a ticket is delivered or has failed.
    fn punch(&mut self, opaque: usize, result: Result<Delivery>) {
        if opaque == 0 {
            return;
        }
        let (place, index) = ((opaque >> 32) - 1, opaque & 0xffff_ffff);
        let Some(ticket) = &mut self.tickets[place] else { return };
        ticket.results[index] = result;
        ticket.left -= 1;
        if ticket.left == 0 {
            if let Some(ticket) = self.tickets[place].take() {
                self.free.push(place);
                ticket.reply.send(Ok(ticket.results));
            }
        }
    }

    /// librdkafka did not take these.
    fn fail(&mut self, topic: &TopicState, partition: i32, failed: &[(usize, usize, i32)]) {
        for (opaque, size, code) in failed {
            self.punch(*opaque, Err(Error::kafka(*code, error_text(*code))));
            self.failed(topic, partition, *code, *opaque);
            self.settled(topic, 1, *size as u64);
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
            bytes += (message.key().map_or(0, <[u8]>::len) + message.value().map_or(0, <[u8]>::len)) as u64;
            let (code, opaque) = (message.error(), message.opaque());
            if code != 0 {
                self.failed(topic, message.partition(), code, opaque);
                self.punch(opaque, Err(Error::kafka(code, error_text(code))));
            } else {
                delivered = true;
                self.punch(opaque, Ok(Delivery { partition: message.partition(), offset: message.offset() }));
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
        let mut lost = stopping.purged.unwrap_or(0);
        // What came behind the last look: sends on other threads that were faster than the stop's mark, and more stops.
        for command in self.incoming.clone().try_iter() {
            match command {
                Command::Stop { reply, .. } => stopping.replies.push(reply),
                Command::Send { topic, partition, records, refused, reply } => {
                    lost += records.len() - refused.len();
                    self.refuse_all(&topic, partition, &records, &refused, reply);
                }
            }
        }
        self.shared.waker.retire();
        self.helper.end(Duration::ZERO);
        self.shared.troubles.close();
        let Self { client, incoming, queue, handles, tickets, .. } = self;
        drop((handles, queue));
        let_go(client, Duration::from_secs(1));
        drop(tickets); // answers those that wait that the client is gone
        for reply in stopping.replies {
            reply.send(Ok(lost));
        }
        drop(incoming);
    }

    /// Fails a whole send that comes after the end.
    fn refuse_all(
        &mut self,
        topic: &Arc<TopicState>,
        partition: i32,
        records: &PackedRecords,
        refused: &[Refusal],
        reply: Option<Reply<Vec<Result<Delivery>>>>,
    ) {
        let ticket = reply.and_then(|reply| self.ticket(records.len(), refused, reply));
        self.fail_all(topic, partition, accepted(records, refused, ticket), code::PURGE_QUEUE);
    }

    fn fail_all<'a>(
        &mut self,
        topic: &TopicState,
        partition: i32,
        messages: impl Iterator<Item = (usize, PackedRecord<'a>)>,
        code: i32,
    ) {
        let failed: Vec<_> = messages.map(|(opaque, record)| (opaque, record.size(), code)).collect();
        self.fail(topic, partition, &failed);
    }
}

fn outgoing(opaque: usize, record: PackedRecord<'_>) -> Outgoing<'_> {
    Outgoing { key: record.key, value: record.value, opaque }
}

/// The messages of a send that were accepted, each with what its delivery report brings back.
fn accepted<'a>(
    records: &'a PackedRecords,
    refused: &'a [Refusal],
    ticket: Option<usize>,
) -> impl Iterator<Item = (usize, PackedRecord<'a>)> {
    let is_refused = |index: usize| refused.binary_search_by_key(&index, |refusal| refusal.index).is_ok();
    let messages = records.iter().enumerate().filter(move |(index, _)| !is_refused(*index));
    messages.map(move |(index, record)| (ticket.map_or(0, |ticket| opaque_of(ticket, index)), record))
}
