//! Which offsets are finished, in whatever order the batches finish.

use std::collections::{BTreeMap, HashMap};

/// Tracks the batches that were handed over and are not settled yet: their bytes, and how far each partition may be
/// recorded. Only the contiguous finished prefix of a partition is recordable, so that a crash repeats messages and
/// never skips one.
///
/// Memory is proportional to the batches that are outstanding. A run that finishes behind a stuck batch is folded into the
/// outstanding run before it, so one batch that never settles costs one entry, not one for each batch after it.
#[derive(Debug, Default)]
pub struct Tracker {
    /// Outstanding batches: what each holds of which partition.
    batches: HashMap<u64, Batch>,
    partitions: HashMap<i32, Partition>,
    bytes: u64,
}

#[derive(Debug, Default)]
struct Batch {
    shares: Vec<Share>,
    /// The partition of each run.
    runs: Vec<i32>,
}

/// The messages of one partition that one batch holds.
#[derive(Debug)]
struct Share {
    partition: i32,
    bytes: u64,
    /// Runs that are neither settled nor dropped.
    runs: u32,
}

#[derive(Debug, Default)]
struct Partition {
    /// The runs that may still be recorded, by batch. Bytes are kept apart from them: a run that was forgotten no
    /// longer counts here, and its memory is occupied all the same.
    runs: BTreeMap<u64, Run>,
    bytes: u64,
    /// The last offset that was reported as recordable.
    recorded: Option<i64>,
    /// A batch was dropped: nothing handed over since then may be recorded, until the partition is reset.
    broken: bool,
    /// Runs were freed one by one: what is done is the receiver's business.
    freed: bool,
}

#[derive(Debug)]
struct Run {
    last_offset: i64,
    /// The last offset that is finished behind this run and before the next outstanding one.
    finished_behind: Option<i64>,
}

impl Partition {
    /// The batch's run of this partition is processed.
    fn finish(&mut self, batch: u64, partition: i32, recordable: &mut Vec<(i32, i64)>) {
        let Some(run) = self.runs.remove(&batch) else { return };
        let finished = run.finished_behind.unwrap_or(run.last_offset);
        if let Some((_, before)) = self.runs.range_mut(..batch).next_back() {
            before.finished_behind = Some(finished);
        } else if self.recorded.is_none_or(|recorded| finished > recorded) {
            self.recorded = Some(finished);
            recordable.push((partition, finished));
        }
    }

    /// Nothing at or after the batch is recordable any more. Without a run the partition was reset after it went out, and
    /// it is no part of what counts.
    fn leave_out(&mut self, batch: u64) {
        if self.runs.contains_key(&batch) {
            self.runs.split_off(&batch);
            self.broken = true;
        }
    }
}

impl Tracker {
    /// A tracker without batches.
    pub fn new() -> Self {
        Self::default()
    }

    /// A run of one partition, ending at `last_offset`, goes out in `batch` and occupies `bytes` until it is settled
    /// or dropped. Batches come in rising order; several runs of one partition in one batch count as one.
    pub fn handed_over(&mut self, batch: u64, partition: i32, last_offset: i64, bytes: u64) {
        let Batch { shares, runs } = self.batches.entry(batch).or_default();
        runs.push(partition);
        match shares.iter_mut().find(|share| share.partition == partition) {
            Some(share) => {
                share.bytes = share.bytes.saturating_add(bytes);
                share.runs += 1;
            }
            None => shares.push(Share { partition, bytes, runs: 1 }),
        }
        self.bytes = self.bytes.saturating_add(bytes);

        let state = self.partitions.entry(partition).or_default();
        state.bytes = state.bytes.saturating_add(bytes);
        if !state.broken {
            let run = state.runs.entry(batch).or_insert(Run { last_offset, finished_behind: None });
            run.last_offset = last_offset;
        }
    }

    /// The batch was processed. Adds each partition whose recordable offset rose, with that offset, to `recordable`
    /// and returns the bytes freed. An unknown or already settled batch changes nothing.
    ///
    /// Pass the offsets on under the lock that guards the tracker: two threads that settle could otherwise record in
    /// the wrong order, and the last value recorded wins.
    pub fn settle(&mut self, batch: u64, recordable: &mut Vec<(i32, i64)>) -> u64 {
        self.take(batch, |partition, state| state.finish(batch, partition, recordable))
    }

    /// One run of the batch (its number among those handed over) needs its bytes no longer. The last run of a partition
    /// settles what the batch holds of it: returns the partition then, with the bytes freed. Once a run.
    pub(crate) fn settle_run(&mut self, batch: u64, run: usize) -> Option<(i32, u64)> {
        let entry = self.batches.get_mut(&batch)?;
        let partition = *entry.runs.get(run)?;
        let at = entry.shares.iter().position(|share| share.partition == partition)?;
        entry.shares[at].runs -= 1;
        if entry.shares[at].runs > 0 {
            return None;
        }
        let freed = entry.shares.swap_remove(at).bytes;
        if entry.shares.is_empty() {
            self.batches.remove(&batch);
        }
        self.bytes = self.bytes.saturating_sub(freed);
        if let Some(state) = self.partitions.get_mut(&partition) {
            state.bytes = state.bytes.saturating_sub(freed);
            state.freed = true;
            state.finish(batch, partition, &mut Vec::new());
        }
        Some((partition, freed))
    }

    /// The batch will never be processed. Returns the bytes freed. Of its partitions nothing at or after it is
    /// recordable any more, which repeats messages and never skips one; what was handed over before it still is, and
    /// [`forget`](Self::forget) starts the partition anew.
    pub fn drop_batch(&mut self, batch: u64) -> u64 {
        self.take(batch, |_, state| state.leave_out(batch))
    }

    /// Removes the batch, counts its bytes back and visits the partitions in it.
    fn take(&mut self, batch: u64, mut visit: impl FnMut(i32, &mut Partition)) -> u64 {
        let mut freed = 0u64;
        for share in self.batches.remove(&batch).unwrap_or_default().shares {
            freed = freed.saturating_add(share.bytes);
            if let Some(state) = self.partitions.get_mut(&share.partition) {
                state.bytes = state.bytes.saturating_sub(share.bytes);
                visit(share.partition, state);
            }
        }
        self.bytes = self.bytes.saturating_sub(freed);
        freed
    }

    /// The partition was reset to another position (log truncated, topic created again, sought). An outstanding run
    /// no longer counts for recording, though its bytes are occupied until it is settled; what is handed over from
    /// now on does, and may be lower than before.
    pub fn forget(&mut self, partition: i32) {
        if let Some(state) = self.partitions.get_mut(&partition) {
            state.runs.clear();
            state.recorded = None;
            state.broken = false;
        }
    }

    /// Whether something below this offset was handed over and is not done.
    pub(crate) fn is_outstanding(&self, partition: i32, end: i64) -> bool {
        let Some(state) = self.partitions.get(&partition) else { return false };
        // A run begins behind the one before it, or behind what is done.
        let before = state.runs.values().map(|run| run.finished_behind.unwrap_or(run.last_offset));
        let begins = std::iter::once(state.recorded.unwrap_or(-1)).chain(before).map(|last| last + 1);
        state.broken || begins.take(state.runs.len()).any(|begin| begin < end)
    }

    /// The messages behind all that was handed over, up to this offset, are not for the receiver: they are done when all before them is. Returns
    /// whether the offset is recordable now.
    pub(crate) fn left_out(&mut self, partition: i32, last: i64) -> bool {
        let state = self.partitions.entry(partition).or_default();
        if state.broken || state.freed {
            return false;
        }
        if let Some((_, run)) = state.runs.iter_mut().next_back() {
            run.finished_behind = Some(last);
            return false;
        }
        let rises = state.recorded.is_none_or(|recorded| last > recorded);
        if rises {
            state.recorded = Some(last);
        }
        rises
    }

    /// The partition begins behind this offset, which is recorded already.
    pub(crate) fn begin_behind(&mut self, partition: i32, last: i64) {
        self.partitions.entry(partition).or_default().recorded = Some(last);
    }

    /// The partition's log was cut off at this offset, and the partition goes on there, before what was handed over last. A
    /// run outstanding from before counts as far as it lies below: until it is settled nothing behind it is recordable.
    /// Returns what is recordable now, if that has fallen; -1 = nothing.
    pub(crate) fn fall_back(&mut self, partition: i32, offset: i64) -> Option<i64> {
        let state = self.partitions.get_mut(&partition)?;
        let last = offset - 1;
        for run in state.runs.values_mut() {
            run.last_offset = run.last_offset.min(last);
            run.finished_behind = run.finished_behind.map(|finished| finished.min(last));
        }
        let fallen = state.recorded.is_some_and(|recorded| recorded > last);
        if fallen {
            state.recorded = Some(last);
        }
        fallen.then_some(last)
    }

    /// The partition goes on at what this batch had of it first: what was handed over from this batch on no longer counts,
    /// what was before does.
    pub(crate) fn forget_from(&mut self, partition: i32, batch: u64) {
        if let Some(state) = self.partitions.get_mut(&partition) {
            state.runs.split_off(&batch);
        }
    }

    /// These runs of the batch will never be processed, the others may: as [`drop_batch`](Self::drop_batch) for their
    /// partitions, whose bytes stay occupied until the batch is settled.
    pub(crate) fn leave_out(&mut self, batch: u64, runs: &[usize]) {
        let Some(entry) = self.batches.get(&batch) else { return };
        for partition in runs.iter().filter_map(|run| entry.runs.get(*run)) {
            if let Some(state) = self.partitions.get_mut(partition) {
                state.leave_out(batch);
            }
        }
    }

    /// Bytes handed over and neither settled nor dropped.
    pub fn outstanding_bytes(&self) -> u64 {
        self.bytes
    }

    /// The same for one partition.
    pub fn outstanding_bytes_of(&self, partition: i32) -> u64 {
        self.partitions.get(&partition).map_or(0, |state| state.bytes)
    }

    /// Batches handed over and neither settled nor dropped.
    pub fn outstanding_batches(&self) -> usize {
        self.batches.len()
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn settle(tracker: &mut Tracker, batch: u64) -> Vec<(i32, i64)> {
        let mut recordable = Vec::new();
        tracker.settle(batch, &mut recordable);
        recordable
    }

    #[test]
    fn batches_that_finish_in_order_are_recorded_one_by_one() {
        let mut tracker = Tracker::new();
        tracker.handed_over(1, 0, 9, 100);
        tracker.handed_over(2, 0, 19, 50);
        assert_eq!(tracker.outstanding_bytes(), 150);
        assert_eq!(settle(&mut tracker, 1), [(0, 9)]);
        assert_eq!(settle(&mut tracker, 2), [(0, 19)]);
        assert_eq!(tracker.outstanding_bytes(), 0);
    }

    #[test]
    fn a_stuck_batch_holds_its_partition_back_and_no_other() {
        let mut tracker = Tracker::new();
        tracker.handed_over(1, 0, 9, 1);
        tracker.handed_over(2, 0, 19, 1);
        tracker.handed_over(2, 1, 7, 1);
        tracker.handed_over(3, 0, 29, 1);
        assert_eq!(settle(&mut tracker, 3), []);
        assert_eq!(settle(&mut tracker, 2), [(1, 7)]);
        assert_eq!(settle(&mut tracker, 1), [(0, 29)]);
    }

    #[test]
    fn a_batch_that_never_settles_costs_one_entry_however_many_settle_after_it() {
        let mut tracker = Tracker::new();
        tracker.handed_over(0, 0, 0, 1);
        for batch in 1..100_000 {
            tracker.handed_over(batch, 0, batch as i64, 1);
            assert_eq!(settle(&mut tracker, batch), []);
        }
        assert_eq!(tracker.partitions[&0].runs.len(), 1);
        assert_eq!(tracker.outstanding_batches(), 1);
        assert_eq!(settle(&mut tracker, 0), [(0, 99_999)]);
    }

    #[test]
    fn several_runs_of_a_partition_in_one_batch_count_as_one() {
        let mut tracker = Tracker::new();
        tracker.handed_over(1, 0, 4, 10);
        tracker.handed_over(1, 1, 2, 10);
        tracker.handed_over(1, 0, 8, 10);
        assert_eq!(tracker.outstanding_bytes_of(0), 20);
        let mut recordable = Vec::new();
        assert_eq!(tracker.settle(1, &mut recordable), 30);
        recordable.sort_unstable();
        assert_eq!(recordable, [(0, 8), (1, 2)]);
    }

    #[test]
    fn settling_twice_or_settling_nothing_changes_nothing() {
        let mut tracker = Tracker::new();
        tracker.handed_over(1, 0, 4, 10);
        assert_eq!(settle(&mut tracker, 7), []);
        assert_eq!(settle(&mut tracker, 1), [(0, 4)]);
        assert_eq!(settle(&mut tracker, 1), []);
        assert_eq!(tracker.drop_batch(1), 0);
        assert_eq!(tracker.outstanding_bytes(), 0);
    }

    #[test]
    fn what_is_outstanding_below_an_offset_is_known() {
        let mut tracker = Tracker::new();
        assert!(!tracker.is_outstanding(0, 10));
        tracker.handed_over(1, 0, 9, 1);
        tracker.handed_over(2, 0, 19, 1);
        assert!(tracker.is_outstanding(0, 1));
        settle(&mut tracker, 1);
        assert!(!tracker.is_outstanding(0, 10));
        assert!(tracker.is_outstanding(0, 11));
        settle(&mut tracker, 2);
        assert!(!tracker.is_outstanding(0, 100));
        tracker.handed_over(3, 0, 29, 1);
        tracker.drop_batch(3);
        assert!(tracker.is_outstanding(0, 30), "what was dropped is never done");
    }

    #[test]
    fn what_is_left_out_is_done_when_all_before_it_is() {
        let mut tracker = Tracker::new();
        assert!(tracker.left_out(0, 4));
        assert!(!tracker.left_out(0, 4));
        tracker.handed_over(1, 0, 9, 1);
        tracker.handed_over(2, 0, 19, 1);
        assert!(!tracker.left_out(0, 29));
        assert_eq!(settle(&mut tracker, 2), []);
        assert!(!tracker.left_out(0, 39));
        assert_eq!(settle(&mut tracker, 1), [(0, 39)]);
        assert!(tracker.left_out(0, 49));
    }

    #[test]
    fn what_is_left_out_is_never_done_behind_what_was_dropped_or_is_freed_by_the_receiver() {
        let mut tracker = Tracker::new();
        tracker.handed_over(1, 0, 9, 1);
        tracker.drop_batch(1);
        assert!(!tracker.left_out(0, 19));
        tracker.handed_over(2, 1, 9, 1);
        tracker.settle_run(2, 0);
        assert!(!tracker.left_out(1, 19));
    }

    #[test]
    fn a_dropped_batch_is_repeated_and_never_skipped() {
        let mut tracker = Tracker::new();
        for batch in 1..=4 {
            tracker.handed_over(batch, 0, batch as i64 * 10, 5);
        }
        assert_eq!(settle(&mut tracker, 4), []);
        assert_eq!(tracker.drop_batch(2), 5);
        assert_eq!(settle(&mut tracker, 3), []);
        assert_eq!(settle(&mut tracker, 1), [(0, 10)]);
        tracker.handed_over(5, 0, 50, 5);
        assert_eq!(settle(&mut tracker, 5), [], "nothing after the dropped batch may be recorded");
        assert_eq!(tracker.outstanding_bytes(), 0);

        tracker.forget(0);
        tracker.handed_over(6, 0, 20, 5);
        assert_eq!(settle(&mut tracker, 6), [(0, 20)]);
    }

    #[test]
    fn a_partition_that_was_reset_records_lower_offsets_and_ignores_what_is_left_from_before() {
        let mut tracker = Tracker::new();
        tracker.handed_over(1, 0, 1000, 10);
        tracker.handed_over(2, 0, 2000, 10);
        assert_eq!(settle(&mut tracker, 1), [(0, 1000)]);
        tracker.forget(0);
        tracker.handed_over(3, 0, 5, 10);
        assert_eq!(tracker.outstanding_bytes_of(0), 20);
        assert_eq!(settle(&mut tracker, 3), [(0, 5)]);
        assert_eq!(settle(&mut tracker, 2), []);
        assert_eq!(tracker.outstanding_bytes_of(0), 0);
    }

    #[test]
    fn a_partition_whose_log_was_cut_off_records_what_is_left_and_skips_nothing_that_is_outstanding() {
        let mut tracker = Tracker::new();
        assert_eq!(tracker.fall_back(0, 5), None);
        tracker.handed_over(1, 0, 9, 10);
        tracker.handed_over(2, 0, 19, 10);
        tracker.handed_over(3, 0, 29, 10);
        assert_eq!(settle(&mut tracker, 1), [(0, 9)]);
        assert_eq!(settle(&mut tracker, 3), []);
        // The second batch has some that are still in the log.
        assert_eq!(tracker.fall_back(0, 15), None);
        tracker.handed_over(4, 0, 17, 10);
        assert_eq!(settle(&mut tracker, 4), []);
        assert_eq!(settle(&mut tracker, 2), [(0, 17)]);
        // All that is left was done.
        assert_eq!(tracker.fall_back(0, 12), Some(11));
        tracker.handed_over(5, 0, 13, 10);
        assert_eq!(settle(&mut tracker, 5), [(0, 13)]);
        assert_eq!(tracker.fall_back(0, 0), Some(-1));
        assert_eq!(tracker.outstanding_bytes(), 0);
    }

    #[test]
    fn what_was_recorded_before_the_start_goes_back_too_where_a_log_was_cut_off() {
        let mut tracker = Tracker::new();
        tracker.begin_behind(0, 99);
        tracker.handed_over(1, 0, 119, 10);
        assert_eq!(tracker.fall_back(0, 50), Some(49));
        tracker.handed_over(2, 0, 60, 10);
        assert_eq!(settle(&mut tracker, 2), []);
        assert_eq!(settle(&mut tracker, 1), [(0, 60)]);
    }

    #[test]
    fn a_batch_from_before_a_reset_that_is_dropped_does_not_hold_back_what_came_after_it() {
        let mut tracker = Tracker::new();
        tracker.handed_over(1, 0, 1000, 10);
        tracker.forget(0);
        tracker.handed_over(2, 0, 5, 10);
        tracker.drop_batch(1);
        assert_eq!(settle(&mut tracker, 2), [(0, 5)]);
    }

    /// The same promises, kept the slow and obvious way: every run ever handed over, in order.
    #[derive(Default)]
    struct Model {
        runs: Vec<ModelRun>,
        recorded: HashMap<i32, i64>,
    }

    struct ModelRun {
        batch: u64,
        partition: i32,
        last_offset: i64,
        bytes: u64,
        state: State,
        forgotten: bool,
    }

    #[derive(PartialEq)]
    enum State {
        Outstanding,
        Settled,
        Dropped,
    }

    impl Model {
        fn finish(&mut self, batch: u64, settled: bool) -> (u64, Vec<(i32, i64)>) {
            let mut freed = 0;
            for run in &mut self.runs {
                if run.batch == batch && run.state == State::Outstanding {
                    run.state = if settled { State::Settled } else { State::Dropped };
                    freed += run.bytes;
                }
            }
            let mut rose = Vec::new();
            for partition in 0..3 {
                let finished = self
                    .runs
                    .iter()
                    .filter(|run| run.partition == partition && !run.forgotten)
                    .take_while(|run| run.state == State::Settled)
                    .last()
                    .map(|run| run.last_offset);
                if let Some(offset) = finished {
                    if self.recorded.get(&partition).is_none_or(|recorded| offset > *recorded) {
                        self.recorded.insert(partition, offset);
                        rose.push((partition, offset));
                    }
                }
            }
            (freed, rose)
        }

        fn outstanding(&self, partition: i32) -> u64 {
            let outstanding = self.runs.iter().filter(|run| run.state == State::Outstanding);
            outstanding.filter(|run| run.partition == partition).map(|run| run.bytes).sum()
        }
    }

    /// xorshift64: the same sequence on every machine.
    struct Random(u64);

    impl Random {
        fn below(&mut self, limit: u64) -> u64 {
            self.0 ^= self.0 << 13;
            self.0 ^= self.0 >> 7;
            self.0 ^= self.0 << 17;
            self.0 % limit
        }
    }

    #[test]
    fn whatever_the_order_it_agrees_with_a_model_that_remembers_everything() {
        for seed in 1..=300u64 {
            let mut random = Random(seed.wrapping_mul(0x9E37_79B9_7F4A_7C15));
            let (mut tracker, mut model) = (Tracker::new(), Model::default());
            let mut next_offset = [0i64; 3];
            let mut batches = 0;
            for _ in 0..200 {
                match random.below(20) {
                    0..=8 => {
                        batches += 1;
                        for _ in 0..=random.below(4) {
                            let partition = random.below(3) as i32;
                            let bytes = random.below(1000);
                            // Offsets have holes: compaction and transaction markers.
                            next_offset[partition as usize] += 1 + random.below(5) as i64;
                            let last_offset = next_offset[partition as usize];
                            tracker.handed_over(batches, partition, last_offset, bytes);
                            model.runs.push(ModelRun {
                                batch: batches,
                                partition,
                                last_offset,
                                bytes,
                                state: State::Outstanding,
                                forgotten: false,
                            });
                        }
                    }
                    9 if random.below(4) == 0 => {
                        let partition = random.below(3) as i32;
                        next_offset[partition as usize] = random.below(50) as i64;
                        tracker.forget(partition);
                        model.recorded.remove(&partition);
                        for run in model.runs.iter_mut().filter(|run| run.partition == partition) {
                            run.forgotten = true;
                        }
                    }
                    10 if random.below(3) == 0 => {
                        let batch = 1 + random.below(batches + 1);
                        assert_eq!(tracker.drop_batch(batch), model.finish(batch, false).0);
                    }
                    _ => {
                        // Mostly recent batches, so that prefixes do complete; sometimes any, or one that is unknown.
                        let back = if random.below(3) == 0 { batches + 1 } else { 6 };
                        let batch = (batches + 1).saturating_sub(random.below(back.max(1)));
                        let (freed, rose) = model.finish(batch, true);
                        let mut recordable = Vec::new();
                        assert_eq!(tracker.settle(batch, &mut recordable), freed, "seed {seed}");
                        recordable.sort_unstable();
                        assert_eq!(recordable, rose, "seed {seed}");
                    }
                }
                for partition in 0..3 {
                    assert_eq!(tracker.outstanding_bytes_of(partition), model.outstanding(partition));
                }
                assert_eq!(tracker.outstanding_bytes(), (0..3).map(|p| model.outstanding(p)).sum::<u64>());
            }
        }
    }
}
