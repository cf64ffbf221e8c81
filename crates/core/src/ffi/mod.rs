//! The seam: the only `unsafe` of the crate. One owner with `Drop` for each of librdkafka's nouns.
//!
//! Whatever belongs to a client (queues, topics, messages) holds the counted [`Client`], because `rd_kafka_destroy` waits
//! for all of them: the client is destroyed when its last piece is dropped, on whichever thread that is.

mod admin;
mod callbacks;
mod client;
mod conf;
mod event;
mod group;
mod messages;
mod mock;
mod niceness;
mod partitioner;
mod partitions;
mod pattern;
mod produce;
mod queue;
mod refusals;
mod token;
mod transactions;
mod watch;

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
pub(crate) use partitioner::Partitioner;
pub(crate) use partitions::Partitions;
pub(crate) use pattern::Pattern;
pub(crate) use produce::{Hold, Outgoing, ProduceBatch, ProduceMemory, Topic};
pub(crate) use queue::{Queue, ReadyHook, Waker};
pub(crate) use refusals::wish_of_listener;
pub(crate) use transactions::GroupMetadata;

use std::ffi::{c_char, c_int, CStr, CString};
use std::time::Duration;

use kafka_native_librdkafka as rd;

use crate::error::{Error, Result};

/// Turns librdkafka's return code into a result.
fn check(code: c_int) -> Result<()> {
    match code {
        0 => Ok(()),
        code => Err(Error::of(code)),
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

/// The version of the linked librdkafka.
pub(crate) fn librdkafka_version() -> String {
    // SAFETY: returns a static string.
    text(unsafe { rd::rd_kafka_version_str() })
}
