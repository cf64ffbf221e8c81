//! The core against the real Kafka: `KAFKA_BROKER`, or one that lives as long as the tests.

mod support;

use std::time::Duration;

use kafka_native::{
    Admin, Consumer, ConsumerConfig, ConsumerEvent, Error, Producer, ProducerConfig, ProducerEvent, Record, Retry,
};
use support::kafka::{brokers, made, topic, Cluster};
use support::*;

fn admin() -> Admin {
    Admin::new(brokers(), &[]).unwrap()
}

/// Until the cluster says so: its own answers run ahead of what its brokers know.
fn eventually(what: &str, mut is: impl FnMut() -> bool) {
    let deadline = std::time::Instant::now() + LONG;
    while !is() {
        assert!(std::time::Instant::now() < deadline, "{what}");
        std::thread::sleep(Duration::from_millis(20));
    }
}

/// Adds partitions, and waits until they can be written to.
fn grow(topic: &str, total: i32) {
    let admin = admin();
    admin.create_partitions(topic, total as usize, LONG).unwrap();
    eventually("the new partitions have leaders", || admin.watermarks(topic, total - 1, LONG).is_ok());
    eventually("all of them", || admin.partitions(topic, LONG).is_ok_and(|all| all.len() == total as usize));
}

fn name(error: &Error) -> String {
    error.name()
}

#[test]
fn messages_go_through_kafka_and_their_offsets_are_on_disk() {
    let topic = made("through", 3);
    let directory = tempfile::tempdir().unwrap();
    for partition in 0..3 {
        fill(brokers(), &topic, partition, 0..5000);
    }
    let consumer = Consumer::new(ConsumerConfig::new(brokers(), &topic).offsets_in(directory.path())).unwrap();
    assert_eq!(consumer.start().unwrap(), [0, 1, 2]);
    let seen = receive(&consumer, 15_000);
    consumer.stop(LONG).unwrap();
    for partition in 0..3 {
        assert_eq!(seen.offsets[&partition], (0..5000).collect::<Vec<_>>());
        assert_eq!(recorded(directory.path(), &topic, partition).as_deref(), Some("4999\n"));
    }
    assert_eq!((seen.misses, seen.repeats), (0, 0));
}

#[test]
fn records_deleted_before_they_were_read_are_misses_in_every_partition() {
    const PARTITIONS: i32 = 10;
    let topic = made("misses", PARTITIONS);
    let directory = tempfile::tempdir().unwrap();
    let admin = admin();
    for partition in 0..PARTITIONS {
        fill(brokers(), &topic, partition, 0..100);
        std::fs::write(directory.path().join(format!("{topic}-{partition}.offset")), "9\n").unwrap();
        assert_eq!(admin.delete_records(&topic, partition, 40, LONG).unwrap(), 40);
        assert_eq!(admin.watermarks(&topic, partition, LONG).unwrap(), (40, 100));
    }
    let consumer = started(ConsumerConfig::new(brokers(), &topic).offsets_in(directory.path()));
    let seen = receive(&consumer, PARTITIONS as usize * 60);
    assert_eq!((seen.misses, seen.repeats), (PARTITIONS as u64 * 30, 0));
    consumer.stop(LONG).unwrap();
    for partition in 0..PARTITIONS {
        assert_eq!(seen.offsets[&partition], (40..100).collect::<Vec<_>>());
        assert_eq!(recorded(directory.path(), &topic, partition).as_deref(), Some("99\n"));
    }
}

#[test]
fn a_first_run_over_a_log_that_lost_its_begin_misses_nothing() {
    let topic = made("first", 1);
    fill(brokers(), &topic, 0, 0..100);
    admin().delete_records(&topic, 0, 40, LONG).unwrap();
    let seen = receive(&started(ConsumerConfig::new(brokers(), &topic)), 60);
    assert_eq!((seen.misses, seen.repeats, seen.offsets[&0][0]), (0, 0, 40));
}

#[test]
fn a_topic_that_was_made_anew_repeats_and_its_messages_are_delivered() {
    let topic = made("anew", 1);
    let directory = tempfile::tempdir().unwrap();
    fill(brokers(), &topic, 0, 0..100);
    let first = started(ConsumerConfig::new(brokers(), &topic).offsets_in(directory.path()));
    receive(&first, 100);
    first.stop(LONG).unwrap();

    let admin = admin();
    admin.delete_topic(&topic, LONG).unwrap();
    eventually("the topic is made anew", || admin.create_topic(&topic, 1, 1, &[], LONG).is_ok());
    fill(brokers(), &topic, 0, 0..10);
    let second = started(ConsumerConfig::new(brokers(), &topic).offsets_in(directory.path()));
    let seen = receive(&second, 10);
    assert_eq!((seen.repeats, seen.misses), (1, 0));
    assert_eq!(seen.offsets[&0], (0..10).collect::<Vec<_>>());
    second.stop(LONG).unwrap();
    assert_eq!(recorded(directory.path(), &topic, 0).as_deref(), Some("9\n"), "the record follows the log");
}

#[test]
fn partitions_added_while_consuming_are_read_from_their_first_message_also_by_who_begins_at_the_latest() {
    let topic = made("growth", 1);
    let consumers = ["earliest", "latest"].map(|reset| {
        let consumer = Consumer::new(ConsumerConfig::new(brokers(), &topic).set("auto.offset.reset", reset)).unwrap();
        assert_eq!(consumer.start().unwrap(), [0]);
        consumer
    });
    grow(&topic, 3);
    for partition in 1..3 {
        // Before anybody looks.
        fill(brokers(), &topic, partition, 0..10);
    }
    for consumer in consumers {
        let seen = receive(&consumer, 20);
        for partition in 1..3 {
            assert_eq!(seen.offsets[&partition], (0..10).collect::<Vec<_>>());
        }
        assert_eq!((seen.misses, seen.repeats), (0, 0));
    }
}

#[test]
fn a_slot_takes_only_its_own_of_the_added_partitions() {
    let topic = made("slots", 2);
    let directory = tempfile::tempdir().unwrap();
    let consumer = started(ConsumerConfig::new(brokers(), &topic).offsets_in(directory.path()).slice(1, 2));
    grow(&topic, 5);
    for partition in 0..5 {
        fill(brokers(), &topic, partition, 0..10);
    }
    let seen = receive(&consumer, 20);
    assert_eq!(seen.offsets.keys().copied().collect::<Vec<_>>(), [1, 3]);
    consumer.stop(LONG).unwrap();
    assert_eq!(recorded(directory.path(), &topic, 3).as_deref(), Some("9\n"));
}

#[test]
fn the_admin_does_what_it_says_and_says_what_it_cannot() {
    let (admin, topic) = (admin(), topic("admin"));
    let config = [("retention.ms".to_owned(), "60000".to_owned())];
    admin.create_topic(&topic, 2, 1, &config, LONG).unwrap();
    assert_eq!(name(&admin.create_topic(&topic, 2, 1, &[], LONG).unwrap_err()), "TOPIC_ALREADY_EXISTS");
    eventually("two partitions", || admin.partitions(&topic, LONG).is_ok_and(|all| all == [0, 1]));
    assert_eq!(name(&admin.create_partitions(&topic, 1, LONG).unwrap_err()), "INVALID_PARTITIONS");
    grow(&topic, 4);
    assert_eq!(admin.watermarks(&topic, 3, LONG).unwrap(), (0, 0));
    admin.delete_topic(&topic, LONG).unwrap();
    assert_eq!(name(&admin.delete_topic(&topic, LONG).unwrap_err()), "UNKNOWN_TOPIC_OR_PART");
    let bad = [("no.such.property".to_owned(), "1".to_owned())];
    assert_eq!(name(&admin.create_topic(&topic, 1, 1, &bad, LONG).unwrap_err()), "INVALID_CONFIG");
    assert_eq!(name(&admin.create_topic("a/b", 1, 1, &[], LONG).unwrap_err()), "TOPIC_EXCEPTION");
    assert_eq!(admin.create_topic("a\0b", 1, 1, &[], LONG).unwrap_err().name(), "_INVALID_ARG");
}

#[test]
fn a_killed_broker_costs_no_acknowledged_message_and_both_sides_go_on() {
    const TOTAL: usize = 3000;
    let mut cluster = Cluster::start(&[]);
    let brokers = cluster.brokers();
    Admin::new(&brokers, &[]).unwrap().create_topic("t", 1, 1, &[], LONG).unwrap();
    let directory = tempfile::tempdir().unwrap();
    let (consumer, events) = told(ConsumerConfig::new(&brokers, "t").offsets_in(directory.path()));
    consumer.start().unwrap();
    let writer = std::thread::spawn(move || {
        let (producer, _events) = telling(ProducerConfig::new(&brokers));
        let (tx, acknowledged) = std::sync::mpsc::channel();
        for n in 0..TOTAL {
            let (tx, value) = (tx.clone(), n.to_string());
            producer.deliver(
                "t",
                0,
                &[Record::value(&value)],
                kafka_native::Reply::new(move |answer| {
                    let delivered: kafka_native::Result<Vec<kafka_native::Result<_>>> = answer;
                    tx.send(delivered.unwrap().remove(0).map(|_| n)).unwrap();
                }),
            );
            std::thread::sleep(Duration::from_millis(1)); // through the whole of the outage
        }
        let acknowledged: Vec<_> = acknowledged.iter().take(TOTAL).map(|answer| answer.expect("delivered")).collect();
        producer.stop(LONG).unwrap();
        acknowledged
    });
    let mut seen = Seen::default();
    seen.receive(&consumer, 100);
    cluster.order("kill 1");
    wait_for(&events, |event| match event {
        ConsumerEvent::Error(error) => (error.name() == "_ALL_BROKERS_DOWN").then_some(()),
        _ => None,
    });
    cluster.order("start 1");
    let mut missing: std::collections::BTreeSet<usize> = writer.join().unwrap().into_iter().collect();
    assert_eq!(missing.len(), TOTAL);
    let mut forget = |seen: &mut Seen| {
        for value in seen.values.entry(0).or_default().drain(..) {
            missing.remove(&value.parse().unwrap());
        }
        missing.len()
    };
    while forget(&mut seen) > 0 {
        let count = seen.count;
        seen.receive(&consumer, count + 1); // a retry may have written one twice
    }
    consumer.stop(LONG).unwrap();
    let last = seen.offsets[&0].last().unwrap();
    assert!(seen.offsets[&0].windows(2).all(|pair| pair[0] < pair[1]), "each offset once");
    assert_eq!(recorded(directory.path(), "t", 0), Some(format!("{last}\n")));
}

#[test]
fn a_wrong_password_or_certificate_is_told_at_once() {
    const SOON: Duration = Duration::from_secs(20);
    let cluster = Cluster::start(&["--security"]);
    let brokers = cluster.get("/listeners/saslSsl");
    let login = |mechanism: &str, user: &str, password: &str| {
        [
            ("security.protocol", "sasl_ssl"),
            ("ssl.ca.location", &cluster.get("/tls/ca")),
            ("sasl.mechanism", mechanism),
            ("sasl.username", user),
            ("sasl.password", password),
        ]
        .map(|(name, value)| (name.to_owned(), value.to_owned()))
        .to_vec()
    };
    let passwords = ["alice", "bob"].map(|user| cluster.get(&format!("/users/{user}/password")));
    let right = login("PLAIN", "alice", &passwords[0]);
    let admin = Admin::new(&brokers, &right).unwrap();
    admin.create_topic("t", 1, 1, &[], LONG).unwrap();

    let mut unknown_authority = right.clone();
    unknown_authority.retain(|(name, _)| name != "ssl.ca.location");
    let cases = [
        (login("PLAIN", "alice", "wrong"), "_AUTHENTICATION"),
        (login("SCRAM-SHA-256", "bob", "wrong"), "_AUTHENTICATION"),
        (unknown_authority, "_SSL"),
    ];
    for (properties, expected) in cases {
        let consumer_config =
            properties.iter().fold(ConsumerConfig::new(&brokers, "t"), |config, (k, v)| config.set(k, v));
        let producer_config = properties.iter().fold(ProducerConfig::new(&brokers), |config, (k, v)| config.set(k, v));
        let (consumer, _events) = told(consumer_config);
        let (producer, events) = telling(producer_config);
        let refused = Admin::new(&brokers, &properties).unwrap();
        let patient = Retry { max_tries: 1000, interval: Duration::from_secs(1) };
        let errors = [
            within(SOON, "start", || consumer.start().unwrap_err()),
            within(SOON, "partition_count", || producer.partition_count("t", patient).unwrap_err()),
            // The broker's refusal is remembered, but not believed without another try.
            within(SOON, "a second partition_count", || producer.partition_count("t", patient).unwrap_err()),
            within(SOON, "create_topic", || refused.create_topic("u", 1, 1, &[], LONG).unwrap_err()),
            within(SOON, "watermarks", || refused.watermarks("t", 0, LONG).unwrap_err()),
        ];
        for error in errors {
            assert_eq!(error.name(), expected, "{error}");
            assert!(!error.retriable);
            assert!(!error.to_string().contains("wrong"), "a password: {error}");
        }
        wait_for(&events, |event| match event {
            ProducerEvent::Error(error) => (error.name() == expected).then_some(()),
            _ => None,
        });
        assert_eq!(producer.stop(SOON).unwrap(), 0);
        consumer.stop(SOON).unwrap();
    }

    for properties in [right, login("SCRAM-SHA-512", "bob", &passwords[1])] {
        let config = properties.iter().fold(ProducerConfig::new(&brokers), |config, (k, v)| config.set(k, v));
        let producer = Producer::new(config).unwrap();
        producer.send("t", 0, &[Record::value("in")]);
        assert_eq!(producer.stop(LONG).unwrap(), 0);
        assert!(producer.take_failures().is_empty());
    }
    assert_eq!(admin.watermarks("t", 0, LONG).unwrap(), (0, 2));
}

#[test]
fn a_topic_that_does_not_exist_where_none_is_made_is_named() {
    let cluster = Cluster::start(&["--no-auto-create"]);
    let retry = Retry { max_tries: 2, interval: Duration::from_millis(100) };
    let consumer = Consumer::new(ConsumerConfig::new(&cluster.brokers(), "nowhere").retry(retry)).unwrap();
    let error = consumer.start().unwrap_err();
    assert!(error.message.contains("nowhere"), "{error}");
    assert_eq!(error.cause.expect("the true cause").name(), "UNKNOWN_TOPIC_OR_PART");
    let admin = Admin::new(&cluster.brokers(), &[]).unwrap();
    admin.create_topic("nowhere", 2, 1, &[], LONG).unwrap();
    eventually("the start succeeds once it exists", || consumer.start().is_ok());
}

#[test]
fn a_topic_deleted_under_a_consumer_is_told() {
    let cluster = Cluster::start(&["--no-auto-create"]);
    let admin = Admin::new(&cluster.brokers(), &[]).unwrap();
    admin.create_topic("t", 1, 1, &[], LONG).unwrap();
    let (consumer, events) = told(ConsumerConfig::new(&cluster.brokers(), "t"));
    consumer.start().unwrap();
    fill(&cluster.brokers(), "t", 0, 0..10);
    receive(&consumer, 10);
    admin.delete_topic("t", LONG).unwrap();
    let error = wait_for(&events, |event| match event {
        ConsumerEvent::Error(error) => Some(error),
        _ => None,
    });
    assert_eq!(error.topic.as_deref(), Some("t"));
    assert!(
        matches!(error.name().as_str(), "UNKNOWN_TOPIC_OR_PART" | "UNKNOWN_TOPIC_ID" | "_UNKNOWN_TOPIC"),
        "{error}"
    );
    consumer.stop(LONG).unwrap();
}

#[test]
fn clients_may_end_in_the_moment_of_their_first_answers() {
    let topic = &made("moment", 1);
    std::thread::scope(|scope| {
        for _ in 0..4 {
            scope.spawn(|| {
                for round in 0..1000 {
                    let producer = Producer::new(ProducerConfig::new(brokers())).unwrap();
                    assert_eq!(producer.partition_count(topic, Retry::default()).unwrap(), 1);
                    std::thread::sleep(Duration::from_micros(round % 100 * 10));
                    assert_eq!(producer.stop(LONG).unwrap(), 0);
                }
            });
        }
    });
}

#[test]
fn what_a_dropped_producer_had_accepted_arrives() {
    let topic = &made("dropped", 1);
    let producer = Producer::new(ProducerConfig::new(brokers())).unwrap();
    producer.partition_count(topic, Retry::default()).unwrap();
    producer.send(topic, 0, &vec![Record::value("x"); 1001]);
    drop(producer);
    assert_eq!(admin().watermarks(topic, 0, LONG).unwrap(), (0, 1001));
}

#[test]
fn what_other_threads_send_while_a_producer_stops_is_delivered_or_counted_as_lost() {
    let topic = &made("stopping", 1);
    let mut delivered = 0;
    for _ in 0..200 {
        let producer = Producer::new(ProducerConfig::new(brokers())).unwrap();
        producer.partition_count(topic, Retry::default()).unwrap();
        // One at a time, so that the stop often finds nothing on its way.
        let next = || {
            while producer.queue_length() > 0 {
                std::thread::yield_now();
            }
            producer.send(topic, 0, &[Record::value("x")]).enqueued
        };
        let send = || std::iter::repeat_with(next).take_while(|enqueued| *enqueued > 0).sum::<usize>();
        std::thread::scope(|scope| {
            let senders: Vec<_> = (0..3).map(|_| scope.spawn(send)).collect();
            std::thread::sleep(Duration::from_micros(500));
            let lost = producer.stop(LONG).unwrap();
            delivered += senders.into_iter().map(|sender| sender.join().unwrap()).sum::<usize>() - lost;
        });
    }
    assert_eq!(admin().watermarks(topic, 0, LONG).unwrap(), (0, delivered as i64));
}
