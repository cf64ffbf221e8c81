//! Offsets recorded and not durable yet, and when the next attempt to write them is due. Plain data behind the
//! recorder's lock; it never waits.

use std::collections::BTreeMap;
use std::mem;
use std::time::{Duration, Instant};

use crate::error::{Error, Result};

/// The wait after a first failure, doubled by each that follows. Also the least distance between two attempts while
/// writing fails and new values arrive: those may be of a partition whose file is well.
const FIRST_RETRY: Duration = Duration::from_millis(100);
const LAST_RETRY: Duration = Duration::from_secs(10);
/// The rest after a round for which nobody waits: a stream of values is one round in so long, and a lone value is written at
/// once. Without it the disk's pace would count, hundreds of rounds a second, and take CPU from consuming.
const REST: Duration = Duration::from_millis(50);

#[derive(Default)]
pub(super) struct Rounds {
    /// Recorded and in no round: the last value of each partition.
    pending: BTreeMap<i32, i64>,
    /// Whether a value came since the last round was taken.
    fresh: bool,
    /// The next attempt is due at once, because somebody waits for it.
    urgent: bool,
    failing: Option<Failing>,
    /// When the last round became durable.
    durable: Option<Instant>,
    /// How many values were recorded, and how many of the first of them are done with: durable, or given up.
    recorded: u64,
    accounted: u64,
    /// Some value was given up.
    lost: bool,
}

/// The last attempt failed.
struct Failing {
    error: Error,
    at: Instant,
    retry: Duration,
}

/// Offsets that one attempt writes: all that was pending.
pub(super) struct Round {
    pub(super) offsets: Vec<(i32, i64)>,
    /// The value of `recorded` that this round brings `accounted` to.
    recorded: u64,
}

impl Rounds {
    pub(super) fn record(&mut self, partition: i32, offset: i64) {
        self.pending.insert(partition, offset);
        self.recorded += 1;
        self.fresh = true;
    }

    pub(super) fn is_empty(&self) -> bool {
        self.pending.is_empty()
    }

    /// How many values were recorded so far; [`is_accounted`](Self::is_accounted) knows whether they are done with.
    pub(super) fn recorded(&self) -> u64 {
        self.recorded
    }

    pub(super) fn is_accounted(&self, recorded: u64) -> bool {
        self.accounted >= recorded
    }

    pub(super) fn has_lost(&self) -> bool {
        self.lost
    }

    pub(super) fn is_failing(&self) -> bool {
        self.failing.is_some()
    }

    /// Somebody waits: the next attempt is due now.
    pub(super) fn hurry(&mut self) {
        self.urgent = true;
    }

    pub(super) fn is_urgent(&self) -> bool {
        self.urgent
    }

    /// When the next attempt is due.
    pub(super) fn due(&self, now: Instant) -> Instant {
        match (&self.failing, self.durable) {
            _ if self.urgent => now,
            (Some(failing), _) => failing.at + if self.fresh { FIRST_RETRY } else { failing.retry },
            (None, Some(durable)) => durable + REST,
            (None, None) => now,
        }
    }

    pub(super) fn take(&mut self) -> Round {
        if let (true, Some(failing)) = (self.urgent, &mut self.failing) {
            // Somebody waits for it, so the retries start small again.
            failing.retry = FIRST_RETRY / 2;
        }
        self.fresh = false;
        self.urgent = false;
        Round { offsets: mem::take(&mut self.pending).into_iter().collect(), recorded: self.recorded }
    }

    /// The round is durable. Says whether the one before it had failed.
    pub(super) fn succeeded(&mut self, round: &Round, at: Instant) -> bool {
        self.accounted = round.recorded;
        self.durable = Some(at);
        self.failing.take().is_some()
    }

    /// The round failed: its values are pending again, except where a later one came. Says whether that is news.
    pub(super) fn failed(&mut self, round: Round, error: &Error, at: Instant) -> bool {
        for (partition, offset) in round.offsets {
            self.pending.entry(partition).or_insert(offset);
        }
        self.note_failure(error, at)
    }

    /// An attempt failed before it took a round. Says whether that is news.
    pub(super) fn note_failure(&mut self, error: &Error, at: Instant) -> bool {
        let retry = self.failing.as_ref().map_or(FIRST_RETRY, |failing| (failing.retry * 2).min(LAST_RETRY));
        self.failing.replace(Failing { error: error.clone(), at, retry }).is_none()
    }

    /// The round is over, however it ended, and is not tried again.
    pub(super) fn settled(&mut self, round: &Round, lost: bool) {
        self.accounted = round.recorded;
        self.lost |= lost;
    }

    /// Drops what is pending. The error says what that was and, as its cause, why.
    pub(super) fn give_up(&mut self) -> Result<()> {
        let round = self.take();
        self.settled(&round, true);
        let list: Vec<_> = round.offsets.iter().map(|(partition, offset)| format!("{partition}: {offset}")).collect();
        let mut error = Error::offsets(format!(
            "these offsets (partition: offset) could not all be recorded before the deadline, so messages up to them \
             may be delivered again: {}",
            list.join(", ")
        ));
        error.partition = round.offsets.first().map(|(partition, _)| *partition);
        Err(match self.failing.take() {
            Some(Failing { error: cause, .. }) => {
                error.topic.clone_from(&cause.topic);
                error.partition = cause.partition.or(error.partition);
                error.because(cause)
            }
            None => error,
        })
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn full() -> Error {
        let mut error = Error::offsets("the disk is full");
        error.partition = Some(3);
        error
    }

    fn millis(millis: u64) -> Duration {
        Duration::from_millis(millis)
    }

    #[test]
    fn the_last_value_of_each_partition_goes_into_the_round_even_if_it_is_lower() {
        let mut rounds = Rounds::default();
        for (partition, offset) in [(1, 10), (0, 5), (1, 20), (0, 3)] {
            rounds.record(partition, offset);
        }
        let round = rounds.take();
        assert_eq!(round.offsets, [(0, 3), (1, 20)]);
        assert!(rounds.is_empty() && !rounds.is_accounted(1));
        assert!(!rounds.succeeded(&round, Instant::now()));
        assert!(rounds.is_accounted(4));
    }

    #[test]
    fn a_failed_round_comes_back_without_replacing_later_values() {
        let mut rounds = Rounds::default();
        rounds.record(0, 5);
        rounds.record(1, 5);
        let round = rounds.take();
        rounds.record(1, 9);
        assert!(rounds.failed(round, &full(), Instant::now()), "the first failure is news");
        let round = rounds.take();
        assert_eq!(round.offsets, [(0, 5), (1, 9)]);
        assert!(!rounds.failed(round, &full(), Instant::now()), "the second is not");
        let round = rounds.take();
        assert!(rounds.succeeded(&round, Instant::now()), "that it works again is");
        assert!(!rounds.has_lost() && rounds.is_accounted(3));
    }

    #[test]
    fn retries_double_from_100_milliseconds_to_10_seconds() {
        let now = Instant::now();
        let mut rounds = Rounds::default();
        rounds.record(0, 5);
        assert_eq!(rounds.due(now), now);
        for wait in [100, 200, 400, 800, 1600, 3200, 6400, 10_000, 10_000] {
            let round = rounds.take();
            rounds.failed(round, &full(), now);
            assert_eq!(rounds.due(now), now + millis(wait));
        }
        rounds.record(1, 5);
        assert_eq!(rounds.due(now), now + millis(100), "a new value may be of a healthy file");
        rounds.hurry();
        assert_eq!(rounds.due(now), now, "somebody waits");
        let round = rounds.take();
        rounds.failed(round, &full(), now);
        assert_eq!(rounds.due(now), now + millis(100), "and keeps waiting");
    }

    #[test]
    fn a_stream_of_values_is_a_round_in_so_long_and_a_lone_one_is_due_at_once() {
        let now = Instant::now();
        let mut rounds = Rounds::default();
        rounds.record(0, 5);
        assert_eq!(rounds.due(now), now);
        let round = rounds.take();
        rounds.succeeded(&round, now);
        rounds.record(0, 6);
        assert_eq!(rounds.due(now), now + REST);
        assert!(rounds.due(now + REST) <= now + REST, "the rest is over");
        rounds.hurry();
        assert_eq!(rounds.due(now), now, "somebody waits");
    }

    #[test]
    fn what_is_given_up_is_named_with_its_cause() {
        let mut rounds = Rounds::default();
        rounds.record(2, 7);
        rounds.record(3, 42);
        let round = rounds.take();
        rounds.failed(round, &full(), Instant::now());
        let error = rounds.give_up().unwrap_err();
        assert_eq!(error.partition, Some(3));
        for part in ["2: 7", "3: 42", "the disk is full"] {
            assert!(error.to_string().contains(part), "{error}");
        }
        assert!(rounds.has_lost() && rounds.is_accounted(2) && rounds.is_empty());
    }
}
