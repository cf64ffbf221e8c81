//! The core against the embedded cluster: the ordinary life of a producer and a consumer.

mod support;

use std::collections::HashMap;
use std::sync::atomic::{AtomicUsize, Ordering};
use std::sync::mpsc::channel;
use std::sync::Arc;
use std::time::{Duration, Instant};

use kafka_native::{
    code, Consumer, ConsumerConfig, ConsumerEvent, ErrorKind, MockCluster, Producer, ProducerConfig, ProducerEvent,
    Record, Reply, Reset, Retry,
};
use support::*;

#[test]
fn messages_come_back_whole_and_their_offsets_are_on_disk() {
    let cluster = embedded("t", 2);
    let directory = tempfile::tempdir().unwrap();
    let producer = Producer::new(ProducerConfig::new(&cluster.brokers())).unwrap();
    assert_eq!(producer.partition_count("t", Retry::default()).unwrap(), 2);
    let report = producer.send(
        "t",
        1,
        &[
            Record::value("plain"),
            Record::value("").key(""),
            Record::tombstone().key("gone").header("h", Some(b"1")).header("h", None).timestamp(1234),
        ],
    );
    assert_eq!((report.enqueued, report.refused.len()), (3, 0));
    assert_eq!(producer.stop(LONG).unwrap(), 0);

    let first = Consumer::new(config(&cluster, "t").offsets_in(directory.path())).unwrap();
    assert_eq!(first.start().unwrap(), [0, 1]);
    let mut seen = 0;
    while seen < 3 {
        let batch = first.recv(LONG).expect("a batch");
        for message in batch.messages() {
            assert_eq!((message.topic, message.partition, message.offset), ("t", 1, seen));
            match seen {
                0 => assert_eq!((message.key, message.value), (None, Some(&b"plain"[..]))),
                1 => assert_eq!((message.key, message.value), (Some(&b""[..]), Some(&b""[..]))),
                _ => {
                    assert_eq!((message.key, message.value, message.timestamp), (Some(&b"gone"[..]), None, 1234));
                    let headers: Vec<_> = message.headers().collect();
                    assert_eq!(headers, [(&b"h"[..], Some(&b"1"[..])), (b"h", None)]);
                }
            }
            seen += 1;
        }
        batch.done();
    }
    first.stop(LONG).unwrap();
    assert_eq!(recorded(directory.path(), "t", 1).as_deref(), Some("2\n"));
    assert_eq!(recorded(directory.path(), "t", 0), None);

    fill(&cluster.brokers(), "t", 1, 3..4);
    let second = started(config(&cluster, "t").offsets_in(directory.path()));
    let batch = second.recv(LONG).expect("the message behind the recorded offset");
    assert_eq!(batch.messages().next().unwrap().offset, 3);
}

#[test]
fn the_messages_of_a_send_keep_their_order_when_its_request_is_refused_once() {
    const PRODUCE: i16 = 0;
    const NOT_LEADER: i32 = 6;
    let cluster = embedded("t", 1);
    let config = ProducerConfig::new(&cluster.brokers()).linger(Duration::ZERO).set("retry.backoff.ms", 1);
    let producer = Producer::new(config).unwrap();
    let values: Vec<String> = (0..60).map(|n| n.to_string()).collect();
    let records: Vec<_> = values
        .iter()
        .enumerate()
        .map(|(n, value)| match n % 5 {
            0 => Record::value(value).key("key"),
            1 => Record::value(value).partition(0),
            2 => Record::value(value).header("h", Some(b"1")),
            3 => Record::value(value).timestamp(1234),
            _ => Record::value(value),
        })
        .collect();
    for round in 0..30 {
        let topic = format!("t{round}");
        cluster.create_topic(&topic, 1, 1).unwrap();
        // First before the topic's metadata are there, then behind them.
        for first in [0, values.len() as i64] {
            cluster.push_errors(PRODUCE, &[NOT_LEADER]);
            let (tx, delivered) = channel();
            producer.deliver(&topic, -1, &records, Reply::new(move |results| drop(tx.send(results))));
            let results = delivered.recv_timeout(LONG).expect("delivered").unwrap();
            let offsets: Vec<_> = results.into_iter().map(|result| result.unwrap().offset).collect();
            assert_eq!(offsets, (first..first + values.len() as i64).collect::<Vec<_>>(), "round {round}");
        }
    }
    producer.stop(LONG).unwrap();
}

#[test]
fn a_batch_that_is_dropped_is_not_recorded_and_comes_again_after_a_restart() {
    let cluster = embedded("t", 1);
    let directory = tempfile::tempdir().unwrap();
    fill(&cluster.brokers(), "t", 0, 0..30);
    let first = started(config(&cluster, "t").offsets_in(directory.path()).max_messages(10));
    let batches: Vec<_> = (0..3).map(|_| first.recv(LONG).unwrap()).collect();
    for (number, batch) in batches.into_iter().enumerate() {
        assert_eq!(batch.len(), 10);
        match number {
            1 => drop(batch),
            _ => batch.done(),
        }
    }
    first.stop(LONG).unwrap();
    assert_eq!(recorded(directory.path(), "t", 0).as_deref(), Some("9\n"));
    let second = started(config(&cluster, "t").offsets_in(directory.path()));
    assert_eq!(receive(&second, 20).offsets[&0], (10..30).collect::<Vec<_>>());
}

#[test]
fn a_batch_that_is_done_after_the_stop_is_still_recorded() {
    let cluster = embedded("t", 1);
    let directory = tempfile::tempdir().unwrap();
    fill(&cluster.brokers(), "t", 0, 0..10);
    let consumer = started(config(&cluster, "t").offsets_in(directory.path()));
    let batch = consumer.recv(LONG).unwrap();
    consumer.stop(LONG).unwrap();
    assert_eq!(recorded(directory.path(), "t", 0), None);
    let last = batch.messages().last().unwrap().offset;
    batch.done();
    assert!(consumer.flush_offsets(LONG));
    assert_eq!(recorded(directory.path(), "t", 0), Some(format!("{last}\n")));
}

#[test]
fn a_slot_pulls_its_partitions_and_no_others() {
    let cluster = embedded("t", 5);
    for partition in 0..5 {
        fill(&cluster.brokers(), "t", partition, 0..10);
    }
    let directory = tempfile::tempdir().unwrap();
    let expected = [vec![0, 2, 4], vec![1, 3]];
    for (slot, expected) in expected.iter().enumerate() {
        let consumer = Consumer::new(config(&cluster, "t").offsets_in(directory.path()).slice(slot as i32, 2)).unwrap();
        assert_eq!(consumer.start().unwrap(), *expected);
        let seen = receive(&consumer, expected.len() * 10);
        assert_eq!(seen.offsets.keys().copied().collect::<Vec<_>>(), *expected);
        consumer.stop(LONG).unwrap();
    }
    let error = Consumer::new(config(&cluster, "t").slice(5, 6)).unwrap().start().unwrap_err();
    assert!(error.message.contains("num_workers"), "{error}");
    for (slot, slots) in [(2, 2), (-1, 2), (0, 0)] {
        let error = Consumer::new(config(&cluster, "t").slice(slot, slots)).err().expect("refused");
        assert_eq!(error.kind, ErrorKind::Config);
    }
}

#[test]
fn two_consumers_of_one_partition_and_directory_cannot_both_start() {
    let cluster = embedded("t", 1);
    let directory = tempfile::tempdir().unwrap();
    let first = started(config(&cluster, "t").offsets_in(directory.path()));
    let second = Consumer::new(config(&cluster, "t").offsets_in(directory.path())).unwrap();
    let error = second.start().unwrap_err();
    assert_eq!(error.kind, ErrorKind::Offsets, "{error}");
    first.stop(LONG).unwrap();
    assert_eq!(second.start().unwrap(), [0], "a start that failed can be repeated");
}

#[test]
fn calls_in_the_wrong_state_say_so() {
    let cluster = embedded("t", 1);
    let consumer = Consumer::new(config(&cluster, "t")).unwrap();
    for error in [consumer.pause().unwrap_err(), consumer.resume().unwrap_err()] {
        assert_eq!((error.kind, error.code), (ErrorKind::State, code::STATE));
    }
    consumer.start().unwrap();
    assert!(consumer.start().unwrap_err().message.contains("already started"));
    consumer.stop(LONG).unwrap();
    consumer.stop(LONG).unwrap();
    assert!(consumer.recv(Duration::ZERO).is_none());
    assert!(consumer.start().unwrap_err().message.contains("stopped"));
    assert!(consumer.pause().unwrap_err().message.contains("stopped"));
    consumer.resume().unwrap();

    let producer = Producer::new(ProducerConfig::new(&cluster.brokers())).unwrap();
    assert_eq!((producer.stop(LONG).unwrap(), producer.stop(LONG).unwrap()), (0, 0));
    let report = producer.send("t", 0, &[Record::value("late")]);
    assert_eq!((report.enqueued, report.refused[0].error.kind), (0, ErrorKind::State));
    assert_eq!(producer.partition_count("t", Retry::default()).unwrap_err().code, code::DESTROY);
}

#[test]
fn after_a_pause_nothing_is_received_and_after_a_resume_nothing_is_lost_or_repeated() {
    let cluster = embedded("t", 2);
    for partition in 0..2 {
        fill(&cluster.brokers(), "t", partition, 0..20_000);
    }
    let consumer = Arc::new(started(config(&cluster, "t").max_messages(50)));
    let paused = Arc::new(parking::Flag::default());
    let receiver = {
        let (consumer, paused) = (consumer.clone(), paused.clone());
        std::thread::spawn(move || {
            let mut seen = Seen::default();
            while seen.count < 40_000 {
                let ticket = paused.begin();
                let batch = consumer.recv(LONG).expect("a batch");
                assert!(!paused.was_up_since(ticket), "a batch was received between pause and resume");
                seen.add(&batch);
                batch.done();
            }
            seen
        })
    };
    let mut rounds = 0;
    while !receiver.is_finished() {
        consumer.pause().unwrap();
        paused.raise();
        std::thread::yield_now();
        paused.lower();
        consumer.resume().unwrap();
        std::thread::sleep(Duration::from_micros(100)); // lets it flow
        rounds += 1;
    }
    let seen = receiver.join().unwrap();
    for partition in 0..2 {
        assert_eq!(seen.offsets[&partition], (0..20_000).collect::<Vec<_>>());
    }
    assert!(rounds > 10, "only {rounds} pauses");
}

/// Tells whether a call both began and ended while a flag was up.
mod parking {
    use std::sync::atomic::{AtomicU64, Ordering};

    /// Even: down.
    #[derive(Default)]
    pub struct Flag(AtomicU64);

    impl Flag {
        pub fn begin(&self) -> u64 {
            self.0.load(Ordering::SeqCst)
        }
        pub fn was_up_since(&self, begin: u64) -> bool {
            begin % 2 == 1 && self.0.load(Ordering::SeqCst) == begin
        }
        pub fn raise(&self) {
            self.0.fetch_add(1, Ordering::SeqCst);
        }
        pub fn lower(&self) {
            self.0.fetch_add(1, Ordering::SeqCst);
        }
    }
}

#[test]
fn a_pause_holds_back_batches_that_were_on_their_way() {
    let cluster = embedded("t", 1);
    fill(&cluster.brokers(), "t", 0, 0..100);
    let consumer = started(config(&cluster, "t").max_messages(10));
    let mut seen = Seen::default();
    seen.receive(&consumer, 10); // by now others are on their way
    for _ in 0..3 {
        consumer.pause().unwrap();
        assert!(consumer.recv(Duration::from_millis(50)).is_none());
        consumer.resume().unwrap();
    }
    seen.receive(&consumer, 100);
    assert_eq!(seen.offsets[&0], (0..100).collect::<Vec<_>>());
    consumer.pause().unwrap();
    consumer.stop(LONG).unwrap();
    within(Duration::from_secs(5), "recv of a stopped consumer", || assert!(consumer.recv(LONG).is_none()));
}

#[test]
fn a_receiver_that_is_slow_holds_no_more_than_its_budget() {
    let cluster = embedded("t", 1);
    let value = "x".repeat(1000);
    let producer = Producer::new(ProducerConfig::new(&cluster.brokers())).unwrap();
    producer.send("t", 0, &vec![Record::value(&value); 3000]);
    producer.stop(LONG).unwrap();
    // Half of it, 500 000 bytes, may be handed over: 383 messages with their overhead.
    let consumer = started(config(&cluster, "t").queued_max_bytes(1_000_000).batches_ahead(1000).max_messages(100));
    let mut held = Vec::new();
    while let Some(batch) = consumer.recv(Duration::from_secs(3)) {
        held.push(batch);
    }
    let count: usize = held.iter().map(|batch| batch.len()).sum();
    assert!((300..=384).contains(&count), "{count} messages were handed over");
    let mut seen = Seen::default();
    for batch in held {
        seen.add(&batch);
        batch.done();
    }
    seen.receive(&consumer, 3000);
    assert_eq!(seen.offsets[&0], (0..3000).collect::<Vec<_>>());
}

#[test]
fn a_budget_of_one_byte_still_moves_one_message_at_a_time() {
    let cluster = embedded("t", 1);
    fill(&cluster.brokers(), "t", 0, 0..5);
    let consumer = started(config(&cluster, "t").queued_max_bytes(1));
    for offset in 0..5 {
        let batch = consumer.recv(LONG).unwrap();
        assert_eq!((batch.len(), batch.messages().next().unwrap().offset), (1, offset));
        batch.done();
    }
}

#[test]
fn any_number_of_messages_can_be_asked_for() {
    let cluster = embedded("t", 1);
    fill(&cluster.brokers(), "t", 0, 0..10);
    assert_eq!(receive(&started(config(&cluster, "t").max_messages(usize::MAX)), 10).count, 10);
    assert!(Consumer::new(config(&cluster, "t").max_messages(0)).is_err());
}

#[test]
fn headers_count_against_the_size_of_a_batch() {
    let cluster = embedded("t", 1);
    let header = vec![7u8; 100_000];
    let producer = Producer::new(ProducerConfig::new(&cluster.brokers())).unwrap();
    producer.send("t", 0, &vec![Record::value("v").header("large", Some(&header)); 40]);
    assert_eq!(producer.stop(LONG).unwrap(), 0);
    let consumer = started(config(&cluster, "t"));
    let mut count = 0;
    while count < 40 {
        let batch = consumer.recv(LONG).unwrap();
        assert!(batch.len() <= 10, "{} messages of 100 kB in a batch", batch.len());
        assert!(batch.messages().all(|message| message.headers().all(|(_, value)| value == Some(&header[..]))));
        count += batch.len();
        batch.done();
    }
}

#[test]
fn a_sink_that_only_settles_gets_every_batch() {
    let cluster = embedded("t", 1);
    fill(&cluster.brokers(), "t", 0, 0..100);
    let (tx, batches) = std::sync::mpsc::channel();
    let consumer = Consumer::with_sink(config(&cluster, "t").max_messages(5).batches_ahead(2), move |event| {
        if let ConsumerEvent::Batch(batch) = event {
            tx.send(batch).unwrap();
        }
    })
    .unwrap();
    consumer.start().unwrap();
    let mut count = 0;
    while count < 100 {
        let batch = batches.recv_timeout(LONG).expect("another batch");
        count += batch.len();
        batch.done();
    }
}

#[test]
fn a_receiver_of_events_that_panics_stops_nothing() {
    let cluster = embedded("t", 1);
    fill(&cluster.brokers(), "t", 0, 0..10);
    let panics = Arc::new(AtomicUsize::new(0));
    let counted = panics.clone();
    let interval = Duration::from_millis(10);
    let consumer = Consumer::with_events(config(&cluster, "t").statistics_interval(interval), move |event| {
        if let ConsumerEvent::Stats(_) = event {
            counted.fetch_add(1, Ordering::SeqCst);
            panic!("the user's own");
        }
    })
    .unwrap();
    consumer.start().unwrap();
    let mut seen = receive(&consumer, 10);
    let before = panics.load(Ordering::SeqCst);
    while panics.load(Ordering::SeqCst) < before + 2 {
        std::thread::yield_now();
    }
    fill(&cluster.brokers(), "t", 0, 10..20);
    seen.receive(&consumer, 20);
    consumer.stop(LONG).unwrap();
}

#[test]
fn statistics_tell_how_far_behind_the_consumer_is_also_in_a_pause() {
    let cluster = embedded("t", 2);
    fill(&cluster.brokers(), "t", 0, 0..300);
    fill(&cluster.brokers(), "t", 1, 0..200);
    let (consumer, events) =
        told(config(&cluster, "t").statistics_interval(Duration::from_millis(50)).max_messages(100));
    consumer.start().unwrap();
    receive(&consumer, 500);
    let stats = |events: &std::sync::mpsc::Receiver<ConsumerEvent>, wanted: (u64, u64)| {
        wait_for(events, |event| match event {
            ConsumerEvent::Stats(stats) => {
                serde_json::from_str::<serde_json::Value>(&stats.json).expect("JSON");
                ((stats.waiting_kafka + stats.waiting_local, stats.log_size) == wanted).then_some(())
            }
            _ => None,
        })
    };
    stats(&events, (0, 500));
    consumer.pause().unwrap();
    fill(&cluster.brokers(), "t", 0, 300..400);
    stats(&events, (100, 600));
    consumer.resume().unwrap();
    receive(&consumer, 100);
    stats(&events, (0, 600));
}

#[test]
fn statistics_keep_their_interval_when_the_cluster_is_slow() {
    let cluster = embedded("t", 1);
    let (consumer, events) = told(config(&cluster, "t").statistics_interval(Duration::from_millis(20)));
    consumer.start().unwrap();
    cluster.set_latency(-1, Duration::from_secs(2)).unwrap();
    let begin = Instant::now();
    for _ in 0..30 {
        wait_for(&events, |event| matches!(event, ConsumerEvent::Stats(_)).then_some(()));
    }
    assert!(begin.elapsed() < Duration::from_secs(20), "30 events took {:?}", begin.elapsed());
    consumer.stop(LONG).unwrap();
}

#[test]
fn what_does_not_fit_is_refused_and_stops_no_other_message() {
    let cluster = embedded("t", 2);
    let producer = Producer::new(
        ProducerConfig::new(&cluster.brokers()).max_messages(5).linger(LONG).set("message.max.bytes", 2000),
    )
    .unwrap();
    assert_eq!(producer.partition_count("t", Retry::default()).unwrap(), 2);
    let large = "x".repeat(3000);
    let records = ["1", &large, "2", "3", "4", "5", "6"].map(Record::value);
    let report = producer.send("t", 0, &records);
    let refused: Vec<_> = report.refused.iter().map(|refusal| (refusal.index, refusal.error.code)).collect();
    assert_eq!(refused, [(1, code::MSG_SIZE_TOO_LARGE), (6, code::QUEUE_FULL)]);
    assert_eq!((report.enqueued, report.queue_length), (5, 5));
    assert_eq!(producer.queue_length_by_topic(), HashMap::from([("t".to_owned(), 5)]));
    let report = producer.send("t", 2, &[Record::value("1")]);
    assert_eq!(report.refused[0].error.code, code::UNKNOWN_PARTITION);
    for (topic, partition) in [("", 0), ("a\0b", 0), ("t", -2)] {
        assert_eq!(producer.send(topic, partition, &[Record::value("1")]).refused[0].error.kind, ErrorKind::Config);
    }
    assert_eq!(producer.stop(LONG).unwrap(), 0, "a stop does not wait for the linger");
    assert_eq!(producer.queue_length(), 0);
}

#[test]
fn calls_of_one_thread_keep_their_order_whether_they_wait_in_the_line_or_not() {
    let cluster = embedded("t", 1);
    let producer = Producer::new(ProducerConfig::new(&cluster.brokers())).unwrap();
    let mut next = 0;
    // Large calls go to the client's thread; small ones are handed over at once where nothing waits.
    for count in [3000, 1, 1, 2000, 500, 1].repeat(20) {
        let values: Vec<String> = (next..next + count).map(|number| number.to_string()).collect();
        let records: Vec<_> = values.iter().map(Record::value).collect();
        assert_eq!(producer.send("t", 0, &records).enqueued, count);
        next += count;
    }
    assert_eq!(producer.stop(LONG).unwrap(), 0);

    let consumer = started(config(&cluster, "t"));
    let mut seen = 0;
    while seen < next {
        let batch = consumer.recv(LONG).expect("a batch");
        for message in batch.messages() {
            assert_eq!(message.value, Some(seen.to_string().as_bytes()));
            seen += 1;
        }
        batch.done();
    }
}

#[test]
fn every_message_of_a_delivery_has_its_own_result() {
    let cluster = embedded("t", 1);
    let producer = Producer::new(ProducerConfig::new(&cluster.brokers()).set("message.max.bytes", 2000)).unwrap();
    let (tx, rx) = std::sync::mpsc::channel();
    let large = "x".repeat(3000);
    for _ in 0..100 {
        let tx = tx.clone();
        let reply = kafka_native::Reply::new(move |answer| tx.send(answer).unwrap());
        producer.deliver("t", 0, &[Record::value("a"), Record::value(&large), Record::value("b")], reply);
    }
    let mut offsets = Vec::new();
    for _ in 0..100 {
        let results = rx.recv_timeout(LONG).unwrap().unwrap();
        assert_eq!(results[1].as_ref().unwrap_err().code, code::MSG_SIZE_TOO_LARGE);
        offsets.extend([&results[0], &results[2]].map(|result| result.as_ref().unwrap().offset));
    }
    offsets.sort_unstable();
    assert_eq!(offsets, (0..200).collect::<Vec<_>>());
}

#[test]
fn what_a_stop_cannot_deliver_in_time_is_counted_and_told() {
    let cluster = embedded("t", 1);
    let (producer, events) = telling(ProducerConfig::new(&cluster.brokers()));
    producer.partition_count("t", Retry::default()).unwrap();
    cluster.broker_down(1).unwrap();
    producer.send("t", 0, &vec![Record::value("x"); 1000]);
    let left = within(Duration::from_secs(10), "the stop", || producer.stop(Duration::from_millis(200)).unwrap());
    assert_eq!(left, 1000);
    wait_for(&events, |event| matches!(event, ProducerEvent::Failures).then_some(()));
    let failures = producer.take_failures();
    assert_eq!(failures.iter().map(|failure| failure.count).sum::<u64>(), 1000);
    assert!(failures.len() <= 2, "coalesced: {failures:?}");
    assert_eq!(producer.queue_length(), 0);
}

#[test]
fn what_a_dropped_producer_had_accepted_arrives() {
    let cluster = embedded("t", 1);
    let producer = Producer::new(ProducerConfig::new(&cluster.brokers())).unwrap();
    producer.partition_count("t", Retry::default()).unwrap();
    producer.send("t", 0, &vec![Record::value("x"); 1001]);
    drop(producer);
    let consumer = started(config(&cluster, "t"));
    assert_eq!(receive(&consumer, 1001).count, 1001);
}

#[test]
fn a_producer_that_is_dropped_in_its_own_event_blocks_nothing_and_ends() {
    let cluster = embedded("t", 1);
    let (ended, is_ended) = std::sync::mpsc::channel();
    let held: Arc<std::sync::Mutex<Option<Producer>>> = Arc::default();
    let mine = held.clone();
    let on_event = move |event| {
        if matches!(event, ProducerEvent::Drained) {
            // The last message is through, so this is the client's own thread.
            mine.lock().unwrap().take().into_iter().for_each(|producer| {
                drop(producer);
                ended.send(()).unwrap();
            });
        }
    };
    let producer = Producer::with_events(ProducerConfig::new(&cluster.brokers()), on_event).unwrap();
    producer.partition_count("t", Retry::default()).unwrap();
    let mut held = held.lock().unwrap();
    producer.send("t", 0, &[Record::value("x")]);
    *held = Some(producer);
    drop(held);
    is_ended.recv_timeout(LONG).expect("dropped");
    assert_eq!(
        is_ended.recv_timeout(LONG),
        Err(std::sync::mpsc::RecvTimeoutError::Disconnected),
        "the thread has ended"
    );
}

#[test]
fn dropping_a_producer_does_not_wait_for_a_broker_that_is_gone() {
    let cluster = embedded("t", 1);
    let (producer, events) = telling(ProducerConfig::new(&cluster.brokers()));
    producer.partition_count("t", Retry::default()).unwrap();
    cluster.broker_down(1).unwrap();
    producer.send("t", 0, &vec![Record::value("x"); 1000]);
    // Half a second; the messages would live for five minutes.
    within(LONG, "the drop", || drop(producer));
    wait_for(&events, |event| matches!(event, ProducerEvent::Failures).then_some(()));
}

#[test]
fn a_partition_without_a_record_begins_where_it_is_told() {
    let cluster = embedded("t", 1);
    fill(&cluster.brokers(), "t", 0, 0..10);
    let latest = started(config(&cluster, "t").set("auto.offset.reset", "latest"));
    assert!(latest.recv(Duration::from_millis(300)).is_none());
    fill(&cluster.brokers(), "t", 0, 10..12);
    assert_eq!(receive(&latest, 2).offsets[&0], [10, 11]);
    let error = Consumer::new(config(&cluster, "t").set("auto.offset.reset", "sometime")).err().expect("refused");
    assert!(error.message.contains("auto.offset.reset"), "{error}");
    assert_eq!(Reset::default(), Reset::Earliest);
}

#[test]
fn options_that_cannot_be_used_are_named() {
    for (name, value) in [("no.such.property", "1"), ("linger.ms", "soon"), ("security.protocol", "telepathy")] {
        let error = Producer::new(ProducerConfig::new("127.0.0.1:1").set(name, value)).err().expect("refused");
        assert_eq!(error.kind, ErrorKind::Config);
        assert!(error.message.contains(name), "{error}");
    }
    let error = Consumer::new(ConsumerConfig::new("127.0.0.1:1", "")).err().expect("refused");
    assert!(error.message.contains("topic"), "{error}");
    for brokers in [0, -1, 101] {
        assert!(MockCluster::new(brokers).is_err());
    }
    let cluster = MockCluster::new(1).unwrap();
    for (partitions, replicas) in [(0, 1), (-5, 1), (1, 0), (i32::MAX, 1)] {
        assert!(cluster.create_topic("bad", partitions, replicas).is_err());
    }
}
