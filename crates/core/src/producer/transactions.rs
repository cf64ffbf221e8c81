//! Transactions: what is sent between begin and commit is seen whole or not at all by those who read committed messages.

use std::sync::Arc;
use std::time::Duration;

use super::{Command, Producer};
use crate::code;
use crate::error::{Error, ErrorKind, Result};
use crate::ffi::{Client, GroupMetadata, Partitions};
use crate::group::TopicPartitionOffset;
use crate::helper::ANSWER;
use crate::reply::Reply;

/// The group whose offsets a transaction commits.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum ConsumerGroup {
    /// By its id: a member that the group has replaced meanwhile is not noticed.
    Id(String),
    /// As one of its members wrote it: the broker refuses a member that the group has replaced.
    Metadata(Vec<u8>),
}

/// Transactions need the property `transactional.id`. Each call runs behind everything that was sent before it, on the helper
/// thread; the forms that end in `_with` answer there.
///
/// # Errors
/// [`retriable`](Error::retriable): the same call can be made again. [`txn_requires_abort`](Error::txn_requires_abort): only
/// [`abort_transaction`](Self::abort_transaction) is left. [`fatal`](Error::fatal): the producer is of no further use; with
/// `_FENCED` because a younger producer has its `transactional.id`.
impl Producer {
    /// Finds the transaction coordinator and ends what an older producer with this `transactional.id` left; once, before the
    /// first transaction.
    pub fn init_transactions(&self, timeout: Duration) -> Result<()> {
        self.helper.wait(timeout, |reply| self.init_transactions_with(timeout, reply))
    }

    /// [`init_transactions`](Self::init_transactions) that answers on another thread.
    pub fn init_transactions_with(&self, timeout: Duration, reply: Reply<()>) {
        self.behind_sends(reply, move |client| client.init_transactions(timeout));
    }

    /// Begins a transaction: what is sent from now on belongs to it. Waits for 15 s at most.
    pub fn begin_transaction(&self) -> Result<()> {
        self.helper.answered(ANSWER, |reply| self.begin_transaction_with(reply))
    }

    /// [`begin_transaction`](Self::begin_transaction) that answers on another thread.
    pub fn begin_transaction_with(&self, reply: Reply<()>) {
        self.behind_sends(reply, |client| client.begin_transaction());
    }

    /// Makes the offsets of a group (the next to be read) part of the transaction: they are committed when it is.
    pub fn send_offsets(
        &self,
        group: &ConsumerGroup,
        offsets: &[TopicPartitionOffset],
        timeout: Duration,
    ) -> Result<()> {
        self.helper.wait(timeout, |reply| self.send_offsets_with(group, offsets, timeout, reply))
    }

    /// [`send_offsets`](Self::send_offsets) that answers on another thread.
    pub fn send_offsets_with(
        &self,
        group: &ConsumerGroup,
        offsets: &[TopicPartitionOffset],
        timeout: Duration,
        reply: Reply<()>,
    ) {
        let group = match group {
            ConsumerGroup::Id(id) => GroupMetadata::of_group(id),
            ConsumerGroup::Metadata(bytes) => GroupMetadata::read(bytes),
        };
        let offsets = offsets.to_vec();
        self.behind_sends(reply, move |client| {
            let offsets = offsets.iter().map(|offset| (offset.topic.as_str(), offset.partition, offset.offset));
            client.send_offsets(&Partitions::list(offsets)?, &group?, timeout)
        });
    }

    /// Delivers what is on its way and commits the transaction. After a time-out the same call can be made again.
    pub fn commit_transaction(&self, timeout: Duration) -> Result<()> {
        self.helper.wait(timeout, |reply| self.commit_transaction_with(timeout, reply))
    }

    /// [`commit_transaction`](Self::commit_transaction) that answers on another thread.
    pub fn commit_transaction_with(&self, timeout: Duration, reply: Reply<()>) {
        self.behind_sends(reply, move |client| client.commit_transaction(timeout));
    }

    /// Purges what is on its way, which fails with `_PURGE_QUEUE` or `_PURGE_INFLIGHT`, and aborts the transaction.
    pub fn abort_transaction(&self, timeout: Duration) -> Result<()> {
        self.helper.wait(timeout, |reply| self.abort_transaction_with(timeout, reply))
    }

    /// [`abort_transaction`](Self::abort_transaction) that answers on another thread.
    pub fn abort_transaction_with(&self, timeout: Duration, reply: Reply<()>) {
        self.behind_sends(reply, move |client| client.abort_transaction(timeout));
    }

    /// Delivers what was sent before, without its linger. Needs no transaction.
    ///
    /// # Errors
    /// `_TIMED_OUT` when something is still on its way at the end of the time.
    pub fn flush(&self, timeout: Duration) -> Result<()> {
        self.helper.wait(timeout, |reply| self.flush_with(timeout, reply))
    }

    /// [`flush`](Self::flush) that answers on another thread.
    pub fn flush_with(&self, timeout: Duration, reply: Reply<()>) {
        self.behind_sends(reply, move |client| match client.flush(timeout) {
            true => Ok(()),
            false => Err(Error::new(
                ErrorKind::Timeout,
                code::TIMED_OUT,
                format!("not everything was delivered within {:.1} s", timeout.as_secs_f64()),
            )),
        });
    }

    /// Runs what blocks on the helper thread when everything that was sent before is with librdkafka.
    fn behind_sends(&self, reply: Reply<()>, call: impl FnOnce(&Client) -> Result<()> + Send + 'static) {
        let reply = self.shared.troubles.guard(reply);
        let shared = self.shared.clone();
        let job = move |client: &Arc<Client>| {
            reply.send(call(client).map_err(|error| match shared.troubles.last() {
                Some(cause) if error.code == code::TIMED_OUT => error.because(cause),
                _ => error,
            }))
        };
        self.command(Command::Run { topic: None, job: Box::new(job) });
    }
}
