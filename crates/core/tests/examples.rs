//! The examples, as a user runs them: without a Kafka, and on the real one.

mod support;

use support::kafka::{brokers, topic};

fn run(name: &str, arguments: &[&str], brokers: &str, folder: &std::path::Path) -> String {
    let mut command = support::example(name);
    let output = command.args(arguments).env("KAFKA_BROKER", brokers).current_dir(folder).output().expect("it runs");
    let (told, errors) = (String::from_utf8_lossy(&output.stdout), String::from_utf8_lossy(&output.stderr));
    assert!(output.status.success(), "{name} {arguments:?}: {told}{errors}");
    told.into_owned()
}

#[test]
fn every_example_runs_without_a_kafka() {
    let folder = tempfile::tempdir().unwrap();
    assert!(run("produce", &[], "", folder.path()).contains("20000 messages in"));
    assert!(run("consume", &["t", "100"], "", folder.path()).ends_with("100 messages\n"));
    assert!(run("slices", &["t", "1000"], "", folder.path()).ends_with("1000 messages in all\n"));
    assert!(run("group", &["t", "1000"], "", folder.path()).contains("\n1000 messages\n"));
    assert!(run("transactions", &["t", "1000"], "", folder.path()).ends_with("1000 messages copied\n"));
}

#[test]
fn what_the_producer_wrote_the_consumer_reads_once() {
    let (folder, topic) = (tempfile::tempdir().unwrap(), topic("example"));
    assert!(run("produce", &[&topic, "1000"], brokers(), folder.path()).contains(" 0 left behind"));
    assert!(run("consume", &[&topic, "1000"], brokers(), folder.path()).ends_with("\n1000 messages\n"));
    assert!(run("consume", &[&topic, "1000"], brokers(), folder.path()).ends_with("\n0 messages\n"));
}

#[test]
fn a_group_goes_on_where_it_stopped() {
    let (folder, topic) = (tempfile::tempdir().unwrap(), topic("example"));
    run("produce", &[&topic, "1000"], brokers(), folder.path());
    assert!(run("group", &[&topic, "600"], brokers(), folder.path()).contains(" messages\n"));
    let all = run("group", &[&topic, "1000"], brokers(), folder.path());
    assert!(!all.contains("\n1000 messages\n"), "{all}");
}

#[test]
fn the_admin_makes_a_topic_once_and_shows_what_there_is() {
    let (folder, topic) = (tempfile::tempdir().unwrap(), topic("example"));
    assert!(run("admin", &[&topic], brokers(), folder.path()).contains(&format!("{topic} was made")));
    run("produce", &[&topic, "100"], brokers(), folder.path());
    let shown = run("admin", &[&topic], brokers(), folder.path());
    assert!(shown.contains(&format!("{topic} is there")), "{shown}");
    assert!(shown.contains(&format!("topic {topic}: 4 partitions")), "{shown}");
}

#[test]
fn a_copy_is_made_once() {
    let (folder, topic) = (tempfile::tempdir().unwrap(), topic("example"));
    run("produce", &[&topic, "1000"], brokers(), folder.path());
    assert!(run("transactions", &[&topic, "1000"], brokers(), folder.path()).ends_with("1000 messages copied\n"));
    assert!(run("transactions", &[&topic, "1"], brokers(), folder.path()).ends_with("0 messages copied\n"));
    let copy = format!("{topic}-copy");
    assert!(run("consume", &[&copy, "1000"], brokers(), folder.path()).ends_with("\n1000 messages\n"));
}
