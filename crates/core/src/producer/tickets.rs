//! Waiters, and the messages whose delivery they wait for.

use super::record::Delivery;
use crate::error::{Error, Result};
use crate::ffi::Message;
use crate::reply::Reply;

/// The outcome of the messages of one [`Ticket`](super::Ticket): all are delivered or have failed.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Receipt {
    /// The ticket's.
    pub id: u32,
    /// The first failure; the other messages may be written all the same.
    pub error: Option<Error>,
    /// Where the messages were written, one element a partition.
    pub written: Vec<Written>,
}

/// Where the messages of one ticket were written in one partition.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Written {
    /// The partition.
    pub partition: i32,
    /// The smallest of their offsets; -1 where the broker did not say (`acks=0`).
    pub base_offset: i64,
    /// Milliseconds since 1970 when the broker appended them; -1 where it keeps the time that the producer gave.
    pub append_time: i64,
}

/// Of each message, in order.
type Results = Vec<Result<Delivery>>;

/// How somebody waits for the messages of a run.
pub(super) enum Waiter {
    /// Not at all: failures are told in sum.
    Nobody,
    /// For the result of each message.
    Each(Reply<Results>),
    /// For a receipt with this id.
    Receipt(u32),
}

enum Account {
    Each(Results, Reply<Results>),
    Receipt(Receipt),
}

struct Open {
    left: usize,
    account: Account,
}

/// The open accounts. A message carries the place of its account with it.
#[derive(Default)]
pub(super) struct Tickets {
    places: Vec<Option<Open>>,
    /// Places to be used again.
    free: Vec<usize>,
    done: Done,
}

/// Accounts that are through, and nobody was told of yet.
#[derive(Default)]
pub(super) struct Done {
    pub(super) receipts: Vec<Receipt>,
    pub(super) answers: Vec<(Reply<Results>, Results)>,
}

/// The number librdkafka carries along with a message: its account's place + 1 and its index in it; 0 = nobody waits.
pub(super) fn opaque_of(place: Option<usize>, index: usize) -> usize {
    place.map_or(0, |place| ((place + 1) << 32) | index)
}

/// The message's index in its account.
pub(super) fn index_of(opaque: usize) -> usize {
    opaque & 0xffff_ffff
}

#[cfg(not(target_pointer_width = "64"))]
compile_error!("kafka-native needs a 64-bit target: a message's opaque holds two 32-bit numbers");

impl Tickets {
    /// Opens an account for `count` messages, of which those were refused; none when nobody waits, or when everything was
    /// refused and it is answered.
    pub(super) fn open<'a>(
        &mut self,
        waiter: Waiter,
        count: usize,
        refused: impl Iterator<Item = (usize, &'a Error)>,
    ) -> Option<usize> {
        let mut left = count;
        let account = match waiter {
            Waiter::Nobody => return None,
            Waiter::Each(reply) => {
                let mut results = vec![Ok(Delivery { partition: -1, offset: -1 }); count];
                for (index, error) in refused {
                    results[index] = Err(error.clone());
                    left -= 1;
                }
                Account::Each(results, reply)
            }
            Waiter::Receipt(id) => {
                let mut receipt = Receipt { id, error: None, written: Vec::new() };
                for (_, error) in refused {
                    receipt.error.get_or_insert_with(|| error.clone());
                    left -= 1;
                }
                Account::Receipt(receipt)
            }
        };
        if left == 0 {
            self.close(account);
            return None;
        }
        let place = self.free.pop().unwrap_or_else(|| {
            self.places.push(None);
            self.places.len() - 1
        });
        self.places[place] = Some(Open { left, account });
        Some(place)
    }

    /// The message with this opaque was delivered.
    pub(super) fn delivered(&mut self, opaque: usize, message: &Message<'_>) {
        self.punch(opaque, |account, index| match account {
            Account::Each(results, _) => {
                results[index] = Ok(Delivery { partition: message.partition(), offset: message.offset() })
            }
            Account::Receipt(receipt) => receipt.write(message),
        });
    }

    /// The message with this opaque has failed.
    pub(super) fn failed(&mut self, opaque: usize, error: impl FnOnce() -> Error) {
        self.punch(opaque, |account, index| match account {
            Account::Each(results, _) => results[index] = Err(error()),
            Account::Receipt(receipt) => drop(receipt.error.get_or_insert_with(error)),
        });
    }

    fn punch(&mut self, opaque: usize, note: impl FnOnce(&mut Account, usize)) {
        if opaque == 0 {
            return;
        }
        let (place, index) = ((opaque >> 32) - 1, index_of(opaque));
        let Some(open) = &mut self.places[place] else { return };
        note(&mut open.account, index);
        open.left -= 1;
        if open.left == 0 {
            if let Some(open) = self.places[place].take() {
                self.free.push(place);
                self.close(open.account);
            }
        }
    }

    fn close(&mut self, account: Account) {
        match account {
            Account::Each(results, reply) => self.done.answers.push((reply, results)),
            Account::Receipt(receipt) => self.done.receipts.push(receipt),
        }
    }

    pub(super) fn has_done(&self) -> bool {
        !self.done.receipts.is_empty() || !self.done.answers.is_empty()
    }

    /// Accounts that are through since the last call.
    pub(super) fn take_done(&mut self) -> Done {
        std::mem::take(&mut self.done)
    }

    /// Ends with what is open: receipts tell `error`; replies that are dropped answer that the client is gone.
    pub(super) fn end(mut self, error: &Error) -> Done {
        for open in self.places.drain(..).flatten() {
            if let Account::Receipt(mut receipt) = open.account {
                receipt.error.get_or_insert_with(|| error.clone());
                self.done.receipts.push(receipt);
            }
        }
        self.done
    }
}

impl Receipt {
    fn write(&mut self, message: &Message<'_>) {
        // Of an offset that it does not know librdkafka says `INVALID`.
        let (partition, offset) = (message.partition(), message.offset().max(-1));
        match self.written.iter_mut().rfind(|written| written.partition == partition) {
            Some(written) => written.base_offset = written.base_offset.min(offset),
            None => {
                let append_time = match message.timestamp() {
                    (time, 2) => time,
                    _ => -1,
                };
                self.written.push(Written { partition, base_offset: offset, append_time });
            }
        }
    }
}
