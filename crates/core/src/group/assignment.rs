//! What is assigned, and where each partition stands.

use std::collections::HashMap;
use std::sync::Arc;

use super::Subscription;
use crate::consumer::Reset;
use crate::error::Result;
use crate::ffi::{Client, Message, Partitions, Queue, Topic};

/// A partition by the numbers that batches use: topic and partition.
pub(super) type Key = (i32, i32);

/// A partition that is assigned.
pub(super) struct Place {
    /// Its number in the tracker.
    pub(super) id: i32,
    /// Grows whenever the partition begins anew: assigned, sought, resumed.
    pub(super) epoch: i32,
    /// The epoch with which it came; 0 once it is lost.
    pub(super) stay: i32,
    /// Behind the last message that was handed over.
    pub(super) next: Option<i64>,
    /// Of its messages; forwarded to the inbox unless it is held.
    queue: Queue,
    /// It has more than its share of the credit: its messages wait in its own queue, which bounds them, too.
    pub(super) held: bool,
    pub(super) paused: bool,
    /// An error came in its place, which librdkafka counts as read: its own position says nothing.
    pub(super) failed: bool,
    /// A rebalance takes it away as soon as the hooks are through.
    pub(super) leaving: bool,
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
    /// Held so that each topic keeps its place to begin at.
    beginnings: HashMap<Arc<str>, Topic>,
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
        (!place.leaving && !place.paused).then_some((key, place))
    }

    /// Says where partitions of the topic begin that have no committed offset.
    pub(super) fn begin_at(&mut self, topic: &str, reset: Reset) -> Result<()> {
        let number = self.topic(topic);
        let name = self.name(number).clone();
        if !self.beginnings.contains_key(&name) {
            let handle = self.client.topic_from(topic, reset)?;
            self.beginnings.insert(name, handle);
        }
        Ok(())
    }

    /// Makes places for these (partition, epoch, offset where known) and lets `assign` tell librdkafka. Forwarded before, so
    /// that nothing reaches the events' queue, and after, because taking a partition away before ended that, a moment later.
    pub(super) fn add(
        &mut self,
        partitions: &[(Key, i32, i64)],
        assign: impl FnOnce(&Client, &Partitions) -> Result<()>,
    ) -> Result<()> {
        for (key, epoch, offset) in partitions {
            let queue = self.client.partition_queue(self.name(key.0), key.1)?;
            queue.forward(&self.inbox);
            let id = *self.ids.entry(*key).or_insert_with(|| {
                self.keys.push(*key);
                self.keys.len() as i32 - 1
            });
            let next = (*offset >= 0).then_some(*offset);
            let place = Place {
                id,
                epoch: *epoch,
                stay: *epoch,
                next,
                queue,
                held: false,
                paused: false,
                failed: false,
                leaving: false,
            };
            self.places.insert(*key, place);
        }
        let assigned = assign(&self.client, &self.list(partitions.iter().map(|(key, _, offset)| (*key, *offset)))?);
        for (key, ..) in partitions {
            self.places[key].queue.forward(&self.inbox);
        }
        assigned
    }

    /// Takes a place away; returns its number in the tracker.
    pub(super) fn remove(&mut self, key: Key) -> Option<i32> {
        self.places.remove(&key).map(|place| place.id)
    }

    pub(super) fn set_paused(&mut self, keys: &[Key], paused: bool) {
        for key in keys {
            self.places.get_mut(key).into_iter().for_each(|place| place.paused = paused);
        }
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

/// Where a topic of a subscription begins: a name says it for itself, the first pattern for all that match any.
pub(super) fn reset_of(subscriptions: &[Subscription], topic: &str) -> Reset {
    let named = subscriptions.iter().find(|subscription| subscription.topic == topic);
    named
        .or_else(|| subscriptions.iter().find(|subscription| subscription.topic.starts_with('^')))
        .map_or(Reset::Latest, |subscription| subscription.reset)
}
