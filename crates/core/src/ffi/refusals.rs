//! Why a connection is refused: librdkafka tells that a certificate is not accepted, but not why, nor that it was the
//! client's own.

use std::ffi::{c_char, c_int, c_void};

use parking_lot::Mutex;

use super::callbacks::Callbacks;
use super::{rd, text};
use crate::code::{SSL, TRANSPORT};
use crate::error::Error;
use crate::reply::fence;

/// The broker whose certificate was not accepted last (`host:port`), and why.
#[derive(Default)]
pub(super) struct Refused(Mutex<Option<(String, String)>>);

impl Refused {
    /// An error of a connection with its true reason.
    pub(super) fn explain(&self, error: Error) -> Error {
        match error.code {
            TRANSPORT if is_alert_on_certificate(&error.message) => {
                let text = format!("{}: the broker refuses this client's certificate, or wants one", error.message);
                Error::kafka(SSL, text)
            }
            SSL => match &*self.0.lock() {
                Some((broker, reason)) if error.message.contains("certificate verify failed") => {
                    match error.message.split_once(": ") {
                        Some((name, _)) if name.contains(broker.as_str()) => {
                            Error::kafka(SSL, format!("{name}: the broker's certificate is not accepted: {reason}"))
                        }
                        _ => error,
                    }
                }
                _ => error,
            },
            _ => error,
        }
    }
}

/// With TLS 1.3 a broker judges a client's certificate behind the client's end of the handshake: its alert, one of those on
/// certificates, breaks a connection that was open, which librdkafka takes for a matter of transport.
fn is_alert_on_certificate(message: &str) -> bool {
    let Some((_, number)) = message.split_once("SSL alert number ") else { return false };
    let number = number.split(|c: char| !c.is_ascii_digit()).next().and_then(|number| number.parse().ok());
    matches!(number, Some(42..=49 | 116))
}

/// OpenSSL's words, and what to do where they do not say it.
fn reason(x509_error: c_int) -> String {
    // SAFETY: takes any number and returns a static string.
    let words = text(unsafe { rd::X509_verify_cert_error_string(x509_error.into()) });
    match x509_error {
        // The authority is not known, or the certificate is its own.
        2 | 18..=21 => format!("{words}; name its authority with 'ssl.ca.location' or 'ssl.ca.pem', or install it"),
        _ => words,
    }
}

/// Leaves OpenSSL's verdict on a certificate as it is, and notes it. Runs on the thread of the broker's connection.
pub(super) unsafe extern "C" fn on_certificate(
    _client: *mut rd::rd_kafka_t,
    broker: *const c_char,
    _id: i32,
    x509_error: *mut c_int,
    _depth: c_int,
    _certificate: *const c_char,
    _size: usize,
    _text: *mut c_char,
    _text_size: usize,
    opaque: *mut c_void,
) -> c_int {
    // SAFETY: librdkafka's, valid for the call.
    let verdict = unsafe { *x509_error };
    if verdict == 0 {
        return 1;
    }
    fence(|| {
        // SAFETY: the client's callbacks, which outlive it.
        let callbacks = unsafe { Callbacks::of(opaque) };
        *callbacks.refused.0.lock() = Some((text(broker), reason(verdict)));
    });
    0
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn an_alert_on_the_certificate_is_a_refusal() {
        let refused = Refused::default();
        let alert = |number| {
            let text = format!("b:9093/1: Receive failed: ssl/tls alert: SSL alert number {number} (after 1ms)");
            refused.explain(Error::kafka(TRANSPORT, text))
        };
        assert_eq!((alert(42).code, alert(116).code), (SSL, SSL));
        assert!(!alert(42).retriable);
        assert_eq!(alert(80).code, TRANSPORT, "internal_error");
        assert_eq!(refused.explain(Error::kafka(TRANSPORT, "b:9093/1: Disconnected")).code, TRANSPORT);
    }

    #[test]
    fn a_refusal_says_why_and_only_of_its_own_broker() {
        let refused = Refused(Mutex::new(Some(("b:9093".into(), reason(10)))));
        let failed = |name: &str| {
            let text = format!("{name}: SSL handshake failed: certificate verify failed: broker certificate ...");
            refused.explain(Error::kafka(SSL, text)).message
        };
        assert_eq!(
            failed("ssl://b:9093/1"),
            "ssl://b:9093/1: the broker's certificate is not accepted: certificate has expired"
        );
        assert!(failed("ssl://c:9093/1").contains("handshake failed"));
        assert!(reason(19).contains("ssl.ca.location"));
    }
}
