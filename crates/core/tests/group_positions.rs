//! Where the partitions of a consumer in a group go on: after seeks, pauses, rebalances, commits that failed.

mod support;

use std::collections::BTreeMap;
use std::sync::mpsc::{channel, Receiver};
use std::time::{Duration, Instant};

use kafka_native::{
    Admin, GroupConfig, GroupConsumer, GroupEvent, MockCluster, Producer, ProducerConfig, Rebalance, RebalanceKind,
    Record, Reply, Reset, Result, Subscription, TopicPartitionOffset,
};
use support::kafka::{brokers, known, made, topic};
use support::*;

const HERE: i64 = kafka_native::logical::INVALID;
const COMMITTED: i64 = kafka_native::logical::STORED;
/// `TOPIC_AUTHORIZATION_FAILED`
const REFUSED: i32 = 29;

/// Asks and waits.
fn answered<T: Send + 'static>(call: impl FnOnce(Reply<T>)) -> Result<T> {
    later(call).recv_timeout(LONG).expect("an answer")
}

/// Asks.
fn later<T: Send + 'static>(call: impl FnOnce(Reply<T>)) -> Receiver<Result<T>> {
    let (tx, rx) = channel();
    call(Reply::new(move |answer| drop(tx.send(answer))));
    rx
}

fn places(topic: &str, offsets: &[i64]) -> Vec<TopicPartitionOffset> {
    offsets.iter().enumerate().map(|(p, offset)| TopicPartitionOffset::new(topic, p as i32, *offset)).collect()
}

fn named(topic: &str, partitions: i32) -> Vec<(String, i32)> {
    (0..partitions).map(|partition| (topic.to_owned(), partition)).collect()
}

fn mock(cluster: &MockCluster, group: &str) -> GroupConfig {
    let (name, value) = MockCluster::consumer_property();
    GroupConfig::new(&cluster.brokers(), group).set(name, value).auto_commit(None)
}

/// The offsets of so many messages by partition, each batch done.
fn read(consumer: &GroupConsumer, count: usize) -> BTreeMap<i32, Vec<i64>> {
    let mut offsets: BTreeMap<i32, Vec<i64>> = BTreeMap::new();
    let mut left = count;
    while left > 0 {
        let batch =
            consumer.recv(LONG).unwrap_or_else(|| panic!("{left} of {count} messages are missing: {offsets:?}"));
        for message in batch.messages() {
            offsets.entry(message.partition).or_default().push(message.offset);
            left = left.saturating_sub(1);
        }
        batch.done();
    }
    offsets
}

fn committed(consumer: &GroupConsumer, topic: &str, partition: i32) -> Option<i64> {
    consumer.committed(&[(topic.to_owned(), partition)], LONG).unwrap()[0]
}

#[test]
fn partitions_that_are_paused_and_resumed_go_on_behind_what_was_received() {
    let cluster = embedded("t", 4);
    (0..4).for_each(|partition| fill(&cluster.brokers(), "t", partition, 0..100));
    for begin in [0, -2, COMMITTED] {
        let consumer = GroupConsumer::new(mock(&cluster, &format!("from{begin}")).max_messages(60)).unwrap();
        consumer.assign(&places("t", &[begin; 4])).unwrap();
        let batch = consumer.recv(LONG).unwrap();
        let mut seen: BTreeMap<i32, Vec<i64>> = BTreeMap::new();
        batch.messages().for_each(|message| seen.entry(message.partition).or_default().push(message.offset));
        answered(|reply| consumer.pause_with(named("t", 4), reply)).unwrap();
        let epochs = answered(|reply| consumer.resume_with(places("t", &[HERE; 4]), reply)).unwrap();
        assert!(epochs.iter().all(Option::is_some), "{epochs:?}");
        // Twice: nothing has come in between that could say where it goes on.
        answered(|reply| consumer.pause_with(named("t", 4), reply)).unwrap();
        answered(|reply| consumer.resume_with(places("t", &[HERE; 4]), reply)).unwrap();
        for (partition, offsets) in read(&consumer, 400 - batch.messages().count()) {
            seen.entry(partition).or_default().extend(offsets);
        }
        let all: Vec<i64> = (0..100).collect();
        assert!((0..4).all(|partition| seen[&partition] == all), "from {begin}: {seen:?}");
        // A message that was received and is not done is not committed, whatever came behind it.
        let first = batch.messages().next().map(|message| message.partition).unwrap();
        consumer.commit_done().unwrap();
        assert_eq!(committed(&consumer, "t", first), None);
        batch.done();
        consumer.commit_done().unwrap();
        assert_eq!(committed(&consumer, "t", first), Some(100));
        consumer.stop(LONG).unwrap();
    }
}

#[test]
fn a_partition_that_is_paused_before_its_first_message_loses_none() {
    let cluster = embedded("t", 1);
    fill(&cluster.brokers(), "t", 0, 0..500);
    for begin in [0, -2, COMMITTED] {
        let (batches, told) = channel();
        let config = mock(&cluster, "first").max_messages(10).batches_ahead(1);
        let consumer = GroupConsumer::with_sink(config, move |event| {
            if let GroupEvent::Batch(batch) = event {
                let _ = batches.send(batch);
            }
        })
        .unwrap();
        consumer.assign(&places("t", &[begin])).unwrap();
        // Told, and of no use to its receiver: it was on its way when the partition was paused.
        let unread = told.recv_timeout(LONG).unwrap();
        answered(|reply| consumer.pause_with(named("t", 1), reply)).unwrap();
        answered(|reply| consumer.resume_with(places("t", &[HERE]), reply)).unwrap();
        assert!(consumer.admit(unread).is_none());
        let mut next = 0;
        while next < 500 {
            let batch = told.recv_timeout(LONG).unwrap();
            let Some(batch) = consumer.admit(batch) else { continue };
            for message in batch.messages() {
                assert_eq!(message.offset, next, "from {begin}");
                next += 1;
            }
            batch.done();
        }
        consumer.stop(LONG).unwrap();
    }
}

#[test]
fn messages_of_an_assignment_that_went_never_come_under_the_next() {
    let (topic, group) = (made("went", 1), topic("group"));
    let producer = Producer::new(ProducerConfig::new(brokers())).unwrap();
    let value = vec![b'x'; 2000]; // some 98 of them are a batch: the rest of what was taken waits
    assert_eq!(producer.send(&topic, 0, &vec![Record::value(&value); 500]).enqueued, 500);
    assert_eq!(producer.stop(LONG).unwrap(), 0);
    let config = || {
        GroupConfig::new(brokers(), &group)
            .set("partition.assignment.strategy", "range")
            .set("session.timeout.ms", 10_000)
            .batches_ahead(1)
    };
    let (tx, changes) = channel();
    let first = GroupConsumer::with_events(config(), move |event| {
        if let GroupEvent::Rebalance(Rebalance { kind: RebalanceKind::Assign, .. }) = event {
            let _ = tx.send(());
        }
    })
    .unwrap();
    let subscription = [Subscription::new(&topic, Reset::Earliest)];
    first.subscribe(&subscription).unwrap();
    let batch = first.recv(LONG).unwrap();
    changes.recv_timeout(LONG).unwrap();
    let done = batch.messages().last().unwrap().offset + 1;
    batch.done();
    // Another member comes and goes: all partitions go and come back.
    let second = GroupConsumer::new(config()).unwrap();
    second.subscribe(&subscription).unwrap();
    changes.recv_timeout(LONG).unwrap();
    second.stop(LONG).unwrap();
    changes.recv_timeout(LONG).unwrap();
    let mut next = done;
    while next < 500 {
        let batch = first.recv(LONG).unwrap_or_else(|| panic!("nothing behind {next}"));
        for message in batch.messages() {
            assert!(message.offset <= next, "{next} to {} are left out", message.offset - 1);
            next = next.max(message.offset + 1);
        }
        batch.done();
    }
    first.stop(LONG).unwrap();
}

#[test]
fn what_recv_leaves_out_is_not_committed_with_the_rest_of_its_batch() {
    let (topic, group) = (made("left-out", 2), topic("group"));
    (0..2).for_each(|partition| fill(brokers(), &topic, partition, 0..50));
    let (batches, told) = channel();
    let (rebalances, changes) = channel();
    let config = GroupConfig::new(brokers(), &group).set("partition.assignment.strategy", "cooperative-sticky");
    let sink = move |event| match event {
        GroupEvent::Batch(batch) => drop(batches.send(batch)),
        GroupEvent::Rebalance(rebalance) => drop(rebalances.send(rebalance)),
        _ => {}
    };
    let consumer = std::sync::Arc::new(GroupConsumer::with_sink(config, sink).unwrap());
    let subscription = [Subscription::new(&topic, Reset::Earliest)];
    consumer.subscribe(&subscription).unwrap();
    let come = changes.recv_timeout(LONG).unwrap();
    consumer.rebalanced(come.id, None);
    let mut waiting: Vec<_> = Vec::new();
    let mut count = 0;
    while count < 100 {
        let batch = told.recv_timeout(LONG).unwrap();
        count += batch.len();
        consumer.started(batch.id());
        waiting.push(batch);
    }
    let second = GroupConsumer::new(
        GroupConfig::new(brokers(), &group).set("partition.assignment.strategy", "cooperative-sticky"),
    )
    .unwrap();
    second.subscribe(&subscription).unwrap();
    let revoked = changes.recv_timeout(LONG).unwrap();
    assert_eq!((revoked.kind, revoked.partitions.len()), (RebalanceKind::Revoke, 1), "{revoked:?}");
    let goes = revoked.partitions[0].partition;
    for batch in waiting {
        if let Some(batch) = consumer.admit(batch) {
            assert!(batch.messages().all(|message| message.partition != goes));
            batch.done();
        }
    }
    consumer.rebalanced(revoked.id, None);
    let answering = consumer.clone();
    let answers = std::thread::spawn(move || changes.iter().for_each(|change| answering.rebalanced(change.id, None)));
    assert_eq!(read(&second, 50)[&goes], (0..50).collect::<Vec<_>>());
    second.stop(LONG).unwrap();
    consumer.stop(LONG).unwrap();
    drop(answers);
}

#[test]
fn a_seek_waits_for_a_slow_coordinator_however_long_it_takes() {
    let cluster = embedded("t", 1);
    fill(&cluster.brokers(), "t", 0, 0..10);
    let consumer = GroupConsumer::new(mock(&cluster, "slow")).unwrap();
    assert_eq!(committed(&consumer, "t", 0), None);
    cluster.set_latency(-1, Duration::from_secs(6)).unwrap();
    consumer.assign(&places("t", &[COMMITTED])).unwrap();
    answered(|reply| consumer.pause_with(named("t", 1), reply)).unwrap();
    let sought = later(|reply| consumer.seek_with(TopicPartitionOffset::new("t", 0, 5), reply));
    let resumed = later(|reply| consumer.resume_with(places("t", &[HERE]), reply));
    assert!(sought.recv_timeout(LONG).unwrap().unwrap().is_some());
    assert!(resumed.recv_timeout(LONG).unwrap().unwrap()[0].is_some());
    cluster.set_latency(-1, Duration::ZERO).unwrap();
    assert_eq!(read(&consumer, 5)[&0], [5, 6, 7, 8, 9]);
    // And it ends when the partition goes.
    cluster.set_latency(-1, Duration::from_secs(60)).unwrap();
    consumer.assign(&places("t", &[COMMITTED])).unwrap();
    let sought = later(|reply| consumer.seek_with(TopicPartitionOffset::new("t", 0, 5), reply));
    consumer.assign(&[]).unwrap();
    assert_eq!(sought.recv_timeout(LONG).unwrap().unwrap(), None);
    cluster.set_latency(-1, Duration::ZERO).unwrap();
    consumer.stop(LONG).unwrap();
}

#[test]
fn a_member_that_cannot_be_told_where_it_begins_asks_again() {
    let cluster = embedded("t", 2);
    fill(&cluster.brokers(), "t", 0, 0..10);
    fill(&cluster.brokers(), "t", 1, 0..10);
    // COORDINATOR_NOT_AVAILABLE, NOT_COORDINATOR, GROUP_AUTHORIZATION_FAILED, INVALID_GROUP_ID
    for code in [15, 16, 30, 24] {
        let (tx, told) = channel();
        let consumer = GroupConsumer::with_events(mock(&cluster, &format!("asks-{code}")), move |event| {
            if let GroupEvent::Error(error) = event {
                let _ = tx.send(error.code);
            }
        })
        .unwrap();
        cluster.push_errors(9, &[code, code]);
        consumer.subscribe(&[Subscription::new("t", Reset::Earliest)]).unwrap();
        assert_eq!(read(&consumer, 20).len(), 2, "after {code}");
        // An error that does not heal by itself is reported.
        let told: Vec<i32> = told.try_iter().collect();
        assert_eq!(told.contains(&code), matches!(code, 24 | 30), "{code}: {told:?}");
        consumer.stop(LONG).unwrap();
    }
}

#[test]
fn an_offset_that_is_none_is_refused() {
    let cluster = embedded("t", 1);
    fill(&cluster.brokers(), "t", 0, 0..3);
    let consumer = GroupConsumer::new(mock(&cluster, "none")).unwrap();
    let error = consumer.assign(&places("t", &[-77])).unwrap_err();
    assert!(error.message.contains("-77"), "{error}");
    consumer.assign(&places("t", &[0])).unwrap();
    read(&consumer, 3);
    for offset in [-3, -77, COMMITTED, HERE] {
        let error = consumer.seek(TopicPartitionOffset::new("t", 0, offset)).unwrap_err();
        assert!(error.message.contains(&offset.to_string()), "{error}");
    }
    let error = answered(|reply| consumer.resume_with(places("t", &[-77]), reply)).unwrap_err();
    assert!(error.message.contains("-77"), "{error}");
    assert!(consumer.seek(TopicPartitionOffset::new("t", 0, -2)).unwrap().is_some());
    assert_eq!(read(&consumer, 3)[&0], [0, 1, 2]);
    assert!(consumer.seek(TopicPartitionOffset::new("t", 0, -1)).unwrap().is_some());
    fill(&cluster.brokers(), "t", 0, 3..5);
    assert_eq!(read(&consumer, 2)[&0], [3, 4]);
    consumer.stop(LONG).unwrap();
}

#[test]
fn what_could_not_be_committed_is_committed_by_the_next_call() {
    const OFFSET_COMMIT: i16 = 8;
    let cluster = embedded("t", 1);
    fill(&cluster.brokers(), "t", 0, 0..10);
    let consumer = GroupConsumer::new(mock(&cluster, "retried")).unwrap();
    consumer.assign(&places("t", &[0])).unwrap();
    read(&consumer, 10);
    cluster.push_errors(OFFSET_COMMIT, &[REFUSED]);
    let error = consumer.commit_done().unwrap_err();
    assert_eq!(error.code, REFUSED);
    assert_eq!(committed(&consumer, "t", 0), None);
    consumer.commit_done().unwrap();
    assert_eq!(committed(&consumer, "t", 0), Some(10));

    // But not what was done before the partition was moved back.
    consumer.seek(TopicPartitionOffset::new("t", 0, 0)).unwrap();
    consumer.commit(&places("t", &[0])).unwrap();
    read(&consumer, 10);
    cluster.push_errors(OFFSET_COMMIT, &[REFUSED]);
    let failing = later(|reply| consumer.commit_done_with(reply));
    let sought = later(|reply| consumer.seek_with(TopicPartitionOffset::new("t", 0, 0), reply));
    failing.recv_timeout(LONG).unwrap().unwrap_err();
    sought.recv_timeout(LONG).unwrap().unwrap();
    consumer.commit_done().unwrap();
    assert_eq!(committed(&consumer, "t", 0), Some(0));
    consumer.stop(LONG).unwrap();
}

#[test]
fn who_asks_about_a_topic_first_does_not_decide_where_it_begins() {
    let topic = made("asked", 1);
    fill(brokers(), &topic, 0, 0..501);
    Admin::new(brokers(), &[]).unwrap().delete_records(&topic, 0, 10, LONG).unwrap();
    let consumer = GroupConsumer::new(GroupConfig::without_group(brokers())).unwrap();
    assert_eq!(answered(|reply| consumer.partitions_of_with(&topic, LONG, reply)).unwrap(), [0]);
    consumer.assign(&places(&topic, &[3])).unwrap();
    assert_eq!(read(&consumer, 491)[&0][0], 10);
    consumer.stop(LONG).unwrap();

    // The other way round: the end that was subscribed to.
    let consumer = GroupConsumer::new(GroupConfig::new(brokers(), &topic)).unwrap();
    answered(|reply| consumer.partitions_of_with(&topic, LONG, reply)).unwrap();
    consumer.subscribe(&[Subscription::new(&topic, Reset::Latest)]).unwrap();
    let mut next = 501;
    let deadline = Instant::now() + LONG;
    let first = loop {
        // Where it begins is known to nobody before something comes.
        fill(brokers(), &topic, 0, next..next + 1);
        next += 1;
        match consumer.recv(Duration::from_millis(100)) {
            Some(batch) => break batch.messages().next().unwrap().offset,
            None => assert!(Instant::now() < deadline),
        }
    };
    assert!(first >= 501, "it began at {first}");
    consumer.stop(LONG).unwrap();
}

#[test]
fn each_topic_of_a_pattern_begins_where_its_own_subscription_says() {
    let (early, late) = (made("early", 1), made("late", 1));
    [&early, &late].into_iter().for_each(|topic| fill(brokers(), topic, 0, 0..5));
    let config = GroupConfig::new(brokers(), &early).set("topic.metadata.refresh.interval.ms", 500);
    let (tx, changes) = channel();
    let consumer = GroupConsumer::with_events(config, move |event| {
        if let GroupEvent::Rebalance(Rebalance { kind: RebalanceKind::Assign, partitions, .. }) = event {
            let _ = tx.send(partitions.len());
        }
    })
    .unwrap();
    let prefix = format!("core-[a-z]+-{}-", std::process::id());
    let new = topic("late");
    consumer
        .subscribe(&[
            Subscription::new(format!("^{late}$|^{new}"), Reset::Latest),
            Subscription::new(format!("^{prefix}{}$", early.rsplit('-').next().unwrap()), Reset::Earliest),
        ])
        .unwrap();
    assert_eq!(changes.recv_timeout(LONG).unwrap(), 2);
    assert_eq!(read(&consumer, 5), BTreeMap::from([(0, vec![0, 1, 2, 3, 4])]));
    // Found later: all that it has is new.
    Admin::new(brokers(), &[]).unwrap().create_topic(&new, 1, 1, &[], LONG).unwrap();
    fill(brokers(), &new, 0, 0..7);
    let batch = consumer.recv(LONG).expect("the topic is found");
    let first = batch.messages().next().unwrap();
    assert_eq!((first.topic, first.offset), (new.as_str(), 0));
    consumer.stop(LONG).unwrap();
}

#[test]
fn partitions_that_are_added_begin_with_their_first_message_unless_the_group_has_committed() {
    for protocol in ["classic", "consumer"] {
        let topic = made("grown", 1);
        fill(brokers(), &topic, 0, 0..5);
        let (tx, changes) = channel();
        let config = GroupConfig::new(brokers(), &topic).auto_commit(None).set("group.protocol", protocol);
        let consumer = GroupConsumer::with_events(config, move |event| {
            if let GroupEvent::Rebalance(Rebalance { kind: RebalanceKind::Assign, partitions, .. }) = event {
                let _ = tx.send(partitions.len());
            }
        })
        .unwrap();
        let subscription = [Subscription::new(&topic, Reset::Latest)];
        consumer.subscribe(&subscription).unwrap();
        assert_eq!(changes.recv_timeout(LONG).unwrap(), 1);
        Admin::new(brokers(), &[]).unwrap().create_partitions(&topic, 3, LONG).unwrap();
        known(&topic, 3);
        fill(brokers(), &topic, 1, 0..7);
        fill(brokers(), &topic, 2, 0..9);
        let all = BTreeMap::from([(1, (0..7).collect()), (2, (0..9).collect())]);
        assert_eq!(read(&consumer, 16), all, "{protocol}");
        consumer.commit(&[TopicPartitionOffset::new(&topic, 2, 4)]).unwrap();
        // They come again.
        consumer.subscribe(&[]).unwrap();
        consumer.subscribe(&subscription).unwrap();
        let again = BTreeMap::from([(1, (0..7).collect()), (2, (4..9).collect())]);
        assert_eq!(read(&consumer, 12), again, "{protocol}");
        consumer.stop(LONG).unwrap();
    }
}

#[test]
fn a_partition_that_was_not_assigned_can_be_committed_to_its_file() {
    let (topic, directory) = (made("unopened", 3), tempfile::tempdir().unwrap());
    fill(brokers(), &topic, 0, 0..10);
    let consumer = GroupConsumer::new(GroupConfig::without_group(brokers()).offsets_in(directory.path())).unwrap();
    consumer.assign(&places(&topic, &[COMMITTED])).unwrap();
    read(&consumer, 10);
    consumer.commit(&[TopicPartitionOffset::new(&topic, 2, 5)]).unwrap();
    assert_eq!(recorded(directory.path(), &topic, 2).as_deref(), Some("4\n"));
    consumer.commit_done().unwrap();
    assert_eq!(recorded(directory.path(), &topic, 0).as_deref(), Some("9\n"));
    consumer.stop(LONG).unwrap();
}

#[test]
fn after_a_commit_of_0_to_its_file_a_partition_begins_at_0_again() {
    let (cluster, directory) = (embedded("t", 1), tempfile::tempdir().unwrap());
    fill(&cluster.brokers(), "t", 0, 0..10);
    let consumer = || {
        let (name, value) = MockCluster::consumer_property();
        let config = GroupConfig::without_group(&cluster.brokers()).set(name, value);
        let consumer = GroupConsumer::new(config.offsets_in(directory.path())).unwrap();
        consumer.assign(&places("t", &[COMMITTED])).unwrap();
        consumer
    };
    let first = consumer();
    read(&first, 10);
    first.commit_done().unwrap();
    assert_eq!(recorded(directory.path(), "t", 0).as_deref(), Some("9\n"));
    first.seek(TopicPartitionOffset::new("t", 0, 0)).unwrap();
    first.commit(&places("t", &[0])).unwrap();
    assert_eq!(recorded(directory.path(), "t", 0).as_deref(), Some("-1\n"));
    let error = first.commit(&places("t", &[-1])).unwrap_err();
    assert!(error.message.contains("-1"), "{error}");
    first.stop(LONG).unwrap();
    let second = consumer();
    assert_eq!(read(&second, 10)[&0], (0..10).collect::<Vec<_>>());
    second.stop(LONG).unwrap();
    assert_eq!(recorded(directory.path(), "t", 0).as_deref(), Some("9\n"));
}

#[test]
fn what_was_done_before_is_not_committed_over_offsets_of_ones_own() {
    const OFFSET_COMMIT: i16 = 8;
    let cluster = embedded("t", 1);
    fill(&cluster.brokers(), "t", 0, 0..10);
    let consumer = GroupConsumer::new(mock(&cluster, "own")).unwrap();
    consumer.assign(&places("t", &[0])).unwrap();
    read(&consumer, 10);
    consumer.commit(&places("t", &[5])).unwrap();
    consumer.commit_done().unwrap();
    assert_eq!(committed(&consumer, "t", 0), Some(5));
    // Nor what is under way, and fails.
    consumer.seek(TopicPartitionOffset::new("t", 0, 0)).unwrap();
    read(&consumer, 10);
    cluster.push_errors(OFFSET_COMMIT, &[REFUSED]);
    let failing = later(|reply| consumer.commit_done_with(reply));
    let own = later(|reply| consumer.commit_with(places("t", &[3]), reply));
    failing.recv_timeout(LONG).unwrap().unwrap_err();
    own.recv_timeout(LONG).unwrap().unwrap();
    consumer.commit_done().unwrap();
    assert_eq!(committed(&consumer, "t", 0), Some(3));
    // Messages done after it count.
    fill(&cluster.brokers(), "t", 0, 10..12);
    read(&consumer, 2);
    consumer.commit_done().unwrap();
    assert_eq!(committed(&consumer, "t", 0), Some(12));
    consumer.stop(LONG).unwrap();
}
