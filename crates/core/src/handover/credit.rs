//! How much may be handed over: what bounds it, what is out, and the flags by which whoever gives credit wakes the client's thread.

use std::collections::VecDeque;
use std::sync::atomic::{AtomicBool, Ordering};
use std::sync::Arc;

use parking_lot::Mutex;

use crate::batch::DATA;
use crate::ffi::Waker;
use crate::offsets::Tracker;

/// Bytes of one partition: with less it would be held behind each batch.
const LEAST_SHARE: u64 = 2 * DATA as u64;
/// More would wait for the receiver without making it faster.
const MOST_SHARE: u64 = 1024 * 1024;

/// Credit: the client's thread spends it, all other threads give it back.
pub(crate) struct Credit {
    /// How many batches may be told and not started.
    batches: usize,
    /// How many bytes may be handed over and not settled.
    bytes: u64,
    pub(super) waker: Arc<Waker>,
    /// Batches that are out.
    pub(crate) tracker: Mutex<Tracker>,
    /// (batch, messages) told and not started.
    ahead: Mutex<VecDeque<(u64, usize)>>,
    /// The user wants none for now.
    paused: AtomicBool,
    /// The client's thread waits for credit; whoever gives some wakes it.
    starved: AtomicBool,
    /// Partitions are held back for having more than their share: whoever gives credit wakes it, too.
    holding: AtomicBool,
}

impl Credit {
    pub(crate) fn new(batches: usize, bytes: u64, waker: Arc<Waker>) -> Self {
        Self {
            batches,
            bytes,
            waker,
            tracker: Mutex::default(),
            ahead: Mutex::default(),
            paused: AtomicBool::new(false),
            starved: AtomicBool::new(false),
            holding: AtomicBool::new(false),
        }
    }

    /// Whether another batch may be handed over.
    pub(super) fn is_left(&self) -> bool {
        !self.is_paused()
            && self.ahead.lock().len() < self.batches
            && self.tracker.lock().outstanding_bytes() < self.bytes
    }

    /// Bytes that the next batch may charge.
    pub(super) fn bytes_left(&self) -> u64 {
        self.bytes.saturating_sub(self.tracker.lock().outstanding_bytes())
    }

    /// Bytes that one partition may have handed over before it waits alone.
    pub(crate) fn share(&self) -> u64 {
        (self.bytes / 4).clamp(LEAST_SHARE, MOST_SHARE)
    }

    /// The client's thread is about to wait for credit. It has to look once more before it does: it sees what was given before
    /// this, and is woken by what is given after.
    pub(super) fn starve(&self) {
        self.starved.store(true, Ordering::SeqCst);
    }

    /// There is more than there was.
    pub(crate) fn give(&self) {
        let starved = self.starved.swap(false, Ordering::SeqCst);
        if starved || self.is_holding() {
            self.waker.wake();
        }
    }

    pub(super) fn told(&self, batch: u64, messages: usize) {
        self.ahead.lock().push_back((batch, messages));
    }

    /// How many messages were told and not started.
    pub(crate) fn messages_ahead(&self) -> u64 {
        self.ahead.lock().iter().map(|(_, messages)| *messages as u64).sum()
    }

    /// The receiver begins with the batch: another may be told.
    pub(crate) fn started(&self, batch: u64) {
        {
            let mut ahead = self.ahead.lock();
            if let Some(at) = ahead.iter().position(|(id, _)| *id == batch) {
                ahead.remove(at);
            }
        }
        self.give();
    }

    /// The batch was processed. Offsets recordable by that go to `record` under the tracker's lock: two threads that settle
    /// must not record in the wrong order.
    pub(crate) fn settle(&self, batch: u64, record: impl FnOnce(Vec<(i32, i64)>)) {
        let mut recordable = Vec::new();
        let mut tracker = self.tracker.lock();
        tracker.settle(batch, &mut recordable);
        record(recordable);
        drop(tracker);
        self.started(batch); // it was, even if nobody said so
    }

    /// The batch will never be processed.
    pub(crate) fn abandon(&self, batch: u64) {
        self.tracker.lock().drop_batch(batch);
        self.started(batch);
    }

    /// One run of the batch needs its bytes no longer.
    pub(crate) fn free(&self, batch: u64, run: usize) {
        if self.tracker.lock().settle_run(batch, run).is_some() {
            self.give();
        }
    }

    pub(crate) fn is_paused(&self) -> bool {
        self.paused.load(Ordering::SeqCst)
    }

    /// The caller that ends a pause wakes the client's thread.
    pub(crate) fn set_paused(&self, paused: bool) {
        self.paused.store(paused, Ordering::SeqCst);
    }

    pub(crate) fn is_holding(&self) -> bool {
        self.holding.load(Ordering::SeqCst)
    }

    pub(crate) fn set_holding(&self, holding: bool) {
        self.holding.store(holding, Ordering::SeqCst);
    }
}
