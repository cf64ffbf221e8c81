//! The partitioner of those who want messages without a key spread evenly: librdkafka's own stick to one partition for a
//! while, or are random.

use std::collections::HashMap;
use std::ffi::c_void;
use std::time::{Duration, Instant, SystemTime, UNIX_EPOCH};

use parking_lot::Mutex;

use super::fence::fence;
use super::rd;
use crate::producer::index_of;

/// Sends of one message each share a partition for so long, or every request would carry a few. A program that awaits each
/// of its sends sees the partitions in turn.
const STAY: Duration = Duration::from_millis(1);

/// librdkafka calls a partition available when its leader's thread has taken it over, which takes a moment for each of a topic
/// that was just looked up: so long after a topic's first message all of its partitions count as available.
const JOIN: Duration = Duration::from_secs(1);

/// Whose turn it is, by topic.
pub(crate) struct RoundRobin {
    turns: Mutex<HashMap<usize, Turn>>,
    /// Where topics begin: many producers that start together do not all fill partition 0.
    start: u32,
}

struct Turn {
    number: u32,
    /// When the topic's first message came.
    begin: Instant,
    /// When a first message of a send came to this turn.
    since: Option<Instant>,
    /// What was chosen, until somebody asks.
    choice: Option<Choice>,
}

/// A partition, of how many.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) struct Choice {
    pub(crate) partition: i32,
    pub(crate) count: usize,
}

impl RoundRobin {
    /// Makes it the partitioner of every topic that is not told otherwise. Has to live as long as the client.
    pub(super) fn install(conf: *mut rd::rd_kafka_conf_t) -> Box<Self> {
        let start = SystemTime::now().duration_since(UNIX_EPOCH).map_or(0, |now| now.subsec_nanos());
        let this = Box::new(Self { turns: Mutex::default(), start });
        // SAFETY: the configuration is alive; its default for topics is its own, and made by the property that was set.
        unsafe {
            let topics = rd::rd_kafka_conf_get_default_topic_conf(conf);
            rd::rd_kafka_topic_conf_set_opaque(topics, std::ptr::from_ref(&*this).cast_mut().cast());
            rd::rd_kafka_topic_conf_set_partitioner_cb(topics, Some(choose));
        }
        this
    }

    /// What was last chosen for the topic since this was asked: more messages can follow there without asking for each.
    pub(crate) fn take_choice(&self, topic: usize) -> Option<Choice> {
        self.turns.lock().get_mut(&topic)?.choice.take()
    }

    /// The next of the partitions that have a leader, of all when none has; `index` is the message's place in its send.
    fn next(&self, topic: usize, index: usize, count: i32, available: impl Fn(i32) -> bool) -> i32 {
        let mut turns = self.turns.lock();
        let now = Instant::now();
        let turn = turns.entry(topic).or_insert(Turn { number: self.start, begin: now, since: None, choice: None });
        let partition = |number: u32| (number % count as u32) as i32;
        let joining = now - turn.begin < JOIN;
        let available = |partition| joining || available(partition);
        let first = (index == 0).then_some(now);
        let stays = first.zip(turn.since).is_some_and(|(now, since)| now - since < STAY);
        if !stays || !available(partition(turn.number)) {
            turn.since = first.or(turn.since);
            let next = turn.number.wrapping_add(1);
            let led = (0..count as u32).map(|n| next.wrapping_add(n)).find(|number| available(partition(*number)));
            turn.number = led.unwrap_or(next);
        }
        turn.choice = Some(Choice { partition: partition(turn.number), count: count as usize });
        partition(turn.number)
    }
}

/// Runs on the client's thread, or on librdkafka's own for messages that waited for the topic's metadata.
unsafe extern "C" fn choose(
    topic: *const rd::rd_kafka_topic_t,
    key: *const c_void,
    key_length: usize,
    count: i32,
    opaque: *mut c_void,
    message: *mut c_void,
) -> i32 {
    let mut partition = 0;
    fence(|| {
        // SAFETY: the topic is alive and its lock is held; `opaque` is the client's own, alive while it is. The key is as
        // librdkafka got it.
        unsafe {
            partition = match key.is_null() {
                false => rd::rd_kafka_msg_partitioner_murmur2(topic, key, key_length, count, opaque, message),
                true => (*opaque.cast::<RoundRobin>()).next(
                    topic as usize,
                    index_of(message as usize),
                    count,
                    |partition| rd::rd_kafka_topic_partition_available(topic, partition) != 0,
                ),
            };
        }
    });
    partition
}

#[cfg(test)]
mod tests {
    use super::*;

    fn round_robin() -> RoundRobin {
        RoundRobin { turns: Mutex::default(), start: 7 }
    }

    /// As if the topic's first message had come long ago.
    fn joined(round_robin: &RoundRobin, topic: usize) {
        round_robin.next(topic, 0, 1, |_| true);
        round_robin.turns.lock().get_mut(&topic).unwrap().begin = Instant::now().checked_sub(JOIN).unwrap();
    }

    #[test]
    fn the_messages_of_a_new_topic_go_to_all_of_its_partitions_while_they_join() {
        let round_robin = round_robin();
        let send: std::collections::HashSet<_> =
            (0..4).map(|index| round_robin.next(1, index, 4, |partition| partition < 2)).collect();
        assert_eq!(send.len(), 4);
    }

    #[test]
    fn the_messages_of_a_send_go_to_every_partition_with_a_leader_in_turn() {
        let round_robin = round_robin();
        joined(&round_robin, 1);
        let send: Vec<_> = (0..6).map(|index| round_robin.next(1, index, 4, |partition| partition != 1)).collect();
        assert_eq!(send[..3], send[3..]);
        assert_eq!(send.iter().collect::<std::collections::HashSet<_>>().len(), 3);
        joined(&round_robin, 2);
        let unled: std::collections::HashSet<_> =
            (0..3).map(|index| round_robin.next(2, index, 3, |_| false)).collect();
        assert_eq!(unled.len(), 3);
    }

    #[test]
    fn a_choice_is_told_once() {
        let round_robin = round_robin();
        assert_eq!(round_robin.take_choice(1), None);
        let partition = round_robin.next(1, 0, 4, |_| true);
        assert_eq!(round_robin.take_choice(1), Some(Choice { partition, count: 4 }));
        assert_eq!(round_robin.take_choice(1), None);
    }

    #[test]
    fn sends_of_one_message_share_a_partition_for_a_moment_only() {
        let round_robin = round_robin();
        let next = || round_robin.next(1, 0, 3, |_| true);
        let first = next();
        let at = |turn: Option<Instant>| round_robin.turns.lock().get_mut(&1).unwrap().since = turn;
        at(Instant::now().checked_add(STAY));
        assert_eq!(next(), first);
        at(Instant::now().checked_sub(STAY));
        assert_eq!(next(), (first + 1) % 3);
    }
}
