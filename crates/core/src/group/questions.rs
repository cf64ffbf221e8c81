//! Questions that must not wait behind a fetch: a broker answers the requests of one connection in turn, and a fetch without messages
//! takes `fetch.wait.max.ms`. So they have a client of their own, made for the first of them.

use std::sync::Arc;
use std::time::Duration;

use parking_lot::Mutex;

use crate::admin::{Admin, AdminConfig, AdminRequest};
use crate::error::Result;
use crate::reply::{closed, Reply};

/// Makes its client, which blocks: for the helper thread.
pub(crate) struct Questions(Mutex<State>);

enum State {
    /// Boxed: it is large, and mostly goes soon.
    Unasked(Box<AdminConfig>),
    Open(Arc<Admin>),
    Ended,
}

impl Questions {
    pub(crate) fn new(config: AdminConfig) -> Self {
        Self(Mutex::new(State::Unasked(Box::new(config))))
    }

    pub(crate) fn ask<R: AdminRequest>(&self, request: R, timeout: Duration) -> Result<R::Answer> {
        self.admin()?.request(request, timeout)
    }

    /// Answers on a thread of the client's: nobody waits for a leader that is gone.
    pub(crate) fn ask_with<R: AdminRequest>(&self, request: R, timeout: Duration, reply: Reply<R::Answer>) {
        match self.admin() {
            Ok(admin) => admin.request_with(request, timeout, reply),
            Err(error) => reply.send(Err(error)),
        }
    }

    fn admin(&self) -> Result<Arc<Admin>> {
        let mut state = self.0.lock();
        match &*state {
            State::Open(admin) => Ok(admin.clone()),
            State::Ended => Err(closed()),
            State::Unasked(config) => {
                let admin = Arc::new(Admin::with_events((**config).clone(), |_| ())?);
                *state = State::Open(admin.clone());
                Ok(admin)
            }
        }
    }

    /// Whether somebody has asked already: then it costs nothing more.
    pub(crate) fn open(&self) -> bool {
        matches!(*self.0.lock(), State::Open(_))
    }

    /// Ends its client.
    pub(crate) fn end(&self) {
        drop(std::mem::replace(&mut *self.0.lock(), State::Ended));
    }
}
