//! The N-API addon: the core's calls and events for JavaScript, and the end of an environment's clients. TypeScript's declarations
//! are made of this crate: `addon.ts` by napi-derive, with the words said here, `events.ts` by [`events`].
//!
//! Constructors and methods run on the JavaScript thread and never block; everything that clients tell comes back through
//! the one threadsafe function of each client.
#![deny(unsafe_code)]

mod admin;
mod consumer;
mod encode;
mod events;
mod group;
mod lifetime;
mod mock;
mod producer;
mod tokens;
mod watch;

use std::time::Duration;

use napi_derive::napi;

/// Every error that librdkafka knows: its number and full name.
#[napi]
pub fn error_codes() -> Vec<(i32, String)> {
    kafka_native::error_codes().into_iter().map(|(code, name)| (code, format!("RD_KAFKA_RESP_ERR_{name}"))).collect()
}

/// The version of the vendored librdkafka.
#[napi]
pub fn librdkafka_version() -> String {
    kafka_native::librdkafka_version()
}

/// When the addon is loaded: whether the clients' threads stand back behind JavaScript's. Not unless asked: the event
/// loop waits less while consuming, but producing takes more CPU and a lone message longer (`bench/README.md`).
#[napi_derive::module_init]
fn stand_back() {
    if let Some(asked) = std::env::var("KAFKA_NATIVE_NICENESS").ok().and_then(|text| text.parse().ok()) {
        kafka_native::set_thread_niceness(asked);
    }
}

/// For `process.on('exit')`: ends every client of this environment, which delivers messages and writes pending offsets. Blocks up
/// to `ms`; returns how many clients have not ended by then.
#[napi]
pub fn shutdown(ms: u32) -> u32 {
    lifetime::close_all(millis(ms)) as u32
}

/// librdkafka's properties as JavaScript gives them: pairs of strings.
#[napi]
pub type Properties = Vec<(String, String)>;

/// An error as an exception: its code is librdkafka's name.
type Thrown = napi::Error<String>;

fn thrown(error: kafka_native::Error) -> Thrown {
    napi::Error::new(error.name(), error.to_string())
}

/// A refusal of N-API itself, as an exception.
fn refused(error: napi::Error) -> Thrown {
    napi::Error::new("_FAIL".to_owned(), error.reason.clone())
}

/// A time as JavaScript gives it.
fn millis(ms: impl Into<f64>) -> Duration {
    Duration::from_millis(ms.into() as u64)
}
