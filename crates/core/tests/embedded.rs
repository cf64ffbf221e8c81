//! The core against the embedded cluster.

use std::time::Duration;

use kafka_native::{Consumer, ConsumerConfig, MockCluster, Producer, ProducerConfig, Record, Retry};

const LONG: Duration = Duration::from_secs(20);

fn consumer(cluster: &MockCluster, topic: &str, offsets: &std::path::Path) -> Consumer {
    let (name, value) = MockCluster::consumer_property();
    Consumer::new(ConsumerConfig::new(&cluster.brokers(), topic).offsets_in(offsets).set(name, value)).unwrap()
}

#[test]
fn messages_come_back_whole_and_their_offsets_are_on_disk() {
    let cluster = MockCluster::new(1).unwrap();
    cluster.create_topic("t", 2, 1).unwrap();
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

    let first = consumer(&cluster, "t", directory.path());
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
    assert_eq!(std::fs::read_to_string(directory.path().join("t-1.offset")).unwrap(), "2\n");
    assert!(!directory.path().join("t-0.offset").exists());

    let producer = Producer::new(ProducerConfig::new(&cluster.brokers())).unwrap();
    producer.send("t", 1, &[Record::value("next")]);
    producer.stop(LONG).unwrap();
    let second = consumer(&cluster, "t", directory.path());
    second.start().unwrap();
    let batch = second.recv(LONG).expect("the message behind the recorded offset");
    assert_eq!(batch.messages().next().unwrap().offset, 3);
}
