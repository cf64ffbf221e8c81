//! Code that the tests share.
#![allow(dead_code)] // each test file uses its part

pub mod kafka;

use std::collections::BTreeMap;
use std::path::Path;
use std::process::Command;
use std::sync::mpsc::{channel, Receiver};
use std::time::{Duration, Instant};

use kafka_native::{
    Batch, Consumer, ConsumerConfig, ConsumerEvent, MockCluster, Producer, ProducerConfig, ProducerEvent, Record,
};

/// Longer than anything takes that works.
pub const LONG: Duration = Duration::from_secs(90);

/// One of this crate's examples, as `cargo test` and `cargo build --examples` have compiled it: beside the folder of this binary.
pub fn example(name: &str) -> Command {
    let folder = std::env::current_exe().unwrap().parent().and_then(Path::parent).unwrap().join("examples");
    let file = folder.join(format!("{name}{}", std::env::consts::EXE_SUFFIX));
    assert!(file.exists(), "{file:?} is not there: cargo build --release -p kafka-native --examples");
    Command::new(file)
}

/// An embedded cluster of one broker with one topic.
pub fn embedded(topic: &str, partitions: i32) -> MockCluster {
    let cluster = MockCluster::new(1).unwrap();
    cluster.create_topic(topic, partitions, 1).unwrap();
    cluster
}

/// A configuration for the embedded cluster, which wakes no waiting fetch.
pub fn config(cluster: &MockCluster, topic: &str) -> ConsumerConfig {
    let (name, value) = MockCluster::consumer_property();
    ConsumerConfig::new(&cluster.brokers(), topic).set(name, value)
}

pub fn started(config: ConsumerConfig) -> Consumer {
    let consumer = Consumer::new(config).unwrap();
    consumer.start().unwrap();
    consumer
}

/// A consumer with what it tells besides batches.
pub fn told(config: ConsumerConfig) -> (Consumer, Receiver<ConsumerEvent>) {
    let (tx, rx) = channel();
    (Consumer::with_events(config, move |event| drop(tx.send(event))).unwrap(), rx)
}

/// A producer with what it tells.
pub fn telling(config: ProducerConfig) -> (Producer, Receiver<ProducerEvent>) {
    let (tx, rx) = channel();
    (Producer::with_events(config, move |event| drop(tx.send(event))).unwrap(), rx)
}

/// Waits for an event that `wanted` makes something of.
pub fn wait_for<E, T>(events: &Receiver<E>, mut wanted: impl FnMut(E) -> Option<T>) -> T {
    let deadline = Instant::now() + LONG;
    loop {
        let event = events.recv_timeout(deadline - Instant::now()).expect("the event in time");
        if let Some(found) = wanted(event) {
            return found;
        }
    }
}

/// Writes `count` messages, "0", "1" and so on, to a partition, and waits for their delivery.
pub fn fill(brokers: &str, topic: &str, partition: i32, numbers: std::ops::Range<usize>) {
    let producer = Producer::new(ProducerConfig::new(brokers)).unwrap();
    let values: Vec<String> = numbers.map(|n| n.to_string()).collect();
    let records: Vec<_> = values.iter().map(Record::value).collect();
    let report = producer.send(topic, partition, &records);
    assert_eq!(report.enqueued, records.len(), "{:?}", report.refused.first());
    assert_eq!(producer.stop(LONG).unwrap(), 0);
    assert_eq!(producer.take_failures(), []);
}

/// Everything that arrived, by partition.
#[derive(Default, Debug)]
pub struct Seen {
    pub offsets: BTreeMap<i32, Vec<i64>>,
    pub values: BTreeMap<i32, Vec<String>>,
    pub misses: u64,
    pub repeats: u64,
    pub count: usize,
}

impl Seen {
    pub fn add(&mut self, batch: &Batch) {
        self.misses += batch.misses();
        self.repeats += batch.repeats();
        for message in batch.messages() {
            self.count += 1;
            self.offsets.entry(message.partition).or_default().push(message.offset);
            let value = String::from_utf8_lossy(message.value.unwrap_or_default()).into_owned();
            self.values.entry(message.partition).or_default().push(value);
        }
    }

    /// Receives until so many messages are here; all of them are done.
    pub fn receive(&mut self, consumer: &Consumer, count: usize) {
        while self.count < count {
            let batch = consumer.recv(LONG).unwrap_or_else(|| panic!("{} of {count} messages came", self.count));
            self.add(&batch);
            batch.done();
        }
    }
}

pub fn receive(consumer: &Consumer, count: usize) -> Seen {
    let mut seen = Seen::default();
    seen.receive(consumer, count);
    seen
}

pub fn recorded(directory: &Path, topic: &str, partition: i32) -> Option<String> {
    std::fs::read_to_string(directory.join(format!("{topic}-{partition}.offset"))).ok()
}

pub fn within<T>(limit: Duration, what: &str, call: impl FnOnce() -> T) -> T {
    let begin = Instant::now();
    let result = call();
    assert!(begin.elapsed() < limit, "{what} took {:?}", begin.elapsed());
    result
}
