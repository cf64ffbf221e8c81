//! Where a consumer stands in each of its partitions.

use std::collections::BTreeMap;

use super::Reset;

/// One partition that is pulled from.
#[derive(Debug, Clone)]
pub(super) struct Place {
    /// The next offset to hand over; none until the first message shows where the log begins (or ends).
    pub(super) next: Option<i64>,
    /// Counts the assignments of the partition.
    pub(super) epoch: i32,
    /// The log does not have `next`; the watermarks are being asked for.
    pub(super) lost: bool,
}

#[derive(Default)]
pub(super) struct Places {
    map: BTreeMap<i32, Place>,
}

/// What a partition does whose position the log does not have.
#[derive(Debug, PartialEq, Eq)]
pub(super) struct Relocation {
    /// Where it goes on; none when the user's setting says that it stands still.
    pub(super) to: Option<i64>,
    /// Offsets that were deleted before they could be read.
    pub(super) misses: u64,
    /// Whether the log goes back: messages with lower offsets come again.
    pub(super) repeat: bool,
}

impl Places {
    pub(super) fn insert(&mut self, partition: i32, next: Option<i64>) {
        self.map.insert(partition, Place { next, epoch: 0, lost: false });
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
        match self.get(partition).and_then(|place| place.next) {
            Some(next) if next < low => Relocation { to, misses: (low - next) as u64, repeat: false },
            Some(next) if next > high => Relocation { to, misses: 0, repeat: true },
            // The log has it again: the trouble was a passing one.
            Some(next) => Relocation { to: Some(next), misses: 0, repeat: false },
            None => Relocation { to, misses: 0, repeat: false },
        }
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

    #[test]
    fn what_was_deleted_below_the_log_start_is_missed() {
        let relocation = at(Some(10)).relocate(0, (25, 100), Reset::Earliest);
        assert_eq!(relocation, Relocation { to: Some(25), misses: 15, repeat: false });
        assert_eq!(at(Some(10)).relocate(0, (25, 100), Reset::Latest).to, Some(100));
        assert_eq!(
            at(Some(10)).relocate(0, (25, 100), Reset::Error),
            Relocation { to: None, misses: 15, repeat: false }
        );
    }

    #[test]
    fn a_log_that_is_shorter_than_expected_repeats() {
        let relocation = at(Some(1000)).relocate(0, (0, 10), Reset::Earliest);
        assert_eq!(relocation, Relocation { to: Some(0), misses: 0, repeat: true });
    }

    #[test]
    fn a_position_inside_the_log_is_kept() {
        assert_eq!(at(Some(5)).relocate(0, (0, 10), Reset::Latest).to, Some(5));
        assert_eq!(at(Some(10)).relocate(0, (0, 10), Reset::Latest).to, Some(10));
    }
}
