//! The threads of this library.

use std::io;
use std::thread::{Builder, JoinHandle};

use crate::ffi;

/// Starts one by its name, as urgent as `set_thread_niceness` says.
pub(crate) fn spawn(name: &str, body: impl FnOnce() + Send + 'static) -> io::Result<JoinHandle<()>> {
    Builder::new().name(name.into()).spawn(move || {
        ffi::stand_back();
        body();
    })
}
