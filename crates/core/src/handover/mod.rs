//! How messages get from librdkafka's queue to a consumer's receiver: taken as far as the credit goes, handed over by the batch.
//! The same for a consumer without a group and a member of one.

pub(crate) mod budget;
mod credit;
mod inbox;

use std::sync::Arc;
use std::time::Duration;

pub(crate) use credit::Credit;
pub(crate) use inbox::Inbox;

use crate::batch::{self, Batch, Settler};
use crate::error::Result;
use crate::ffi::{self, Client, Messages, Queue, ReadyHook};
use crate::layout::Run;
use crate::trouble::Troubles;

/// After a start, as many messages are taken at once: their size is not known yet.
const FIRST: usize = 1000;
/// And as many at least, however large they are.
const LEAST: usize = 16;

/// One a client's thread, which drops it, in this order, before it lets the client go.
pub(crate) struct Handover {
    /// Taken and not handed over.
    pub(crate) messages: Messages,
    _hook: ReadyHook,
    /// Messages come to `inbox`, everything else here, so that both can be served without the other.
    pub(crate) events: Arc<Queue>,
    pub(crate) inbox: Arc<Queue>,
    credit: Arc<Credit>,
    settler: Arc<dyn Settler>,
    limits: Limits,
    /// How many messages to take at once: about a batch's worth of bytes, by the size of the newest.
    take: usize,
    /// How many are taken for one that is handed over.
    more: usize,
    client: Arc<Client>,
    /// The receiver has more than it needs.
    behind: bool,
    /// Of the batch that was chosen last.
    pub(crate) runs: Vec<Run>,
    /// The number of the next batch; rising.
    pub(crate) next_batch: u64,
}

/// Numbers of messages.
#[derive(Clone, Copy)]
pub(crate) struct Limits {
    /// A batch has at most.
    pub(crate) batch: usize,
    /// Are taken at once at most.
    pub(crate) take: usize,
    /// Are prefetched for a receiver that waits for them.
    pub(crate) prefetch: i32,
}

impl Handover {
    /// `settler` is told what becomes of the batches.
    pub(crate) fn new(
        client: &Arc<Client>,
        credit: Arc<Credit>,
        settler: Arc<dyn Settler>,
        limits: Limits,
    ) -> Result<Self> {
        let inbox = Arc::new(client.new_queue());
        let events = Arc::new(client.consumer_queue()?);
        credit.waker.watch(vec![inbox.clone(), events.clone()]);
        Ok(Self {
            messages: Messages::new(client, limits.batch),
            _hook: ReadyHook::new(events.clone(), inbox.clone()),
            events,
            inbox,
            credit,
            settler,
            limits,
            take: limits.batch.min(FIRST),
            more: 1,
            client: client.clone(),
            behind: false,
            runs: Vec::new(),
            next_batch: 1,
        })
    }

    /// Whether there is credit for another batch.
    pub(crate) fn has_credit(&self) -> bool {
        self.credit.is_left()
    }

    /// Takes messages, unless some wait that were taken before; for the first it waits this long, or until it is woken. Whether it took
    /// any.
    pub(crate) fn take(&mut self, wait: Duration) -> bool {
        let empty = self.messages.len() == 0;
        if empty {
            if self.behind && self.inbox.len() == 0 && !self.credit.is_holding() {
                self.behind(false);
            }
            let limit = self.take.saturating_mul(self.more).min(self.limits.take);
            self.inbox.consume(&mut self.messages, limit, wait);
        }
        empty && self.messages.len() > 0
    }

    /// Whether the receiver has more than it needs. While it has, little is prefetched; else what the brokers' rate needs.
    pub(crate) fn behind(&mut self, behind: bool) {
        if self.behind != behind {
            self.behind = behind;
            let most = self.limits.prefetch;
            self.client.prefetch(if behind { most.min(budget::FEW_MESSAGES) } else { most });
        }
    }

    /// Of so many that were taken, what is left now is wanted: as much more is taken in the future.
    pub(crate) fn taken(&mut self, count: usize) {
        self.more = (count / self.messages.len().max(1)).max(1);
    }

    /// Out of credit: not draining, so that the bounded prefetch fills and fetching stops. Waits for an event, as long as there
    /// is nothing else to do. Whoever gives credit after the flag is up wakes this thread; whoever gave some before is seen by the
    /// second look. So is a command (`busy`) that came after the first look, because a poll may have swallowed its wake-up.
    pub(crate) fn wait_for_credit<'q>(
        &mut self,
        events: &'q Queue,
        wait: Duration,
        busy: impl FnOnce() -> bool,
    ) -> Option<ffi::Event<'q>> {
        self.credit.starve();
        if self.has_credit() || busy() {
            return None;
        }
        self.behind(true);
        events.poll(wait)
    }

    /// Chooses the next batch from the front of `messages`, which is no error, and of a partition that `place_of` knows: it
    /// tells the topic's number and the assignment's epoch, once a run. The runs are counted by the caller, then it is packed.
    pub(crate) fn choose(
        &mut self,
        place_of: impl Fn(&ffi::Message<'_>) -> Option<(i32, i32)>,
    ) -> (usize, usize, bool) {
        let limits = batch::Limits { count: self.limits.batch, data: batch::DATA, charge: self.credit.bytes_left() };
        batch::choose(&self.messages, limits, &mut self.runs, place_of)
    }

    /// Makes a batch of what was chosen: it is to be told now. Whatever was said of its partitions is over.
    pub(crate) fn pack(
        &mut self,
        chosen: (usize, usize, bool),
        misses: u64,
        repeats: u64,
        topics: Arc<[Arc<str>]>,
        troubles: &Troubles,
    ) -> Batch {
        let packed = batch::pack(&self.messages, chosen, &self.runs, misses, repeats);
        self.messages.release(packed.count);
        self.take = (batch::DATA / (chosen.1 / packed.count).max(1)).max(LEAST).min(self.limits.take);
        if troubles.any() {
            troubles.healed(|topic, partition| {
                let flows = |run: &Run| {
                    *topics[run.topic as usize] == *topic
                        && partition.is_none_or(|partition| partition == run.partition)
                };
                self.runs.iter().any(flows)
            });
        }
        let id = self.next_batch;
        self.next_batch += 1;
        self.credit.told(id, packed.count);
        Batch { id, packed, topics, outdated: Vec::new(), settler: Some(self.settler.clone()) }
    }

    /// How many messages wait here and in the queue.
    pub(crate) fn fetched(&self) -> u64 {
        (self.inbox.len() + self.messages.len()) as u64
    }
}
