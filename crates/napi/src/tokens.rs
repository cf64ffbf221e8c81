//! Tokens for SASL/OAUTHBEARER: librdkafka's question goes to JavaScript, its answer comes back when it comes.

use std::sync::{Arc, Mutex, PoisonError};
use std::time::{Duration, UNIX_EPOCH};

use kafka_native::{Error, Reply, Token, TokenProvider};

use crate::events::{self, Events};

/// The last moment that a Date of JavaScript can name.
const END_OF_TIME_MS: f64 = 8.64e15;

/// Clients that wait for JavaScript's answer to the one question that is open: a consumer's two, at most.
#[derive(Clone, Default)]
pub(crate) struct Tokens(Arc<Mutex<Vec<Reply<Token>>>>);

impl Tokens {
    /// Asks JavaScript with an event.
    pub(crate) fn provider(&self, events: &Events) -> TokenProvider {
        let (tokens, to) = (self.clone(), events.clone());
        TokenProvider::new(move |reply| {
            let open = {
                let mut waiting = tokens.0.lock().unwrap_or_else(PoisonError::into_inner);
                waiting.push(reply);
                waiting.len() > 1
            };
            if !open && !to.ask(events::Token {}) {
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
        for reply in self.take() {
            reply.send(token.clone());
        }
    }

    fn take(&self) -> Vec<Reply<Token>> {
        std::mem::take(&mut *self.0.lock().unwrap_or_else(PoisonError::into_inner))
    }
}
