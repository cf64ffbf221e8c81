//! Consumers in groups, against the real Kafka.

mod support;

use std::collections::BTreeMap;
use std::sync::mpsc::{channel, Receiver};
use std::time::{Duration, Instant};

use kafka_native::{
    Admin, GroupConfig, GroupConsumer, GroupEvent, Producer, ProducerConfig, Rebalance, RebalanceKind, Record, Reset,
    Subscription, TopicPartitionOffset,
};
use support::kafka::{brokers, made, topic, Cluster};
use support::*;

fn config(group: &str) -> GroupConfig {
    GroupConfig::new(brokers(), group).set("session.timeout.ms", 10_000)
}

/// A member, and the rebalances that it hears of.
fn member(config: GroupConfig, topic: &str) -> (GroupConsumer, Receiver<Rebalance>) {
    let (tx, rx) = channel();
    let consumer = GroupConsumer::with_events(config, move |event| {
        if let GroupEvent::Rebalance(rebalance) = event {
            let _ = tx.send(rebalance);
        }
    })
    .unwrap();
    consumer.subscribe(&[Subscription::new(topic, Reset::Earliest)]).unwrap();
    (consumer, rx)
}

/// The offsets of `count` messages by partition, each batch done.
fn read(consumer: &GroupConsumer, count: usize) -> BTreeMap<i32, Vec<i64>> {
    let mut offsets: BTreeMap<i32, Vec<i64>> = BTreeMap::new();
    let mut left = count;
    while left > 0 {
        let batch = consumer.recv(LONG).unwrap_or_else(|| panic!("{left} of {count} messages are missing"));
        for message in batch.messages() {
            offsets.entry(message.partition).or_default().push(message.offset);
            left -= 1;
        }
        batch.done();
    }
    offsets
}

fn committed(consumer: &GroupConsumer, topic: &str, partition: i32) -> Option<i64> {
    consumer.committed(&[(topic.to_owned(), partition)], LONG).unwrap()[0]
}

#[test]
fn a_member_reads_everything_once_and_the_next_goes_on_behind_what_was_done() {
    let (topic, group) = (made("goes-on", 3), topic("group"));
    (0..3).for_each(|partition| fill(brokers(), &topic, partition, 0..1000));
    let (consumer, rebalances) = member(config(&group), &topic);
    let seen = read(&consumer, 3000);
    assert!((0..3).all(|partition| seen[&partition] == (0..1000).collect::<Vec<_>>()));
    let assigned = rebalances.recv_timeout(LONG).unwrap();
    assert_eq!((assigned.kind, assigned.partitions.len()), (RebalanceKind::Assign, 3));
    assert!(!assigned.member_id.is_empty() && assigned.generation >= 1, "{assigned:?}");
    consumer.stop(LONG).unwrap();

    fill(brokers(), &topic, 1, 1000..1010);
    let (consumer, _) = member(config(&group), &topic);
    assert_eq!(read(&consumer, 10), BTreeMap::from([(1, (1000..1010).collect())]));
    assert_eq!(committed(&consumer, &topic, 0), Some(1000));
    consumer.stop(LONG).unwrap();
}

#[test]
fn what_was_not_done_comes_again() {
    let (topic, group) = (made("again", 1), topic("group"));
    fill(brokers(), &topic, 0, 0..10);
    let (consumer, _) = member(config(&group), &topic);
    let batch = consumer.recv(LONG).unwrap();
    assert_eq!(batch.messages().next().unwrap().offset, 0);
    drop(batch);
    consumer.stop(LONG).unwrap();
    let (consumer, _) = member(config(&group), &topic);
    assert_eq!(read(&consumer, 10)[&0][0], 0);
    consumer.stop(LONG).unwrap();
}

#[test]
fn members_share_the_partitions_and_lose_nothing_when_one_leaves() {
    for (strategy, protocol) in [("range", "classic"), ("cooperative-sticky", "classic"), ("", "consumer")] {
        let (topic, group) = (made("share", 4), topic("group"));
        let config = || {
            let config = match protocol {
                "consumer" => GroupConfig::new(brokers(), &group).set("group.protocol", protocol),
                _ => config(&group).set("partition.assignment.strategy", strategy),
            };
            config.auto_commit(Some(Duration::from_millis(100)))
        };
        let (first, changes) = member(config(), &topic);
        let mut mine = 0i64;
        let until = |mine: &mut i64, changes: &Receiver<Rebalance>, want: i64| {
            let deadline = Instant::now() + LONG;
            while *mine != want {
                assert!(Instant::now() < deadline, "{strategy}{protocol}: {mine} of {want} partitions");
                let Ok(change) = changes.recv_timeout(LONG) else { continue };
                let count = change.partitions.len() as i64;
                *mine += if change.kind == RebalanceKind::Assign { count } else { -count };
            }
        };
        until(&mut mine, &changes, 4);
        let (second, others) = member(config(), &topic);
        until(&mut mine, &changes, 2);
        until(&mut 0, &others, 2);
        (0..4).for_each(|partition| fill(brokers(), &topic, partition, 0..100));
        let (one, two) = (read(&first, 200), read(&second, 200));
        let mut partitions: Vec<_> = one.keys().chain(two.keys()).copied().collect();
        partitions.sort_unstable();
        assert_eq!(partitions, [0, 1, 2, 3], "{strategy}{protocol}");
        second.stop(LONG).unwrap();
        until(&mut mine, &changes, 4);
        (0..4).for_each(|partition| fill(brokers(), &topic, partition, 100..200));
        let rest = read(&first, 400);
        assert!((0..4).all(|p| rest[&p] == (100..200).collect::<Vec<_>>()), "{strategy}{protocol}: {rest:?}");
        first.stop(LONG).unwrap();
    }
}

#[test]
fn a_sought_partition_goes_on_at_the_new_offset_and_nowhere_else() {
    let (topic, group) = (made("seek", 2), topic("group"));
    (0..2).for_each(|partition| fill(brokers(), &topic, partition, 0..5000));
    let (consumer, _) = member(config(&group).max_messages(100), &topic);
    read(&consumer, 300);
    for to in [4000, 10, 0, 4999] {
        let epoch = consumer.seek(TopicPartitionOffset::new(&topic, 1, to)).unwrap();
        assert!(epoch.is_some());
        loop {
            let batch = consumer.recv(LONG).unwrap();
            let first = batch.messages().find(|message| message.partition == 1).map(|message| message.offset);
            batch.done();
            if let Some(first) = first {
                assert_eq!(first, to);
                break;
            }
        }
    }
    assert_eq!(consumer.seek(TopicPartitionOffset::new(&topic, 7, 0)).unwrap(), None);
    consumer.stop(LONG).unwrap();
}

#[test]
fn an_assignment_of_ones_own_needs_no_group() {
    let topic = made("assign", 2);
    (0..2).for_each(|partition| fill(brokers(), &topic, partition, 0..100));
    let consumer = GroupConsumer::new(GroupConfig::without_group(brokers())).unwrap();
    consumer.connect(LONG).unwrap();
    consumer.assign(&[TopicPartitionOffset::new(&topic, 0, 90), TopicPartitionOffset::new(&topic, 1, -2)]).unwrap();
    let seen = read(&consumer, 110);
    assert_eq!((seen[&0][0], seen[&1][0]), (90, 0));
    consumer.assign(&[TopicPartitionOffset::new(&topic, 0, 50)]).unwrap();
    assert_eq!(read(&consumer, 50), BTreeMap::from([(0, (50..100).collect())]));
    let error = consumer.commit(&[TopicPartitionOffset::new(&topic, 0, 60)]).unwrap_err();
    assert!(error.message.contains("group.id"), "{error}");
    let error = consumer.subscribe(&[Subscription::new(&topic, Reset::Earliest)]).unwrap_err();
    assert!(error.message.contains("assign()"), "{error}");
    consumer.stop(LONG).unwrap();
}

#[test]
fn one_stuck_partition_does_not_stop_the_others() {
    const COUNT: usize = 20_000;
    let (topic, group) = (made("stuck", 2), topic("group"));
    let producer = Producer::new(ProducerConfig::new(brokers())).unwrap();
    let value = vec![b'x'; 1000];
    assert_eq!(producer.send(&topic, 0, &vec![Record::value(&value); COUNT]).enqueued, COUNT);
    assert_eq!(producer.stop(LONG).unwrap(), 0);
    let (consumer, _) = member(config(&group).buffered_max_bytes(16 << 20), &topic);
    // Of partition 0 nothing is ever done.
    let mut stuck = vec![consumer.recv(LONG).unwrap()];
    while let Some(batch) = consumer.recv(Duration::from_secs(5)) {
        stuck.push(batch);
    }
    let held: usize = stuck.iter().map(|batch| batch.len()).sum();
    assert!(held < COUNT, "all of the partition was handed over");
    fill(brokers(), &topic, 1, 0..1000);
    assert_eq!(read(&consumer, 1000).keys().copied().collect::<Vec<_>>(), [1]);
    stuck.into_iter().for_each(|batch| batch.done());
    assert_eq!(read(&consumer, COUNT - held)[&0].last(), Some(&(COUNT as i64 - 1)));
    consumer.stop(LONG).unwrap();
}

#[test]
fn members_whose_coordinator_dies_stop_in_time() {
    for before_the_stop in [true, false, false] {
        let mut cluster = Cluster::start(&[]);
        let topic = topic("dies");
        Admin::new(&cluster.brokers(), &[]).unwrap().create_topic(&topic, 4, 1, &[], LONG).unwrap();
        let join = || member(GroupConfig::new(&cluster.brokers(), "dies").set("session.timeout.ms", 10_000), &topic);
        let members: Vec<_> = (0..4).map(|_| join()).collect();
        for (_, rebalances) in &members {
            rebalances.recv_timeout(LONG).unwrap();
        }
        let killer = std::thread::spawn(move || {
            cluster.order("kill 1");
            cluster
        });
        if before_the_stop {
            while !killer.is_finished() {
                std::thread::yield_now();
            }
        }
        within(LONG, "stopping", || {
            std::thread::scope(|scope| {
                for (member, _) in &members {
                    scope.spawn(|| member.stop(Duration::from_secs(3)).unwrap());
                }
            });
        });
        drop(killer.join().unwrap());
    }
}

#[test]
fn an_assignment_of_ones_own_keeps_its_offsets_in_files() {
    let (topic, directory) = (made("files", 2), tempfile::tempdir().unwrap());
    (0..2).for_each(|partition| fill(brokers(), &topic, partition, 0..100));
    let begin = || {
        let consumer = GroupConsumer::new(GroupConfig::without_group(brokers()).offsets_in(directory.path())).unwrap();
        let places =
            [0, 1].map(|partition| TopicPartitionOffset::new(&topic, partition, kafka_native::logical::STORED));
        consumer.assign(&places).map(|()| consumer)
    };
    let consumer = begin().unwrap();
    read(&consumer, 200);
    consumer.commit_done().unwrap();
    assert_eq!(recorded(directory.path(), &topic, 0).as_deref(), Some("99\n"));
    let held = begin().err().expect("the first one holds the files");
    assert!(held.message.contains("locked") || held.code == kafka_native::code::CONFLICT, "{held}");
    consumer.stop(LONG).unwrap();
    fill(brokers(), &topic, 1, 100..103);
    let consumer = begin().unwrap();
    assert_eq!(read(&consumer, 3), BTreeMap::from([(1, vec![100, 101, 102])]));
    consumer.stop(LONG).unwrap();
    assert_eq!(recorded(directory.path(), &topic, 1).as_deref(), Some("102\n"));
}

#[cfg(feature = "tokio")]
#[tokio::test]
async fn the_async_face_reads_and_commits_too() {
    use kafka_native::tokio::AsyncGroupConsumer;
    let (topic, group) = (made("async", 2), topic("group"));
    (0..2).for_each(|partition| fill(brokers(), &topic, partition, 0..100));
    let consumer = AsyncGroupConsumer::new(config(&group)).unwrap();
    consumer.connect(LONG).await.unwrap();
    consumer.subscribe(&[Subscription::new(&topic, Reset::Earliest)]).await.unwrap();
    let mut count = 0;
    while count < 200 {
        let batch = consumer.next().await.unwrap();
        count += batch.messages().count();
        batch.done();
    }
    consumer.commit_done().await.unwrap();
    consumer.stop(LONG).await.unwrap();
    assert!(consumer.next().await.is_none());
    let (next, _) = member(config(&group), &topic);
    assert_eq!((committed(&next, &topic, 0), committed(&next, &topic, 1)), (Some(100), Some(100)));
    next.stop(LONG).unwrap();
}
