//! The mended files are the ones that are linked.

use std::collections::BTreeSet;
use std::ffi::{c_char, c_void, CStr};
use std::path::Path;

use kafka_native_librdkafka as rd;

// Written by the build, which puts a text into every mended file: the names of its patches. `mends!()` points at all of them.
include!(concat!(env!("OUT_DIR"), "/mends.rs"));

#[test]
fn every_patch_is_in_the_linked_librdkafka() {
    // SAFETY: strings that end with a zero, in the mended files. A linker that took librdkafka's own file besides would refuse
    // all that both define.
    let linked = unsafe { mends!().map(|mends| CStr::from_ptr(mends)) };
    let linked: BTreeSet<&str> = linked.iter().flat_map(|mends| mends.to_str().unwrap().split(' ')).collect();
    let folder = Path::new(env!("CARGO_MANIFEST_DIR")).join("patches");
    let patches: BTreeSet<String> = folder
        .read_dir()
        .unwrap()
        .map(|entry| entry.unwrap().file_name().into_string().unwrap())
        .map(|name| name.strip_suffix(".patch").expect("patches has patches only").to_owned())
        .collect();
    assert_eq!(linked, patches.iter().map(String::as_str).collect());
}

#[test]
fn a_configuration_with_interceptors_outlives_a_client_that_cannot_be_made() {
    unsafe extern "C" fn on_new(
        _client: *mut rd::rd_kafka_t,
        _conf: *const rd::rd_kafka_conf_t,
        _opaque: *mut c_void,
        _reason: *mut c_char,
        _length: usize,
    ) -> rd::rd_kafka_resp_err_t {
        rd::rd_kafka_resp_err_t::RD_KAFKA_RESP_ERR_NO_ERROR
    }
    let mut reason = [0 as c_char; 256];
    // SAFETY: the configuration is ours again where the client could not be made; names and values are constants.
    unsafe {
        let conf = rd::rd_kafka_conf_new();
        for (name, value) in [(c"security.protocol", c"ssl"), (c"ssl.ca.location", c"/no/such/file")] {
            rd::rd_kafka_conf_set(conf, name.as_ptr(), value.as_ptr(), reason.as_mut_ptr(), reason.len());
        }
        let added =
            rd::rd_kafka_conf_interceptor_add_on_new(conf, c"test".as_ptr(), Some(on_new), std::ptr::null_mut());
        assert_eq!(added as i32, 0);
        let kind = rd::rd_kafka_type_t::RD_KAFKA_PRODUCER;
        assert!(rd::rd_kafka_new(kind, conf, reason.as_mut_ptr(), reason.len()).is_null());
        rd::rd_kafka_conf_destroy(conf);
    }
}

/// A consumer with an embedded cluster of its own, which has topic `t` with two partitions. The caller destroys the consumer, and by
/// that the cluster.
fn consumer_of_a_cluster(group: &CStr) -> (*mut rd::rd_kafka_t, *mut rd::rd_kafka_mock_cluster_t) {
    let mut reason = [0 as c_char; 256];
    // SAFETY: the configuration is the client's when it is made.
    unsafe {
        let conf = rd::rd_kafka_conf_new();
        for (name, value) in [
            (c"test.mock.num.brokers", c"1"),
            (c"group.id", group),
            (c"enable.partition.eof", c"true"),
            (c"auto.offset.reset", c"earliest"),
            (c"reconnect.backoff.max.ms", c"100"),
        ] {
            rd::rd_kafka_conf_set(conf, name.as_ptr(), value.as_ptr(), reason.as_mut_ptr(), reason.len());
        }
        let kind = rd::rd_kafka_type_t::RD_KAFKA_CONSUMER;
        let consumer = rd::rd_kafka_new(kind, conf, reason.as_mut_ptr(), reason.len());
        assert!(!consumer.is_null());
        rd::rd_kafka_poll_set_consumer(consumer);
        let cluster = rd::rd_kafka_handle_mock_cluster(consumer);
        rd::rd_kafka_mock_topic_create(cluster, c"t".as_ptr(), 2, 1);
        (consumer, cluster)
    }
}

/// Whether brokers were asked this since the tracking began.
///
/// # Safety
/// The cluster is alive.
unsafe fn was_asked(cluster: *mut rd::rd_kafka_mock_cluster_t, what: i16) -> bool {
    let mut count = 0;
    // SAFETY: the caller's promise; the requests are read before they are destroyed.
    unsafe {
        let requests = rd::rd_kafka_mock_get_requests(cluster, &mut count);
        let asked = (0..count).any(|i| rd::rd_kafka_mock_request_api_key(*requests.add(i)) == what);
        rd::rd_kafka_mock_request_destroy_array(requests, count);
        asked
    }
}

/// A consumer of an embedded cluster, which gets a second partition while it asks where the first begins; it is to read both.
fn read_although(name: &CStr, code: Option<i32>, meanwhile: impl FnOnce(*mut rd::rd_kafka_mock_cluster_t)) {
    const GENEROUS: i32 = 30_000;
    const OFFSET_FETCH: i16 = 9;
    // SAFETY: everything is made and destroyed here, once; an error's code is the integer that C takes it for.
    unsafe {
        let (consumer, cluster) = consumer_of_a_cluster(name);
        let list = |partitions: std::ops::Range<i32>| {
            let list = rd::rd_kafka_topic_partition_list_new(2);
            for partition in partitions {
                rd::rd_kafka_topic_partition_list_add(list, c"t".as_ptr(), partition);
            }
            list
        };
        // The coordinator is known, and connected, when it has answered.
        let asked = list(0..2);
        assert_eq!(rd::rd_kafka_committed(consumer, asked, GENEROUS) as i32, 0);
        rd::rd_kafka_topic_partition_list_destroy(asked);

        let codes: Vec<i32> = code.into_iter().collect();
        rd::rd_kafka_mock_push_request_errors_array(cluster, OFFSET_FETCH, codes.len(), codes.as_ptr().cast());
        rd::rd_kafka_mock_broker_set_rtt(cluster, 1, 1000);
        rd::rd_kafka_mock_start_request_tracking(cluster);
        let assign = |partition| {
            let one = list(partition..partition + 1);
            assert!(rd::rd_kafka_incremental_assign(consumer, one).is_null());
            rd::rd_kafka_topic_partition_list_destroy(one);
        };
        assign(0);
        while !was_asked(cluster, OFFSET_FETCH) {
            std::thread::yield_now();
        }
        assign(1);
        rd::rd_kafka_mock_stop_request_tracking(cluster);
        meanwhile(cluster);
        rd::rd_kafka_mock_broker_set_rtt(cluster, 1, 0);
        let mut read = BTreeSet::new();
        while read.len() < 2 {
            let message = rd::rd_kafka_consumer_poll(consumer, GENEROUS);
            assert!(!message.is_null(), "{name:?}: only {read:?} is read");
            if (*message).err as i32 == rd::rd_kafka_resp_err_t::RD_KAFKA_RESP_ERR__PARTITION_EOF as i32 {
                read.insert((*message).partition);
            }
            rd::rd_kafka_message_destroy(message);
        }
        rd::rd_kafka_consumer_close(consumer);
        rd::rd_kafka_destroy(consumer);
    }
}

#[test]
fn a_partition_whose_query_failed_while_another_came_is_asked_for_again() {
    const NOT_COORDINATOR: i32 = 16;
    read_although(c"moved", Some(NOT_COORDINATOR), |_| {});
    // SAFETY: the cluster is alive while this runs.
    read_although(c"lost", None, |cluster| unsafe {
        rd::rd_kafka_mock_broker_set_down(cluster, 1);
        rd::rd_kafka_mock_broker_set_up(cluster, 1);
    });
}

#[test]
fn a_consumer_that_ends_asks_for_no_topics() {
    const METADATA: i16 = 3;
    const GENEROUS: i32 = 30_000;
    // SAFETY: everything is made and destroyed here, once.
    unsafe {
        let (consumer, cluster) = consumer_of_a_cluster(c"ending");
        let topics = rd::rd_kafka_topic_partition_list_new(1);
        rd::rd_kafka_topic_partition_list_add(topics, c"t".as_ptr(), -1);
        assert_eq!(rd::rd_kafka_subscribe(consumer, topics) as i32, 0);
        rd::rd_kafka_topic_partition_list_destroy(topics);
        let end = rd::rd_kafka_consumer_poll(consumer, GENEROUS);
        assert!(!end.is_null());
        rd::rd_kafka_message_destroy(end);
        rd::rd_kafka_mock_start_request_tracking(cluster);
        rd::rd_kafka_consumer_close(consumer);
        // Behind what the end asked, on the same connection.
        let (mut low, mut high) = (0, 0);
        rd::rd_kafka_query_watermark_offsets(consumer, c"t".as_ptr(), 0, &mut low, &mut high, GENEROUS);
        assert!(!was_asked(cluster, METADATA));
        rd::rd_kafka_destroy(consumer);
    }
}
