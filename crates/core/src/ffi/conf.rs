//! `rd_kafka_conf_t`

use std::ffi::c_char;
use std::sync::Arc;

use super::callbacks::Callbacks;
use super::{c_string, partitioner, rd, text, Partitioner};
use crate::error::{Error, Result};
use crate::token::TokenProvider;
use crate::watch::RequestWatch;

/// A configuration under construction.
pub(crate) struct Conf {
    pub(super) raw: *mut rd::rd_kafka_conf_t,
    pub(super) callbacks: Callbacks,
    /// Its client keeps it.
    pub(super) partitioner: Option<Box<Arc<dyn Partitioner>>>,
}

impl Conf {
    pub(crate) fn new() -> Self {
        // SAFETY: allocates; never null.
        Self { raw: unsafe { rd::rd_kafka_conf_new() }, callbacks: Callbacks::default(), partitioner: None }
    }

    /// Sets a global property, or a topic property as the default of every topic. librdkafka judges name and value; the
    /// value is not repeated in the error, because it may be a password.
    pub(crate) fn set(&mut self, name: &str, value: &str) -> Result<()> {
        let (c_name, c_value) = (c_string("a property's name", name)?, c_string(name, value)?);
        let mut reason = [0 as c_char; 512];
        // SAFETY: `raw` is ours; all strings are terminated; `reason` has the length that is told.
        let result = unsafe {
            rd::rd_kafka_conf_set(self.raw, c_name.as_ptr(), c_value.as_ptr(), reason.as_mut_ptr(), reason.len())
        };
        if result as i32 == rd::rd_kafka_conf_res_t::RD_KAFKA_CONF_OK as i32 {
            return Ok(());
        }
        let mut reason = text(reason.as_ptr());
        if is_secret(name) && !value.is_empty() {
            reason = reason.replace(value, "***");
        }
        Err(Error::config(format!("property '{name}': {reason}")))
    }

    /// Chooses partitions as Java's murmur2 does for messages with a key, and asks this for those without.
    pub(crate) fn partition_by(&mut self, partitioner: Arc<dyn Partitioner>) {
        self.partitioner = Some(partitioner::install(self.raw, partitioner));
    }

    /// Which events come through the queues; what is not named goes nowhere.
    pub(crate) fn events(&mut self, mask: i32) {
        // SAFETY: `raw` is ours.
        unsafe { rd::rd_kafka_conf_set_events(self.raw, mask) }
    }

    /// Whom librdkafka asks for tokens.
    pub(crate) fn tokens(&mut self, provider: TokenProvider) {
        self.callbacks.ask(provider);
    }

    /// The watch that hears of answered requests.
    pub(crate) fn watch(&mut self, watch: RequestWatch) {
        self.callbacks.watch = Some(watch);
    }

    /// Brokers' certificates are verified, and a refusal says why.
    pub(crate) fn verify(&mut self) {
        self.callbacks.verifies = true;
    }
}

impl Drop for Conf {
    fn drop(&mut self) {
        if !self.raw.is_null() {
            // SAFETY: ours, and not given to a client (that sets null).
            unsafe { rd::rd_kafka_conf_destroy(self.raw) }
        }
    }
}

/// Properties whose values never reach a message or a log.
pub(crate) fn is_secret(name: &str) -> bool {
    const PARTS: [&str; 7] = ["password", "passphrase", "secret", "jaas", "key.pem", "ssl_key", "oauthbearer.config"];
    let name = name.to_ascii_lowercase();
    PARTS.iter().any(|part| name.contains(part))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_refused_property_is_named() {
        let error = Conf::new().set("no.such.property", "1").unwrap_err();
        assert!(error.message.contains("no.such.property"), "{error}");
        let error = Conf::new().set("linger.ms", "soon").unwrap_err();
        assert!(error.message.contains("linger.ms"), "{error}");
    }

    #[test]
    fn a_value_with_a_nul_is_refused() {
        assert!(Conf::new().set("client.id", "a\0b").unwrap_err().message.contains("client.id"));
    }
}
