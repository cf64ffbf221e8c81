//! The real Kafka: the one that `KAFKA_BROKER` names, or one of our own for as long as the tests run.

use std::io::{BufRead, BufReader, Write};
use std::process::{Child, ChildStdin, ChildStdout, Command, Stdio};
use std::sync::{Mutex, OnceLock};
use std::time::Duration;

use kafka_native::{Admin, Producer, ProducerConfig, Retry};
use serde_json::Value;

use super::LONG;

/// The brokers of the cluster that tests share, each with its own topics.
pub fn brokers() -> &'static str {
    static SHARED: OnceLock<(String, Option<Cluster>)> = OnceLock::new();
    let (brokers, _) = SHARED.get_or_init(|| match std::env::var("KAFKA_BROKER") {
        Ok(brokers) if !brokers.is_empty() => (brokers, None),
        _ => {
            let cluster = Cluster::start(&[]);
            (cluster.brokers(), Some(cluster))
        }
    });
    brokers
}

/// A topic's name that no other test and no other run has.
pub fn topic(name: &str) -> String {
    static COUNT: Mutex<u32> = Mutex::new(0);
    let mut count = COUNT.lock().unwrap();
    *count += 1;
    format!("core-{name}-{}-{}", std::process::id(), *count)
}

/// A topic of its own, when the brokers know of it: the controller, which makes it, is ahead of them.
pub fn made(name: &str, partitions: i32) -> String {
    let topic = topic(name);
    Admin::new(brokers(), &[]).unwrap().create_topic(&topic, partitions, 1, &[], LONG).unwrap();
    known(&topic, partitions);
    topic
}

/// Waits until the brokers know of so many partitions.
pub fn known(topic: &str, partitions: i32) {
    let producer = Producer::new(ProducerConfig::new(brokers())).unwrap();
    let retry = Retry { max_tries: 600, interval: Duration::from_millis(50) };
    while producer.partition_count(topic, retry).unwrap() < partitions {
        std::thread::sleep(Duration::from_millis(5));
    }
}

/// A cluster that nobody shares. It goes with this object, or with this process, however that ends.
pub struct Cluster {
    description: Value,
    process: Child,
    // Some until it is dropped: closing it ends the cluster.
    orders: Option<ChildStdin>,
    answers: BufReader<ChildStdout>,
}

impl Cluster {
    pub fn start(options: &[&str]) -> Self {
        let cli = concat!(env!("CARGO_MANIFEST_DIR"), "/../../deps/kafka/cli.js");
        let mut process = Command::new("node")
            .arg(cli)
            .arg("serve")
            .args(options)
            .stdin(Stdio::piped())
            .stdout(Stdio::piped())
            .spawn()
            .expect("node starts");
        let orders = process.stdin.take();
        let mut answers = BufReader::new(process.stdout.take().expect("piped"));
        let mut line = String::new();
        answers.read_line(&mut line).unwrap();
        let description = serde_json::from_str(&line).unwrap_or_else(|_| panic!("Kafka did not start: {line}"));
        Self { description, process, orders, answers }
    }

    pub fn get(&self, path: &str) -> String {
        let found = self.description.pointer(path).and_then(Value::as_str);
        found.unwrap_or_else(|| panic!("no {path} in {}", self.description)).to_owned()
    }

    pub fn brokers(&self) -> String {
        self.get("/brokers")
    }

    /// `kill 1`, `start 1`, `stop 1`, `pause 1` or `resume 1`; returns when it is done.
    pub fn order(&mut self, order: &str) {
        writeln!(self.orders.as_mut().expect("not dropped"), "{order}").unwrap();
        let mut answer = String::new();
        self.answers.read_line(&mut answer).unwrap();
        assert_eq!(answer.trim(), r#"{"ok":true}"#, "{order}");
    }
}

impl Drop for Cluster {
    fn drop(&mut self) {
        self.orders.take();
        let _ = self.process.wait();
    }
}
