//! Copies a topic into another, exactly once: what it writes and how far it has read are one transaction a batch. Kill it at any
//! time and start it again; who reads committed messages finds each of them once. Ends when nothing came for a while.
//!
//! `cargo run --release --example transactions -- [TOPIC] [COUNT] [BROKERS]`; the copy is TOPIC-copy

mod place;

use std::collections::BTreeMap;
use std::time::Duration;

use kafka_native::{
    Batch, ConsumerGroup, Error, GroupConfig, GroupConsumer, MockCluster, Producer, ProducerConfig, Record, Reset,
    Result, Subscription, TopicPartitionOffset,
};

const TIMEOUT: Duration = Duration::from_secs(30);

fn main() -> Result<()> {
    let place = place::arguments("transactions [TOPIC] [COUNT] [BROKERS]", 1000);
    place.fill_if_embedded()?;
    let copy = format!("{}-copy", place.topic);

    // The same id after a restart: the transaction that a killed one left open is aborted here, and a twin is fenced.
    let producer = Producer::new(ProducerConfig::new(&place.brokers).set("transactional.id", &copy))?;
    producer.init_transactions(TIMEOUT)?;

    let mut config = GroupConfig::new(&place.brokers, &copy).set("isolation.level", "read_committed").auto_commit(None);
    if place.embedded.is_some() {
        let (name, value) = MockCluster::consumer_property();
        config = config.set(name, value);
    }
    let consumer = GroupConsumer::new(config)?;
    consumer.subscribe(&[Subscription::new(&place.topic, Reset::Earliest)])?;

    let mut count = 0;
    while count < place.count {
        let Some(batch) = consumer.recv(Duration::from_secs(5)) else { break };
        producer.begin_transaction()?;
        match transfer(&producer, &consumer, &batch, &copy) {
            Ok(()) => {}
            // The producer is of no further use: another one has its id, most likely.
            Err(error) if error.fatal => return Err(error),
            Err(error) => {
                // The batch is not lost: the next run begins where the last commit was.
                producer.abort_transaction(TIMEOUT)?;
                return Err(error);
            }
        }
        count += batch.messages().count();
        batch.done();
    }
    println!("{count} messages copied");
    consumer.stop(TIMEOUT)?;
    producer.stop(TIMEOUT).map(drop)
}

fn transfer(producer: &Producer, consumer: &GroupConsumer, batch: &Batch, copy: &str) -> Result<()> {
    let mut next = BTreeMap::new();
    let mut records = Vec::new();
    for message in batch.messages() {
        next.insert((message.topic, message.partition), message.offset + 1);
        let record = message.value.map_or(Record::tombstone(), Record::value);
        records.push(match message.key {
            Some(key) => record.key(key),
            None => record,
        });
    }
    let refused = producer.send(copy, -1, &records).refused;
    if let Some(refusal) = refused.into_iter().next() {
        return Err(refusal.error);
    }
    let offsets: Vec<_> =
        next.into_iter().map(|((topic, partition), next)| TopicPartitionOffset::new(topic, partition, next)).collect();
    let group = ConsumerGroup::Metadata(consumer.group_metadata()?);
    retried(|| producer.send_offsets(&group, &offsets, TIMEOUT))?;
    retried(|| producer.commit_transaction(TIMEOUT))
}

/// Makes a call again as long as that can help.
fn retried(call: impl Fn() -> Result<()>) -> Result<()> {
    let waits = |error: &Error| error.retriable && !error.txn_requires_abort;
    loop {
        match call() {
            Err(error) if waits(&error) => eprintln!("again: {error}"),
            result => return result,
        }
    }
}
