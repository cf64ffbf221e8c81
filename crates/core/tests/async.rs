//! The async face, on the embedded cluster.
#![cfg(feature = "tokio")]

mod support;

use std::time::Duration;

use kafka_native::tokio::{AsyncConsumer, AsyncProducer};
use kafka_native::{ProducerConfig, Record, Retry};
use support::*;

#[tokio::test]
async fn what_is_delivered_is_received_and_recorded() {
    let cluster = embedded("t", 1);
    let directory = tempfile::tempdir().unwrap();
    let producer = AsyncProducer::new(ProducerConfig::new(&cluster.brokers())).unwrap();
    assert_eq!(producer.partition_count("t", Retry::default()).await.unwrap(), 1);
    let results = producer.deliver("t", -1, &[Record::value("0"), Record::value("1")]).await.unwrap();
    assert_eq!(results.into_iter().map(|result| result.unwrap().offset).collect::<Vec<_>>(), [0, 1]);

    let consumer = AsyncConsumer::new(config(&cluster, "t").offsets_in(directory.path())).unwrap();
    assert_eq!(consumer.start().await.unwrap(), [0]);
    let mut seen = Seen::default();
    while seen.count < 2 {
        let batch = consumer.next().await.unwrap();
        seen.add(&batch);
        batch.done();
    }
    consumer.stop(LONG).await.unwrap();
    assert!(consumer.next().await.is_none());
    assert_eq!(recorded(directory.path(), "t", 0).as_deref(), Some("1\n"));
    assert_eq!(producer.stop(LONG).await.unwrap(), 0);
    assert!(producer.deliver("t", -1, &[Record::value("late")]).await.is_err());
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_pause_holds_and_cancelled_futures_lose_nothing() {
    let cluster = embedded("t", 1);
    fill(&cluster.brokers(), "t", 0, 0..1000);
    let consumer = AsyncConsumer::new(config(&cluster, "t").max_messages(10)).unwrap();
    consumer.start().await.unwrap();
    let mut seen = Seen::default();
    while seen.count < 1000 {
        consumer.pause().unwrap();
        // Cancelled in the pause, with batches on their way.
        assert!(tokio::time::timeout(Duration::from_millis(1), consumer.next()).await.is_err());
        consumer.resume().unwrap();
        let batch = consumer.next().await.unwrap();
        seen.add(&batch);
        batch.done();
    }
    assert_eq!(seen.offsets[&0], (0..1000).collect::<Vec<_>>());
}

#[tokio::test]
async fn a_stop_ends_a_next_that_waits_in_a_pause() {
    let cluster = embedded("t", 1);
    fill(&cluster.brokers(), "t", 0, 0..100);
    let consumer = AsyncConsumer::new(config(&cluster, "t").max_messages(10)).unwrap();
    consumer.start().await.unwrap();
    consumer.next().await.unwrap().done();
    consumer.pause().unwrap();
    let (next, stopped) = tokio::time::timeout(LONG, async { tokio::join!(consumer.next(), consumer.stop(LONG)) })
        .await
        .expect("both end");
    assert!(next.is_none());
    stopped.unwrap();
}
