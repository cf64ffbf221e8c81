//! Where messages without a key go for those who want them spread evenly (`murmur2_round_robin`): librdkafka's own partitioners
//! stick to one partition for a while, or are random. [`RoundRobin`] says whose turn it is, [`Spread`] cuts a send into shares.

use std::collections::HashMap;
use std::sync::Arc;
use std::time::{Duration, Instant, SystemTime, UNIX_EPOCH};

use parking_lot::Mutex;

use super::tickets::index_of;
use crate::config::Properties;
use crate::ffi::Partitioner;

/// Its name as a value of `partitioner`.
const NAME: &str = "murmur2_round_robin";

/// Sends of one message each share a partition for so long, or every request would carry a few. A program that awaits each
/// of its sends sees the partitions in turn.
const STAY: Duration = Duration::from_millis(1);

/// librdkafka calls a partition available when its leader's thread has taken it over, which takes a moment for each of a topic
/// that was just looked up: so long after a topic's first message all of its partitions count as available.
const JOIN: Duration = Duration::from_secs(1);

/// A send is cut into shares for so many partitions at most, or into shares of so many messages; the next one goes on behind them. Each
/// share is a request: a send of 1000 to a thousand partitions would be a thousand of one message.
const FEW: usize = 16;
const SHARE: usize = 64;
/// With `n` times so many partitions shares are `1 + n` times as large, and as many times fewer. For each share librdkafka's thread of a broker looks at
/// all partitions that the broker leads, which takes as long for so many as a request. Leaders are not known here: all count, as if it were
/// one broker (`npm run bench -- --shapes produce,produce-2000-partitions`).
const LOOKED_AT: usize = 256;
/// A send of fewer messages that crosses together with others of its topic goes to one partition, where the partitioner lets those
/// of a millisecond follow one another: a request of them all, in place of one a partition
/// (`npm run bench -- --shapes awaited-batches`).
const SMALL: usize = 256;

/// Whose turn it is, by topic.
pub(super) struct RoundRobin {
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
    /// The last choice, until somebody asks.
    choice: Option<Choice>,
}

/// A partition, of how many.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
struct Choice {
    partition: i32,
    count: usize,
}

impl RoundRobin {
    /// The round robin of a producer whose `partitioner` is its name. Any other stays among the properties.
    pub(super) fn of(properties: &mut Properties) -> Option<Arc<Self>> {
        let name = properties.take("partitioner")?;
        if name != NAME {
            properties.set("partitioner", name);
            return None;
        }
        // With a linger of its own librdkafka asks no partitioner for messages without a key.
        properties.set("sticky.partitioning.linger.ms", 0);
        let start = SystemTime::now().duration_since(UNIX_EPOCH).map_or(0, |now| now.subsec_nanos());
        Some(Arc::new(Self { turns: Mutex::default(), start }))
    }

    /// How the `messages` of one send are shared out; `among` others of their topic that cross together with them.
    pub(super) fn spread(&self, messages: usize, among: bool) -> Spread<'_> {
        Spread { round_robin: self, messages, together: among && messages < SMALL, partition: -1, left: 0, chosen: 0 }
    }

    /// The last choice for the topic since this was asked: more messages can follow there without asking for each.
    fn take_choice(&self, topic: usize) -> Option<Choice> {
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

impl Partitioner for RoundRobin {
    fn choose(&self, topic: usize, opaque: usize, count: i32, available: &dyn Fn(i32) -> bool) -> i32 {
        self.next(topic, index_of(opaque), count, available)
    }
}

/// Messages without a key of one send, those of a partition one after the other: only the first of each asks the partitioner.
/// In turn one by one they cost more, most of it in librdkafka: locks, and memory that is read crosswise.
pub(super) struct Spread<'a> {
    round_robin: &'a RoundRobin,
    messages: usize,
    /// All of them go to one partition.
    together: bool,
    partition: i32,
    /// How many more go there.
    left: usize,
    /// How many partitions were chosen.
    chosen: usize,
}

impl Spread<'_> {
    /// Where the next message goes; none: the partitioner has to be asked, and then [`follow`](Self::follow).
    pub(super) fn next(&mut self) -> Option<i32> {
        self.left = self.left.checked_sub(1)?;
        Some(self.partition)
    }

    /// The topic's last message went where the partitioner said: the rest of its share follows there, unless the topic's
    /// partitions are not known.
    pub(super) fn follow(&mut self, topic: usize) {
        if let Some(choice) = self.round_robin.take_choice(topic) {
            self.chosen(choice);
        }
    }

    fn chosen(&mut self, choice: Choice) {
        let times = 1 + choice.count / LOOKED_AT;
        let few = (FEW / times).max(self.messages / (SHARE * times)).max(1);
        let partitions = if self.together { 1 } else { choice.count.min(few) };
        let share = self.messages / partitions + usize::from(self.chosen < self.messages % partitions);
        (self.partition, self.left) = (choice.partition, share.saturating_sub(1));
        self.chosen += 1;
    }
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

    /// How many messages of one send go to each partition that it reaches, in turn.
    fn shares(messages: usize, partitions: usize, among: bool) -> Vec<usize> {
        let round_robin = round_robin();
        let (mut spread, mut shares) = (round_robin.spread(messages, among), Vec::new());
        for _ in 0..messages {
            match spread.next() {
                Some(_) => *shares.last_mut().unwrap() += 1,
                None => {
                    shares.push(1);
                    spread.chosen(Choice { partition: 0, count: partitions });
                }
            }
        }
        shares
    }

    #[test]
    fn a_send_is_spread_evenly_over_all_partitions() {
        assert_eq!(shares(4, 4, false), [1; 4]);
        assert_eq!(shares(3, 4, false), [1; 3]);
        assert_eq!(shares(102, 4, false), [26, 26, 25, 25]);
        assert_eq!(shares(16, 16, false), [1; 16]);
    }

    #[test]
    fn a_send_to_a_topic_of_many_partitions_makes_few_requests() {
        assert_eq!(shares(10, 100, false), [1; 10]);
        let thousand = shares(1000, 100, false);
        assert_eq!((thousand.len(), thousand.iter().max()), (16, Some(&63)));
        let many = shares(100_000, 100, false);
        assert_eq!((many.len(), many.iter().min()), (100, Some(&1000)));
        assert_eq!([255, 256, 512].map(|partitions| shares(1000, partitions, false).len()), [16, 8, 5]);
        assert_eq!(shares(1000, 2000, false), [500; 2]);
        assert_eq!(shares(1000, 20_000, false), [1000]);
    }

    #[test]
    fn a_small_send_among_others_goes_to_one_partition() {
        assert_eq!(shares(100, 4, true), [100]);
    }
}
