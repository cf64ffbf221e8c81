//! Keeps panics from unwinding into C.

use std::panic::{catch_unwind, AssertUnwindSafe};

/// Runs the body of a callback that C calls. A panic ends here: unwinding through C's frames is undefined behaviour,
/// and the callbacks of this crate have nothing to return.
pub(super) fn fence(body: impl FnOnce()) {
    if catch_unwind(AssertUnwindSafe(body)).is_err() {
        // The panic hook has printed it; the callback's work (a wake-up) is repeated by the next event.
    }
}
