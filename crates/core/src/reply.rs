//! Answers that come from another thread, and the fence around code that must not unwind into ours.

use std::panic::{catch_unwind, AssertUnwindSafe};

use crate::code;
use crate::error::{Error, ErrorKind, Result};

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
            fence(|| reply(answer));
        }
    }
}

impl<T> Drop for Reply<T> {
    fn drop(&mut self) {
        if let Some(reply) = self.0.take() {
            fence(|| reply(Err(closed())));
        }
    }
}

/// Runs a user's code, or the body of a callback that C calls. A panic, which the panic hook has told, ends here: it must not
/// take a client's thread along, or batches and answers would stop without a word; and unwinding through C's frames is
/// undefined behaviour.
pub(crate) fn fence(code: impl FnOnce()) {
    let _ = catch_unwind(AssertUnwindSafe(code));
}

/// The answer of a client that is gone.
pub(crate) fn closed() -> Error {
    Error::new(ErrorKind::State, code::DESTROY, "the client was stopped")
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_reply_that_is_dropped_answers_that_the_client_is_gone() {
        let (tx, rx) = crossbeam_channel::bounded(1);
        drop(Reply::<()>::new(move |answer| drop(tx.send(answer))));
        assert_eq!(rx.recv().unwrap().unwrap_err().code, code::DESTROY);
    }

    #[test]
    fn a_reply_that_panics_takes_no_thread_along() {
        Reply::<()>::new(|_| panic!("the caller's")).send(Ok(()));
        drop(Reply::<()>::new(|_| panic!("the caller's")));
    }
}
