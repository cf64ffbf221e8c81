//! The core against an embedded cluster that misbehaves, and brokers that are none.

mod support;

use std::net::TcpListener;
use std::sync::mpsc::channel;
use std::time::Duration;

use kafka_native::admin::{DeleteTopics, ListGroupOffsets};
use kafka_native::{
    code, Admin, Consumer, ConsumerConfig, ConsumerEvent, ConsumerGroup, ErrorKind, MockCluster, Producer,
    ProducerConfig, Record, Reply, Retry, TopicPartitionOffset,
};
use support::*;

const SOON: Duration = Duration::from_secs(15);
const PRODUCE: i16 = 0;
const FETCH: i16 = 1;
const METADATA: i16 = 3;
const FIND_COORDINATOR: i16 = 10;
const COORDINATOR_NOT_AVAILABLE: i32 = 15;
const NOT_COORDINATOR: i32 = 16;

/// A broker that takes connections and never says a word.
fn silent() -> (TcpListener, String) {
    let listener = TcpListener::bind("127.0.0.1:0").unwrap();
    let address = listener.local_addr().unwrap().to_string();
    (listener, address)
}

#[test]
fn a_stop_is_never_missed_by_a_consumer_that_waits_for_credit() {
    let cluster = embedded("t", 1);
    fill(&cluster.brokers(), "t", 0, 0..10);
    for round in 0..150 {
        let consumer = std::sync::Arc::new(started(config(&cluster, "t").batches_ahead(1)));
        consumer.pause().unwrap();
        // Wake-ups for nothing, so that the thread is anywhere in its loop when the stop comes.
        let over = std::sync::Arc::new(std::sync::atomic::AtomicBool::new(false));
        let noise = {
            let (consumer, over) = (consumer.clone(), over.clone());
            std::thread::spawn(move || {
                while !over.load(std::sync::atomic::Ordering::SeqCst) && consumer.resume().is_ok() {
                    let _ = consumer.pause();
                }
            })
        };
        std::thread::sleep(Duration::from_micros(round * 7));
        over.store(true, std::sync::atomic::Ordering::SeqCst);
        within(SOON, &format!("stop {round}"), || consumer.stop(LONG).unwrap());
        noise.join().unwrap();
    }
}

#[test]
fn a_stop_ends_in_its_time_while_a_silent_broker_is_asked() {
    let (_broker, address) = silent();
    let (tx, answers) = std::sync::mpsc::channel();

    let consumer = Consumer::with_events(ConsumerConfig::new(&address, "t"), |_| ()).unwrap();
    let tell = tx.clone();
    consumer.start_with(Reply::new(move |answer| tell.send(answer.map(drop)).unwrap()));
    // Three questions to one helper: one is being asked, the others wait for it.
    let producer = Producer::with_events(ProducerConfig::new(&address), |_| ()).unwrap();
    let patient = Retry { max_tries: 100, interval: Duration::from_secs(20) };
    for _ in 0..3 {
        let tell = tx.clone();
        let reply = Reply::new(move |answer: kafka_native::Result<i32>| tell.send(answer.map(drop)).unwrap());
        producer.partition_count_with("t", patient, reply);
    }
    std::thread::sleep(Duration::from_millis(100)); // the questions are being asked
    within(SOON, "the consumer's stop", || consumer.stop(Duration::from_millis(100)).unwrap());
    within(SOON, "the producer's stop", || assert_eq!(producer.stop(Duration::from_millis(100)).unwrap(), 0));
    for _ in 0..4 {
        let error = answers.recv_timeout(SOON).expect("everybody who waits is answered").unwrap_err();
        assert_eq!(error.code, code::DESTROY);
    }
}

#[test]
fn dropping_an_admin_answers_those_who_wait() {
    let (_broker, address) = silent();
    let admin = Admin::new(&address, &[]).unwrap();
    let (tx, answers) = std::sync::mpsc::channel();
    for _ in 0..2 {
        let tx = tx.clone();
        let delete = DeleteTopics { topics: vec!["t".into()] };
        admin.request_with(delete, Duration::from_secs(1), Reply::new(move |answer| drop(tx.send(answer))));
    }
    within(SOON, "the drop", || drop(admin));
    for _ in 0..2 {
        // One may have been asked already: its time ends.
        let error = answers.recv_timeout(LONG).expect("an answer").unwrap_err();
        assert!(matches!(error.code, code::DESTROY | code::TIMED_OUT), "{error}");
    }
}

#[test]
fn a_time_without_end_is_a_time() {
    let cluster = embedded("t", 1);
    fill(&cluster.brokers(), "t", 0, 0..1);
    let consumer = started(config(&cluster, "t"));
    consumer.recv(Duration::MAX).unwrap().done();
    consumer.stop(Duration::MAX).unwrap();
    let producer = Producer::new(ProducerConfig::new(&cluster.brokers())).unwrap();
    let retry = Retry { max_tries: 2, interval: Duration::MAX };
    assert_eq!(producer.partition_count("t", retry).unwrap(), 1);
    producer.stop(Duration::MAX).unwrap();
    drop(Producer::new(ProducerConfig::new(&cluster.brokers())).unwrap());
}

#[test]
fn a_consumer_can_be_dropped_by_its_own_thread() {
    let cluster = embedded("t", 1);
    fill(&cluster.brokers(), "t", 0, 0..1);
    let time = || {
        let (tx, rx) = std::sync::mpsc::channel::<Consumer>();
        let (done, dropped) = std::sync::mpsc::channel();
        let rx = std::sync::Mutex::new(rx);
        let consumer = Consumer::with_sink(config(&cluster, "t"), move |event| {
            if let ConsumerEvent::Batch(_) = event {
                let consumer = rx.lock().unwrap().recv().unwrap();
                let begin = std::time::Instant::now();
                drop(consumer);
                done.send(begin.elapsed()).unwrap();
            }
        })
        .unwrap();
        consumer.start().unwrap();
        tx.send(consumer).unwrap();
        dropped.recv_timeout(LONG).unwrap()
    };
    // A thread that waits for itself does so for half a second, each time.
    let shortest = (0..10).map(|_| time()).find(|elapsed| *elapsed < Duration::from_millis(400));
    assert!(shortest.is_some(), "the thread waited for itself");
}

#[test]
fn positions_that_the_log_does_not_have_are_found_again_in_every_partition() {
    const PARTITIONS: i32 = 40;
    let cluster = embedded("t", PARTITIONS);
    let directory = tempfile::tempdir().unwrap();
    for partition in 0..PARTITIONS {
        fill(&cluster.brokers(), "t", partition, 0..5);
        std::fs::write(directory.path().join(format!("t-{partition}.offset")), "999\n").unwrap();
    }
    let (consumer, events) = told(config(&cluster, "t").offsets_in(directory.path()));
    consumer.start().unwrap();
    let mut seen = receive(&consumer, PARTITIONS as usize * 5);
    assert_eq!((seen.repeats, seen.misses), (PARTITIONS as u64, 0));
    // And they go on.
    for partition in 0..PARTITIONS {
        fill(&cluster.brokers(), "t", partition, 5..6);
    }
    seen.receive(&consumer, PARTITIONS as usize * 6);
    consumer.stop(LONG).unwrap();
    for partition in 0..PARTITIONS {
        assert_eq!(seen.offsets[&partition], (0..6).collect::<Vec<_>>());
        assert_eq!(recorded(directory.path(), "t", partition).as_deref(), Some("5\n"));
    }
    wait_for(&events, |event| match event {
        ConsumerEvent::Log(line) => line.message.contains("offset 1000 is not in the log").then_some(()),
        _ => None,
    });
}

#[test]
fn a_lost_position_is_an_error_when_the_user_wants_that() {
    let cluster = embedded("t", 1);
    let directory = tempfile::tempdir().unwrap();
    fill(&cluster.brokers(), "t", 0, 0..5);
    std::fs::write(directory.path().join("t-0.offset"), "999\n").unwrap();
    let (consumer, events) = told(config(&cluster, "t").offsets_in(directory.path()).set("auto.offset.reset", "error"));
    consumer.start().unwrap();
    let error = wait_for(&events, |event| match event {
        ConsumerEvent::Error(error) => Some(error),
        _ => None,
    });
    assert_eq!((error.name().as_str(), error.partition), ("_AUTO_OFFSET_RESET", Some(0)));
}

#[test]
fn errors_that_heal_cost_no_message() {
    let cluster = embedded("t", 1);
    let consumer = started(config(&cluster, "t"));
    let producer = Producer::new(ProducerConfig::new(&cluster.brokers())).unwrap();
    producer.partition_count("t", Retry::default()).unwrap();
    cluster.push_errors(PRODUCE, &[7, 19, 6]); // time-out, not enough replicas, not the leader
    cluster.push_errors(FETCH, &[6, 8, 6]);
    for n in 0..20 {
        producer.send("t", 0, &[Record::value(&n.to_string())]);
    }
    assert_eq!(producer.stop(LONG).unwrap(), 0);
    assert_eq!(receive(&consumer, 20).offsets[&0], (0..20).collect::<Vec<_>>());
}

#[test]
fn an_idempotent_producer_keeps_the_order_when_requests_fail() {
    let cluster = embedded("t", 1);
    let producer = Producer::new(
        ProducerConfig::new(&cluster.brokers()).set("enable.idempotence", true).set("batch.num.messages", 10),
    )
    .unwrap();
    producer.partition_count("t", Retry::default()).unwrap();
    let values: Vec<String> = (0..1000).map(|n| n.to_string()).collect();
    let records: Vec<_> = values.iter().map(Record::value).collect();
    cluster.push_errors(PRODUCE, &[6, 0, 7, 0, 0, 6]);
    producer.send("t", 0, &records[..500]);
    producer.send("t", 0, &records[500..]);
    assert_eq!(producer.stop(LONG).unwrap(), 0);
    assert_eq!(receive(&started(config(&cluster, "t")), 1000).values[&0], values);
}

/// A producer whose transaction is open.
fn in_transaction(cluster: &MockCluster) -> Producer {
    let producer = Producer::new(ProducerConfig::new(&cluster.brokers()).set("transactional.id", "t")).unwrap();
    producer.init_transactions(LONG).unwrap();
    producer.begin_transaction().unwrap();
    producer
}

#[test]
fn a_coordinator_that_is_not_known_at_first_is_asked_for_until_it_is() {
    let cluster = embedded("t", 1);
    let producer = in_transaction(&cluster);
    // The second ends the request, and no broker comes or goes that would make librdkafka ask again.
    cluster.push_errors(FIND_COORDINATOR, &[COORDINATOR_NOT_AVAILABLE, NOT_COORDINATOR]);
    let (group, offsets) = (ConsumerGroup::Id("g".into()), [TopicPartitionOffset::new("t", 0, 3)]);
    producer.send_offsets(&group, &offsets, LONG).unwrap();
    producer.commit_transaction(LONG).unwrap();

    let admin = Admin::new(&cluster.brokers(), &[]).unwrap();
    let ask = || admin.request(ListGroupOffsets { group: "g".into(), partitions: None }, LONG);
    ask().unwrap();
    cluster.push_errors(FIND_COORDINATOR, &[COORDINATOR_NOT_AVAILABLE, NOT_COORDINATOR]);
    ask().unwrap();
}

#[test]
fn a_coordinator_that_is_never_known_costs_the_time_of_the_call_and_no_more() {
    let cluster = embedded("t", 1);
    let producer = in_transaction(&cluster);
    cluster.push_errors(FIND_COORDINATOR, &[COORDINATOR_NOT_AVAILABLE; 12]);
    let (group, offsets) = (ConsumerGroup::Id("g".into()), [TopicPartitionOffset::new("t", 0, 3)]);
    let second = Duration::from_secs(1);
    let error = within(LONG, "the call", || producer.send_offsets(&group, &offsets, second).unwrap_err());
    assert!(error.code == code::TIMED_OUT && error.txn_requires_abort, "{error:?}");
    producer.abort_transaction(LONG).unwrap();

    cluster.push_errors(FIND_COORDINATOR, &[COORDINATOR_NOT_AVAILABLE; 1000]);
    let admin = Admin::new(&cluster.brokers(), &[]).unwrap();
    for _ in 0..3 {
        let request = ListGroupOffsets { group: "g".into(), partitions: None };
        assert_eq!(admin.request(request, second).unwrap_err().code, code::TIMED_OUT);
    }
}

#[test]
fn a_message_whose_time_is_over_tells_how_the_leader_has_refused_messages() {
    let cluster = embedded("t", 1);
    let config = ProducerConfig::new(&cluster.brokers()).set("message.timeout.ms", 1000);
    let producer = Producer::with_events(config, |_| ()).unwrap();
    let timed_out = || {
        let (tx, rx) = channel();
        producer.deliver("t", 0, &[Record::value("x")], Reply::new(move |results| drop(tx.send(results))));
        rx.recv_timeout(LONG).unwrap().unwrap().remove(0).unwrap_err()
    };
    cluster.push_errors(PRODUCE, &[19; 1000]); // not enough replicas
    producer.send("t", 0, &[Record::value("x")]);
    let error = timed_out();
    assert!(error.to_string().contains("Not enough in-sync replicas"), "{error}");
    assert_eq!(
        (error.name().as_str(), error.cause.unwrap().name().as_str()),
        ("_MSG_TIMED_OUT", "NOT_ENOUGH_REPLICAS")
    );
    let failure = producer.take_failures().remove(0).message;
    assert!(failure.contains("refused messages: Broker: Not enough in-sync replicas"), "{failure}");

    // That it had refused others before says nothing.
    cluster.broker_down(1).unwrap();
    let error = timed_out();
    assert_eq!((error.name().as_str(), error.cause), ("_MSG_TIMED_OUT", None));
}

#[test]
fn what_the_broker_refuses_for_good_is_told_as_a_failure() {
    let cluster = embedded("t", 1);
    let producer = Producer::with_events(ProducerConfig::new(&cluster.brokers()), |_| ()).unwrap();
    cluster.push_errors(PRODUCE, &[10]); // too large for the broker
    producer.send("t", 0, &[Record::value("x")]);
    producer.stop(LONG).unwrap();
    let failures = producer.take_failures();
    assert_eq!((failures[0].code, failures[0].count, failures[0].partition), (10, 1, 0));
    assert!(producer.take_failures().is_empty());
}

#[test]
fn a_look_up_is_tried_again_while_it_can_heal_and_not_when_it_cannot() {
    let cluster = embedded("t", 2);
    cluster.push_errors(METADATA, &[]);
    cluster.set_topic_error("t", 5).unwrap(); // no leader yet
    let (producer, _events) = telling(ProducerConfig::new(&cluster.brokers()));
    let retry = Retry { max_tries: 2, interval: Duration::from_millis(100) };
    let error = producer.partition_count("t", retry).unwrap_err();
    assert_eq!((error.kind, error.code), (ErrorKind::Timeout, code::TIMED_OUT));
    assert_eq!(error.cause.expect("the true cause").code, 5);
    cluster.set_topic_error("t", 29).unwrap(); // may not be read
    let patient = Retry { max_tries: 1000, interval: Duration::from_secs(1) };
    let error = within(SOON, "a refused look-up", || producer.partition_count("t", patient).unwrap_err());
    assert_eq!(error.code, 29);
    cluster.set_topic_error("t", 0).unwrap();
    assert_eq!(producer.partition_count("t", patient).unwrap(), 2);
}

#[test]
fn both_sides_survive_a_broker_that_goes_and_comes_back() {
    let cluster = embedded("t", 1);
    let (consumer, events) = told(config(&cluster, "t"));
    consumer.start().unwrap();
    let (producer, _told) = telling(ProducerConfig::new(&cluster.brokers()));
    producer.send("t", 0, &[Record::value("0")]);
    let mut seen = receive(&consumer, 1);
    cluster.broker_down(1).unwrap();
    producer.send("t", 0, &[Record::value("1")]);
    let error = wait_for(&events, |event| match event {
        ConsumerEvent::Error(error) => Some(error),
        _ => None,
    });
    assert_eq!(error.name(), "_ALL_BROKERS_DOWN");
    cluster.broker_up(1).unwrap();
    producer.send("t", 0, &[Record::value("2")]);
    seen.receive(&consumer, 3);
    assert_eq!(seen.values[&0], ["0", "1", "2"]);
    assert_eq!(producer.stop(LONG).unwrap(), 0);
}

#[test]
fn a_leader_that_moves_loses_nothing() {
    let cluster = MockCluster::new(2).unwrap();
    cluster.create_topic("t", 1, 2).unwrap();
    let consumer = started(config(&cluster, "t"));
    let producer = Producer::new(ProducerConfig::new(&cluster.brokers())).unwrap();
    let mut seen = Seen::default();
    for n in 0..10 {
        cluster.set_leader("t", 0, 1 + n % 2).unwrap();
        producer.send("t", 0, &[Record::value(&n.to_string())]);
        seen.receive(&consumer, n as usize + 1);
    }
    assert_eq!(seen.offsets[&0], (0..10).collect::<Vec<_>>());
}

#[test]
fn a_slow_cluster_is_only_slow() {
    let cluster = embedded("t", 1);
    cluster.set_latency(-1, Duration::from_millis(200)).unwrap();
    let consumer = started(config(&cluster, "t"));
    fill(&cluster.brokers(), "t", 0, 0..10);
    assert_eq!(receive(&consumer, 10).offsets[&0], (0..10).collect::<Vec<_>>());
}

#[test]
fn a_cluster_that_is_not_there_is_a_time_out_with_its_cause() {
    let retry = Retry { max_tries: 1, interval: Duration::from_millis(100) };
    for brokers in ["127.0.0.1:1", "no-such-host.invalid:9092"] {
        let (consumer, _events) = told(ConsumerConfig::new(brokers, "t").retry(retry));
        let error = consumer.start().unwrap_err();
        assert_eq!((error.kind, error.code), (ErrorKind::Timeout, code::TIMED_OUT), "{error}");
        let cause = error.cause.expect("the true cause");
        assert!(matches!(cause.name().as_str(), "_TRANSPORT" | "_RESOLVE" | "_ALL_BROKERS_DOWN"), "{cause}");
        within(SOON, "the stop", || consumer.stop(Duration::from_secs(1)).unwrap());
    }
}

#[test]
fn clients_that_come_and_go_leave_no_threads() {
    let threads = || std::fs::read_dir("/proc/self/task").map_or(0, |tasks| tasks.count());
    let cluster = embedded("t", 1);
    let round = || {
        let consumer = started(config(&cluster, "t"));
        let producer = Producer::new(ProducerConfig::new(&cluster.brokers())).unwrap();
        producer.send("t", 0, &[Record::value("x")]);
        producer.stop(LONG).unwrap();
        consumer.recv(LONG).unwrap().done();
        consumer.stop(LONG).unwrap();
    };
    round();
    let before = threads();
    for _ in 0..30 {
        round();
    }
    // Other tests of this process come and go, too, so only a growth by each round counts, and only if it stays.
    let end = std::time::Instant::now() + LONG;
    while threads() >= before + 60 {
        assert!(std::time::Instant::now() < end, "{before} threads before, {} after", threads());
        std::thread::sleep(Duration::from_millis(20));
    }
}
