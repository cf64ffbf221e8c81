//! `rd_kafka_queue_t`, and waking the thread that waits on one.

use std::ffi::c_void;
use std::sync::Arc;
use std::time::Duration;

use parking_lot::Mutex;

use super::{millis, rd, Client, Event, Messages};
use crate::reply::fence;

/// A counted queue of a client.
pub(crate) struct Queue {
    raw: *mut rd::rd_kafka_queue_t,
    client: Arc<Client>,
}

// SAFETY: librdkafka's queues lock themselves; any thread may use them.
unsafe impl Send for Queue {}
// SAFETY: as above.
unsafe impl Sync for Queue {}

impl Queue {
    /// Takes ownership of a queue reference; null means that librdkafka has no such queue.
    pub(super) fn from_raw(client: &Arc<Client>, raw: *mut rd::rd_kafka_queue_t) -> Option<Self> {
        (!raw.is_null()).then(|| Self { raw, client: client.clone() })
    }

    pub(super) fn raw(&self) -> *mut rd::rd_kafka_queue_t {
        self.raw
    }

    /// The next event, or none when the time is over or somebody yielded the queue.
    pub(crate) fn poll(&self, timeout: Duration) -> Option<Event<'_>> {
        // SAFETY: the queue is alive; the event, if any, is ours.
        Event::from_raw(unsafe { rd::rd_kafka_queue_poll(self.raw, millis(timeout)) }, &self.client)
    }

    /// Appends what is there, up to `limit` messages. Waits for the first message only: one call of librdkafka's
    /// batch function would return when the array is full or the whole timeout is over, so it takes two.
    pub(crate) fn consume(&self, messages: &mut Messages, limit: usize, timeout: Duration) {
        for (limit, timeout) in [(1, timeout), (limit.saturating_sub(1), Duration::ZERO)] {
            let room = messages.room().min(limit);
            if room == 0 {
                return;
            }
            // SAFETY: `spare` points at `room` free slots; librdkafka fills as many as it returns, or -1.
            let count = unsafe { rd::rd_kafka_consume_batch_queue(self.raw, millis(timeout), messages.spare(), room) };
            if count <= 0 {
                return;
            }
            // SAFETY: that many slots were filled.
            unsafe { messages.grow(count as usize) };
        }
    }

    /// Sends what arrives here to `target` instead.
    pub(crate) fn forward(&self, target: &Queue) {
        // SAFETY: both are alive; librdkafka counts the target itself.
        unsafe { rd::rd_kafka_queue_forward(self.raw, target.raw) }
    }

    /// Ends the forwarding: what arrives stays here.
    pub(crate) fn keep_own(&self) {
        // SAFETY: alive; no target means none.
        unsafe { rd::rd_kafka_queue_forward(self.raw, std::ptr::null_mut()) }
    }

    /// Wakes whoever waits on this queue now, or else whoever waits next.
    pub(crate) fn wake(&self) {
        // SAFETY: alive.
        unsafe { rd::rd_kafka_queue_yield(self.raw) }
    }

    /// How many messages and events wait in it.
    pub(crate) fn len(&self) -> usize {
        // SAFETY: alive.
        unsafe { rd::rd_kafka_queue_length(self.raw) }
    }
}

impl Drop for Queue {
    fn drop(&mut self) {
        // SAFETY: our reference, given back once, while the client is alive.
        unsafe { rd::rd_kafka_queue_destroy(self.raw) }
    }
}

/// Wakes a client's thread from any other. Holds no queue after `retire`, because a queue keeps its client alive.
#[derive(Default)]
pub(crate) struct Waker {
    queues: Mutex<Vec<Arc<Queue>>>,
}

impl Waker {
    /// The queues that the client's thread may be waiting on.
    pub(crate) fn watch(&self, queues: Vec<Arc<Queue>>) {
        *self.queues.lock() = queues;
    }

    pub(crate) fn wake(&self) {
        for queue in self.queues.lock().iter() {
            queue.wake();
        }
    }

    /// The client's thread is about to end: wakes do nothing from now on.
    pub(crate) fn retire(&self) {
        let queues = std::mem::take(&mut *self.queues.lock());
        drop(queues);
    }
}

/// While it lives, the arrival of something in `source` wakes whoever waits on `target`.
pub(crate) struct ReadyHook {
    source: Arc<Queue>,
    target: *const Queue,
}

// SAFETY: both are queues, which any thread may use; `target` is only freed in `drop`.
unsafe impl Send for ReadyHook {}

impl ReadyHook {
    pub(crate) fn new(source: Arc<Queue>, target: Arc<Queue>) -> Self {
        let target = Arc::into_raw(target);
        // SAFETY: `target` lives until `drop`, which disables the callback first.
        unsafe { rd::rd_kafka_queue_cb_event_enable(source.raw, Some(on_ready), target.cast_mut().cast()) };
        Self { source, target }
    }
}

impl Drop for ReadyHook {
    fn drop(&mut self) {
        // SAFETY: the callback runs under the source's lock, which disabling takes: none runs after it. Then the count is ours.
        unsafe {
            rd::rd_kafka_queue_cb_event_enable(self.source.raw, None, std::ptr::null_mut());
            drop(Arc::from_raw(self.target));
        }
    }
}

/// Runs on whichever of librdkafka's threads enqueued, under the source queue's lock: only wakes.
unsafe extern "C" fn on_ready(_rk: *mut rd::rd_kafka_t, target: *mut c_void) {
    fence(|| {
        // SAFETY: `target` is the hook's counted queue, alive while the callback is enabled.
        unsafe { &*target.cast::<Queue>() }.wake();
    });
}
