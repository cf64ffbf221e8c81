//! A consumer that has stopped has left: the coordinator is asked who is in the group.

mod support;

use std::sync::mpsc::{channel, Receiver};
use std::time::Duration;

use kafka_native::admin::DescribeGroups;
use kafka_native::{Admin, GroupConfig, GroupConsumer, GroupEvent, RebalanceKind, Reply, Reset, Subscription};
use support::kafka::{brokers, made, topic};
use support::*;

/// A member, and its first assignment when it comes.
fn member(group: &str, topic: &str) -> (GroupConsumer, Receiver<()>) {
    let (tx, rx) = channel();
    let config = GroupConfig::new(brokers(), group).set("session.timeout.ms", 60_000);
    let consumer = GroupConsumer::with_events(config, move |event| {
        if matches!(event, GroupEvent::Rebalance(rebalance) if rebalance.kind == RebalanceKind::Assign) {
            let _ = tx.send(());
        }
    })
    .unwrap();
    consumer.subscribe(&[Subscription::new(topic, Reset::Earliest)]).unwrap();
    (consumer, rx)
}

/// A topic with one partition, and a member that has it.
fn group_of_one(name: &str) -> (Admin, String, String, GroupConsumer) {
    let (topic, group) = (made(name, 1), topic("group"));
    let (first, assigned) = member(&group, &topic);
    assigned.recv_timeout(LONG).unwrap();
    (Admin::new(brokers(), &[]).unwrap(), topic, group, first)
}

fn in_group(admin: &Admin, group: &str) -> usize {
    let groups = admin.request(DescribeGroups { groups: vec![group.to_owned()] }, LONG).unwrap();
    groups.into_iter().next().unwrap().result.unwrap().members.len()
}

#[test]
fn a_member_without_partitions_has_left_when_stop_returns() {
    let (admin, topic, group, first) = group_of_one("leaving");
    let (second, assigned) = member(&group, &topic);
    assigned.recv_timeout(LONG).unwrap();
    assert_eq!(in_group(&admin, &group), 2);
    second.stop(LONG).unwrap();
    assert_eq!(in_group(&admin, &group), 1);
    first.stop(LONG).unwrap();
    assert_eq!(in_group(&admin, &group), 0);
}

#[test]
fn a_member_that_is_joining_has_left_when_stop_returns() {
    let (admin, topic, group, first) = group_of_one("joining");
    for round in 0..10 {
        let (second, _) = member(&group, &topic);
        // From before it asks to be let in until after it was.
        std::thread::sleep(Duration::from_millis(20 * round));
        second.stop(LONG).unwrap();
        assert_eq!(in_group(&admin, &group), 1, "round {round}");
    }
    first.stop(LONG).unwrap();
    assert_eq!(in_group(&admin, &group), 0);
}

#[test]
fn a_member_without_partitions_has_left_when_it_subscribes_to_nothing() {
    let (admin, topic, group, first) = group_of_one("unsubscribing");
    let (second, again) = member(&group, &topic);
    again.recv_timeout(LONG).unwrap();
    second.subscribe(&[]).unwrap();
    assert_eq!(in_group(&admin, &group), 1);
    first.subscribe(&[]).unwrap();
    assert_eq!(in_group(&admin, &group), 0);
    // Left and back, without a look between: the order of the calls is what counts.
    for _ in 0..3 {
        let (tx, rx) = channel();
        let answer = |tx: &std::sync::mpsc::Sender<_>| {
            let tx = tx.clone();
            Reply::new(move |answered: kafka_native::Result<()>| drop(tx.send(answered)))
        };
        second.subscribe_with(vec![Subscription::new(&*topic, Reset::Earliest)], None, answer(&tx));
        second.subscribe_with(Vec::new(), None, answer(&tx));
        second.subscribe_with(Vec::new(), None, answer(&tx));
        second.subscribe_with(vec![Subscription::new(&*topic, Reset::Earliest)], None, answer(&tx));
        for _ in 0..4 {
            rx.recv_timeout(LONG).unwrap().unwrap();
        }
        while again.recv_timeout(LONG).is_ok() && in_group(&admin, &group) != 1 {}
        second.subscribe(&[]).unwrap();
        assert_eq!(in_group(&admin, &group), 0);
    }
}

#[test]
fn a_member_that_is_joining_has_left_when_it_subscribes_to_nothing() {
    let (admin, topic, group, first) = group_of_one("unjoining");
    for round in 0..10 {
        let (second, _) = member(&group, &topic);
        // From before it asks to be let in until after it was.
        std::thread::sleep(Duration::from_millis(20 * round));
        second.subscribe(&[]).unwrap();
        assert_eq!(in_group(&admin, &group), 1, "round {round}");
        // One that is on its way out has left when stop returns.
        second.subscribe(&[Subscription::new(&*topic, Reset::Earliest)]).unwrap();
        second.subscribe_with(Vec::new(), None, Reply::new(|_| {}));
        second.stop(LONG).unwrap();
        assert_eq!(in_group(&admin, &group), 1, "round {round}");
    }
    first.stop(LONG).unwrap();
    assert_eq!(in_group(&admin, &group), 0);
}
