//! Tokens for SASL/OAUTHBEARER: librdkafka asks for one, a provider answers when it has one.

use std::fmt;
use std::sync::Arc;
use std::time::SystemTime;

use crate::code;
use crate::error::{Error, ErrorKind};
use crate::reply::{fence, Reply};

/// A token for SASL/OAUTHBEARER.
#[derive(Clone, PartialEq, Eq)]
pub struct Token {
    /// The text that the broker gets, most often a JWT.
    pub value: String,
    /// Whom it is for; librdkafka's debug lines show it.
    pub principal: String,
    /// When it ends. Another is asked for when 80% of the time until then are over.
    pub expires: SystemTime,
    /// SASL extensions, name and value: names are letters, values printable ASCII.
    pub extensions: Vec<(String, String)>,
}

impl fmt::Debug for Token {
    /// Without the value: it is a secret.
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Token")
            .field("principal", &self.principal)
            .field("expires", &self.expires)
            .finish_non_exhaustive()
    }
}

/// Where a client with `sasl.mechanism=OAUTHBEARER` has its tokens from. Asked for the first when the client is made, and
/// again before a token ends; ten seconds after a failure. A client asks one question at a time; a consumer can be two clients.
#[derive(Clone)]
pub struct TokenProvider(Arc<dyn Fn(Reply<Token>) + Send + Sync>);

impl TokenProvider {
    /// `ask` is called on a thread of librdkafka's and must not block; the reply may be sent later, from any thread. An
    /// error ([`Error::no_token`]), an expired or malformed token, or a reply that is dropped is an authentication that
    /// failed, which `connect` reports at once as `_AUTHENTICATION`.
    pub fn new(ask: impl Fn(Reply<Token>) + Send + Sync + 'static) -> Self {
        Self(Arc::new(ask))
    }

    pub(crate) fn ask(&self, reply: Reply<Token>) {
        fence(|| (self.0)(reply));
    }
}

impl fmt::Debug for TokenProvider {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("TokenProvider")
    }
}

impl Error {
    /// Why a [`TokenProvider`] has no token.
    pub fn no_token(reason: impl Into<String>) -> Self {
        Self::new(ErrorKind::Kafka, code::AUTHENTICATION, reason)
    }
}

#[cfg(test)]
mod tests {
    use std::sync::mpsc;
    use std::time::Duration;

    use super::*;
    use crate::{Producer, ProducerConfig};

    fn producer(provider: TokenProvider) -> crate::Result<Producer> {
        let config = ProducerConfig::new("127.0.0.1:9")
            .set("security.protocol", "sasl_plaintext")
            .set("sasl.mechanism", "OAUTHBEARER")
            .token_provider(provider);
        Producer::with_events(config, |_| ())
    }

    fn token(value: &str, expires: SystemTime) -> Token {
        Token { value: value.into(), principal: "p".into(), expires, extensions: vec![("zone".into(), "north".into())] }
    }

    fn refusal(answer: impl Fn(Reply<Token>) + Send + Sync + 'static) -> Error {
        producer(TokenProvider::new(answer)).unwrap().connect(Duration::from_secs(600)).unwrap_err()
    }

    #[test]
    fn a_provider_without_a_token_fails_connect_at_once() {
        let error = refusal(|reply| reply.send(Err(Error::no_token("the vault is closed"))));
        assert_eq!(error.code, code::AUTHENTICATION);
        assert!(error.message.contains("the vault is closed"), "{error}");
        assert_eq!(refusal(drop).code, code::AUTHENTICATION);
    }

    #[test]
    fn a_token_that_is_over_or_malformed_fails_connect_at_once_and_is_not_told() {
        let error = refusal(|reply| reply.send(Ok(token("secret", SystemTime::now() - Duration::from_secs(1)))));
        assert_eq!(error.code, code::AUTHENTICATION);
        assert!(error.message.contains("expired"), "{error}");
        let later = || SystemTime::now() + Duration::from_secs(60);
        let error = refusal(move |reply| reply.send(Ok(token("secr\u{7f}et", later()))));
        assert_eq!(error.code, code::AUTHENTICATION);
        assert!(!error.to_string().contains("secr"), "{error}");
    }

    #[test]
    fn an_answer_that_comes_after_the_end_goes_nowhere() {
        let (tx, rx) = mpsc::channel();
        let tx = parking_lot::Mutex::new(tx);
        let producer = producer(TokenProvider::new(move |reply| tx.lock().send(reply).unwrap())).unwrap();
        let reply = rx.recv().unwrap();
        producer.stop(Duration::ZERO).unwrap();
        drop(producer);
        reply.send(Ok(token("late", SystemTime::now() + Duration::from_secs(60))));
    }

    #[test]
    fn a_provider_needs_the_mechanism() {
        let config = ProducerConfig::new("127.0.0.1:9").token_provider(TokenProvider::new(drop));
        let error = Producer::with_events(config, |_| ()).err().unwrap();
        assert!(error.message.contains("OAUTHBEARER"), "{error}");
    }

    #[test]
    fn a_token_is_not_shown() {
        assert!(!format!("{:?}", token("secret", SystemTime::now())).contains("secret"));
    }
}
