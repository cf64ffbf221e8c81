//! The store of the classic API: a directory with one file per partition.

use std::collections::BTreeMap;
use std::path::{Path, PathBuf};
use std::sync::Arc;
use std::time::Duration;

use super::file::{self, Names};
use super::lock::{PartitionLock, PATIENCE};
use super::OffsetStore;
use crate::code;
use crate::error::{Error, Result};

/// Offsets of one topic in files: `<directory>/<topic>-<partition>.offset`, each holding the last processed offset
/// as a decimal number and a newline.
///
/// Each file is replaced atomically and synced, the directory too, so that a crash leaves the old number or the new
/// one. Each partition is locked against a second holder with a file beside it, `.<topic>-<partition>.lock`.
pub struct OffsetDirectory {
    names: Names,
    held: BTreeMap<i32, Held>,
    warn: Arc<dyn Fn(String) + Send + Sync>,
    warned_of_locks: bool,
}

struct Held {
    lock: PartitionLock,
    /// The offset known to be on disk: a round leaves out the files that would not change.
    durable: Option<i64>,
}

impl OffsetDirectory {
    /// A store in `directory`, which the first [`open`](OffsetStore::open) creates with its parents. `warn` hears, on
    /// the recorder's thread, what is worth a line in the log.
    ///
    /// # Errors
    ///
    /// A topic name that Kafka does not allow; among those are all names that would lead out of the directory.
    pub fn new(directory: impl Into<PathBuf>, topic: &str, warn: Arc<dyn Fn(String) + Send + Sync>) -> Result<Self> {
        let names = Names::new(file::absolute(directory.into())?, topic)?;
        Ok(Self { names, held: BTreeMap::new(), warn, warned_of_locks: false })
    }

    /// Takes what is not held yet and adds it to `taken`, so that the caller can let go of exactly that.
    fn take(&mut self, partitions: &[i32], taken: &mut Vec<i32>) -> Result<Vec<Option<i64>>> {
        file::create_directory(&self.names.directory)?;
        for &partition in partitions {
            if partition < 0 {
                return Err(self.names.about(partition, Error::config("a partition's number is 0 or more")));
            }
            if !self.held.contains_key(&partition) {
                let lock = self.lock(partition, PATIENCE)?;
                self.held.insert(partition, Held { lock, durable: None });
                taken.push(partition);
            }
        }
        let listed = file::list(&self.names.directory)?;
        if let Err(error) = file::remove_leftovers(&self.names, taken, &listed) {
            // They are in nobody's way.
            (self.warn)(error.to_string());
        }
        let mut offsets = Vec::with_capacity(partitions.len());
        for partition in partitions {
            file::check_case(&self.names, *partition, &listed, Path::exists)?;
            let offset = file::read(&self.names, *partition)?;
            if let Some(held) = self.held.get_mut(partition) {
                held.durable = offset;
            }
            offsets.push(offset);
        }
        Ok(offsets)
    }

    fn lock(&mut self, partition: i32, patience: Duration) -> Result<PartitionLock> {
        let lock = PartitionLock::take(&self.names, partition, patience)?;
        if !lock.is_locked() && !self.warned_of_locks {
            self.warned_of_locks = true;
            (self.warn)(format!(
                "{}: this file system cannot lock files, so nothing stops a second consumer of the same partitions \
                 of topic {}; make sure that there is one",
                self.names.directory.display(),
                self.names.topic
            ));
        }
        Ok(lock)
    }

    /// Makes sure that the partition is still ours, since a lock protects nothing once its file was removed, and
    /// returns what is known to be on disk.
    fn keep(&mut self, partition: i32) -> Result<Option<i64>> {
        match self.held.get(&partition) {
            Some(held) if held.lock.is_in_place() => Ok(held.durable),
            Some(_) => {
                let lock = self.lock(partition, Duration::ZERO)?;
                self.held.insert(partition, Held { lock, durable: None });
                Ok(None)
            }
            None => Err(self.names.about(partition, Error::state("the partition's offset file is not open"))),
        }
    }

    fn set_durable(&mut self, partition: i32, offset: Option<i64>) {
        if let Some(held) = self.held.get_mut(&partition) {
            held.durable = offset;
        }
    }
}

impl OffsetStore for OffsetDirectory {
    fn open(&mut self, partitions: &[i32]) -> Result<Vec<Option<i64>>> {
        let mut taken = Vec::new();
        let outcome = self.take(partitions, &mut taken);
        if outcome.is_err() {
            for partition in &taken {
                self.held.remove(partition);
            }
        }
        outcome
    }

    fn write(&mut self, offsets: &[(i32, i64)]) -> Result<()> {
        let mut lost = None;
        let mut changed = Vec::with_capacity(offsets.len());
        for &(partition, offset) in offsets {
            match self.keep(partition) {
                Err(error) => {
                    // Whatever was on disk may have gone with the lock file.
                    self.set_durable(partition, None);
                    lost = lost.or(Some(error));
                }
                Ok(durable) if durable == Some(offset) => {}
                Ok(_) => changed.push((partition, offset)),
            }
        }
        // Until the round is over nothing is known of these files: a failed sync may have renamed them.
        for (partition, _) in &changed {
            self.set_durable(*partition, None);
        }
        let (durable, error) = file::write_round(&self.names, &changed);
        for (partition, offset) in durable {
            self.set_durable(partition, Some(offset));
        }
        lost.or(error).map_or(Ok(()), Err)
    }

    fn unwritten(&self, offsets: &[(i32, i64)]) -> Vec<(i32, i64)> {
        let durable = |partition| self.held.get(&partition).and_then(|held| held.durable);
        offsets.iter().filter(|(partition, offset)| durable(*partition) != Some(*offset)).copied().collect()
    }

    fn close(&mut self) {
        self.held.clear();
    }

    fn write_late(&mut self, partition: i32, offset: i64) -> Result<bool> {
        let _lock = match self.lock(partition, Duration::ZERO) {
            Err(error) if error.code == code::CONFLICT => return Ok(false),
            taken => taken?,
        };
        match file::read(&self.names, partition)? {
            Some(recorded) if recorded > offset => Ok(false),
            Some(recorded) if recorded == offset => Ok(true),
            _ => file::write_round(&self.names, &[(partition, offset)]).1.map_or(Ok(true), Err),
        }
    }
}

#[cfg(test)]
mod tests {
    use std::fs;

    use super::*;
    use crate::error::ErrorKind;

    fn open(directory: &Path, topic: &str) -> OffsetDirectory {
        OffsetDirectory::new(directory, topic, Arc::new(|text| panic!("unexpected warning: {text}"))).unwrap()
    }

    #[test]
    fn a_topic_name_cannot_lead_out_of_the_directory() {
        let long = "t".repeat(250);
        for topic in ["", ".", "..", "a/b", "../a", "a\\b", "a\0b", "a~b", "a b", "ä", "a:b", long.as_str()] {
            let error = OffsetDirectory::new("/tmp", topic, Arc::new(|_| ())).err().expect(topic);
            assert_eq!(error.kind, ErrorKind::Config);
        }
        for topic in ["a", "...", "a.b_c-1", ".hidden", &"t".repeat(249)] {
            OffsetDirectory::new("/tmp", topic, Arc::new(|_| ())).expect(topic);
        }
    }

    #[test]
    fn offsets_come_back_in_the_order_asked_for_from_a_directory_that_it_creates() {
        let root = tempfile::tempdir().unwrap();
        let directory = root.path().join("with/parents");
        let mut store = open(&directory, "t");
        assert_eq!(store.open(&[0, 2]).unwrap(), [None, None]);
        store.write(&[(0, 7), (2, 9)]).unwrap();
        store.close();
        assert_eq!(open(&directory, "t").open(&[2, 1, 0]).unwrap(), [Some(9), None, Some(7)]);
    }

    #[test]
    fn a_directory_written_by_1_0_0_is_read_as_it_is() {
        let directory = tempfile::tempdir().unwrap();
        fs::write(directory.path().join("t-0.offset"), "1234\n").unwrap();
        fs::write(directory.path().join("t-1.offset"), "99").unwrap();
        assert_eq!(open(directory.path(), "t").open(&[0, 1, 2]).unwrap(), [Some(1234), Some(99), None]);
    }

    #[test]
    fn a_crash_between_write_and_rename_leaves_the_old_offset() {
        let directory = tempfile::tempdir().unwrap();
        fs::write(directory.path().join("t-0.offset"), "10\n").unwrap();
        for (name, content) in [(".t-0~abcde", "20\n"), (".t-0~fghij", "2"), (".t-0~klmno", "")] {
            fs::write(directory.path().join(name), content).unwrap();
        }
        assert_eq!(open(directory.path(), "t").open(&[0]).unwrap(), [Some(10)]);
        assert!(!directory.path().join(".t-0~abcde").exists());
        assert!(!directory.path().join(".t-0~klmno").exists());
    }

    #[test]
    fn a_failed_open_releases_what_it_took_and_nothing_else() {
        let directory = tempfile::tempdir().unwrap();
        fs::write(directory.path().join("t-2.offset"), "rubbish").unwrap();
        let mut first = open(directory.path(), "t");
        first.open(&[0]).unwrap();
        let error = first.open(&[0, 1, 2]).unwrap_err();
        assert!(error.message.contains("t-2.offset") && error.message.contains("bad file format"), "{error}");

        let mut second = open(directory.path(), "t");
        second.open(&[1]).expect("released with the failed call");
        assert_eq!(second.open(&[0]).unwrap_err().code, code::CONFLICT);
        let error = first.open(&[3, 1]).unwrap_err();
        assert_eq!((error.code, error.partition), (code::CONFLICT, Some(1)));
        second.open(&[3]).expect("released with the failed call");
    }

    #[test]
    fn two_holders_of_different_partitions_or_topics_do_not_meet() {
        let directory = tempfile::tempdir().unwrap();
        let (mut one, mut two, mut three) =
            (open(directory.path(), "a"), open(directory.path(), "a"), open(directory.path(), "a-1"));
        one.open(&[0, 2]).unwrap();
        two.open(&[1, 3]).unwrap();
        three.open(&[0, 1]).unwrap();
    }

    #[test]
    fn a_file_that_would_not_change_is_not_written_and_a_value_may_fall() {
        let directory = tempfile::tempdir().unwrap();
        let path = directory.path().join("t-0.offset");
        let mut store = open(directory.path(), "t");
        store.open(&[0]).unwrap();
        store.write(&[(0, 5)]).unwrap();
        fs::write(&path, "marked").unwrap();
        store.write(&[(0, 5)]).unwrap();
        assert_eq!(fs::read(&path).unwrap(), b"marked");
        store.write(&[(0, 3)]).unwrap();
        assert_eq!(fs::read(&path).unwrap(), b"3\n");
    }

    #[test]
    fn a_directory_that_cannot_be_one_is_named() {
        let root = tempfile::tempdir().unwrap();
        let file = root.path().join("file");
        fs::write(&file, "").unwrap();
        for path in [file.clone(), file.join("below")] {
            let error = open(&path, "t").open(&[0]).unwrap_err();
            assert_eq!(error.kind, ErrorKind::Offsets);
            assert!(error.message.contains(path.to_str().unwrap()), "{error}");
            assert!(error.message.contains("choose a path"), "{error}");
        }
    }

    #[test]
    fn a_partition_that_was_not_opened_is_not_written() {
        let directory = tempfile::tempdir().unwrap();
        let mut store = open(directory.path(), "t");
        store.open(&[0]).unwrap();
        let error = store.write(&[(0, 1), (1, 1)]).unwrap_err();
        assert_eq!((error.kind, error.partition), (ErrorKind::State, Some(1)));
        assert!(directory.path().join("t-0.offset").exists());
        assert!(!directory.path().join("t-1.offset").exists());
    }

    #[cfg(unix)]
    #[test]
    fn a_directory_that_vanished_is_written_once_it_is_back_and_still_ours() {
        let root = tempfile::tempdir().unwrap();
        let directory = root.path().join("offsets");
        let mut store = open(&directory, "t");
        store.open(&[0]).unwrap();
        store.write(&[(0, 5)]).unwrap();
        fs::remove_dir_all(&directory).unwrap();
        let error = store.write(&[(0, 5)]).unwrap_err();
        assert!(error.message.contains(directory.to_str().unwrap()), "{error}");

        fs::create_dir(&directory).unwrap();
        store.write(&[(0, 5)]).unwrap();
        assert_eq!(fs::read(directory.join("t-0.offset")).unwrap(), b"5\n");
        assert_eq!(open(&directory, "t").open(&[0]).unwrap_err().code, code::CONFLICT);

        fs::remove_dir_all(&directory).unwrap();
        let mut other = open(&directory, "t");
        other.open(&[0]).unwrap();
        assert_eq!(store.write(&[(0, 6)]).unwrap_err().code, code::CONFLICT);
        assert!(!directory.join("t-0.offset").exists());
    }

    #[test]
    fn a_late_value_is_recorded_only_if_the_partition_is_free_and_the_value_does_not_fall() {
        let directory = tempfile::tempdir().unwrap();
        let mut old = open(directory.path(), "t");
        old.open(&[0, 1]).unwrap();
        old.write(&[(0, 5)]).unwrap();
        old.close();
        assert!(old.write_late(0, 8).unwrap());
        assert!(old.write_late(0, 8).unwrap());
        assert!(!old.write_late(0, 7).unwrap());
        assert!(old.write_late(1, 0).unwrap());

        let mut new = open(directory.path(), "t");
        assert_eq!(new.open(&[0, 1]).unwrap(), [Some(8), Some(0)]);
        assert!(!old.write_late(0, 9).unwrap());
        assert_eq!(fs::read(directory.path().join("t-0.offset")).unwrap(), b"8\n");
    }
}
