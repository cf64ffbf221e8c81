//! The seam: the only `unsafe` of the crate. One owner with `Drop` for each of librdkafka's nouns.
//!
//! Whatever belongs to a client (queues, topics, messages) holds the counted [`Client`], because `rd_kafka_destroy` waits
//! for all of them: the client is destroyed when its last piece is dropped, on whichever thread that is.

mod admin;
mod callbacks;
mod certificate;
mod client;
mod conf;
mod event;
mod fence;
mod group;
mod messages;
mod mock;
mod niceness;
mod partitions;
mod pattern;
mod produce;
mod queue;
mod round_robin;
mod token;
mod transactions;

pub(crate) use admin::answer;
pub use admin::Operation;
pub use client::PartitionMetadata;
pub(crate) use client::{Client, ClientKind};
pub(crate) use conf::{is_secret, Conf};
pub(crate) use event::{Event, Room, COMMIT, DELIVERIES, ERROR, LOG, REBALANCE, STATS};
pub(crate) use group::{Membership, Rebalance};
pub(crate) use messages::{Message, Messages, Truncation};
pub(crate) use mock::Mock;
pub use niceness::set_thread_niceness;
pub(crate) use niceness::stand_back;
pub(crate) use partitions::Partitions;
pub(crate) use pattern::Pattern;
pub(crate) use produce::{Outgoing, ProduceBatch, ProduceMemory, Topic};
pub(crate) use queue::{Queue, ReadyHook, Waker};
pub(crate) use round_robin::{Choice, RoundRobin};
pub(crate) use transactions::GroupMetadata;

use std::ffi::{c_char, c_int, CStr, CString};
use std::time::Duration;

use kafka_native_librdkafka as rd;

use crate::error::{Error, ErrorKind, Result};

/// Turns librdkafka's return code into a result.
fn check(code: c_int) -> Result<()> {
    match code {
        0 => Ok(()),
        code => Err(Error::kafka(code, error_text(code))),
    }
}

/// Takes an error object, null for none.
fn check_error(error: *mut rd::rd_kafka_error_t) -> Result<()> {
    if error.is_null() {
        return Ok(());
    }
    // SAFETY: not null, owned by us, destroyed once, after its last use.
    unsafe {
        let mut result = Error::kafka(rd::codes::rd_kafka_error_code(error), text(rd::rd_kafka_error_string(error)));
        result.retriable |= rd::rd_kafka_error_is_retriable(error) != 0;
        result.fatal |= rd::rd_kafka_error_is_fatal(error) != 0;
        result.txn_requires_abort = rd::rd_kafka_error_txn_requires_abort(error) != 0;
        rd::rd_kafka_error_destroy(error);
        Err(result)
    }
}

/// Copies a C string; null gives an empty one.
fn text(string: *const c_char) -> String {
    if string.is_null() {
        return String::new();
    }
    // SAFETY: librdkafka's strings are terminated and live for the call.
    unsafe { CStr::from_ptr(string) }.to_string_lossy().into_owned()
}

fn c_string(what: &str, value: &str) -> Result<CString> {
    CString::new(value).map_err(|_| Error::config(format!("{what} must not contain a NUL character")))
}

fn millis(timeout: Duration) -> c_int {
    // Rounded up: a rest of 0.4 ms must not become a busy loop of zero timeouts.
    c_int::try_from(timeout.as_nanos().div_ceil(1_000_000)).unwrap_or(c_int::MAX)
}

/// librdkafka's name of a code, such as `_TIMED_OUT`.
pub(crate) fn error_name(code: i32) -> String {
    // SAFETY: takes any integer; for an unknown one it returns a string from a static ring.
    text(unsafe { rd::codes::rd_kafka_err2name(code) })
}

/// librdkafka's description of a code.
pub(crate) fn error_text(code: i32) -> String {
    // SAFETY: as above.
    text(unsafe { rd::codes::rd_kafka_err2str(code) })
}

/// Every error that librdkafka lists: its number and name.
pub(crate) fn error_codes() -> Vec<(i32, String)> {
    let mut descriptions = std::ptr::null();
    let mut count = 0;
    // SAFETY: fills both with a static table of `count` entries; the code is read as an integer and entries without a name are gaps.
    unsafe {
        rd::rd_kafka_get_err_descs(&mut descriptions, &mut count);
        (0..count)
            .map(|i| descriptions.add(i))
            .filter(|d| !(*(*d)).name.is_null())
            .map(|d| (std::ptr::addr_of!((*d).code).cast::<i32>().read(), text((*d).name)))
            .collect()
    }
}

/// The version of the linked librdkafka.
pub(crate) fn librdkafka_version() -> String {
    // SAFETY: returns a static string.
    text(unsafe { rd::rd_kafka_version_str() })
}

impl Error {
    /// An error that librdkafka or the broker raised.
    pub(crate) fn kafka(code: i32, message: impl Into<String>) -> Self {
        let mut error = Error::new(ErrorKind::Kafka, code, message);
        error.retriable = crate::code::is_retriable(code);
        error.fatal = crate::code::is_fatal(code);
        error
    }
}
