//! Writes every message of a topic to standard output, one a line, until standard input ends; as a member of a group, or alone
//! with its offsets in a directory. No message is written again after a restart, except what a kill was too fast for.
//!
//! `cargo run --release --example follow -- group GROUP TOPIC BROKERS` or `alone DIRECTORY TOPIC BROKERS`

use std::io::{Read, Write};
use std::time::Duration;

use kafka_native::{
    Batch, Consumer, ConsumerConfig, Error, GroupConfig, GroupConsumer, Reset, Result, Retry, Subscription,
};

const SOON: Duration = Duration::from_millis(200);
const LONG: Duration = Duration::from_secs(30);

fn main() -> Result<()> {
    let arguments: Vec<String> = std::env::args().skip(1).collect();
    let [how, place, topic, brokers] = arguments.as_slice() else {
        eprintln!("usage: follow group GROUP TOPIC BROKERS, or follow alone DIRECTORY TOPIC BROKERS");
        std::process::exit(2);
    };
    let (open, over) = std::sync::mpsc::channel::<()>();
    std::thread::spawn(move || {
        let _ = std::io::stdin().read_to_end(&mut Vec::new());
        drop(open);
    });
    let goes_on = || matches!(over.try_recv(), Err(std::sync::mpsc::TryRecvError::Empty));
    match how.as_str() {
        "group" => {
            let config = GroupConfig::new(brokers, place)
                .set("partition.assignment.strategy", "cooperative-sticky")
                .set("session.timeout.ms", 6000)
                .auto_commit(Some(Duration::from_secs(1)));
            let consumer = GroupConsumer::new(config)?;
            consumer.subscribe(&[Subscription::new(topic, Reset::Earliest)])?;
            while goes_on() {
                consumer.recv(SOON).map_or(Ok(()), write)?;
            }
            consumer.stop(LONG)
        }
        _ => {
            let config = ConsumerConfig::new(brokers, topic).offsets_in(place);
            let consumer = Consumer::new(config.retry(Retry { max_tries: 60, ..Retry::default() }))?;
            consumer.start()?;
            while goes_on() {
                consumer.recv(SOON).map_or(Ok(()), write)?;
            }
            consumer.stop(LONG)
        }
    }
}

/// Done is what was written.
fn write(batch: Batch) -> Result<()> {
    let mut lines = Vec::new();
    for message in batch.messages() {
        let (topic, partition, offset) = (message.topic, message.partition, message.offset);
        let _ = write!(lines, "{topic} {partition} {offset} ");
        lines.extend_from_slice(message.value.unwrap_or_default());
        lines.push(b'\n');
    }
    let mut output = std::io::stdout().lock();
    let written = output.write_all(&lines).and_then(|()| output.flush());
    written.map_err(|error| Error::from_store(format!("standard output: {error}")))?;
    batch.done();
    Ok(())
}
