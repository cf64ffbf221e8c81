//! librdkafka's names for its errors. Plain values go in and out, so these are safe.

use std::ffi::{c_char, CStr};

use crate::{codes, rd_kafka_get_err_descs};

/// A code's name, such as `_TIMED_OUT`.
pub fn name(code: i32) -> String {
    // SAFETY: takes any integer; for an unknown one it returns a string from a static ring.
    unsafe { copied(codes::rd_kafka_err2name(code)) }
}

/// A code's description.
pub fn text(code: i32) -> String {
    // SAFETY: as above.
    unsafe { copied(codes::rd_kafka_err2str(code)) }
}

/// Every error that librdkafka lists: its code and name.
pub fn list() -> Vec<(i32, String)> {
    let mut descriptions = std::ptr::null();
    let mut count = 0;
    // SAFETY: fills both with a static table of `count` entries; the code is read as an integer and entries without a name are gaps.
    unsafe {
        rd_kafka_get_err_descs(&mut descriptions, &mut count);
        (0..count)
            .map(|i| descriptions.add(i))
            .filter(|d| !(*(*d)).name.is_null())
            .map(|d| (std::ptr::addr_of!((*d).code).cast::<i32>().read(), copied((*d).name)))
            .collect()
    }
}

/// # Safety
/// Null, which gives an empty one, or a terminated string that is alive for the call.
unsafe fn copied(string: *const c_char) -> String {
    if string.is_null() {
        return String::new();
    }
    // SAFETY: the caller's promise.
    unsafe { CStr::from_ptr(string) }.to_string_lossy().into_owned()
}
