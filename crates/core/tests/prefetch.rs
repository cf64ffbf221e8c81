//! How far a consumer reads ahead, against the real Kafka.

mod support;

use std::sync::mpsc::channel;
use std::time::Duration;

use kafka_native::{GroupConfig, GroupConsumer, GroupEvent, Producer, ProducerConfig, Record, Reset, Subscription};
use serde_json::Value;
use support::kafka::{brokers, made, topic};
use support::*;

/// Takes so many messages as a receiver does that is slower than the broker.
fn read_slowly(consumer: &GroupConsumer, count: usize) {
    let mut left = count;
    while left > 0 {
        let batch = consumer.recv(LONG).unwrap_or_else(|| panic!("{left} of {count} messages are missing"));
        left = left.saturating_sub(batch.len());
        std::thread::sleep(Duration::from_millis(1));
        batch.done();
    }
}

#[test]
fn a_partition_that_is_read_slowly_goes_on_beside_idle_ones_however_long_a_broker_may_wait() {
    let topic_name = made("beside-idle", 4);
    fill(brokers(), &topic_name, 0, 0..60_000);
    let config = GroupConfig::new(brokers(), &topic("group"))
        .set("fetch.wait.max.ms", 250_000)
        .set("socket.timeout.ms", 300_000)
        .set("max.partition.fetch.bytes", 50_000);
    let consumer = GroupConsumer::new(config).unwrap();
    consumer.subscribe(&[Subscription::new(&topic_name, Reset::Earliest)]).unwrap();
    read_slowly(&consumer, 60_000);
    consumer.stop(LONG).unwrap();
}

#[test]
fn a_receiver_that_has_more_than_it_needs_has_little_prefetched() {
    const COUNT: usize = 100_000;
    let topic_name = made("prefetched", 1);
    // Fetched as they were written: a hundred together.
    let producer = Producer::new(ProducerConfig::new(brokers()).set("batch.num.messages", 100)).unwrap();
    assert_eq!(producer.send(&topic_name, 0, &vec![Record::value(b"x"); COUNT]).enqueued, COUNT);
    assert_eq!(producer.stop(LONG).unwrap(), 0);
    let (tx, statistics) = channel();
    let config = GroupConfig::new(brokers(), &topic("group"))
        .set("max.partition.fetch.bytes", 20_000)
        .statistics_interval(Duration::from_millis(50));
    let consumer = GroupConsumer::with_events(config, move |event| {
        if let GroupEvent::Stats(json) = event {
            let _ = tx.send(json);
        }
    })
    .unwrap();
    consumer.subscribe(&[Subscription::new(&topic_name, Reset::Earliest)]).unwrap();
    let mut prefetched = Vec::new();
    // Nobody takes any for a moment; a machine that was busy meanwhile has another try.
    while prefetched.last().is_none_or(|count| *count > 5000) {
        assert!(prefetched.len() < 6, "prefetched: {prefetched:?}");
        read_slowly(&consumer, COUNT / 10);
        statistics.try_iter().for_each(drop);
        let json = (0..4).map(|_| statistics.recv_timeout(LONG).unwrap()).next_back().unwrap();
        let json: Value = serde_json::from_str(&json).unwrap();
        prefetched.push(json["topics"][&topic_name]["partitions"]["0"]["fetchq_cnt"].as_u64().unwrap());
    }
    consumer.stop(LONG).unwrap();
}
