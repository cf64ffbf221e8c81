//! Why there is no connection: librdkafka tells that a certificate is not accepted, but not why, nor that it was the client's
//! own; and it takes whatever answers for a Kafka broker.

use std::ffi::{c_char, c_int, c_void};

use parking_lot::Mutex;

use super::callbacks::Callbacks;
use super::{rd, text};
use crate::code::{AUTHENTICATION, BAD_MSG, ILLEGAL_SASL_STATE, SSL, TRANSPORT};
use crate::error::Error;
use crate::reply::fence;

/// The broker whose certificate was not accepted last (`host:port`), and why.
#[derive(Default)]
pub(super) struct Refused(Mutex<Option<(String, String)>>);

impl Refused {
    /// An error of a connection with its true reason.
    pub(super) fn explain(&self, mut error: Error) -> Error {
        error.message = without_count(error.message);
        let broker = error.message.split_once(": ").map_or("", |(broker, _)| broker);
        match error.code {
            BAD_MSG => match stranger(&error.message) {
                Some(stranger) => Error::kafka(BAD_MSG, format!("{broker}: {stranger}")),
                None => error,
            },
            AUTHENTICATION if error.message.contains("not valid in current SASL state") => {
                let text =
                    format!("{broker}: the listener wants no SASL: name one that does, or leave out the credentials");
                Error::kafka(ILLEGAL_SASL_STATE, text)
            }
            TRANSPORT if is_alert_on_certificate(&error.message) => {
                let text = format!("{}: the broker refuses this client's certificate, or wants one", error.message);
                Error::kafka(SSL, text)
            }
            TRANSPORT if error.message.contains("Disconnected") && error.message.contains("in state SSL_HANDSHAKE") => {
                let text = format!(
                    "{broker}: the broker ends the TLS handshake: its listener may want no TLS (the option ssl)"
                );
                Error::kafka(TRANSPORT, text)
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

/// librdkafka counts, in some of its texts, how often it has told the same.
fn without_count(message: String) -> String {
    let Some((before, _)) = message.split_once(" identical error(s) suppressed") else { return message };
    let Some((text, _)) = before.rsplit_once(", ") else { return message };
    format!("{text})")
}

/// The one that answers in place of a Kafka broker, by the four bytes that would be the size of its answer.
fn stranger(message: &str) -> Option<String> {
    let (_, size) = message.split_once("Invalid response size ")?;
    let size: i32 = size.split(' ').next()?.parse().ok()?;
    match size.to_be_bytes() {
        // An alert or a handshake, of any version from 3.0 (SSL) to 3.4.
        [0x15 | 0x16, 3, 0..=4, _] => Some("TLS answers there: set the option ssl, or security.protocol".into()),
        text if text.iter().all(u8::is_ascii_graphic) => {
            let begin = String::from_utf8_lossy(&text).into_owned();
            Some(format!("this is no Kafka broker: its answer begins with {begin:?}; look at host and port"))
        }
        _ => None,
    }
}

/// A client without SASL is cut off so soon where the listener wants it.
const EARLY_MS: u64 = 2000;

/// TLS or SASL, which the listener may want of a client, by the moment at which it hung up. librdkafka's line has that: the
/// state of the connection.
pub(crate) fn wish_of_listener(facility: &str, line: &str) -> Option<String> {
    let (_thread, text) = line.split_once("]: ").filter(|_| facility == "FAIL")?;
    let (broker, text) = text.split_once(": Disconnected")?;
    let (age, state) = text.rsplit_once("(after ")?.1.split_once("ms in state ")?;
    let scheme = broker.split_once("://").map_or("", |(scheme, _)| scheme);
    let wish = match state.split([',', ')']).next()? {
        "APIVERSION_QUERY" if !scheme.contains("ssl") => "TLS: the option ssl, or security.protocol",
        "UP" if !scheme.contains("sasl") && age.parse().is_ok_and(|age: u64| age < EARLY_MS) => {
            "SASL: the option sasl, or security.protocol"
        }
        _ => return None,
    };
    Some(format!("{broker}: the broker ends the connection at once: its listener may want {wish}"))
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
        2 | 18..=21 => format!(
            "{words}; give its authority (the option ssl: {{ ca }}, or ssl.ca.location, ssl.ca.pem), or install it"
        ),
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
    fn who_speaks_tls_to_a_listener_without_hears_it() {
        let text = "ssl://b:9092/1: Disconnected: SSL connection closed by peer (after 1ms in state SSL_HANDSHAKE)";
        let error = Refused::default().explain(Error::kafka(TRANSPORT, text));
        assert!(error.retriable && error.message.contains("may want no TLS"), "{error}");
    }

    #[test]
    fn an_answer_that_is_not_kafkas_says_whose_it_is() {
        let size = |size: i32| {
            let text = format!("b:80/bootstrap: Receive failed: Invalid response size {size} (0..100000512): increase receive.message.max.bytes");
            Refused::default().explain(Error::kafka(BAD_MSG, text)).message
        };
        let http = size(i32::from_be_bytes(*b"HTTP"));
        assert!(http.starts_with("b:80/bootstrap: this is no Kafka broker") && http.contains("\"HTTP\""), "{http}");
        assert!(size(i32::from_be_bytes([0x15, 3, 3, 0])).contains("TLS"));
        assert!(size(200_000_000).contains("increase receive.message.max.bytes"), "it may be a batch");
    }

    #[test]
    fn sasl_where_none_is_wanted_is_no_matter_of_the_password() {
        let text = "b:9092/bootstrap: SASL PLAIN mechanism handshake failed: Broker: Request not valid in current SASL state: broker's supported mechanisms:  (after 1ms, 2 identical error(s) suppressed)";
        let error = Refused::default().explain(Error::kafka(AUTHENTICATION, text));
        assert_eq!(error.code, ILLEGAL_SASL_STATE);
        assert!(error.message.starts_with("b:9092/bootstrap: the listener wants no SASL"), "{error}");
    }

    #[test]
    fn a_text_does_not_count_how_often_it_was_told() {
        let text = "b:9092/1: Connect to ipv4#127.0.0.1:9 failed: Connection refused (after 0ms in state CONNECT, 1 identical error(s) suppressed)";
        let error = Refused::default().explain(Error::kafka(TRANSPORT, text));
        assert!(error.message.ends_with("Connection refused (after 0ms in state CONNECT)"), "{error}");
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
