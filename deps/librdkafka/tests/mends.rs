//! The mended files are the ones that are linked.

use std::collections::{BTreeMap, BTreeSet};
use std::ffi::{c_char, c_int, c_void, CStr};
use std::path::Path;
use std::sync::atomic::{AtomicBool, AtomicUsize, Ordering};
use std::sync::Mutex;

use kafka_native_librdkafka as rd;

// Written by the build, which puts a text into every mended file: the names of its patches. `mends!()` points at all of them.
include!(concat!(env!("OUT_DIR"), "/mends.rs"));

/// Milliseconds for an answer that comes.
const GENEROUS: i32 = 30_000;

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

#[test]
fn the_end_of_a_partition_taken_in_a_batch_is_no_message_that_was_read() {
    // SAFETY: everything is made and destroyed here, once; the one message is ours.
    unsafe {
        let (consumer, _) = consumer_of_a_cluster(c"batches");
        let list = rd::rd_kafka_topic_partition_list_new(1);
        (*rd::rd_kafka_topic_partition_list_add(list, c"t".as_ptr(), 0)).offset = 0;
        assert_eq!(rd::rd_kafka_assign(consumer, list) as i32, 0);
        let queue = rd::rd_kafka_queue_get_consumer(consumer);
        let mut end = std::ptr::null_mut();
        assert_eq!(rd::rd_kafka_consume_batch_queue(queue, GENEROUS, &mut end, 1), 1);
        assert_eq!((*end).err as i32, rd::rd_kafka_resp_err_t::RD_KAFKA_RESP_ERR__PARTITION_EOF as i32);
        rd::rd_kafka_message_destroy(end);
        assert_eq!(rd::rd_kafka_position(consumer, list) as i32, 0);
        let invalid = i64::from(rd::RD_KAFKA_OFFSET_INVALID);
        let position = (*(*list).elems).offset;
        assert!([0, invalid].contains(&position), "{position}");
        rd::rd_kafka_topic_partition_list_destroy(list);
        rd::rd_kafka_queue_destroy(queue);
        rd::rd_kafka_consumer_close(consumer);
        rd::rd_kafka_destroy(consumer);
    }
}

static SOCKETS: AtomicUsize = AtomicUsize::new(0);

extern "C" {
    fn socket(domain: c_int, kind: c_int, protocol: c_int) -> c_int;
}

/// Counts attempts to connect: each has a socket.
unsafe extern "C" fn on_socket(domain: c_int, kind: c_int, protocol: c_int, _opaque: *mut c_void) -> c_int {
    SOCKETS.fetch_add(1, Ordering::SeqCst);
    // SAFETY: the arguments are librdkafka's.
    unsafe { socket(domain, kind, protocol) }
}

/// Asks with a time-out; returns the answer's error.
unsafe fn ask(
    client: *mut rd::rd_kafka_t,
    what: rd::rd_kafka_admin_op_t,
    timeout: c_int,
    send: impl FnOnce(*mut rd::rd_kafka_AdminOptions_t, *mut rd::rd_kafka_queue_t),
) -> i32 {
    let mut reason = [0 as c_char; 256];
    // SAFETY: everything is made and destroyed here, once.
    unsafe {
        let options = rd::rd_kafka_AdminOptions_new(client, what);
        rd::rd_kafka_AdminOptions_set_request_timeout(options, timeout, reason.as_mut_ptr(), reason.len());
        let queue = rd::rd_kafka_queue_new(client);
        send(options, queue);
        let event = rd::rd_kafka_queue_poll(queue, -1);
        let error = rd::rd_kafka_event_error(event) as i32;
        rd::rd_kafka_event_destroy(event);
        rd::rd_kafka_queue_destroy(queue);
        rd::rd_kafka_AdminOptions_destroy(options);
        error
    }
}

#[test]
fn topics_are_described_without_a_controller_and_a_broker_that_refuses_is_tried_with_pauses() {
    let mut reason = [0 as c_char; 256];
    // SAFETY: everything is made and destroyed here, once.
    unsafe {
        let conf = rd::rd_kafka_conf_new();
        for (name, value) in [(c"test.mock.num.brokers", c"2"), (c"reconnect.backoff.max.ms", c"100")] {
            rd::rd_kafka_conf_set(conf, name.as_ptr(), value.as_ptr(), reason.as_mut_ptr(), reason.len());
        }
        rd::rd_kafka_conf_set_socket_cb(conf, Some(on_socket));
        let kind = rd::rd_kafka_type_t::RD_KAFKA_PRODUCER;
        let client = rd::rd_kafka_new(kind, conf, reason.as_mut_ptr(), reason.len());
        assert!(!client.is_null());
        let cluster = rd::rd_kafka_handle_mock_cluster(client);
        rd::rd_kafka_mock_topic_create(cluster, c"t".as_ptr(), 2, 1);
        // Both brokers are connected when they have answered.
        for partition in 0..2 {
            rd::rd_kafka_mock_partition_set_leader(cluster, c"t".as_ptr(), partition, partition + 1);
            let (mut low, mut high) = (0, 0);
            rd::rd_kafka_query_watermark_offsets(client, c"t".as_ptr(), partition, &mut low, &mut high, GENEROUS);
        }
        let mut names = [c"t".as_ptr()];
        let describe = |options: *mut rd::rd_kafka_AdminOptions_t, queue: *mut rd::rd_kafka_queue_t| {
            let topics = rd::rd_kafka_TopicCollection_of_topic_names(names.as_mut_ptr(), names.len());
            rd::rd_kafka_DescribeTopics(client, topics, options, queue);
            rd::rd_kafka_TopicCollection_destroy(topics);
        };
        let topics = rd::rd_kafka_admin_op_t::RD_KAFKA_ADMIN_OP_DESCRIBETOPICS;
        assert_eq!(ask(client, topics, GENEROUS, describe), 0, "the embedded cluster has no controller");

        rd::rd_kafka_mock_broker_set_down(cluster, 2);
        let whole = rd::rd_kafka_admin_op_t::RD_KAFKA_ADMIN_OP_DESCRIBECLUSTER;
        let timed_out = rd::rd_kafka_resp_err_t::RD_KAFKA_RESP_ERR__TIMED_OUT as i32;
        let mut before;
        // The first can go out before the client sees that the connection is closed.
        while {
            before = SOCKETS.load(Ordering::SeqCst);
            let error = ask(client, whole, 1000, |options, queue| {
                rd::rd_kafka_AdminOptions_set_broker(options, 2, reason.as_mut_ptr(), reason.len());
                rd::rd_kafka_DescribeCluster(client, options, queue);
            });
            error != timed_out
        } {}
        let tries = SOCKETS.load(Ordering::SeqCst) - before;
        assert!((1..200).contains(&tries), "a second of pauses of 75 ms and more: {tries} attempts");
        rd::rd_kafka_destroy(client);
    }
}

/// Offsets by the number that each message was produced with.
static OFFSETS: Mutex<BTreeMap<usize, i64>> = Mutex::new(BTreeMap::new());

unsafe extern "C" fn on_delivery(
    _client: *mut rd::rd_kafka_t,
    message: *const rd::rd_kafka_message_t,
    _opaque: *mut c_void,
) {
    // SAFETY: the message is librdkafka's for as long as this runs.
    let (number, offset) = unsafe { ((*message)._private as usize, (*message).offset) };
    OFFSETS.lock().unwrap().insert(number, offset);
}

#[test]
fn messages_that_are_held_are_sent_together_and_tried_again_together() {
    const PRODUCE: i16 = 0;
    const NOT_LEADER: i32 = 6;
    let mut reason = [0 as c_char; 256];
    // SAFETY: everything is made and destroyed here, once; what is produced is copied.
    unsafe {
        let conf = rd::rd_kafka_conf_new();
        for (name, value) in [(c"test.mock.num.brokers", c"1"), (c"linger.ms", c"0"), (c"retry.backoff.ms", c"1")] {
            rd::rd_kafka_conf_set(conf, name.as_ptr(), value.as_ptr(), reason.as_mut_ptr(), reason.len());
        }
        rd::rd_kafka_conf_set_dr_msg_cb(conf, Some(on_delivery));
        let kind = rd::rd_kafka_type_t::RD_KAFKA_PRODUCER;
        let producer = rd::rd_kafka_new(kind, conf, reason.as_mut_ptr(), reason.len());
        assert!(!producer.is_null());
        let cluster = rd::rd_kafka_handle_mock_cluster(producer);
        rd::rd_kafka_mock_topic_create(cluster, c"t".as_ptr(), 1, 1);
        rd::rd_kafka_mock_topic_create(cluster, c"u".as_ptr(), 1, 1);
        let hold = rd::rd_kafka_hold_new();
        let t = rd::rd_kafka_topic_new(producer, c"t".as_ptr(), std::ptr::null_mut());
        let produce = |topic, number: usize| {
            let (copy, key) = (rd::RD_KAFKA_MSG_F_COPY, std::ptr::null());
            let text = c"message".as_ptr().cast_mut().cast();
            assert_eq!(rd::rd_kafka_produce(topic, -1, copy, text, 7, key, 0, number as *mut c_void), 0);
        };
        let sent = || {
            let mut count = 0;
            let requests = rd::rd_kafka_mock_get_requests(cluster, &mut count);
            let keys = (0..count).map(|i| rd::rd_kafka_mock_request_api_key(*requests.add(i)));
            let sent = keys.filter(|&key| key == PRODUCE).count();
            rd::rd_kafka_mock_request_destroy_array(requests, count);
            sent
        };
        let sent_since = || {
            let sent = sent();
            rd::rd_kafka_mock_clear_requests(cluster);
            sent
        };
        let flush = || {
            assert_eq!(rd::rd_kafka_flush(producer, GENEROUS) as i32, 0);
            std::mem::take(&mut *OFFSETS.lock().unwrap()).into_values().collect::<Vec<_>>()
        };

        // The broker is connected when it has answered.
        produce(t, 0);
        flush();
        rd::rd_kafka_mock_start_request_tracking(cluster);
        rd::rd_kafka_mock_push_request_errors_array(cluster, PRODUCE, 1, [NOT_LEADER].as_ptr().cast());
        rd::rd_kafka_hold_begin(hold, t);
        produce(t, 0);
        // Behind what the broker's thread would have sent meanwhile, on the same connection.
        let (mut low, mut high) = (0, 0);
        rd::rd_kafka_query_watermark_offsets(producer, c"t".as_ptr(), 0, &mut low, &mut high, GENEROUS);
        assert_eq!(sent_since(), 0);
        (1..7).for_each(|number| produce(t, number));
        rd::rd_kafka_hold_end(hold);
        assert_eq!(flush(), (1..8).collect::<Vec<_>>());
        assert_eq!(sent_since(), 2);

        // As many as a request takes wait for no more.
        rd::rd_kafka_hold_begin(hold, t);
        (0..10_001).for_each(|number| produce(t, number));
        while sent() == 0 {
            std::thread::yield_now();
        }
        rd::rd_kafka_hold_end(hold);
        assert_eq!(flush(), (8..10_009).collect::<Vec<_>>());

        // Before the topic is known, more than librdkafka shares out before the broker's thread is awake.
        rd::rd_kafka_mock_broker_set_rtt(cluster, 1, 100);
        sent_since();
        let u = rd::rd_kafka_topic_new(producer, c"u".as_ptr(), std::ptr::null_mut());
        rd::rd_kafka_hold_begin(hold, u);
        (0..9_000).for_each(|number| produce(u, number));
        rd::rd_kafka_hold_end(hold);
        assert_eq!(flush(), (0..9_000).collect::<Vec<_>>());
        assert_eq!(sent_since(), 1);

        rd::rd_kafka_topic_destroy(t);
        rd::rd_kafka_topic_destroy(u);
        rd::rd_kafka_hold_destroy(hold);
        rd::rd_kafka_destroy(producer);
    }
}

/// Tells the client's opaque, an `AtomicBool`, that the answer to an AddPartitionsToTxn came when an abort had begun.
unsafe extern "C" fn on_log(client: *const rd::rd_kafka_t, _: c_int, _: *const c_char, text: *const c_char) {
    // SAFETY: a string of librdkafka's for as long as this runs; the opaque outlives the client.
    let (text, outdated) = unsafe { (CStr::from_ptr(text), &*rd::rd_kafka_opaque(client).cast::<AtomicBool>()) };
    if text.to_bytes().windows(8).any(|word| word == b"outdated") {
        outdated.store(true, Ordering::SeqCst);
    }
}

/// Lets the abort, which tells this while it throws away what waits, go on when the coordinator has answered.
unsafe extern "C" fn after_the_answer(_: *mut rd::rd_kafka_t, _: *const rd::rd_kafka_message_t, outdated: *mut c_void) {
    // SAFETY: the opaque outlives the client.
    while !unsafe { &*outdated.cast::<AtomicBool>() }.load(Ordering::SeqCst) {
        std::thread::yield_now();
    }
}

/// A transaction that is aborted when the coordinator was asked to add its partition, then one that is committed. `meanwhile` is
/// told the cluster before the first one.
fn aborted_then_committed(
    id: &CStr,
    on_delivery: Option<unsafe extern "C" fn(*mut rd::rd_kafka_t, *const rd::rd_kafka_message_t, *mut c_void)>,
    meanwhile: impl FnOnce(*mut rd::rd_kafka_mock_cluster_t),
) {
    const ADD_PARTITIONS: i16 = 24;
    const END: i16 = 26;
    let mut reason = [0 as c_char; 256];
    let outdated = AtomicBool::new(false);
    let fine = |error: *mut rd::rd_kafka_error_t| {
        // SAFETY: an error that nobody else has, or none.
        assert!(error.is_null(), "{:?}", unsafe { CStr::from_ptr(rd::rd_kafka_error_string(error)) });
    };
    // SAFETY: everything is made and destroyed here, once; what is produced is copied.
    unsafe {
        let conf = rd::rd_kafka_conf_new();
        for (name, value) in [(c"test.mock.num.brokers", c"1"), (c"transactional.id", id), (c"debug", c"eos")] {
            rd::rd_kafka_conf_set(conf, name.as_ptr(), value.as_ptr(), reason.as_mut_ptr(), reason.len());
        }
        rd::rd_kafka_conf_set_opaque(conf, (&raw const outdated).cast_mut().cast());
        rd::rd_kafka_conf_set_log_cb(conf, Some(on_log));
        rd::rd_kafka_conf_set_dr_msg_cb(conf, on_delivery);
        let kind = rd::rd_kafka_type_t::RD_KAFKA_PRODUCER;
        let producer = rd::rd_kafka_new(kind, conf, reason.as_mut_ptr(), reason.len());
        assert!(!producer.is_null());
        let cluster = rd::rd_kafka_handle_mock_cluster(producer);
        rd::rd_kafka_mock_topic_create(cluster, c"t".as_ptr(), 1, 1);
        let t = rd::rd_kafka_topic_new(producer, c"t".as_ptr(), std::ptr::null_mut());
        let produce = || {
            let (copy, key) = (rd::RD_KAFKA_MSG_F_COPY, std::ptr::null());
            let text = c"message".as_ptr().cast_mut().cast();
            assert_eq!(rd::rd_kafka_produce(t, 0, copy, text, 7, key, 0, std::ptr::null_mut()), 0);
        };
        fine(rd::rd_kafka_init_transactions(producer, GENEROUS));
        rd::rd_kafka_mock_start_request_tracking(cluster);
        meanwhile(cluster);
        fine(rd::rd_kafka_begin_transaction(producer));
        produce();
        while !was_asked(cluster, ADD_PARTITIONS) {
            std::thread::yield_now();
        }
        fine(rd::rd_kafka_abort_transaction(producer, GENEROUS));
        assert!(was_asked(cluster, END), "the coordinator may know of the transaction");
        rd::rd_kafka_mock_clear_request_errors(cluster, ADD_PARTITIONS);
        rd::rd_kafka_mock_clear_request_errors(cluster, END);
        fine(rd::rd_kafka_begin_transaction(producer));
        produce();
        fine(rd::rd_kafka_commit_transaction(producer, GENEROUS));
        rd::rd_kafka_topic_destroy(t);
        rd::rd_kafka_destroy(producer);
    }
}

#[test]
fn a_transaction_that_the_coordinator_had_no_time_for_can_be_aborted() {
    const ADD_PARTITIONS: i16 = 24;
    const END: i16 = 26;
    const CONCURRENT: i32 = 51;
    const INVALID_STATE: i32 = 48;
    // SAFETY: the cluster is alive while this runs; an error's code is the integer that C takes it for.
    aborted_then_committed(c"busy", None, |cluster| unsafe {
        let busy = [CONCURRENT; 1000];
        rd::rd_kafka_mock_push_request_errors_array(cluster, ADD_PARTITIONS, busy.len(), busy.as_ptr().cast());
        rd::rd_kafka_mock_push_request_errors_array(cluster, END, 1, [INVALID_STATE].as_ptr().cast());
    });
}

#[test]
fn an_abort_is_sent_also_where_the_coordinators_answer_comes_between_its_parts() {
    // SAFETY: the cluster is alive while this runs.
    aborted_then_committed(c"late", Some(after_the_answer), |cluster| unsafe {
        rd::rd_kafka_mock_broker_set_rtt(cluster, 1, 300);
    });
}

/// Also where an assertion fails: else a scope waits for threads that nobody ends.
struct OnDrop<F: Fn()>(F);

impl<F: Fn()> Drop for OnDrop<F> {
    fn drop(&mut self) {
        (self.0)();
    }
}

#[test]
fn offsets_of_what_has_no_leader_can_be_asked_for_beside_metadata() {
    const ROUNDS: usize = 20_000;
    // SAFETY: events, lists and metadata are destroyed once, by the thread that has them; the threads end before the client.
    unsafe {
        let (client, _cluster) = consumer_of_a_cluster(c"leaders");
        let (address, done) = (client as usize, AtomicBool::new(false));
        std::thread::scope(|scope| {
            // Each answer is a change of the cache, of which librdkafka's main thread tells those that wait.
            for _ in 0..3 {
                scope.spawn(|| {
                    while !done.load(Ordering::Relaxed) {
                        let mut metadata = std::ptr::null();
                        let client = address as *mut rd::rd_kafka_t;
                        let error =
                            rd::codes::rd_kafka_metadata(client, 1, std::ptr::null_mut(), &mut metadata, GENEROUS);
                        assert_eq!(error, 0);
                        rd::rd_kafka_metadata_destroy(metadata);
                    }
                });
            }
            let _end = OnDrop(|| done.store(true, Ordering::Relaxed));
            let queue = rd::rd_kafka_queue_new(client);
            for round in 0..ROUNDS {
                let list = rd::rd_kafka_topic_partition_list_new(2);
                // One that is there, so that the answer is of the cache, and one that is not.
                for partition in [0, 99] {
                    (*rd::rd_kafka_topic_partition_list_add(list, c"t".as_ptr(), partition)).offset = -1;
                }
                rd::rd_kafka_ListOffsets(client, list, std::ptr::null(), queue);
                rd::rd_kafka_topic_partition_list_destroy(list);
                let event = rd::rd_kafka_queue_poll(queue, GENEROUS);
                assert!(!event.is_null(), "round {round} has no answer");
                rd::rd_kafka_event_destroy(event);
            }
            rd::rd_kafka_queue_destroy(queue);
        });
        rd::rd_kafka_destroy(client);
    }
}
