//! Writes numbered messages and waits until Kafka has them.
//!
//! `cargo run --release --example produce -- [TOPIC] [COUNT] [BROKERS]`

mod place;

use std::time::{Duration, Instant};

use kafka_native::{Producer, ProducerConfig, Record, Retry};

const BATCH: usize = 1000;

fn main() -> kafka_native::Result<()> {
    let place = place::arguments("produce [TOPIC] [COUNT] [BROKERS]", 20_000);
    let producer = Producer::new(ProducerConfig::new(&place.brokers))?;
    let partitions = producer.partition_count(&place.topic, Retry::default())?;
    println!("{} has {partitions} partitions", place.topic);

    let begin = Instant::now();
    let mut next = 0;
    while next < place.count {
        let values: Vec<String> = (next..place.count.min(next + BATCH)).map(|n| format!("message {n}")).collect();
        let records: Vec<Record> = values.iter().map(Record::value).collect();
        // The partitioner chooses (-1). Messages over budget are refused: come back when some are delivered.
        let report = producer.send(&place.topic, -1, &records);
        next += report.enqueued;
        if !report.refused.is_empty() {
            std::thread::sleep(Duration::from_millis(1));
        }
    }
    let left = producer.stop(Duration::from_secs(15))?;
    for failure in producer.take_failures() {
        eprintln!("{} messages for partition {}: {}", failure.count, failure.partition, failure.message);
    }
    println!("{} messages in {:.0?}, {left} left behind", place.count, begin.elapsed());
    Ok(())
}
