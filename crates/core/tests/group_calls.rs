//! Calls of a consumer in a group that nobody would answer: on its own thread, without a broker, behind a hook that hangs.

mod support;

use std::sync::mpsc::{channel, sync_channel};
use std::sync::{Arc, OnceLock};
use std::time::Duration;

use kafka_native::{
    code, GroupConfig, GroupConsumer, GroupEvent, MockCluster, Reset, Subscription, TopicPartitionOffset,
};
use support::*;

fn config(cluster: &MockCluster) -> GroupConfig {
    let (name, value) = MockCluster::consumer_property();
    GroupConfig::new(&cluster.brokers(), "calls").set(name, value)
}

#[test]
fn a_call_that_waits_for_the_thread_it_is_made_on_is_refused() {
    let cluster = embedded("t", 1);
    let consumer: Arc<OnceLock<Arc<GroupConsumer>>> = Arc::default();
    let (itself, (tx, answers)) = (consumer.clone(), channel());
    let made = GroupConsumer::with_events(config(&cluster), move |event| {
        if let (GroupEvent::Rebalance(_), Some(consumer)) = (event, itself.get()) {
            let to = TopicPartitionOffset::new("t", 0, 0);
            let refusals = [
                consumer.commit_done().err(),
                consumer.commit(std::slice::from_ref(&to)).err(),
                consumer.seek(to).err(),
                consumer.stop(Duration::MAX).err(),
            ];
            let _ = tx.send(refusals);
        }
    })
    .unwrap();
    let made = Arc::new(made);
    assert!(consumer.set(made.clone()).is_ok());
    made.subscribe(&[Subscription::new("t", Reset::Earliest)]).unwrap();
    for refusal in answers.recv_timeout(LONG).unwrap() {
        let refusal = refusal.expect("refused");
        assert!(refusal.code == code::STATE && refusal.message.contains("another"), "{refusal}");
    }
    // The consumer goes on.
    fill(&cluster.brokers(), "t", 0, 0..3);
    assert_eq!(made.recv(LONG).unwrap().messages().next().unwrap().offset, 0);
    made.stop(LONG).unwrap();
}

#[test]
fn a_stop_keeps_its_time_whatever_a_hook_does() {
    let cluster = embedded("t", 1);
    let (entered_tx, entered) = channel();
    let (go, held) = sync_channel::<()>(0);
    let held = std::sync::Mutex::new(held);
    let consumer = GroupConsumer::with_events(config(&cluster), move |event| {
        if let GroupEvent::Rebalance(_) = event {
            let _ = entered_tx.send(());
            let _ = held.lock().unwrap().recv();
        }
    })
    .unwrap();
    consumer.subscribe(&[Subscription::new("t", Reset::Earliest)]).unwrap();
    entered.recv_timeout(LONG).unwrap();
    let late = within(LONG, "stopping", || consumer.stop(Duration::from_millis(100))).unwrap_err();
    assert_eq!(late.code, code::TIMED_OUT);
    drop(go);
}

#[test]
fn a_call_without_a_broker_ends() {
    let consumer = GroupConsumer::with_events(GroupConfig::new("127.0.0.1:9", "nobody"), |_| ()).unwrap();
    let late = within(LONG, "committing", || consumer.commit(&[TopicPartitionOffset::new("t", 0, 1)])).unwrap_err();
    assert_eq!(late.code, code::TIMED_OUT, "{late}");
    consumer.stop(Duration::from_millis(100)).unwrap();
}
