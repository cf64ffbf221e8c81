//! The assignment, and where each partition stands.

use std::collections::HashMap;
use std::sync::Arc;

use super::Shared;
use crate::consumer::Reset;
use crate::error::Result;
use crate::ffi::{Client, Message, Partitions, Queue, Topic};
use crate::logical;
use crate::rule::Rule;

/// A partition by the numbers that batches use: topic and partition.
pub(super) type Key = (i32, i32);

/// Where partitions begin without a word: of those who skip nothing.
pub(super) const DEFAULT_RESET: Reset = Reset::Earliest;

/// A partition that comes.
pub(super) struct Come {
    pub(super) key: Key,
    pub(super) epoch: i32,
    /// Where it begins, as in [`Place`].
    pub(super) offset: i64,
    pub(super) moving: Option<Move>,
}

/// Where a partition goes on.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Target {
    /// At this offset; -2 = the log's begin, -1 = its end.
    At(i64),
    /// Where librdkafka stands: nothing was taken of it since it began.
    Here,
    /// Behind what the group has committed, or else where the topic begins: it is being asked for.
    Committed(Reset),
}

/// A partition on its way to another offset. Messages taken of it meanwhile are of the old place.
#[derive(Debug, Clone, Copy)]
pub(super) struct Move {
    pub(super) to: Target,
    /// It was paused, and is not any more when it is there.
    pub(super) resume: bool,
}

/// A partition that is assigned.
pub(super) struct Place {
    /// Its number in the tracker.
    pub(super) id: i32,
    /// Grows whenever the partition begins anew: assigned, sought, resumed.
    pub(super) epoch: i32,
    /// The epoch with which it came; 0 once it is lost.
    pub(super) stay: i32,
    /// The epoch in which it came or was last sought: what is done since then counts.
    pub(super) origin: i32,
    /// Where the epoch was told to begin: an offset, -2, -1, or below that what the group committed.
    pub(super) start: i64,
    /// The first message of the epoch, if one was taken, or where it was told to begin.
    pub(super) first: Option<i64>,
    /// The first batch that can have some of the epoch.
    pub(super) batch: u64,
    /// Behind the last message that was handed over.
    pub(super) next: Option<i64>,
    /// Something came of the epoch, or its log's end: an offset to begin at may lie behind that.
    pub(super) heard: bool,
    /// Behind what was taken of the epoch while a rule decides.
    pub(super) decided: Option<i64>,
    /// How much of that is wanted and not handed over.
    pub(super) wanted: usize,
    /// Rules that decide what lies below an offset, if it is fetched again; in order.
    pub(super) replaced: Vec<(i64, Option<Arc<Rule>>)>,
    /// Messages left out have moved `next`, which is to be reported.
    pub(super) moved: bool,
    /// Everything below it was taken: to be told.
    pub(super) end: Option<i64>,
    /// It is among those of which something is to be told.
    pub(super) to_be_told: bool,
    /// Of its messages; forwarded to the inbox unless it is held.
    queue: Queue,
    /// It has more than its share of the credit: its messages wait in its own queue, which bounds them, too.
    pub(super) held: bool,
    pub(super) paused: bool,
    pub(super) moving: Option<Move>,
    /// A rebalance takes it away as soon as the hooks are through.
    pub(super) leaving: bool,
}

impl Place {
    /// A message was taken: where the epoch begins is known.
    pub(super) fn took(&mut self, offset: i64) {
        self.first = Some(self.first.map_or(offset, |first| first.min(offset)));
    }

    /// It begins anew: all that is known is where.
    pub(super) fn begin(&mut self, epoch: i32, start: i64, batch: u64) {
        let known = (start >= 0).then_some(start);
        (self.epoch, self.start, self.first, self.next, self.batch) = (epoch, start, known, known, batch);
        (self.decided, self.wanted, self.moved, self.end) = (None, 0, false, None);
        self.heard = false;
    }

    /// The rule of a message, where `newest` is the newest.
    pub(super) fn rule_at<'a>(&'a self, offset: i64, newest: Option<&'a Rule>) -> Option<&'a Rule> {
        match self.replaced.iter().find(|(until, _)| offset < *until) {
            Some((_, rule)) => rule.as_deref(),
            None => newest,
        }
    }
}

/// Topics by number, and what is assigned of them. The client's thread alone has it.
pub(super) struct Assignment {
    client: Arc<Client>,
    inbox: Arc<Queue>,
    topics: Vec<Arc<str>>,
    /// The same as batches carry it.
    shared_topics: Arc<[Arc<str>]>,
    numbers: HashMap<Arc<str>, i32>,
    /// The topic of librdkafka's handles, as messages name them.
    handles: HashMap<usize, i32>,
    /// Held so that each topic keeps its place to begin at; with the place that it really has.
    beginnings: HashMap<Arc<str>, (Topic, Reset)>,
    places: HashMap<Key, Place>,
    ids: HashMap<Key, i32>,
    keys: Vec<Key>,
    epoch: i32,
}

impl Assignment {
    pub(super) fn new(client: Arc<Client>, inbox: Arc<Queue>) -> Self {
        Self {
            client,
            inbox,
            topics: Vec::new(),
            shared_topics: Arc::new([]),
            numbers: HashMap::new(),
            handles: HashMap::new(),
            beginnings: HashMap::new(),
            places: HashMap::new(),
            ids: HashMap::new(),
            keys: Vec::new(),
            epoch: 0,
        }
    }

    /// The number of a topic, which it keeps.
    pub(super) fn topic(&mut self, name: &str) -> i32 {
        if let Some(number) = self.numbers.get(name) {
            return *number;
        }
        let (name, number): (Arc<str>, _) = (name.into(), self.topics.len() as i32);
        self.topics.push(name.clone());
        self.shared_topics = self.topics.as_slice().into();
        self.numbers.insert(name, number);
        number
    }

    pub(super) fn name(&self, topic: i32) -> &Arc<str> {
        &self.topics[topic as usize]
    }

    pub(super) fn topics(&self) -> Arc<[Arc<str>]> {
        self.shared_topics.clone()
    }

    /// The key of an assigned partition.
    pub(super) fn find(&self, topic: &str, partition: i32) -> Option<Key> {
        self.numbers.get(topic).map(|number| (*number, partition)).filter(|key| self.places.contains_key(key))
    }

    /// The key of the assigned partition that a message is of.
    pub(super) fn key_at(&self, message: &Message<'_>) -> Option<Key> {
        self.find(&message.topic_name(), message.partition())
    }

    pub(super) fn get(&self, key: Key) -> Option<&Place> {
        self.places.get(&key)
    }

    pub(super) fn get_mut(&mut self, key: Key) -> Option<&mut Place> {
        self.places.get_mut(&key)
    }

    pub(super) fn keys(&self) -> Vec<Key> {
        let mut keys: Vec<_> = self.places.keys().copied().collect();
        keys.sort_unstable();
        keys
    }

    /// The partition that the tracker knows by this number.
    pub(super) fn key_of(&self, id: i32) -> Key {
        self.keys[id as usize]
    }

    pub(super) fn new_epoch(&mut self) -> i32 {
        self.epoch = self.epoch.wrapping_add(1).max(1);
        self.epoch
    }

    /// Learns the topic of a message's handle; once a handle.
    pub(super) fn learn(&mut self, message: &Message<'_>) {
        if !self.handles.contains_key(&message.topic_id()) {
            let number = self.topic(&message.topic_name());
            self.handles.insert(message.topic_id(), number);
        }
    }

    /// The place of a message; none if it is out of date or its handle was not learnt.
    pub(super) fn of(&self, message: &Message<'_>) -> Option<(Key, &Place)> {
        let key = (*self.handles.get(&message.topic_id())?, message.partition());
        let place = self.places.get(&key)?;
        (!place.leaving && !place.paused && place.moving.is_none()).then_some((key, place))
    }

    /// Says where partitions of the topic begin that have no committed offset; returns where they really do: the first
    /// handle of a topic decides, and who was asked about a topic before has made one.
    pub(super) fn begin_at(&mut self, topic: &str, reset: Reset, shared: &Shared) -> Result<Reset> {
        let number = self.topic(topic);
        let name = self.name(number).clone();
        if let Some((_, reset)) = self.beginnings.get(&name) {
            return Ok(*reset);
        }
        let asked = shared.asked.lock();
        let reset = if asked.contains(topic) { DEFAULT_RESET } else { reset };
        let handle = self.client.topic_with(topic, &[("auto.offset.reset".into(), reset.name().into())])?;
        drop(asked);
        self.beginnings.insert(name, (handle, reset));
        Ok(reset)
    }

    /// Makes places for these and lets `assign` tell librdkafka. Forwarded before, so that nothing reaches the events'
    /// queue, and after, because taking a partition away before ended that, a moment later.
    pub(super) fn add(
        &mut self,
        partitions: &[Come],
        batch: u64,
        assign: impl FnOnce(&Client, &Partitions) -> Result<()>,
    ) -> Result<()> {
        for come in partitions {
            let queue = self.client.partition_queue(self.name(come.key.0), come.key.1)?;
            queue.forward(&self.inbox);
            let id = *self.ids.entry(come.key).or_insert_with(|| {
                self.keys.push(come.key);
                self.keys.len() as i32 - 1
            });
            let mut place = Place {
                id,
                epoch: 0,
                stay: come.epoch,
                origin: come.epoch,
                start: 0,
                first: None,
                batch: 0,
                next: None,
                heard: false,
                decided: None,
                wanted: 0,
                replaced: Vec::new(),
                moved: false,
                end: None,
                to_be_told: false,
                queue,
                held: false,
                paused: false,
                moving: come.moving,
                leaving: false,
            };
            place.begin(come.epoch, come.offset, batch);
            self.places.insert(come.key, place);
        }
        // A partition whose place has to be asked for begins at the end, where next to nothing is fetched in vain.
        let offset = |come: &Come| if come.moving.is_some() { logical::END } else { come.offset };
        let assigned = assign(&self.client, &self.list(partitions.iter().map(|come| (come.key, offset(come))))?);
        for come in partitions {
            self.places[&come.key].queue.forward(&self.inbox);
        }
        assigned
    }

    /// Takes a place away; returns its number in the tracker.
    pub(super) fn remove(&mut self, key: Key) -> Option<i32> {
        self.places.remove(&key).map(|place| place.id)
    }

    /// The partitions that are on their way to another offset.
    pub(super) fn moving(&self) -> Vec<Key> {
        self.places.iter().filter(|(_, place)| place.moving.is_some() && !place.leaving).map(|(key, _)| *key).collect()
    }

    /// No rule decides any more.
    pub(super) fn undecide(&mut self) {
        self.places.values_mut().filter(|place| place.wanted == 0).for_each(|place| place.decided = None);
    }

    /// Lets the partition's messages wait in its own queue, or come to the inbox again.
    pub(super) fn hold(&mut self, key: Key, held: bool) {
        let Some(place) = self.places.get_mut(&key) else { return };
        if place.held != held {
            place.held = held;
            match held {
                true => place.queue.keep_own(),
                false => place.queue.forward(&self.inbox),
            }
        }
    }

    pub(super) fn held(&self) -> Vec<(Key, i32)> {
        self.places.iter().filter(|(_, place)| place.held).map(|(key, place)| (*key, place.id)).collect()
    }

    pub(super) fn list(&self, partitions: impl Iterator<Item = (Key, i64)>) -> Result<Partitions> {
        let topics = &self.topics;
        Partitions::list(partitions.map(|((topic, partition), offset)| (&*topics[topic as usize], partition, offset)))
    }
}
