//! The C declarations of the librdkafka that kafka-native is built with.
//!
//! This crate names the build (features per platform) once; everything else in the workspace
//! sees librdkafka through it. The declarations are raw: `kafka-native`'s `ffi` module is their only safe owner. Code that is
//! `unsafe` here says why it is sound, as there: the two casts into librdkafka's own structs, and [`errors`].
//!
//! Some defects of the vendored version are mended: each file in `patches` says which and why, and `build.rs` compiles the few files of
//! librdkafka that they change, in front of the vendored ones.

pub mod errors;

pub use openssl_sys::X509_verify_cert_error_string;
pub use rdkafka_sys::bindings::*;

/// The version of librdkafka that was looked at, as `rd_kafka_version()` encodes it: what this file and its users know of its insides
/// holds for no other one. `docs/upgrading-librdkafka.md` says what to look at before this number is raised.
pub const LIBRDKAFKA_VERSION: i32 = 0x020c_01ff;

/// The front of a received message as librdkafka itself sees it: `rd_kafka_msg_t` in its `rdkafka_msg.h`.
#[repr(C)]
struct ReceivedMessage {
    message: rd_kafka_message_t,
    link: [*const std::ffi::c_void; 2],
    flags: std::ffi::c_int,
    timestamp_type: std::ffi::c_int,
    timestamp: i64,
    headers: *const rd_kafka_headers_t,
    status: std::ffi::c_int,
    broker_id: i32,
    unparsed_headers_size: i32,
    unparsed_headers: *const u8,
}

// A message of another version may be laid out in another way.
const _: () = assert!(RD_KAFKA_VERSION == LIBRDKAFKA_VERSION);

/// Whether asking a received message for its headers is worth the call: never false for one that has some.
///
/// `rd_kafka_message_headers` makes and frees a buffer to read that there are none, for every message
/// (`npm run bench -- --shapes consume-headers,consume`).
///
/// # Safety
/// The message was received by a consumer of this library and is alive; it is no event and no delivery report.
pub unsafe fn rd_kafka_message_may_have_headers(message: *const rd_kafka_message_t) -> bool {
    // SAFETY: takes no arguments. Somebody's build may have linked another librdkafka than the vendored one.
    if unsafe { rd_kafka_version() } != LIBRDKAFKA_VERSION {
        return true;
    }
    // SAFETY: the public message is the first field of what librdkafka of this version allocated.
    let received = unsafe { &*message.cast::<ReceivedMessage>() };
    // Unparsed headers begin with their number, which is one byte where that is 0.
    !received.headers.is_null() || received.unparsed_headers_size > 1
}

/// The headers of a received message as the broker sent them, for who looks at them without making anything: where they begin, and how many
/// bytes they are; none if librdkafka has parsed them, or is another one.
///
/// # Safety
/// As [`rd_kafka_message_may_have_headers`]. The bytes live as long as the message.
pub unsafe fn rd_kafka_message_unparsed_headers(message: *const rd_kafka_message_t) -> Option<(*const u8, usize)> {
    // SAFETY: takes no arguments. Somebody's build may have linked another librdkafka than the vendored one.
    if unsafe { rd_kafka_version() } != LIBRDKAFKA_VERSION {
        return None;
    }
    // SAFETY: the public message is the first field of what librdkafka of this version allocated.
    let received = unsafe { &*message.cast::<ReceivedMessage>() };
    let size = usize::try_from(received.unparsed_headers_size).ok()?;
    (received.headers.is_null() && !received.unparsed_headers.is_null()).then_some((received.unparsed_headers, size))
}

/// The front of `rd_kafka_header_t` in librdkafka's `rdkafka_header.h`; the name follows.
#[repr(C)]
struct Header {
    serialized_size: usize,
    value_size: usize,
    name_size: usize,
    value: *const std::ffi::c_char,
}

/// The length of a header's name, in which there may be NULs: `rd_kafka_header_get_all` tells where it begins only.
///
/// # Safety
/// `rd_kafka_header_get_all` of this library said the name, and its headers are alive.
pub unsafe fn rd_kafka_header_name_size(name: *const std::ffi::c_char) -> usize {
    // SAFETY: takes no arguments. Somebody's build may have linked another librdkafka than the vendored one.
    if unsafe { rd_kafka_version() } != LIBRDKAFKA_VERSION {
        // SAFETY: names are terminated.
        return unsafe { std::ffi::CStr::from_ptr(name) }.count_bytes();
    }
    // SAFETY: in librdkafka of this version the name lies behind these fields.
    unsafe { (*name.cast::<Header>().sub(1)).name_size }
}

/// A compiled pattern of a subscription, as librdkafka itself matches the names of topics.
#[repr(C)]
pub struct rd_regex_t {
    _private: [u8; 0],
}

#[allow(missing_docs)]
extern "C" {
    pub fn rd_regex_comp(
        pattern: *const std::ffi::c_char,
        reason: *mut std::ffi::c_char,
        reason_size: usize,
    ) -> *mut rd_regex_t;
    pub fn rd_regex_exec(pattern: *mut rd_regex_t, text: *const std::ffi::c_char) -> std::ffi::c_int;
    pub fn rd_regex_destroy(pattern: *mut rd_regex_t);
}

extern "C" {
    /// Whether a consumer is a member of its group still after `rd_kafka_unsubscribe`; asks librdkafka's main thread. The
    /// consumer's queue is yielded when that ends. `patches` brings it.
    pub fn rd_kafka_consumer_leaving(rk: *mut rd_kafka_t) -> std::ffi::c_int;

    /// The last error of a request to produce to the partition, 0 for none, and how many microseconds ago it came. `patches` brings it.
    pub fn rd_kafka_topic_last_refusal(topic: *mut rd_kafka_topic_t, partition: i32, age: *mut i64) -> std::ffi::c_int;

    /// Changes `queued.min.messages` of a consumer that runs: of what is decided from now on. By one thread. `patches` brings it.
    pub fn rd_kafka_prefetch_messages(rk: *mut rd_kafka_t, messages: std::ffi::c_int);
}

/// Messages that one thread produces to a topic, which go into the partitions' queues together. `patches` brings it.
#[repr(C)]
pub struct rd_kafka_hold_t {
    _private: [u8; 0],
}

extern "C" {
    /// Memory for holds, one after the other.
    pub fn rd_kafka_hold_new() -> *mut rd_kafka_hold_t;
    /// Not between begin and end.
    pub fn rd_kafka_hold_destroy(hold: *mut rd_kafka_hold_t);
    /// From here on what this thread produces to the topic waits, up to a batch a partition; not with `RD_KAFKA_MSG_F_BLOCK`.
    pub fn rd_kafka_hold_begin(hold: *mut rd_kafka_hold_t, topic: *mut rd_kafka_topic_t);
    /// Gives the partitions what waits: a broker's thread sees all of a partition's messages, or none. On the thread that began, the
    /// last hold first.
    pub fn rd_kafka_hold_end(hold: *mut rd_kafka_hold_t);
}

/// Prepares OpenSSL without its `atexit` handler.
///
/// `process.exit()` runs C's `exit()` while librdkafka's broker threads are alive; OpenSSL's own handler would free
/// what a live TLS handshake is using. Has to run before the first client; later calls do nothing.
pub fn init_openssl() {
    openssl_sys::init();
}

/// Functions whose error codes and enumerations are integers.
///
/// The generated declarations return a Rust enum, and a broker newer than librdkafka sends numbers that the enum does not
/// list: reading those would be undefined behaviour. These are the same functions with an integer in the enum's place.
pub mod codes {
    use super::*;
    use std::ffi::{c_char, c_int};

    #[allow(missing_docs)]
    extern "C" {
        pub fn rd_kafka_err2name(err: c_int) -> *const c_char;
        pub fn rd_kafka_err2str(err: c_int) -> *const c_char;
        pub fn rd_kafka_error_code(error: *const rd_kafka_error_t) -> c_int;
        pub fn rd_kafka_event_error(event: *mut rd_kafka_event_t) -> c_int;
        pub fn rd_kafka_fatal_error(rk: *mut rd_kafka_t, errstr: *mut c_char, errstr_size: usize) -> c_int;
        pub fn rd_kafka_last_error() -> c_int;
        pub fn rd_kafka_metadata(
            rk: *mut rd_kafka_t,
            all_topics: c_int,
            only_rkt: *mut rd_kafka_topic_t,
            metadata: *mut *const rd_kafka_metadata,
            timeout_ms: c_int,
        ) -> c_int;
        pub fn rd_kafka_query_watermark_offsets(
            rk: *mut rd_kafka_t,
            topic: *const c_char,
            partition: i32,
            low: *mut i64,
            high: *mut i64,
            timeout_ms: c_int,
        ) -> c_int;
        pub fn rd_kafka_get_watermark_offsets(
            rk: *mut rd_kafka_t,
            topic: *const c_char,
            partition: i32,
            low: *mut i64,
            high: *mut i64,
        ) -> c_int;
        pub fn rd_kafka_assign(rk: *mut rd_kafka_t, partitions: *const rd_kafka_topic_partition_list_t) -> c_int;
        pub fn rd_kafka_subscribe(rk: *mut rd_kafka_t, topics: *const rd_kafka_topic_partition_list_t) -> c_int;
        pub fn rd_kafka_unsubscribe(rk: *mut rd_kafka_t) -> c_int;
        pub fn rd_kafka_pause_partitions(
            rk: *mut rd_kafka_t,
            partitions: *mut rd_kafka_topic_partition_list_t,
        ) -> c_int;
        pub fn rd_kafka_resume_partitions(
            rk: *mut rd_kafka_t,
            partitions: *mut rd_kafka_topic_partition_list_t,
        ) -> c_int;
        pub fn rd_kafka_position(rk: *mut rd_kafka_t, partitions: *mut rd_kafka_topic_partition_list_t) -> c_int;
        pub fn rd_kafka_committed(
            rk: *mut rd_kafka_t,
            partitions: *mut rd_kafka_topic_partition_list_t,
            timeout_ms: c_int,
        ) -> c_int;
        pub fn rd_kafka_offsets_for_times(
            rk: *mut rd_kafka_t,
            partitions: *mut rd_kafka_topic_partition_list_t,
            timeout_ms: c_int,
        ) -> c_int;
        pub fn rd_kafka_commit_queue(
            rk: *mut rd_kafka_t,
            offsets: *const rd_kafka_topic_partition_list_t,
            queue: *mut rd_kafka_queue_t,
            callback: *const std::ffi::c_void,
            opaque: *mut std::ffi::c_void,
        ) -> c_int;
        pub fn rd_kafka_flush(rk: *mut rd_kafka_t, timeout_ms: c_int) -> c_int;
        pub fn rd_kafka_oauthbearer_set_token(
            rk: *mut rd_kafka_t,
            token_value: *const c_char,
            md_lifetime_ms: i64,
            md_principal_name: *const c_char,
            extensions: *mut *const c_char,
            extension_size: usize,
            errstr: *mut c_char,
            errstr_size: usize,
        ) -> c_int;
        #[allow(clippy::type_complexity)]
        pub fn rd_kafka_interceptor_add_on_response_received(
            rk: *mut rd_kafka_t,
            ic_name: *const c_char,
            on_response_received: unsafe extern "C" fn(
                rk: *mut rd_kafka_t,
                sockfd: c_int,
                brokername: *const c_char,
                brokerid: i32,
                api_key: i16,
                api_version: i16,
                corr_id: i32,
                size: usize,
                rtt: i64,
                err: c_int,
                ic_opaque: *mut std::ffi::c_void,
            ) -> c_int,
            ic_opaque: *mut std::ffi::c_void,
        ) -> c_int;
        pub fn rd_kafka_oauthbearer_set_token_failure(rk: *mut rd_kafka_t, errstr: *const c_char) -> c_int;
        pub fn rd_kafka_topic_result_error(result: *const rd_kafka_topic_result_t) -> c_int;
        pub fn rd_kafka_NewTopic_set_replica_assignment(
            topic: *mut rd_kafka_NewTopic_t,
            partition: i32,
            broker_ids: *mut i32,
            broker_id_cnt: usize,
            errstr: *mut c_char,
            errstr_size: usize,
        ) -> c_int;
        pub fn rd_kafka_NewPartitions_set_replica_assignment(
            partitions: *mut rd_kafka_NewPartitions_t,
            new_partition_idx: i32,
            broker_ids: *mut i32,
            broker_id_cnt: usize,
            errstr: *mut c_char,
            errstr_size: usize,
        ) -> c_int;
        pub fn rd_kafka_ElectLeaders_new(
            election: c_int,
            partitions: *mut rd_kafka_topic_partition_list_t,
        ) -> *mut rd_kafka_ElectLeaders_t;
        pub fn rd_kafka_ConfigResource_new(restype: c_int, name: *const c_char) -> *mut rd_kafka_ConfigResource_t;
        pub fn rd_kafka_ConfigResource_add_incremental_config(
            config: *mut rd_kafka_ConfigResource_t,
            name: *const c_char,
            op_type: c_int,
            value: *const c_char,
        ) -> *mut rd_kafka_error_t;
        pub fn rd_kafka_ConfigResource_type(config: *const rd_kafka_ConfigResource_t) -> c_int;
        pub fn rd_kafka_ConfigResource_error(config: *const rd_kafka_ConfigResource_t) -> c_int;
        pub fn rd_kafka_ConfigEntry_source(entry: *const rd_kafka_ConfigEntry_t) -> c_int;
        pub fn rd_kafka_ConsumerGroupListing_state(listing: *const rd_kafka_ConsumerGroupListing_t) -> c_int;
        pub fn rd_kafka_ConsumerGroupListing_type(listing: *const rd_kafka_ConsumerGroupListing_t) -> c_int;
        pub fn rd_kafka_ConsumerGroupDescription_state(group: *const rd_kafka_ConsumerGroupDescription_t) -> c_int;
        pub fn rd_kafka_ConsumerGroupDescription_type(group: *const rd_kafka_ConsumerGroupDescription_t) -> c_int;
        pub fn rd_kafka_AclBinding_new(
            restype: c_int,
            name: *const c_char,
            pattern: c_int,
            principal: *const c_char,
            host: *const c_char,
            operation: c_int,
            permission: c_int,
            errstr: *mut c_char,
            errstr_size: usize,
        ) -> *mut rd_kafka_AclBinding_t;
        pub fn rd_kafka_AclBindingFilter_new(
            restype: c_int,
            name: *const c_char,
            pattern: c_int,
            principal: *const c_char,
            host: *const c_char,
            operation: c_int,
            permission: c_int,
            errstr: *mut c_char,
            errstr_size: usize,
        ) -> *mut rd_kafka_AclBindingFilter_t;
        pub fn rd_kafka_AclBinding_restype(acl: *const rd_kafka_AclBinding_t) -> c_int;
        pub fn rd_kafka_AclBinding_resource_pattern_type(acl: *const rd_kafka_AclBinding_t) -> c_int;
        pub fn rd_kafka_AclBinding_operation(acl: *const rd_kafka_AclBinding_t) -> c_int;
        pub fn rd_kafka_AclBinding_permission_type(acl: *const rd_kafka_AclBinding_t) -> c_int;
        pub fn rd_kafka_ScramCredentialInfo_mechanism(info: *const rd_kafka_ScramCredentialInfo_t) -> c_int;
        pub fn rd_kafka_UserScramCredentialUpsertion_new(
            user: *const c_char,
            mechanism: c_int,
            iterations: i32,
            password: *const u8,
            password_size: usize,
            salt: *const u8,
            salt_size: usize,
        ) -> *mut rd_kafka_UserScramCredentialAlteration_t;
        pub fn rd_kafka_UserScramCredentialDeletion_new(
            user: *const c_char,
            mechanism: c_int,
        ) -> *mut rd_kafka_UserScramCredentialAlteration_t;
        pub fn rd_kafka_mock_topic_set_error(cluster: *mut rd_kafka_mock_cluster_t, topic: *const c_char, err: c_int);
    }
}
