//! Transactions and tickets on the real Kafka.

mod support;

use kafka_native::tokio::AsyncProducer;
use kafka_native::{
    Consumer, ConsumerConfig, ConsumerGroup, Producer, ProducerConfig, ProducerEvent, Record, Retry, Ticket,
    TopicPartitionOffset,
};
use support::kafka::{brokers, made};
use support::*;

fn transactional(id: &str) -> Producer {
    let producer = Producer::new(ProducerConfig::new(brokers()).set("transactional.id", id)).unwrap();
    producer.init_transactions(LONG).unwrap();
    producer
}

/// The values of partition 0 that are committed, up to `last`.
fn committed(topic: &str, last: &str) -> Vec<String> {
    let consumer =
        Consumer::new(ConsumerConfig::new(brokers(), topic).set("isolation.level", "read_committed")).unwrap();
    consumer.start().unwrap();
    let mut values: Vec<String> = Vec::new();
    while values.last().is_none_or(|value| value != last) {
        let batch = consumer.recv(LONG).expect("the last one in time");
        values.extend(batch.messages().map(|message| String::from_utf8_lossy(message.value.unwrap()).into_owned()));
        batch.done();
    }
    values
}

#[test]
fn what_is_committed_is_seen_and_what_is_aborted_is_not() {
    let topic = made("seen", 1);
    let producer = transactional(&topic);
    for (value, commit) in [("a", true), ("b", false), ("c", true)] {
        producer.begin_transaction().unwrap();
        assert_eq!(producer.send(&topic, 0, &[Record::value(value)]).enqueued, 1);
        match commit {
            true => producer.commit_transaction(LONG).unwrap(),
            false => producer.abort_transaction(LONG).unwrap(),
        }
    }
    assert_eq!(committed(&topic, "c"), ["a", "c"]);
    producer.stop(LONG).unwrap();
}

/// The coordinator is still busy with the one that was committed, has just been asked for a partition, or is about to answer.
#[test]
fn a_transaction_can_be_aborted_at_any_moment_behind_another_one() {
    let topic = made("moments", 1);
    let producer = transactional(&topic);
    let rounds: Vec<String> = (0..60).map(|round| round.to_string()).collect();
    for (round, value) in rounds.iter().enumerate() {
        for (value, commit) in [(value.as_str(), true), ("aborted", false)] {
            producer.begin_transaction().unwrap();
            assert_eq!(producer.send(&topic, 0, &[Record::value(value)]).enqueued, 1);
            match commit {
                true => producer.commit_transaction(LONG).unwrap(),
                false => {
                    std::thread::sleep(std::time::Duration::from_micros(round as u64 % 20 * 250));
                    producer.abort_transaction(LONG).unwrap();
                }
            }
        }
    }
    assert_eq!(committed(&topic, "59"), rounds);
    producer.stop(LONG).unwrap();
}

#[test]
fn a_fenced_producer_is_told_so_for_good() {
    let topic = made("fenced", 1);
    let old = transactional(&topic);
    old.begin_transaction().unwrap();
    old.send(&topic, 0, &[Record::value("lost")]);
    let _young = transactional(&topic);
    let error = old.commit_transaction(LONG).unwrap_err();
    assert!(error.fatal && error.name() == "_FENCED", "{error:?}");
    assert!(old.begin_transaction().unwrap_err().fatal);
}

#[test]
fn calls_out_of_order_are_refused_and_harm_nothing() {
    let topic = made("order", 1);
    let producer = transactional(&topic);
    assert_eq!(producer.commit_transaction(LONG).unwrap_err().name(), "_STATE");
    producer.begin_transaction().unwrap();
    assert_eq!(producer.begin_transaction().unwrap_err().name(), "_STATE");
    let offsets = [TopicPartitionOffset::new(&topic, 0, 3)];
    producer.send_offsets(&ConsumerGroup::Id(topic.clone()), &offsets, LONG).unwrap();
    assert!(producer.send_offsets(&ConsumerGroup::Metadata(vec![1, 2]), &offsets, LONG).is_err());
    producer.send(&topic, 0, &[Record::value("a")]);
    producer.flush(LONG).unwrap();
    producer.commit_transaction(LONG).unwrap();
    assert_eq!(committed(&topic, "a"), ["a"]);
    let plain = Producer::new(ProducerConfig::new(brokers())).unwrap();
    assert_eq!(plain.init_transactions(LONG).unwrap_err().name(), "_NOT_CONFIGURED");
}

#[tokio::test]
async fn transactions_have_an_async_face() {
    let topic = made("async", 1);
    let producer = AsyncProducer::new(ProducerConfig::new(brokers()).set("transactional.id", &topic)).unwrap();
    producer.connect(LONG).await.unwrap();
    producer.init_transactions(LONG).await.unwrap();
    producer.begin_transaction().await.unwrap();
    let delivered = producer.deliver(&topic, 0, &[Record::value("a")]).await.unwrap();
    assert_eq!(delivered[0].as_ref().unwrap().offset, 0);
    let group = ConsumerGroup::Id(topic.clone());
    producer.send_offsets(&group, &[TopicPartitionOffset::new(&topic, 0, 1)], LONG).await.unwrap();
    producer.flush(LONG).await.unwrap();
    producer.commit_transaction(LONG).await.unwrap();
    producer.begin_transaction().await.unwrap();
    producer.abort_transaction(LONG).await.unwrap();
    producer.stop(LONG).await.unwrap();
    assert_eq!(committed(&topic, "a"), ["a"]);
}

#[test]
fn tickets_tell_where_their_messages_are_and_why_not() {
    let (one, two) = (made("one", 3), made("two", 1));
    let (producer, events) = telling(ProducerConfig::new(brokers()).set("message.max.bytes", 2000));
    assert_eq!(producer.partitions(&one, Retry::default()).unwrap().len(), 3);
    let ids = [&one, &two].map(|topic| producer.topic(topic, &[]).unwrap());
    let large = "x".repeat(3000);
    let records = [
        Record::value("a").partition(2),
        Record::value("b").partition(1).header("h", None),
        Record::value("c").partition(2).timestamp(1000),
        Record::value("d"),
        Record::value(&large),
        Record::value("e").partition(7),
    ];
    let ticket = |id, topic, count| Ticket { id, topic, count };
    let tickets = [ticket(5, ids[0], 3), ticket(6, ids[1], 2), ticket(7, ids[0], 1)];
    let mut packed = kafka_native::PackedRecords::default();
    records.iter().for_each(|record| packed.push_record(record));
    producer.send_tickets(packed.view(), &tickets).unwrap();
    assert!(producer.send_tickets(packed.view(), &tickets[..2]).is_err(), "not all of them");

    let mut receipts = Vec::new();
    while receipts.len() < 3 {
        wait_for(&events, |event| matches!(event, ProducerEvent::Receipts).then_some(()));
        receipts.extend(producer.take_receipts());
    }
    receipts.sort_by_key(|receipt| receipt.id);
    let mut written: Vec<_> = receipts[0].written.iter().map(|at| (at.partition, at.base_offset)).collect();
    written.sort();
    assert_eq!((receipts[0].error.clone(), written), (None, vec![(1, 0), (2, 0)]));
    assert_eq!(receipts[1].error.as_ref().unwrap().name(), "MSG_SIZE_TOO_LARGE");
    assert_eq!(receipts[1].written.len(), 1, "the others are written");
    assert_eq!(receipts[2].error.as_ref().unwrap().name(), "_UNKNOWN_PARTITION");
    producer.stop(LONG).unwrap();
}
