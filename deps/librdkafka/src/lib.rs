//! The C declarations of the librdkafka that kafka-native is built with.
//!
//! This crate names the build (version, features per platform) once; everything else in the workspace
//! sees librdkafka through it. The declarations are raw: `kafka-native`'s `ffi` module is their only safe owner.

pub use rdkafka_sys::bindings::*;

/// The version of librdkafka that this workspace is built and tested with, as `rd_kafka_version()` encodes it.
pub const LIBRDKAFKA_VERSION: i32 = 0x020c_01ff;

/// Prepares OpenSSL without its `atexit` handler.
///
/// `process.exit()` runs C's `exit()` while librdkafka's broker threads are alive; OpenSSL's own handler would free
/// what a live TLS handshake is using. Has to run before the first client; later calls do nothing.
pub fn init_openssl() {
    openssl_sys::init();
}
