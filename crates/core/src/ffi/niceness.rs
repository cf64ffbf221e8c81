//! How far the threads of this library, its own and librdkafka's, stand back behind those of the program.

use std::ffi::{c_char, c_void};
use std::sync::atomic::{AtomicI32, Ordering};

use super::rd;

static NICENESS: AtomicI32 = AtomicI32::new(0);

/// The niceness of the threads of clients that are made from now on: 0 (the default: as urgent as the thread that makes
/// the client) to 19 (last, where others want the same processor). On Linux; elsewhere threads have no niceness of their
/// own, and nothing happens.
///
/// For programs with one thread that has to answer. It takes nothing from the clients while a processor is free.
pub fn set_thread_niceness(niceness: i32) {
    NICENESS.store(niceness.clamp(0, 19), Ordering::Relaxed);
}

/// On a thread of this library, when it begins.
pub(crate) fn stand_back() {
    let niceness = NICENESS.load(Ordering::Relaxed);
    #[cfg(target_os = "linux")]
    // SAFETY: they take numbers; on Linux 0 is the calling thread. One that is nicer already, because who made it is, stays so.
    unsafe {
        if niceness > libc::getpriority(libc::PRIO_PROCESS, 0) {
            libc::setpriority(libc::PRIO_PROCESS, 0, niceness);
        }
    }
    #[cfg(not(target_os = "linux"))]
    let _ = niceness;
}

/// Tells a configuration that the threads of its client stand back, too.
///
/// # Safety
/// `conf` is valid.
pub(super) unsafe fn install(conf: *mut rd::rd_kafka_conf_t) {
    // SAFETY: the caller's promise; the name is terminated. It fails only for a name that is there already.
    unsafe { rd::rd_kafka_conf_interceptor_add_on_new(conf, NAME.as_ptr(), Some(on_new), std::ptr::null_mut()) };
}

const NAME: &std::ffi::CStr = c"niceness";
const DONE: rd::rd_kafka_resp_err_t = rd::rd_kafka_resp_err_t::RD_KAFKA_RESP_ERR_NO_ERROR;

/// While the client is made, before its first thread.
unsafe extern "C" fn on_new(
    client: *mut rd::rd_kafka_t,
    _: *const rd::rd_kafka_conf_t,
    _: *mut c_void,
    _: *mut c_char,
    _: usize,
) -> rd::rd_kafka_resp_err_t {
    // SAFETY: librdkafka hands the client that it makes; the name is terminated.
    unsafe {
        rd::rd_kafka_interceptor_add_on_thread_start(client, NAME.as_ptr(), Some(on_thread), std::ptr::null_mut())
    };
    DONE
}

/// On each of librdkafka's threads.
unsafe extern "C" fn on_thread(
    _: *mut rd::rd_kafka_t,
    _: rd::rd_kafka_thread_type_t,
    _: *const c_char,
    _: *mut c_void,
) -> rd::rd_kafka_resp_err_t {
    stand_back();
    DONE
}
