//! Reading without a group, on a real Kafka.

mod support;

use std::collections::BTreeSet;
use std::sync::atomic::{AtomicUsize, Ordering};
use std::sync::Arc;
use std::time::Duration;

use kafka_native::{
    Admin, GroupConfig, GroupConsumer, Producer, ProducerConfig, Reading, Record, Reply, Reset, Start, Subscription,
    TopicPartitionOffset,
};
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

/// Counts what a consumer gets, until it gives none.
fn counting(consumer: &Arc<GroupConsumer>) -> (Arc<AtomicUsize>, std::thread::JoinHandle<()>) {
    let count = Arc::new(AtomicUsize::new(0));
    let taking = std::thread::spawn({
        let (consumer, count) = (consumer.clone(), count.clone());
        move || {
            while let Some(batch) = consumer.recv(LONG) {
                count.fetch_add(batch.len(), Ordering::SeqCst);
                batch.done();
            }
        }
    });
    (count, taking)
}

#[test]
fn an_offset_beyond_the_end_is_not_taken_for_caught_up() {
    let topic = made("beyond", 1);
    fill(brokers(), &topic, 0, 0..5);
    let consumer = Arc::new(reader());
    let (count, taking) = counting(&consumer);
    let beyond = vec![TopicPartitionOffset::new(&topic, 0, 100)];
    consumer.read(&[Reading::new(&topic, Start::At(beyond))]).unwrap();
    consumer.caught_up(LONG).unwrap();
    assert_eq!(count.load(Ordering::SeqCst), 5, "it was read from its begin");
    consumer.stop(LONG).unwrap();
    taking.join().unwrap();
}

#[test]
fn a_member_is_not_caught_up_before_the_group_has_given_it_partitions() {
    let (name, group) = (made("divided", 3), topic("group"));
    (0..3).for_each(|partition| fill(brokers(), &name, partition, 0..10));
    let member = || {
        let config = GroupConfig::new(brokers(), &group).set("session.timeout.ms", 10_000).set("fetch.wait.max.ms", 50);
        let consumer = Arc::new(GroupConsumer::new(config).unwrap());
        let (count, taking) = counting(&consumer);
        consumer.subscribe(&[Subscription::new(&name, Reset::Earliest)]).unwrap();
        (consumer, count, taking)
    };
    let (first, count, taking) = member();
    first.caught_up(LONG).unwrap();
    assert_eq!(count.load(Ordering::SeqCst), 30);
    // While another comes and takes some away.
    let (second, others, taking_too) = member();
    let mut sent = 30;
    while others.load(Ordering::SeqCst) == 0 {
        fill(brokers(), &name, sent % 3, 0..1);
        sent += 1;
        first.caught_up(LONG).unwrap();
        second.caught_up(LONG).unwrap();
        assert_eq!(count.load(Ordering::SeqCst) + others.load(Ordering::SeqCst), sent as usize);
    }
    for consumer in [first, second] {
        consumer.stop(LONG).unwrap();
    }
    taking.join().unwrap();
    taking_too.join().unwrap();
}

#[test]
fn a_wait_ends_in_its_time_where_no_broker_answers() {
    let consumer = GroupConsumer::with_events(GroupConfig::without_group("127.0.0.1:1"), |_| ()).unwrap();
    consumer.read_with(vec![Reading::new("t", Start::End)], Reply::new(|_| ()));
    let (tx, answer) = std::sync::mpsc::channel();
    consumer.caught_up_with(Duration::from_millis(500), Reply::new(move |answer| tx.send(answer).unwrap()));
    assert_eq!(answer.recv_timeout(LONG).expect("an answer").unwrap_err().code, TIMED_OUT);
    assert_eq!(consumer.until_ends(Duration::from_millis(500)).unwrap_err().code, TIMED_OUT);
    consumer.stop(LONG).unwrap();
}

#[test]
fn a_reader_ends_by_itself_at_the_ends_as_they_were() {
    let topic = made("ends", 3);
    let producer = Producer::new(ProducerConfig::new(brokers())).unwrap();
    for partition in 0..2 {
        assert_eq!(producer.send(&topic, partition, &vec![Record::value("x"); 1000]).enqueued, 1000);
    }
    assert_eq!(producer.stop(LONG).unwrap(), 0);
    for members in [false, true] {
        let consumer = match members {
            false => reader(),
            true => GroupConsumer::new(GroupConfig::new(brokers(), &topic)).unwrap(),
        };
        match members {
            false => consumer.read(&[Reading::new(&topic, Start::Beginning)]).unwrap(),
            true => consumer.subscribe(&[Subscription::new(&topic, Reset::Earliest)]).unwrap(),
        }
        consumer.until_ends(LONG).unwrap();
        let mut count = 0;
        while let Some(batch) = consumer.recv(LONG) {
            count += batch.len();
            batch.done();
        }
        assert_eq!(count, 2000);
        consumer.stop(LONG).unwrap();
    }
}

#[test]
fn nothing_that_comes_while_a_time_is_looked_for_is_left_out() {
    let topic = made("timed", 1);
    let sending = Arc::new(std::sync::atomic::AtomicBool::new(true));
    let (sent, going) = (Arc::new(AtomicUsize::new(0)), sending.clone());
    let load = std::thread::spawn({
        let (topic, sent) = (topic.clone(), sent.clone());
        move || {
            while going.load(Ordering::SeqCst) {
                fill(brokers(), &topic, 0, 0..1);
                sent.fetch_add(1, Ordering::SeqCst);
            }
        }
    });
    for _ in 0..10 {
        let now = std::time::SystemTime::now().duration_since(std::time::UNIX_EPOCH).unwrap().as_millis() as i64;
        let before = sent.load(Ordering::SeqCst);
        let consumer = reader();
        consumer.read(&[Reading::new(&topic, Start::Time(now))]).unwrap();
        let first = consumer.recv(LONG).expect("the next message").messages().next().unwrap().offset;
        // The one that was under way is older or newer.
        assert!(first <= before as i64 + 1, "it begins at {first}, and {before} were sent before the time");
        consumer.stop(LONG).unwrap();
    }
    sending.store(false, Ordering::SeqCst);
    load.join().unwrap();
}
