//! The argument of librdkafka's callbacks: one object a client, as its opaque.

use std::ffi::c_void;

use super::rd;
use super::refusals::{on_certificate, Refused};
use super::token::{on_refresh, Asking};
use super::watch::on_new;
use crate::token::TokenProvider;
use crate::watch::RequestWatch;

/// Lives as long as the client.
#[derive(Default)]
pub(super) struct Callbacks {
    pub(super) refused: Refused,
    pub(super) asking: Option<Asking>,
    pub(super) verifies: bool,
    pub(super) watch: Option<RequestWatch>,
}

impl Callbacks {
    pub(super) fn ask(&mut self, provider: TokenProvider) {
        self.asking = Some(Asking::new(provider));
    }

    /// Tells the configuration to call back with this.
    ///
    /// # Safety
    /// `conf` is valid; `self` stays where it is, unchanged, until the client made of it is destroyed.
    pub(super) unsafe fn install(&self, conf: *mut rd::rd_kafka_conf_t) {
        // SAFETY: the caller's promise. A queue of its own keeps the request for a token from waiting among a client's
        // events, which an admin serves only while it is used.
        unsafe {
            let this = std::ptr::from_ref(self).cast_mut().cast();
            rd::rd_kafka_conf_set_opaque(conf, this);
            if self.watch.is_some() {
                rd::rd_kafka_conf_interceptor_add_on_new(conf, c"watch".as_ptr(), Some(on_new), this);
            }
            if self.verifies {
                rd::rd_kafka_conf_set_ssl_cert_verify_cb(conf, Some(on_certificate));
            }
            if self.asking.is_some() {
                rd::rd_kafka_conf_set_oauthbearer_token_refresh_cb(conf, Some(on_refresh));
                rd::rd_kafka_conf_enable_sasl_queue(conf, 1);
            }
        }
    }

    /// # Safety
    /// `opaque` is what `install` gave, and its client is alive.
    pub(super) unsafe fn of<'a>(opaque: *mut c_void) -> &'a Self {
        // SAFETY: the caller's promise.
        unsafe { &*opaque.cast() }
    }
}
