//! Reports on requests: librdkafka's interceptor of answers.

use std::ffi::{c_char, c_int, c_void};
use std::time::Duration;

use super::callbacks::Callbacks;
use super::rd::{self, rd_kafka_resp_err_t::RD_KAFKA_RESP_ERR_NO_ERROR};
use super::text;
use crate::reply::fence;
use crate::watch::AnsweredRequest;

/// Runs in `rd_kafka_new`, before the client has threads.
pub(super) unsafe extern "C" fn on_new(
    client: *mut rd::rd_kafka_t,
    _conf: *const rd::rd_kafka_conf_t,
    opaque: *mut c_void,
    _reason: *mut c_char,
    _length: usize,
) -> rd::rd_kafka_resp_err_t {
    // SAFETY: the client is alive, and the callbacks outlive it; the name is copied. It fails where it is added twice.
    unsafe {
        rd::codes::rd_kafka_interceptor_add_on_response_received(client, c"watch".as_ptr(), on_response, opaque);
    }
    RD_KAFKA_RESP_ERR_NO_ERROR
}

/// Runs on a broker's thread.
unsafe extern "C" fn on_response(
    _client: *mut rd::rd_kafka_t,
    _socket: c_int,
    broker: *const c_char,
    _id: i32,
    api_key: i16,
    api_version: i16,
    _correlation: i32, // not the request's
    size: usize,
    round_trip: i64,
    error: c_int,
    opaque: *mut c_void,
) -> c_int {
    fence(|| {
        // SAFETY: the client's callbacks, which outlive it.
        let Some(watch) = &unsafe { Callbacks::of(opaque) }.watch else { return };
        if error != 0 || round_trip < 0 || !watch.wanted() {
            return;
        }
        let round_trip = Duration::from_micros(round_trip.unsigned_abs());
        watch.hear(AnsweredRequest { broker: address(&text(broker)), api_key, api_version, size, round_trip });
    });
    0
}

/// `host:port` of librdkafka's name of a broker, such as `sasl_ssl://host:port/1`.
fn address(name: &str) -> String {
    let name = name.split_once("://").map_or(name, |(_, name)| name);
    name.split_once('/').map_or(name, |(address, _)| address).to_owned()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_broker_is_told_by_its_address() {
        for name in ["h:9092/1", "sasl_ssl://h:9092/bootstrap", "h:9092"] {
            assert_eq!(address(name), "h:9092");
        }
    }
}
