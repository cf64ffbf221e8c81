//! Reads a topic from where it stopped the last time; ends when nothing came for two seconds.
//!
//! `cargo run --release --example consume -- [TOPIC] [COUNT] [BROKERS]`

mod place;

use std::time::Duration;

use kafka_native::{Consumer, ConsumerConfig, MockCluster};

fn main() -> kafka_native::Result<()> {
    let place = place::arguments("consume [TOPIC] [COUNT] [BROKERS]", 1000);
    place.fill_if_embedded()?;

    let mut config = ConsumerConfig::new(&place.brokers, &place.topic);
    if place.embedded.is_some() {
        let (name, value) = MockCluster::consumer_property();
        config = config.set(name, value); // and no offsets: the cluster goes with this program
    } else {
        config = config.offsets_in("./offsets");
    }
    let consumer = Consumer::new(config)?;
    println!("pulling from partitions {:?} of {}", consumer.start()?, place.topic);

    let mut count = 0;
    while count < place.count {
        let Some(batch) = consumer.recv(Duration::from_secs(2)) else { break };
        for message in batch.messages().take(3) {
            let value = String::from_utf8_lossy(message.value.unwrap_or_default());
            println!("{}/{}: {value}", message.partition, message.offset);
        }
        println!("... {} messages, {} missed, {} repeats", batch.len(), batch.misses(), batch.repeats());
        count += batch.len();
        batch.done(); // from here on a restart continues behind these messages
    }
    println!("{count} messages");
    consumer.stop(Duration::from_secs(15))
}
