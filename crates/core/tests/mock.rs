//! The embedded cluster lives in the process of a test: nothing that the test says to it may end that.

use std::time::Duration;

use kafka_native::MockCluster;

#[test]
fn what_no_cluster_can_do_is_refused() {
    let cluster = MockCluster::new(2).unwrap();
    cluster.create_topic("t", 2, 1).unwrap();
    for partitions in [i32::MIN, -1, 0, 10_001, i32::MAX] {
        assert!(cluster.create_topic("u", partitions, 1).is_err(), "{partitions} partitions");
    }
    for partition in [i32::MIN, -1, 2, 10_000, i32::MAX] {
        assert!(cluster.set_leader("t", partition, 1).is_err(), "partition {partition}");
        assert!(cluster.set_follower("t", partition, 1).is_err(), "partition {partition}");
    }
    for broker in [i32::MIN, -2, 0, 3, i32::MAX] {
        assert!(cluster.set_leader("t", 0, broker).is_err(), "broker {broker}");
        assert!(cluster.set_follower("t", 0, broker).is_err(), "broker {broker}");
        assert!(cluster.broker_down(broker).is_err() && cluster.broker_up(broker).is_err(), "broker {broker}");
        assert!(cluster.set_latency(broker, Duration::ZERO).is_err(), "broker {broker}");
    }
    assert!(cluster.broker_down(-1).is_err());
    assert!(cluster.create_topic("", 1, 1).is_err() && cluster.set_topic_error("", 3).is_err());
    cluster.set_leader("t", 0, -1).unwrap();
    cluster.set_leader("t", 0, 2).unwrap();
    cluster.set_follower("t", 0, -1).unwrap();
    cluster.set_latency(-1, Duration::ZERO).unwrap();
}
