//! Tokens for SASL/OAUTHBEARER: librdkafka's question goes to JavaScript, its answer comes back when it comes.

use std::sync::{Arc, Mutex, PoisonError};
use std::time::{Duration, UNIX_EPOCH};

use kafka_native::{Error, Reply, Token, TokenProvider};

use crate::events::{self, Events};

/// The last moment that a Date of JavaScript can name.
const END_OF_TIME_MS: f64 = 8.64e15;

/// The question that JavaScript has not answered; librdkafka asks one at a time.
#[derive(Clone, Default)]
pub(crate) struct Tokens(Arc<Mutex<Option<Reply<Token>>>>);

impl Tokens {
    /// Asks JavaScript with an event.
    pub(crate) fn provider(&self, events: &Events) -> TokenProvider {
        let (tokens, to) = (self.clone(), events.clone());
        TokenProvider::new(move |reply| {
            *tokens.0.lock().unwrap_or_else(PoisonError::into_inner) = Some(reply);
            if !to.ask(events::Token {}) {
                drop(tokens.take());
            }
        })
    }

    /// `extensions`: names and values by turns.
    pub(crate) fn set(&self, value: String, expires_ms: f64, principal: String, extensions: &[String]) {
        let extensions = extensions.chunks_exact(2).map(|pair| (pair[0].clone(), pair[1].clone())).collect();
        let expires = UNIX_EPOCH + Duration::from_millis(expires_ms.clamp(0.0, END_OF_TIME_MS) as u64);
        self.answer(Ok(Token { value, principal, expires, extensions }));
    }

    pub(crate) fn fail(&self, reason: String) {
        self.answer(Err(Error::no_token(reason)));
    }

    fn answer(&self, token: kafka_native::Result<Token>) {
        if let Some(reply) = self.take() {
            reply.send(token);
        }
    }

    fn take(&self) -> Option<Reply<Token>> {
        self.0.lock().unwrap_or_else(PoisonError::into_inner).take()
    }
}
