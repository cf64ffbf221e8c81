//! Handing messages to librdkafka, and the accounts of those that are on their way.

use std::collections::HashMap;
use std::sync::Arc;

use super::outbound::TopicState;
use super::partitioning::RoundRobin;
use super::tickets::{opaque_of, Done, Tickets, Waiter};
use super::{Refusal, Shared};
use crate::code;
use crate::error::{Error, Result};
use crate::ffi::{self, Client, Hold, Outgoing, ProduceBatch, ProduceMemory, Topic};
use crate::packed::{header_block, Records};
use crate::reply::closed;

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
    /// None while there are no messages.
    to: Option<(Arc<TopicState>, i32)>,
    messages: ProduceBatch<'a>,
}

impl Stretch<'_> {
    fn goes_to(&self, topic: &Arc<TopicState>, partition: i32) -> bool {
        self.to.as_ref().is_some_and(|(to, at)| *at == partition && Arc::ptr_eq(to, topic))
    }
}

/// On whichever thread has the lock: the client's own, or that of who sends a few messages. It calls nobody: what there is to
/// tell is told by the client's thread.
pub(super) struct Dispatch {
    client: Arc<Client>,
    shared: Arc<Shared>,
    /// The round robin that gives messages without a key a partition, unless librdkafka does.
    round_robin: Option<Arc<RoundRobin>>,
    /// librdkafka's handles by the topic's number, and what is known of the topic by the handle's id.
    handles: Vec<Option<Topic>>,
    states: HashMap<usize, Arc<TopicState>>,
    tickets: Tickets,
    memory: ProduceMemory,
    /// None while it is in use.
    hold: Option<Hold>,
    /// There are failures, the first since they were taken.
    failures: bool,
    /// Nothing is on its way any more.
    drained: bool,
}

/// Events to be reported.
pub(super) struct News {
    pub(super) failures: bool,
    pub(super) drained: bool,
    pub(super) done: Done,
}

impl Dispatch {
    pub(super) fn new(client: Arc<Client>, shared: Arc<Shared>, round_robin: Option<Arc<RoundRobin>>) -> Self {
        Self {
            client,
            shared,
            round_robin,
            handles: Vec::new(),
            states: HashMap::new(),
            tickets: Tickets::default(),
            memory: ProduceMemory::default(),
            hold: None,
            failures: false,
            drained: false,
        }
    }

    pub(super) fn has_news(&self) -> bool {
        self.failures || self.drained || self.tickets.has_done()
    }

    pub(super) fn take_news(&mut self) -> News {
        let (failures, drained) = (std::mem::take(&mut self.failures), std::mem::take(&mut self.drained));
        News { failures, drained, done: self.tickets.take_done() }
    }

    /// Gives back what it has of librdkafka; somebody may still wait for what is open.
    pub(super) fn end(self) -> Tickets {
        self.tickets
    }

    /// Hands messages to librdkafka in their order: those of one partition that follow one another in one call, those with
    /// headers or a timestamp one by one. Those of a topic that follow one another are in librdkafka's queues together, so that
    /// requests part no send that fits in one.
    pub(super) fn send(&mut self, runs: Vec<Run>, records: Records<'_>, refused: &[Refusal]) {
        let round_robin = self.round_robin.clone();
        let mut messages = records.iter();
        let mut stretch = Stretch { to: None, messages: self.memory.batch() };
        let hold = self.hold.take().unwrap_or_default();
        let (mut held, mut held_topic) = (None, None::<Arc<TopicState>>);
        let (mut start, mut refused) = (0, refused);
        let (mut runs, mut before) = (runs.into_iter().peekable(), None::<Arc<TopicState>>);
        while let Some(run) = runs.next() {
            let neighbours = [before.as_ref(), runs.peek().map(|next| &next.topic)];
            let among = neighbours.into_iter().flatten().any(|topic| Arc::ptr_eq(topic, &run.topic));
            let end = start + run.count;
            let (mine, others) = refused.split_at(refused.partition_point(|refusal| refusal.index < end));
            refused = others;
            let errors = mine.iter().map(|refusal| (refusal.index - start, &refusal.error));
            let place = self.tickets.open(run.waiter, run.count, errors);
            let mut spread = round_robin.as_ref().map(|round_robin| round_robin.spread(run.count, among));
            for (index, record) in messages.by_ref().take(run.count).enumerate() {
                if mine.binary_search_by_key(&(start + index), |refusal| refusal.index).is_ok() {
                    continue;
                }
                if !held_topic.as_ref().is_some_and(|topic| Arc::ptr_eq(topic, &run.topic)) {
                    self.produce(&mut stretch);
                    drop(held.take());
                    // An error is told when the messages are handed over.
                    held = self.open(&run.topic).ok().map(|topic| hold.begin(topic));
                    held_topic = Some(run.topic.clone());
                }
                let own = if record.partition >= 0 { record.partition } else { run.partition };
                let mut spread = spread.as_mut().filter(|_| own < 0 && record.key.is_none());
                let partition = spread.as_mut().and_then(|spread| spread.next()).unwrap_or(own);
                let message = Outgoing { key: record.key, value: record.value, opaque: opaque_of(place, index) };
                if !record.is_plain() {
                    self.produce(&mut stretch);
                    self.produce_one(&run.topic, partition, message, record.timestamp, record.headers);
                } else {
                    if !stretch.goes_to(&run.topic, partition) {
                        self.produce(&mut stretch);
                        stretch.to = Some((run.topic.clone(), partition));
                    }
                    stretch.messages.push(&message);
                }
                if let Some(spread) = spread.filter(|_| partition < 0 && run.count > 1) {
                    self.produce(&mut stretch);
                    self.handle(&run.topic).into_iter().for_each(|topic| spread.follow(topic));
                }
            }
            (start, before) = (end, Some(run.topic));
        }
        self.produce(&mut stretch);
        self.memory.keep(stretch.messages);
        drop(held);
        self.hold = Some(hold);
    }

    /// The id of librdkafka's handle, once there is one.
    fn handle(&self, topic: &TopicState) -> Option<usize> {
        Some(self.handles.get(topic.id as usize)?.as_ref()?.id())
    }

    fn produce(&mut self, stretch: &mut Stretch<'_>) {
        let Some((topic, partition)) = stretch.to.take() else { return };
        let handle = match self.open(&topic) {
            Ok(handle) => handle,
            Err(error) => {
                stretch
                    .messages
                    .drain()
                    .for_each(|(size, opaque)| self.fail(&topic, partition, size, opaque, error.clone()));
                return;
            }
        };
        let mut refused = Vec::new();
        handle.produce(partition, &mut stretch.messages, |size, opaque, code| refused.push((size, opaque, code)));
        for (size, opaque, code) in refused {
            self.fail(&topic, partition, size, opaque, why(&self.client, code, size));
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
        let produced = self
            .open(topic)
            .and_then(|handle| handle.produce_one(partition, &message, timestamp, header_block(headers)));
        if let Err(error) = produced {
            let size = message.size() + headers.len();
            let error = if error.code == code::FATAL { why(&self.client, error.code, size) } else { error };
            self.fail(topic, partition, size, message.opaque, error);
        }
    }

    pub(super) fn open(&mut self, topic: &Arc<TopicState>) -> Result<&Topic> {
        let number = topic.id as usize;
        if self.handles.len() <= number {
            self.handles.resize_with(number + 1, || None);
        }
        match &mut self.handles[number] {
            Some(handle) => Ok(handle),
            unopened => {
                let handle = self.client.topic_with(&topic.name, &topic.properties)?;
                self.states.insert(handle.id(), topic.clone());
                Ok(unopened.insert(handle))
            }
        }
    }

    /// librdkafka did not take this message.
    fn fail(&mut self, topic: &TopicState, partition: i32, size: usize, opaque: usize, error: Error) {
        self.failed(topic, partition, error.code, None, opaque);
        self.tickets.failed(opaque, || error.at(&topic.name, partition));
        self.settled(topic, 1, size as u64);
    }

    /// A message has failed: reported here if nobody waits for it, else its ticket says so.
    fn failed(&mut self, topic: &TopicState, partition: i32, code: i32, refusal: Option<i32>, opaque: usize) {
        if opaque == 0 && self.shared.failures.lock().add(code, refusal, &topic.name, partition, 1) {
            self.failures = true;
        }
    }

    fn settled(&mut self, topic: &TopicState, messages: u64, bytes: u64) {
        self.drained |= self.shared.outbound.settled(topic, messages, bytes);
    }

    /// Counts reports, mostly of one topic.
    pub(super) fn on_deliveries<'m>(&mut self, reports: impl Iterator<Item = ffi::Message<'m>>) {
        let (mut topic, mut topic_id) = (None::<Arc<TopicState>>, 0);
        let (mut messages, mut bytes, mut delivered) = (0, 0, false);
        let headers = self.shared.outbound.has_headers();
        let mut last = LastRefusal::default();
        for message in reports {
            if topic_id != message.topic_id() {
                if let Some(topic) = &topic {
                    self.settled(topic, messages, bytes);
                }
                (messages, bytes) = (0, 0);
                topic_id = message.topic_id();
                topic = self.states.get(&topic_id).cloned();
            }
            let Some(topic) = &topic else { continue };
            messages += 1;
            let mut size = message.key().map_or(0, <[u8]>::len) + message.value().map_or(0, <[u8]>::len);
            if headers {
                size += message.sent_header_bytes();
            }
            bytes += size as u64;
            let (code, opaque) = (code_of(&message), message.opaque());
            if code != 0 {
                let refusal = if code == code::MSG_TIMED_OUT { last.behind(&message) } else { None };
                self.failed(topic, message.partition(), code, refusal, opaque);
                let Self { tickets, client, .. } = self;
                tickets.failed(opaque, || {
                    let error = why(client, code, size).at(&topic.name, message.partition());
                    refusal.map(Error::of).into_iter().fold(error, Error::because)
                });
            } else {
                delivered = true;
                self.tickets.delivered(opaque, &message);
            }
        }
        if let Some(topic) = &topic {
            self.settled(topic, messages, bytes);
        }
        let Some(healthy) = topic.filter(|_| delivered) else { return };
        healthy.set_delivered();
        if self.shared.troubles.any() {
            self.shared.troubles.healed(|topic, _| healthy.name == topic);
        }
    }

    /// Fails a whole send that comes after the end.
    pub(super) fn refuse_all(&mut self, runs: Vec<Run>, records: Records<'_>, refused: &[Refusal]) {
        let mut messages = records.iter().enumerate();
        for run in runs {
            // Those that were refused have answered nobody yet: the end is as good an answer.
            let place = self.tickets.open(run.waiter, run.count, std::iter::empty());
            for (index, (at, record)) in messages.by_ref().take(run.count).enumerate() {
                let opaque = opaque_of(place, index);
                if refused.binary_search_by_key(&at, |refusal| refusal.index).is_ok() {
                    self.tickets.failed(opaque, closed);
                } else {
                    let error = why(&self.client, code::PURGE_QUEUE, 0);
                    self.fail(&run.topic, run.partition, record.size(), opaque, error);
                }
            }
        }
    }
}

/// How the leader of a partition has refused messages last; looked up once for reports of one partition that follow one another.
#[derive(Default)]
struct LastRefusal {
    partition: Option<(usize, i32)>,
    code_and_age: Option<(i32, i64)>,
}

impl LastRefusal {
    /// None when that was before the message was produced.
    fn behind(&mut self, message: &ffi::Message<'_>) -> Option<i32> {
        let partition = Some((message.topic_id(), message.partition()));
        if self.partition != partition {
            *self = Self { partition, code_and_age: message.last_refusal() };
        }
        self.code_and_age.filter(|(_, age)| *age <= message.age()).map(|(code, _)| code)
    }
}

/// A partition whose topic is deleted fails the last messages of its queue as the end of the client would. Reports are not read as late as that.
fn code_of(message: &ffi::Message<'_>) -> i32 {
    match message.error() {
        code::DESTROY => code::UNKNOWN_PARTITION,
        code => code,
    }
}

/// Why a message of this size was not delivered; what ended the client stands behind `_FATAL` and what was purged then.
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
            client.fatal_error().unwrap_or_else(|| Error::of(code))
        }
        code => Error::of(code),
    }
}
