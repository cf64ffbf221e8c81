//! Where a consumer stands in each of its partitions.

use std::collections::BTreeMap;

use super::Reset;
use crate::ffi::Truncation;

/// One partition that is pulled from.
#[derive(Debug, Clone)]
pub(super) struct Place {
    /// The next offset to hand over; none until the first message shows where the log begins (or ends).
    pub(super) next: Option<i64>,
    /// The epoch of the leader under which the message before that was written; -1: not known.
    pub(super) leader_epoch: i32,
    /// Counts the assignments of the partition.
    pub(super) epoch: i32,
    /// The log does not have `next`; the watermarks are being asked for.
    pub(super) lost: bool,
    /// Why, if it is because the log was cut off.
    pub(super) truncation: Option<Truncation>,
}

#[derive(Default)]
pub(super) struct Places {
    map: BTreeMap<i32, Place>,
}

/// The move of a partition whose position the log does not have.
#[derive(Debug, PartialEq, Eq)]
pub(super) struct Relocation {
    /// Where it goes on; none when the user's setting says that it stands still.
    pub(super) to: Option<i64>,
    /// The epoch of the leader under which the message before that was written; -1: not known.
    pub(super) leader_epoch: i32,
    /// Offsets that were deleted before they could be read.
    pub(super) misses: u64,
    /// Whether the log goes back: messages with lower offsets come again.
    pub(super) repeat: bool,
}

impl Places {
    pub(super) fn insert(&mut self, partition: i32, next: Option<i64>) {
        self.map.insert(partition, Place { next, leader_epoch: -1, epoch: 0, lost: false, truncation: None });
    }

    pub(super) fn get(&self, partition: i32) -> Option<&Place> {
        self.map.get(&partition)
    }

    pub(super) fn get_mut(&mut self, partition: i32) -> Option<&mut Place> {
        self.map.get_mut(&partition)
    }

    pub(super) fn partitions(&self) -> Vec<i32> {
        self.map.keys().copied().collect()
    }

    pub(super) fn iter(&self) -> impl Iterator<Item = (i32, &Place)> {
        self.map.iter().map(|(partition, place)| (*partition, place))
    }

    /// Judges a lost position against the log's watermarks.
    pub(super) fn relocate(&self, partition: i32, (low, high): (i64, i64), reset: Reset) -> Relocation {
        let to = match reset {
            Reset::Earliest => Some(low),
            Reset::Latest => Some(high),
            Reset::Error => None,
        };
        let Some(place) = self.get(partition) else { return Relocation::none(to) };
        let Some(next) = place.next else { return Relocation::none(to) };
        match place.truncation {
            // Other messages have taken the offsets from there on, or will: they are read from there, whatever the setting says
            // of positions that are in no log.
            Some(Truncation { offset, leader_epoch }) if offset >= 0 => {
                let from = offset.min(next);
                let back = from.max(low);
                let leader_epoch = if back == offset { leader_epoch } else { -1 };
                Relocation { to: to.map(|_| back), leader_epoch, misses: (back - from) as u64, repeat: true }
            }
            Some(_) => Relocation { repeat: true, ..Relocation::none(to) },
            None if next < low => Relocation { misses: (low - next) as u64, ..Relocation::none(to) },
            None if next > high => Relocation { repeat: true, ..Relocation::none(to) },
            // The log has it again: the trouble was a passing one.
            None => Relocation { leader_epoch: place.leader_epoch, ..Relocation::none(Some(next)) },
        }
    }
}

impl Relocation {
    /// Goes on there, with nothing missed or repeated.
    fn none(to: Option<i64>) -> Self {
        Self { to, leader_epoch: -1, misses: 0, repeat: false }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn at(next: Option<i64>) -> Places {
        let mut places = Places::default();
        places.insert(0, next);
        places
    }

    fn cut(next: i64, offset: i64) -> Places {
        let mut places = at(Some(next));
        places.get_mut(0).unwrap().truncation = Some(Truncation { offset, leader_epoch: 7 });
        places
    }

    fn moved(to: impl Into<Option<i64>>, leader_epoch: i32, misses: u64, repeat: bool) -> Relocation {
        Relocation { to: to.into(), leader_epoch, misses, repeat }
    }

    #[test]
    fn what_was_deleted_below_the_log_start_is_missed() {
        assert_eq!(at(Some(10)).relocate(0, (25, 100), Reset::Earliest), moved(25, -1, 15, false));
        assert_eq!(at(Some(10)).relocate(0, (25, 100), Reset::Latest), moved(100, -1, 15, false));
        assert_eq!(at(Some(10)).relocate(0, (25, 100), Reset::Error), moved(None, -1, 15, false));
    }

    #[test]
    fn a_log_that_is_shorter_than_expected_repeats() {
        assert_eq!(at(Some(1000)).relocate(0, (0, 10), Reset::Earliest), moved(0, -1, 0, true));
    }

    #[test]
    fn a_log_that_was_cut_off_is_read_again_from_there_however_far_it_has_grown_since() {
        for high in [50, 80, 500] {
            for reset in [Reset::Earliest, Reset::Latest] {
                assert_eq!(cut(100, 50).relocate(0, (0, high), reset), moved(50, 7, 0, true));
            }
            assert_eq!(cut(100, 50).relocate(0, (0, high), Reset::Error), moved(None, 7, 0, true));
        }
        // Retention was faster: what was written there and is gone is missed.
        assert_eq!(cut(100, 50).relocate(0, (60, 500), Reset::Earliest), moved(60, -1, 10, true));
        // Nothing of what was read is left.
        assert_eq!(cut(100, -1).relocate(0, (0, 500), Reset::Earliest), moved(0, -1, 0, true));
    }

    #[test]
    fn a_position_inside_the_log_is_kept() {
        assert_eq!(at(Some(5)).relocate(0, (0, 10), Reset::Latest), moved(5, -1, 0, false));
        let mut known = at(Some(10));
        known.get_mut(0).unwrap().leader_epoch = 3;
        assert_eq!(known.relocate(0, (0, 10), Reset::Latest), moved(10, 3, 0, false));
    }
}
