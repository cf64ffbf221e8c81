//! Answers that come from another thread.

use crate::error::{code, Error, ErrorKind, Result};

/// Receives the one answer of an asynchronous call, on a thread of the client's. Dropped unanswered it answers that the client closed.
pub struct Reply<T>(Option<Box<dyn FnOnce(Result<T>) + Send>>);

impl<T: Send + 'static> Reply<T> {
    /// A reply that calls `answer`.
    pub fn new(answer: impl FnOnce(Result<T>) + Send + 'static) -> Self {
        Self(Some(Box::new(answer)))
    }

    /// Gives the answer.
    pub fn send(mut self, answer: Result<T>) {
        if let Some(reply) = self.0.take() {
            reply(answer);
        }
    }

    /// Runs `call` with a reply and blocks until it is answered.
    pub(crate) fn wait(call: impl FnOnce(Reply<T>)) -> Result<T> {
        let (tx, rx) = crossbeam_channel::bounded(1);
        call(Reply::new(move |answer| {
            let _ = tx.send(answer);
        }));
        rx.recv().unwrap_or_else(|_| Err(closed()))
    }
}

impl<T> Drop for Reply<T> {
    fn drop(&mut self) {
        if let Some(reply) = self.0.take() {
            reply(Err(closed()));
        }
    }
}

/// The answer of a client that is gone.
pub(crate) fn closed() -> Error {
    Error::new(ErrorKind::State, code::DESTROY, "the client was stopped")
}
