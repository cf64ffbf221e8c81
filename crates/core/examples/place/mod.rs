//! Where an example runs: on the brokers of its last argument or of `KAFKA_BROKER`, else on an embedded cluster.
#![allow(dead_code)] // each example uses its part

use kafka_native::{MockCluster, Producer, ProducerConfig, Record};
use std::time::Duration;

pub struct Place {
    pub topic: String,
    pub count: usize,
    pub brokers: String,
    /// Lives as long as the example.
    pub embedded: Option<MockCluster>,
}

/// Reads `[TOPIC] [COUNT] [BROKERS]`.
pub fn arguments(usage: &str, count: usize) -> Place {
    let arguments: Vec<String> = std::env::args().skip(1).collect();
    let number = arguments.get(1).map_or(Some(count), |count| count.parse().ok());
    let (Some(count), false) = (number, arguments.len() > 3 || arguments.iter().any(|a| a.starts_with('-'))) else {
        eprintln!("usage: {usage}\n\nWithout BROKERS and KAFKA_BROKER it runs on an embedded cluster.");
        std::process::exit(2);
    };
    let topic = arguments.first().cloned().unwrap_or_else(|| "greetings".into());
    let brokers = arguments.get(2).cloned().or_else(|| std::env::var("KAFKA_BROKER").ok());
    match brokers.filter(|brokers| !brokers.is_empty()) {
        Some(brokers) => Place { topic, count, brokers, embedded: None },
        None => {
            let cluster = MockCluster::new(1).expect("an embedded cluster");
            let brokers = cluster.brokers();
            Place { topic, count, brokers, embedded: Some(cluster) }
        }
    }
}

impl Place {
    /// Something to read in a topic, where nobody else can have written it.
    pub fn fill_if_embedded(&self) -> kafka_native::Result<()> {
        if self.embedded.is_none() {
            return Ok(());
        }
        let producer = Producer::new(ProducerConfig::new(&self.brokers))?;
        let values: Vec<String> = (0..self.count).map(|n| format!("message {n}")).collect();
        let records: Vec<Record> =
            values.iter().enumerate().map(|(n, v)| Record::value(v).key(&values[n % 50])).collect();
        producer.send(&self.topic, -1, &records);
        producer.stop(Duration::from_secs(15)).map(drop)
    }
}
