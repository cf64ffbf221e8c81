//! Messages on their way: the budget, the queue's length, and the failures that nobody has heard of yet.

use std::collections::HashMap;
use std::ops::Range;
use std::sync::atomic::{AtomicBool, AtomicI32, AtomicU64, Ordering};
use std::sync::Arc;

use parking_lot::Mutex;

use super::Refusal;
use crate::code;
use crate::error::Error;
use crate::packed::Records;

/// Everything accepted and not yet delivered.
pub(crate) struct Outbound {
    max_messages: u64,
    max_bytes: u64,
    max_message_bytes: usize,
    messages: AtomicU64,
    bytes: AtomicU64,
    /// Some message had headers.
    headers: AtomicBool,
    topics: Mutex<Topics>,
}

/// Topics keep their number as long as the producer lives.
#[derive(Default)]
struct Topics {
    by_name: HashMap<String, Arc<TopicState>>,
    by_id: Vec<Arc<TopicState>>,
}

/// The state of a topic that was sent to.
pub(crate) struct TopicState {
    pub(crate) id: u32,
    pub(crate) name: String,
    /// librdkafka's, for this topic.
    pub(crate) properties: Vec<(String, String)>,
    messages: AtomicU64,
    /// -1 = not known.
    partitions: AtomicI32,
    asking: AtomicBool,
    /// Some of its messages were delivered.
    delivered: AtomicBool,
}

/// librdkafka holds the lock of a topic while it gives the messages that waited for the topic's metadata to its partitions, one
/// after the other: with more of them nobody but the client's thread waits for that.
const WAIT_FOR: u64 = 16 * 1024;

impl TopicState {
    /// Whether handing over more of its messages may take milliseconds.
    pub(crate) fn may_be_locked(&self) -> bool {
        !self.delivered.load(Ordering::Relaxed) && self.messages.load(Ordering::Relaxed) > WAIT_FOR
    }

    pub(crate) fn set_delivered(&self) {
        self.delivered.store(true, Ordering::Relaxed);
    }

    pub(crate) fn set_partitions(&self, count: usize) {
        self.partitions.store(count as i32, Ordering::Relaxed);
    }

    /// Whether nobody asks for the number of partitions yet.
    pub(crate) fn begin_asking(&self) -> bool {
        !self.asking.swap(true, Ordering::Relaxed)
    }

    pub(crate) fn end_asking(&self) {
        self.asking.store(false, Ordering::Relaxed);
    }
}

impl Outbound {
    pub(crate) fn new(max_messages: u64, max_bytes: u64, max_message_bytes: usize) -> Self {
        Self {
            max_messages,
            max_bytes,
            max_message_bytes,
            messages: AtomicU64::new(0),
            bytes: AtomicU64::new(0),
            headers: AtomicBool::new(false),
            topics: Mutex::default(),
        }
    }

    pub(crate) fn topic(&self, name: &str) -> Arc<TopicState> {
        self.topic_with(name, &[])
    }

    /// The topic; its properties are those that it was given first.
    pub(crate) fn topic_with(&self, name: &str, properties: &[(String, String)]) -> Arc<TopicState> {
        let mut topics = self.topics.lock();
        if let Some(topic) = topics.by_name.get(name) {
            return topic.clone();
        }
        let topic = Arc::new(TopicState {
            id: topics.by_id.len() as u32,
            name: name.to_owned(),
            properties: properties.to_vec(),
            messages: AtomicU64::new(0),
            partitions: AtomicI32::new(-1),
            asking: AtomicBool::new(false),
            delivered: AtomicBool::new(false),
        });
        topics.by_name.insert(name.to_owned(), topic.clone());
        topics.by_id.push(topic.clone());
        topic
    }

    pub(crate) fn topics(&self, ids: impl Iterator<Item = u32>) -> Option<Vec<Arc<TopicState>>> {
        let topics = self.topics.lock();
        ids.map(|id| topics.by_id.get(id as usize).cloned()).collect()
    }

    /// Takes what fits into the budget of these messages of one topic, for a partition unless they have their own; returns
    /// how many that are, and appends the others. A message that is too large stops no other; a full queue refuses the
    /// rest. On whichever thread calls.
    pub(crate) fn accept(
        &self,
        topic: &TopicState,
        partition: i32,
        records: Records<'_>,
        range: Range<usize>,
        refused: &mut Vec<Refusal>,
    ) -> usize {
        let known = topic.partitions.load(Ordering::Relaxed);
        let end = range.end;
        let (mut accepted, mut size, mut headers) = (0u64, 0u64, false);
        for (index, lengths) in range.clone().zip(records.index[3 * range.start..].chunks_exact(3)) {
            let partition = records.partitions.get(index).copied().filter(|own| *own >= 0).unwrap_or(partition);
            if known >= 0 && partition >= known {
                let text = format!("topic '{}' has {known} partitions, there is no partition {partition}", topic.name);
                refused.push(Refusal { index, error: Error::kafka(code::UNKNOWN_PARTITION, text) });
                continue;
            }
            let bytes = lengths.iter().map(|length| (*length).max(0) as usize).sum::<usize>();
            if bytes > self.max_message_bytes {
                let text = format!("the message has {bytes} bytes, message.max.bytes is {}", self.max_message_bytes);
                refused.push(Refusal { index, error: Error::kafka(code::MSG_SIZE_TOO_LARGE, text) });
                continue;
            }
            // Approximate between threads that send at once, by what each of them has under way.
            if self.messages.load(Ordering::Relaxed) + accepted >= self.max_messages
                || self.bytes.load(Ordering::Relaxed) + size >= self.max_bytes
            {
                let error = Error::of(code::QUEUE_FULL);
                refused.extend((index..end).map(|index| Refusal { index, error: error.clone() }));
                break;
            }
            accepted += 1;
            size += bytes as u64;
            headers |= lengths[2] > 0;
        }
        if headers {
            self.headers.store(true, Ordering::Relaxed);
        }
        self.messages.fetch_add(accepted, Ordering::Relaxed);
        self.bytes.fetch_add(size, Ordering::Relaxed);
        topic.messages.fetch_add(accepted, Ordering::Relaxed);
        accepted as usize
    }

    /// Messages of a topic were delivered or have failed; returns whether nothing is on its way any more.
    pub(crate) fn settled(&self, topic: &TopicState, messages: u64, bytes: u64) -> bool {
        topic.messages.fetch_sub(messages, Ordering::Relaxed);
        self.bytes.fetch_sub(bytes, Ordering::Relaxed);
        self.messages.fetch_sub(messages, Ordering::Relaxed) == messages
    }

    /// Whether a delivery report has to be asked for headers: their bytes count, too.
    pub(crate) fn has_headers(&self) -> bool {
        self.headers.load(Ordering::Relaxed)
    }

    pub(crate) fn queue_length(&self) -> usize {
        self.messages.load(Ordering::Relaxed) as usize
    }

    pub(crate) fn by_topic(&self) -> HashMap<String, usize> {
        let topics = self.topics.lock();
        let lengths =
            topics.by_name.iter().map(|(name, topic)| (name.clone(), topic.messages.load(Ordering::Relaxed) as usize));
        lengths.filter(|(_, length)| *length > 0).collect()
    }
}

/// Messages that could not be delivered, of one kind.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct DeliveryFailure {
    /// librdkafka's number.
    pub code: i32,
    /// How many.
    pub count: u64,
    /// The code's meaning.
    pub message: String,
    /// The topic.
    pub topic: String,
    /// The partition; -1 when it was not yet chosen.
    pub partition: i32,
}

/// The words for a failure, and how the leader has refused messages before it.
fn text_of(code: i32, refusal: Option<i32>) -> String {
    match refusal {
        Some(refusal) => {
            format!("{}; meanwhile the leader has refused messages: {}", code::text(code), code::text(refusal))
        }
        None => code::text(code),
    }
}

/// Failures that were not taken yet.
#[derive(Default)]
pub(crate) struct Failures {
    counts: HashMap<(i32, Option<i32>, Arc<str>, i32), u64>,
}

impl Failures {
    /// Returns whether these are the first since the last were taken. `refusal`: how the leader has refused messages before.
    pub(crate) fn add(&mut self, code: i32, refusal: Option<i32>, topic: &str, partition: i32, count: u64) -> bool {
        let first = self.counts.is_empty();
        *self.counts.entry((code, refusal, topic.into(), partition)).or_default() += count;
        first
    }

    pub(crate) fn take(&mut self) -> Vec<DeliveryFailure> {
        let mut failures: Vec<_> = std::mem::take(&mut self.counts)
            .into_iter()
            .map(|((code, refusal, topic, partition), count)| DeliveryFailure {
                code,
                count,
                message: text_of(code, refusal),
                topic: topic.to_string(),
                partition,
            })
            .collect();
        failures.sort_by(|a, b| (&a.topic, a.partition, a.code).cmp(&(&b.topic, b.partition, b.code)));
        failures
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::producer::record::{pack, Record};

    fn accept(
        outbound: &Outbound,
        topic: &TopicState,
        partition: i32,
        records: &[Record<'_>],
    ) -> (usize, Vec<Refusal>) {
        let mut refused = Vec::new();
        let accepted = outbound.accept(topic, partition, pack(records).view(), 0..records.len(), &mut refused);
        (accepted, refused)
    }

    #[test]
    fn a_message_that_is_too_large_stops_no_other() {
        let outbound = Outbound::new(10, 1000, 4);
        let topic = outbound.topic("t");
        let (accepted, refused) =
            accept(&outbound, &topic, -1, &[Record::value("1"), Record::value("12345"), Record::value("2")]);
        assert_eq!((accepted, refused.len(), refused[0].index), (2, 1, 1));
        assert_eq!(refused[0].error.code, code::MSG_SIZE_TOO_LARGE);
    }

    #[test]
    fn a_full_queue_refuses_the_rest() {
        let outbound = Outbound::new(2, 1000, 10);
        let topic = outbound.topic("t");
        let (accepted, refused) = accept(&outbound, &topic, 0, &vec![Record::value("1"); 5]);
        assert_eq!((accepted, refused.iter().map(|r| r.index).collect::<Vec<_>>()), (2, vec![2, 3, 4]));
        assert_eq!(outbound.by_topic(), HashMap::from([("t".to_owned(), 2)]));
        assert!(!outbound.settled(&topic, 1, 1));
        assert!(outbound.settled(&topic, 1, 1));
        assert_eq!(accept(&outbound, &topic, 0, &[Record::value("1")]).0, 1);
    }

    #[test]
    fn headers_count_against_the_budget() {
        let outbound = Outbound::new(100, 1000, 1000);
        let topic = outbound.topic("t");
        let header = [0; 400];
        let record = Record::value("1").header("h", Some(&header));
        assert_eq!(accept(&outbound, &topic, 0, &vec![record; 5]).0, 3);
        assert!(outbound.has_headers());
    }

    #[test]
    fn a_partition_that_is_known_not_to_exist_is_refused() {
        let outbound = Outbound::new(2, 1000, 10);
        let topic = outbound.topic("t");
        topic.set_partitions(4);
        let (accepted, refused) = accept(&outbound, &topic, 4, &[Record::value("1")]);
        assert_eq!((accepted, refused[0].error.code), (0, code::UNKNOWN_PARTITION));
        assert_eq!(accept(&outbound, &topic, 3, &[Record::value("1")]).0, 1);
        let own = [Record::value("1").partition(4), Record::value("1").partition(3)];
        let (accepted, refused) = accept(&outbound, &topic, -1, &own);
        assert_eq!((accepted, refused[0].index), (1, 0));
    }

    #[test]
    fn a_storm_of_failures_is_one_line() {
        let mut failures = Failures::default();
        assert!(failures.add(code::MSG_TIMED_OUT, None, "t", 1, 500));
        assert!(!failures.add(code::MSG_TIMED_OUT, None, "t", 1, 500));
        assert_eq!(failures.take()[0].count, 1000);
        assert!(failures.add(code::MSG_TIMED_OUT, None, "t", 1, 1));
    }
}
