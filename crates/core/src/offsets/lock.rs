//! One holder per partition and directory, in one process or in several.
//!
//! The lock is the operating system's, on the file `.<topic>-<partition>.lock` beside the offset file, so it ends
//! with its process however that ends. The file says who the holder is.
//!
//! A lock file is never deleted. Deleting it would race: A opens the file, B releases and deletes it, A locks a file
//! that no longer has a name, C creates a new one and locks that, and A and C both hold the partition. For the same
//! reason a lock counts only after its file is seen under its name once more, because a user may delete it.

use std::fs::{self, File, OpenOptions, TryLockError};
use std::io::{self, ErrorKind, Read, Seek, Write};
use std::path::{Path, PathBuf};
use std::time::{Duration, Instant};

use super::file::{self, Names};
use crate::code;
use crate::error::{Error, Result};

/// How long a second holder waits for the first: a closed consumer may be recording a last value at this moment.
pub(super) const PATIENCE: Duration = Duration::from_millis(250);

const PAUSE: Duration = Duration::from_millis(10);

/// A partition that is ours until this is dropped.
#[derive(Debug)]
pub(super) struct PartitionLock {
    path: PathBuf,
    file: File,
    /// `false` on a file system that has no locks: nothing then keeps a second holder away.
    locked: bool,
}

enum Attempt {
    Taken(PartitionLock),
    Held,
    /// The file changed under our hands: look again.
    Again,
}

impl PartitionLock {
    /// Locks the partition, waiting at most `patience` for a holder to leave. A conflict names the holder.
    pub(super) fn take(names: &Names, partition: i32, patience: Duration) -> Result<Self> {
        let path = names.lock_file(partition);
        let started = Instant::now();
        loop {
            let attempt = Self::attempt(&path)
                .map_err(|error| names.about(partition, file::failed("cannot lock", &path, &error)))?;
            match attempt {
                Attempt::Taken(mut lock) => {
                    // Only for the reader of a conflict: a full disk is no reason not to hold the partition.
                    let _ = lock.sign(names, partition);
                    return Ok(lock);
                }
                Attempt::Again if started.elapsed() < PATIENCE => {}
                Attempt::Held if started.elapsed() < patience => std::thread::sleep(PAUSE),
                Attempt::Held | Attempt::Again => return Err(conflict(names, partition, &path)),
            }
        }
    }

    fn attempt(path: &Path) -> io::Result<Attempt> {
        let mut options = OpenOptions::new();
        options.read(true).write(true);
        let file = match file::open_regular(path, &options)? {
            // It is emptied and written, which a second name would show.
            Some(file) if file::is_shared(&file)? => {
                let text = "it is a hard link, whose other name would lose its content; remove it";
                return Err(io::Error::new(ErrorKind::InvalidInput, text));
            }
            Some(file) => file,
            // `create_new` does not follow a link either.
            None => match options.create_new(true).open(path) {
                Ok(file) => file,
                Err(error) if error.kind() == ErrorKind::AlreadyExists => return Ok(Attempt::Again),
                Err(error) => return Err(error),
            },
        };
        let locked = match file.try_lock() {
            Ok(()) => true,
            Err(TryLockError::WouldBlock) => return Ok(Attempt::Held),
            Err(TryLockError::Error(error)) if is_without_locks(&error) => false,
            Err(TryLockError::Error(error)) => return Err(error),
        };
        let lock = Self { path: path.into(), file, locked };
        Ok(if lock.is_in_place() { Attempt::Taken(lock) } else { Attempt::Again })
    }

    /// Whether the locked file still has its name. If a user removed the directory, a second holder would lock
    /// another file, so the partition has to be taken again before it is written.
    pub(super) fn is_in_place(&self) -> bool {
        match (fs::symlink_metadata(&self.path), self.file.metadata()) {
            (Ok(named), Ok(ours)) => file::is_same_file(&named, &ours),
            _ => false,
        }
    }

    /// Whether the operating system keeps a second holder away.
    pub(super) fn is_locked(&self) -> bool {
        self.locked
    }

    /// Says who the holder is.
    fn sign(&mut self, names: &Names, partition: i32) -> io::Result<()> {
        self.file.set_len(0)?;
        self.file.rewind()?;
        let text = format!(
            "{}\nThe process with this number consumes partition {partition} of topic {} and keeps its offset in {}.\n",
            std::process::id(),
            names.topic,
            names.offset_file(partition).display()
        );
        self.file.write_all(text.as_bytes())
    }
}

impl Drop for PartitionLock {
    fn drop(&mut self) {
        if self.locked {
            // Emptied, so that nobody reads the number of a process that is gone. Unlocked by name, because closing
            // is not enough while a child of this process, just forked, still has a copy of the descriptor.
            let _ = self.file.set_len(0);
            let _ = self.file.unlock();
        }
    }
}

fn is_without_locks(error: &io::Error) -> bool {
    // ENOLCK is what NFS answers where no lock service runs.
    let no_lock_service = if cfg!(any(target_os = "linux", target_os = "android")) { 37 } else { 77 };
    error.kind() == ErrorKind::Unsupported || (cfg!(unix) && error.raw_os_error() == Some(no_lock_service))
}

fn conflict(names: &Names, partition: i32, path: &Path) -> Error {
    let (pid, topic) = holder(path);
    let holder = match pid {
        Some(pid) if pid == std::process::id() => format!("another consumer in this process ({pid})"),
        Some(pid) => format!("process {pid}"),
        None => "another process".into(),
    };
    // Names that differ in case only are one file on some file systems.
    let other =
        topic.filter(|topic| *topic != names.topic).map(|topic| format!(" for topic {topic}")).unwrap_or_default();
    let message = format!(
        "{} is in use by {holder}{other}, which has locked {}; stop it first, or give this consumer another offset \
         directory or worker slot",
        names.offset_file(partition).display(),
        path.display()
    );
    let mut error = Error::offsets(message);
    error.code = code::CONFLICT;
    error.retriable = true;
    names.about(partition, error)
}

/// The number of the process that holds the lock and the topic that it consumes, if the file can be read: Windows does not
/// let others read what is locked.
fn holder(path: &Path) -> (Option<u32>, Option<String>) {
    let mut text = String::new();
    let file = file::open_regular(path, OpenOptions::new().read(true)).ok().flatten();
    let _ = file.map(|file| file.take(1024).read_to_string(&mut text));
    let topic = text.split_once(" of topic ").and_then(|(_, rest)| rest.split_once(' '));
    (text.lines().next().and_then(|pid| pid.parse().ok()), topic.map(|(topic, _)| topic.to_owned()))
}

#[cfg(test)]
mod tests {
    use super::*;

    fn names(directory: &Path) -> Names {
        Names { directory: directory.into(), topic: "t".into() }
    }

    fn take(names: &Names) -> Result<PartitionLock> {
        PartitionLock::take(names, 0, Duration::ZERO)
    }

    #[test]
    fn a_second_holder_is_told_who_the_first_is() {
        let directory = tempfile::tempdir().unwrap();
        let names = names(directory.path());
        let first = take(&names).unwrap();
        let error = take(&names).unwrap_err();
        assert_eq!((error.code, error.partition), (code::CONFLICT, Some(0)));
        for part in ["t-0.offset", ".t-0.lock", "in this process", &std::process::id().to_string()] {
            assert!(error.message.contains(part), "{part}: {error}");
        }
        drop(first);
        take(&names).unwrap();
    }

    #[test]
    fn a_holder_that_is_about_to_leave_is_waited_for() {
        let directory = tempfile::tempdir().unwrap();
        let names = names(directory.path());
        let first = take(&names).unwrap();
        let second = std::thread::spawn({
            let names = names.clone();
            move || PartitionLock::take(&names, 0, Duration::from_secs(60)).map(drop)
        });
        drop(first);
        second.join().unwrap().unwrap();
    }

    #[test]
    fn a_released_lock_file_stays_and_names_nobody() {
        let directory = tempfile::tempdir().unwrap();
        let names = names(directory.path());
        drop(take(&names).unwrap());
        assert_eq!(fs::read(names.lock_file(0)).unwrap(), b"");
    }

    #[cfg(unix)]
    #[test]
    fn a_lock_whose_file_was_removed_is_known_to_protect_nothing() {
        let directory = tempfile::tempdir().unwrap();
        let names = names(directory.path());
        let lock = take(&names).unwrap();
        assert!(lock.is_in_place());
        fs::remove_file(names.lock_file(0)).unwrap();
        assert!(!lock.is_in_place());
        fs::write(names.lock_file(0), "").unwrap();
        assert!(!lock.is_in_place());
    }

    #[cfg(unix)]
    #[test]
    fn a_hard_link_in_place_of_the_lock_file_is_not_written_into() {
        let directory = tempfile::tempdir().unwrap();
        let names = names(directory.path());
        let precious = directory.path().join("precious");
        fs::write(&precious, "keep me").unwrap();
        fs::hard_link(&precious, names.lock_file(0)).unwrap();
        let error = take(&names).unwrap_err();
        assert!(error.message.contains(".t-0.lock") && error.message.contains("a hard link"), "{error}");
        assert_eq!(fs::read(&precious).unwrap(), b"keep me");
    }

    #[test]
    fn a_holder_of_a_topic_whose_name_differs_in_case_only_is_named() {
        let directory = tempfile::tempdir().unwrap();
        let first = take(&names(directory.path())).unwrap();
        // The answer of a file system that does not tell `T` from `t`: the lock of the one is that of the other.
        let upper = Names { directory: directory.path().into(), topic: "T".into() };
        let error = conflict(&upper, 0, &first.path);
        assert!(error.message.contains(&format!("({}) for topic t,", std::process::id())), "{error}");
    }

    #[cfg(unix)]
    #[test]
    fn a_link_in_place_of_the_lock_file_is_not_followed() {
        let directory = tempfile::tempdir().unwrap();
        let names = names(directory.path());
        let target = directory.path().join("precious");
        fs::write(&target, "keep me").unwrap();
        std::os::unix::fs::symlink(&target, names.lock_file(0)).unwrap();
        let error = take(&names).unwrap_err();
        assert!(error.message.contains(".t-0.lock") && error.message.contains("a link"), "{error}");
        assert_eq!(fs::read(&target).unwrap(), b"keep me");
    }
}
