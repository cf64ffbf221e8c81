//! Reads a topic as a member of a group, from where the group stopped; ends when nothing came for a while. Run it twice at
//! once on a real Kafka, and the two share the partitions.
//!
//! `cargo run --release --example group -- [TOPIC] [COUNT] [BROKERS]`

mod place;

use std::time::Duration;

use kafka_native::{GroupConfig, GroupConsumer, GroupEvent, MockCluster, Reset, Subscription};

fn main() -> kafka_native::Result<()> {
    let place = place::arguments("group [TOPIC] [COUNT] [BROKERS]", 1000);
    place.fill_if_embedded()?;

    let mut config = GroupConfig::new(&place.brokers, "group-example")
        .set("partition.assignment.strategy", "cooperative-sticky")
        .auto_commit(Some(Duration::from_secs(1)));
    if place.embedded.is_some() {
        let (name, value) = MockCluster::consumer_property();
        config = config.set(name, value);
    }
    let consumer = GroupConsumer::with_events(config, |event| match event {
        GroupEvent::Rebalance(change) => {
            let partitions: Vec<_> = change.partitions.iter().map(|at| at.partition).collect();
            println!("{:?} {partitions:?}", change.kind);
        }
        GroupEvent::Error(error) => eprintln!("{error}"),
        _ => {}
    })?;
    consumer.connect(Duration::from_secs(10))?;
    consumer.subscribe(&[Subscription::new(&place.topic, Reset::Earliest)])?;

    let mut count = 0;
    while count < place.count {
        let Some(batch) = consumer.recv(Duration::from_secs(5)) else { break };
        count += batch.messages().count();
        batch.done(); // committed within a second, before a partition goes, and at the end
    }
    println!("{count} messages");
    consumer.stop(Duration::from_secs(15))
}
