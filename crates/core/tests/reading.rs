//! Reading without a group, on a real Kafka.

mod support;

use std::collections::BTreeSet;
use std::sync::atomic::{AtomicUsize, Ordering};
use std::sync::Arc;
use std::time::Duration;

use kafka_native::{Admin, GroupConfig, GroupConsumer, Reading, Start};
use support::kafka::{brokers, known, made, topic};
use support::*;

const TIMED_OUT: i32 = -185;

fn reader() -> GroupConsumer {
    let config = GroupConfig::without_group(brokers()).set("topic.metadata.refresh.interval.ms", 200);
    GroupConsumer::new(config.set("fetch.wait.max.ms", 50)).unwrap()
}

fn values(consumer: &GroupConsumer, count: usize) -> BTreeSet<(String, i32, i64)> {
    let mut found = BTreeSet::new();
    while found.len() < count {
        let batch = consumer.recv(LONG).unwrap_or_else(|| panic!("{count} messages are wanted: {found:?}"));
        found.extend(batch.messages().map(|message| (message.topic.to_owned(), message.partition, message.offset)));
        batch.done();
    }
    found
}

#[test]
fn a_reader_has_all_partitions_from_where_each_topic_is_to_begin_and_later_topics_from_their_first_message() {
    let (whole, tail) = (made("whole", 2), made("tail", 2));
    let later = topic("later");
    for topic in [&whole, &tail] {
        (0..2).for_each(|partition| fill(brokers(), topic, partition, 0..5));
    }
    let consumer = reader();
    let pattern = format!("^{later}-[a-z]$");
    consumer
        .read(&[
            Reading::new(&whole, Start::Beginning),
            Reading::new(&tail, Start::End),
            Reading::new(&pattern, Start::End),
        ])
        .unwrap();
    fill(brokers(), &tail, 1, 5..7);
    let matching = format!("{later}-x");
    Admin::new(brokers(), &[]).unwrap().create_topic(&matching, 1, 1, &[], LONG).unwrap();
    known(&matching, 1);
    fill(brokers(), &matching, 0, 0..3);
    let found = values(&consumer, 15);
    let of =
        |name: &str| found.iter().filter(|(topic, ..)| topic == name).map(|(_, p, o)| (*p, *o)).collect::<Vec<_>>();
    assert_eq!(of(&whole).len(), 10);
    assert_eq!(of(&tail), [(1, 5), (1, 6)]);
    assert_eq!(of(&matching), [(0, 0), (0, 1), (0, 2)]);
    assert!(consumer.read(&[Reading::new("^(", Start::End)]).is_err());
    consumer.stop(LONG).unwrap();
}

#[test]
fn who_produced_has_read_it_when_the_reader_is_caught_up() {
    let topic = made("caught", 3);
    let consumer = Arc::new(reader());
    consumer.read(&[Reading::new(&topic, Start::End)]).unwrap();
    let count = Arc::new(AtomicUsize::new(0));
    let taking = std::thread::spawn({
        let (consumer, count) = (consumer.clone(), count.clone());
        move || {
            while let Some(batch) = consumer.recv(LONG) {
                let last = batch.messages().count();
                count.fetch_add(last, Ordering::SeqCst);
                batch.done();
                if count.load(Ordering::SeqCst) == 50 {
                    return;
                }
            }
        }
    });
    for round in 0..50 {
        fill(brokers(), &topic, round % 3, 0..1);
        consumer.caught_up(LONG).unwrap();
        assert_eq!(count.load(Ordering::SeqCst), round as usize + 1);
    }
    taking.join().unwrap();
    fill(brokers(), &topic, 0, 0..1);
    let held = consumer.recv(LONG).unwrap();
    let error = consumer.caught_up(Duration::from_millis(500)).unwrap_err();
    assert_eq!(error.code, TIMED_OUT, "what is not done is waited for: {error}");
    held.done();
    consumer.caught_up(LONG).unwrap();
    consumer.stop(LONG).unwrap();
    assert!(consumer.caught_up(LONG).is_err());
}
