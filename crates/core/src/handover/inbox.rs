//! Batches on their way to whoever calls `recv`.

use std::collections::VecDeque;
use std::time::Instant;

use parking_lot::{Condvar, Mutex};

use crate::batch::Batch;

/// Never holds more than `batches_ahead`: the next is told when one was taken.
#[derive(Default)]
pub(crate) struct Inbox {
    state: Mutex<State>,
    changed: Condvar,
}

#[derive(Default)]
struct State {
    batches: VecDeque<Batch>,
    paused: bool,
    closed: bool,
}

impl Inbox {
    /// On the client's thread.
    pub(crate) fn put(&self, batch: Batch) {
        let mut state = self.state.lock();
        if !state.closed {
            state.batches.push_back(batch);
            drop(state);
            self.changed.notify_one();
        }
    }

    /// Nothing is put any more; what is here can be taken, unless it is paused.
    pub(crate) fn close(&self) {
        self.state.lock().closed = true;
        self.changed.notify_all();
    }

    /// Nobody takes any more. The batches go, which hold what holds this inbox.
    pub(crate) fn abandon(&self) {
        let batches = {
            let mut state = self.state.lock();
            state.closed = true;
            std::mem::take(&mut state.batches)
        };
        drop(batches);
    }

    /// While it is paused nothing is taken, from the moment that this returns.
    pub(crate) fn set_paused(&self, paused: bool) {
        self.state.lock().paused = paused;
        self.changed.notify_all();
    }

    pub(crate) fn take(&self, deadline: Instant) -> Option<Batch> {
        let mut state = self.state.lock();
        loop {
            if !state.paused {
                if let Some(batch) = state.batches.pop_front() {
                    return Some(batch);
                }
            }
            if state.closed || self.changed.wait_until(&mut state, deadline).timed_out() {
                return None;
            }
        }
    }
}
