//! The parts of a consumer's budget: half for what is prefetched (its bytes a quarter, its overhead a quarter), half for what
//! is handed over.

use crate::config::Properties;
use crate::error::Result;
use crate::layout::MESSAGE_OVERHEAD;

/// How many messages a batch has at most, unless said.
pub(crate) const MAX_MESSAGES: usize = 10_000;
/// How many batches may be told and not started, unless said.
pub(crate) const BATCHES_AHEAD: usize = 4;
/// Messages that are prefetched where the receiver waits for them: what speed needs, more only cost memory.
const PREFETCH_MESSAGES: u64 = 10_000;
/// The same in KiB.
const PREFETCH_KIB: u64 = 4096;
/// Messages that are prefetched for a receiver that has more than it needs.
pub(super) const FEW_MESSAGES: i32 = 1000;
/// A batch's columns are counted in 32 bits, and its messages pin what they came in.
pub(crate) const MOST_MESSAGES: usize = 1_000_000;
const MIB: u64 = 1024 * 1024;

/// Bytes that may be handed over and not yet done.
pub(crate) fn hand_over(budget: u64) -> u64 {
    (budget / 2).max(1)
}

/// How much is fetched ahead under a budget, and that nothing is committed by itself.
pub(crate) struct Fetching {
    /// Unless the user says otherwise.
    pub(crate) defaults: Properties,
    /// Whatever the user says.
    pub(crate) engine: Properties,
    /// Messages that are prefetched for a receiver that waits for them.
    pub(crate) prefetch: i32,
}

/// Takes from the user's properties those that the budget bounds.
pub(crate) fn fetching(user: &mut Properties, budget: u64) -> Result<Fetching> {
    let quarter = budget / 4;
    let prefetch_kib = user
        .take_number("queued.max.messages.kbytes", 1, 2_097_151)?
        .unwrap_or(PREFETCH_KIB)
        .min((quarter / 1024).max(1));
    let prefetch_messages = user
        .take_number("queued.min.messages", 1, 10_000_000)?
        .unwrap_or(PREFETCH_MESSAGES)
        .min((quarter / MESSAGE_OVERHEAD as u64).max(1));

    let mut defaults = Properties::defaults(user);
    // A full prefetch queue stops fetching for this long; librdkafka's 1000 makes bursts of one second.
    defaults.set("fetch.queue.backoff.ms", 2);
    // A batch that was garbled on its way is fetched again, as in Java's client.
    defaults.set("check.crcs", true);
    defaults.set("fetch.max.bytes", quarter.clamp(MIB, 52_428_800));
    // As fast as 1 MiB, and what waits to be handed over is half of it. Where the round trip is long, more is faster.
    defaults.set("max.partition.fetch.bytes", MIB / 2);
    let mut engine = Properties::default();
    engine.set("queued.max.messages.kbytes", prefetch_kib);
    engine.set("queued.min.messages", prefetch_messages);
    engine.set("enable.auto.commit", false);
    engine.set("enable.auto.offset.store", false);
    engine.set("enable.partition.eof", false);
    engine.set("log.queue", true);
    Ok(Fetching { defaults, engine, prefetch: i32::try_from(prefetch_messages).unwrap_or(i32::MAX) })
}
