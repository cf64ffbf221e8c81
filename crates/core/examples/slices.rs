//! One topic, several workers: partition p belongs to slot p modulo workers. The workers are threads here; processes do
//! the same, each with its slot, and the directory's locks keep two of one slot apart.
//!
//! `cargo run --release --example slices -- [TOPIC] [COUNT] [BROKERS]`

mod place;

use std::sync::atomic::{AtomicUsize, Ordering};
use std::time::Duration;

use kafka_native::{Consumer, ConsumerConfig, MockCluster};

const WORKERS: i32 = 3;

fn main() -> kafka_native::Result<()> {
    let place = place::arguments("slices [TOPIC] [COUNT] [BROKERS]", 10_000);
    place.fill_if_embedded()?;
    let processed = AtomicUsize::new(0);

    let work = |slot: i32| -> kafka_native::Result<()> {
        let mut config = ConsumerConfig::new(&place.brokers, &place.topic).slice(slot, WORKERS);
        if place.embedded.is_some() {
            let (name, value) = MockCluster::consumer_property();
            config = config.set(name, value);
        } else {
            config = config.offsets_in("./offsets");
        }
        let consumer = Consumer::new(config)?;
        println!("worker {slot} pulls from partitions {:?}", consumer.start()?);
        let mut mine = 0;
        while let Some(batch) = consumer.recv(Duration::from_secs(2)) {
            mine += batch.len();
            processed.fetch_add(batch.len(), Ordering::Relaxed);
            batch.done();
        }
        println!("worker {slot} processed {mine} messages");
        consumer.stop(Duration::from_secs(15))
    };
    std::thread::scope(|scope| {
        let workers: Vec<_> = (0..WORKERS).map(|slot| scope.spawn(move || work(slot))).collect();
        workers.into_iter().try_for_each(|worker| worker.join().expect("no panic"))
    })?;
    println!("{} messages in all", processed.into_inner());
    Ok(())
}
