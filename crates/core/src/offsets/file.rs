//! The files of one topic in an offset directory: their names, reading one, writing a round of them.
//!
//! For partition 3 of topic `t`:
//!
//! - `t-3.offset`: the last processed offset as an ASCII decimal number and a newline; `-1` where nothing is processed.
//! - `.t-3~abcde`: its next version while a round writes it; a crash leaves it behind, the next holder removes it.
//! - `.t-3.lock`: the lock, see [`lock`](super::lock).
//!
//! And for all partitions of it:
//!
//! - `.t.id`: which topic of that name the others are of, see [`identity`](super::identity).
//! - `.t.~abcde`: its next version while it is written.
//!
//! None of them can be mistaken for a file of another topic or partition: the partition is what follows the last
//! `-`, no topic name contains a `~`, and the hidden names are no longer than the visible one, so that a topic name
//! fits the file system's limit with all of them or with none.

use std::fs::{self, File, Metadata, OpenOptions};
use std::io::{self, ErrorKind, Read, Write};
use std::path::{Path, PathBuf};

use tempfile::TempPath;

use crate::error::{Error, Result};
use crate::lookup::check_topic;

/// Random characters in the name of a temporary file. They matter where files cannot be locked: two holders then
/// never write to the same temporary file, and each rename brings a whole one.
const RANDOM: usize = 5;

/// The longest content that can be right: 19 digits and a newline. One byte more shows that there is too much.
const LONGEST: u64 = 20;

/// The names of one topic's files in one directory.
#[derive(Debug, Clone)]
pub(super) struct Names {
    pub(super) directory: PathBuf,
    pub(super) topic: String,
}

impl Names {
    /// Fails with a name that Kafka does not allow; among those are all that would lead out of the directory.
    pub(super) fn new(directory: PathBuf, topic: &str) -> Result<Self> {
        check_topic(topic)?;
        Ok(Self { directory, topic: topic.into() })
    }

    pub(super) fn offset_file(&self, partition: i32) -> PathBuf {
        self.directory.join(format!("{}-{partition}.offset", self.topic))
    }

    pub(super) fn lock_file(&self, partition: i32) -> PathBuf {
        self.directory.join(format!(".{}-{partition}.lock", self.topic))
    }

    pub(super) fn id_file(&self) -> PathBuf {
        self.directory.join(format!(".{}.id", self.topic))
    }

    fn temporary_id_prefix(&self) -> String {
        format!(".{}.~", self.topic)
    }

    fn temporary_prefix(&self, partition: i32) -> String {
        format!(".{}-{partition}~", self.topic)
    }

    /// The partition whose temporary file this is, if it is one of this topic.
    fn partition_of_temporary(&self, name: &str) -> Option<i32> {
        let (partition, random) =
            name.strip_prefix('.')?.strip_prefix(&self.topic)?.strip_prefix('-')?.split_once('~')?;
        if !is_random(random) {
            return None;
        }
        // Only the spelling that we write: `+1` and `01` are somebody else's.
        partition.parse().ok().filter(|number: &i32| number.to_string() == partition)
    }

    /// Names the topic in an error.
    pub(super) fn about_topic(&self, mut error: Error) -> Error {
        error.topic = Some(self.topic.clone());
        error
    }

    /// Names the topic and the partition in an error.
    pub(super) fn about(&self, partition: i32, error: Error) -> Error {
        let mut error = self.about_topic(error);
        error.partition = Some(partition);
        error
    }
}

/// An offset directory as it is now: a later change of the working directory must not move the offsets.
pub(crate) fn absolute(directory: PathBuf) -> Result<PathBuf> {
    std::path::absolute(&directory)
        .map_err(|error| Error::config(format!("offset directory {}: {error}", directory.display())))
}

/// Whether it can be the end of a temporary file's name.
fn is_random(text: &str) -> bool {
    text.len() == RANDOM && text.bytes().all(|byte| byte.is_ascii_alphanumeric())
}

/// In place of an offset: nothing is processed, and whoever opens the partition begins with its first message.
pub(super) const NOTHING: i64 = -1;
/// In place of an offset: nothing is recorded. There is no file then.
pub(super) const UNRECORDED: i64 = -2;

/// Whether an offset file can hold this. The largest number cannot: the next message wanted is one further.
pub(super) fn is_recordable(offset: i64) -> bool {
    (NOTHING..i64::MAX).contains(&offset)
}

/// Reads the last processed offset; `None` without a file. Anything but a number is an error and never guessed at.
pub(super) fn read(names: &Names, partition: i32) -> Result<Option<i64>> {
    let path = names.offset_file(partition);
    match content(&path, LONGEST) {
        Ok(None) => Ok(None),
        Ok(Some(content)) => parse(&content).map(Some).ok_or_else(|| {
            let found =
                if content.is_empty() { "nothing".into() } else { format!("{:?}", String::from_utf8_lossy(&content)) };
            let error = Error::offsets(format!(
                "{}: bad file format: it should hold the last processed offset as a decimal number, and holds {found}; \
                 put the number right, or delete the file to read the partition as if for the first time",
                path.display()
            ));
            names.about(partition, error)
        }),
        Err(error) => Err(names.about(partition, failed("cannot read", &path, &error))),
    }
}

/// The first bytes of a file, one more than it may have at most; `None` without a file.
pub(super) fn content(path: &Path, longest: u64) -> io::Result<Option<Vec<u8>>> {
    let Some(file) = open_regular(path, OpenOptions::new().read(true))? else {
        return Ok(None);
    };
    let mut content = Vec::new();
    file.take(longest + 1).read_to_end(&mut content)?;
    Ok(Some(content))
}

fn parse(content: &[u8]) -> Option<i64> {
    let digits = content.strip_suffix(b"\n").unwrap_or(content);
    if digits == b"-1" {
        return Some(NOTHING);
    }
    if !digits.iter().all(u8::is_ascii_digit) {
        return None;
    }
    std::str::from_utf8(digits).ok()?.parse().ok().filter(|offset| is_recordable(*offset))
}

/// Writes and syncs the new version of every file, renames them, then syncs the directory once; where nothing is recorded the file is
/// removed. Returns what is durable, and the first error with the number of the others: one bad file does not hold back the rest.
pub(super) fn write_round(names: &Names, offsets: &[(i32, i64)]) -> (Vec<(i32, i64)>, Option<Error>) {
    let mut failures = Vec::new();
    let mut staged = Vec::with_capacity(offsets.len());
    let mut durable = Vec::with_capacity(offsets.len());
    for &(partition, offset) in offsets {
        if offset == UNRECORDED {
            match remove(&names.offset_file(partition)) {
                Ok(()) => durable.push((partition, offset)),
                Err(error) => failures.push(names.about(partition, error)),
            }
            continue;
        }
        match stage(names, partition, offset) {
            Ok(temporary) => staged.push((partition, offset, temporary)),
            Err(error) => failures.push(names.about(partition, error)),
        }
    }
    for (partition, offset, temporary) in staged {
        let path = names.offset_file(partition);
        match temporary.persist(&path) {
            Ok(()) => durable.push((partition, offset)),
            Err(error) => failures.push(names.about(partition, failed("cannot replace", &path, &error.error))),
        }
    }
    if !durable.is_empty() {
        if let Err(error) = sync_directory(&names.directory) {
            // The renames may not survive a power failure, so none of them counts; the retry renames again.
            durable.clear();
            failures.push(failed("cannot sync the directory", &names.directory, &error));
        }
    }
    let others = failures.len().saturating_sub(1);
    let first = failures.into_iter().next().map(|mut error| {
        if others > 0 {
            error.message.push_str(&format!(" ({others} more failed with it)"));
        }
        error
    });
    (durable, first)
}

/// Removes a file, unless there is none.
fn remove(path: &Path) -> Result<()> {
    match fs::remove_file(path) {
        Err(error) if error.kind() != ErrorKind::NotFound => Err(failed("cannot remove", path, &error)),
        _ => Ok(()),
    }
}

/// A synced file beside the offset file, with its next content. Dropped without `persist`, it is removed.
fn stage(names: &Names, partition: i32, offset: i64) -> Result<TempPath> {
    let path = names.offset_file(partition);
    if !is_recordable(offset) {
        return Err(Error::offsets(format!("cannot write {}: {offset} is not an offset", path.display())));
    }
    write_beside(&names.directory, &names.temporary_prefix(partition), &format!("{offset}\n"))
        .map_err(|error| failed("cannot write", &path, &error))
}

/// Replaces the file that says of which topic the others are; returns when that is on disk. Whoever writes it holds the locks of the
/// topic's partitions.
pub(super) fn write_id(names: &Names, content: &str) -> Result<()> {
    let prefix = names.temporary_id_prefix();
    let path = names.id_file();
    for name in list(&names.directory)?.iter().filter(|name| name.strip_prefix(&prefix).is_some_and(is_random)) {
        remove(&names.directory.join(name))?;
    }
    let replace = || {
        write_beside(&names.directory, &prefix, content)?.persist(&path)?;
        sync_directory(&names.directory)
    };
    replace().map_err(|error: io::Error| failed("cannot write", &path, &error))
}

/// A synced temporary file in the directory.
fn write_beside(directory: &Path, prefix: &str, content: &str) -> io::Result<TempPath> {
    let mut builder = tempfile::Builder::new();
    builder.prefix(prefix).suffix("").rand_bytes(RANDOM);
    // Temporary files are private by default; this one becomes a file that 1.0.0, and other users, read.
    #[cfg(unix)]
    builder.permissions(std::os::unix::fs::PermissionsExt::from_mode(0o666));
    let temporary = builder.tempfile_in(directory)?;
    temporary.as_file().write_all(content.as_bytes())?;
    temporary.as_file().sync_all()?;
    // Closes the file: a round of a thousand partitions must not need a thousand descriptors.
    Ok(temporary.into_temp_path())
}

/// The names of what is in the directory.
pub(super) fn list(directory: &Path) -> Result<Vec<String>> {
    let attempt = || -> io::Result<Vec<String>> {
        let names = fs::read_dir(directory)?.map(|entry| Ok(entry?.file_name().into_string().ok()));
        Ok(names.collect::<io::Result<Vec<_>>>()?.into_iter().flatten().collect())
    };
    attempt().map_err(|error| failed("cannot list the directory", directory, &error))
}

/// Refuses a partition whose offset file belongs to a topic whose name differs in case only. Where the file system tells `A`
/// from `a`, a file that can be opened under our name is listed under our name; where it does not (macOS, Windows), the list
/// has the name that the file was made with.
pub(super) fn check_case(
    names: &Names,
    partition: i32,
    listed: &[String],
    exists: impl Fn(&Path) -> bool,
) -> Result<()> {
    let path = names.offset_file(partition);
    let name = path.file_name().and_then(|name| name.to_str()).unwrap_or_default();
    let Some(other) = listed.iter().find(|other| other.eq_ignore_ascii_case(name) && *other != name) else {
        return Ok(());
    };
    if listed.iter().any(|listed| listed == name) || !exists(&path) {
        return Ok(());
    }
    let error = Error::offsets(format!(
        "{} belongs to another topic: this file system does not tell {name} from {other}; give each topic a directory of \
         its own, or, if this is the same topic under a new name, rename the file",
        names.directory.join(other).display()
    ));
    Err(names.about(partition, error))
}

/// Removes what a crash left of these partitions' rounds. The caller holds their locks, so nobody is writing them.
pub(super) fn remove_leftovers(names: &Names, partitions: &[i32], listed: &[String]) -> Result<()> {
    let mut left =
        listed.iter().filter(|name| names.partition_of_temporary(name).is_some_and(|p| partitions.contains(&p)));
    left.try_for_each(|name| remove(&names.directory.join(name)))
}

/// Creates the directory with its parents, and makes that durable: a synced file in a directory that vanishes with
/// the power is lost all the same.
pub(super) fn create_directory(directory: &Path) -> Result<()> {
    let attempt = || {
        let missing: Vec<_> = directory.ancestors().take_while(|path| !path.exists()).collect();
        fs::create_dir_all(directory)?;
        missing.iter().filter_map(|path| path.parent()).try_for_each(sync_directory)
    };
    attempt().map_err(|error| failed("cannot create the directory", directory, &error))
}

#[cfg(not(windows))]
fn sync_directory(directory: &Path) -> io::Result<()> {
    match File::open(directory)?.sync_all() {
        // Some network and FUSE file systems have no such operation, and nothing can be done about it.
        Err(error) if matches!(error.kind(), ErrorKind::InvalidInput | ErrorKind::Unsupported) => Ok(()),
        outcome => outcome,
    }
}

/// A directory cannot be opened for syncing on Windows, where the file system's journal keeps renames in order.
#[cfg(windows)]
fn sync_directory(_: &Path) -> io::Result<()> {
    Ok(())
}

/// Opens an existing regular file without following a link in its place; `None` where there is nothing. Nothing is
/// created, truncated or changed by it.
pub(super) fn open_regular(path: &Path, options: &OpenOptions) -> io::Result<Option<File>> {
    let seen = match fs::symlink_metadata(path) {
        Ok(seen) => seen,
        Err(error) if error.kind() == ErrorKind::NotFound => return Ok(None),
        Err(error) => return Err(error),
    };
    // Asked before opening as well, because opening a pipe would wait for its other end.
    if !seen.is_file() {
        let what = if seen.is_symlink() { "a link" } else { "no regular file" };
        return Err(io::Error::new(ErrorKind::InvalidInput, format!("it is {what}, which is not followed; remove it")));
    }
    match options.open(path) {
        Ok(file) if is_same_file(&seen, &file.metadata()?) => Ok(Some(file)),
        Ok(_) => Err(io::Error::new(ErrorKind::InvalidInput, "it was replaced while it was opened")),
        Err(error) if error.kind() == ErrorKind::NotFound => Ok(None),
        Err(error) => Err(error),
    }
}

/// Whether the file has a second name, so that writing into it would change what somebody else knows by that.
#[cfg(unix)]
pub(super) fn is_shared(file: &File) -> io::Result<bool> {
    use std::os::unix::fs::MetadataExt;
    Ok(file.metadata()?.nlink() > 1)
}

/// Windows tells it nobody who runs a stable Rust.
#[cfg(not(unix))]
pub(super) fn is_shared(_: &File) -> io::Result<bool> {
    Ok(false)
}

#[cfg(unix)]
pub(super) fn is_same_file(one: &Metadata, other: &Metadata) -> bool {
    use std::os::unix::fs::MetadataExt;
    one.dev() == other.dev() && one.ino() == other.ino()
}

/// Windows keeps the file's identity to itself, and an open file's name cannot be taken by another one.
#[cfg(not(unix))]
pub(super) fn is_same_file(_: &Metadata, _: &Metadata) -> bool {
    true
}

/// The failed action, where, and what the user can do about it.
pub(super) fn failed(action: &str, path: &Path, error: &io::Error) -> Error {
    let advice = match error.kind() {
        ErrorKind::StorageFull | ErrorKind::QuotaExceeded => "; free some space there",
        ErrorKind::PermissionDenied => "; this process needs to read and write the directory and its files",
        ErrorKind::ReadOnlyFilesystem => "; choose a directory that can be written",
        ErrorKind::NotFound => "; the directory was removed: create it again",
        ErrorKind::NotADirectory | ErrorKind::AlreadyExists => "; choose a path that is, or can become, a directory",
        ErrorKind::IsADirectory => "; remove the directory that is in the file's place",
        ErrorKind::InvalidFilename => "; the topic's name is too long for a file name",
        _ => "",
    };
    Error::offsets(format!("{action} {}: {error}{advice}", path.display()))
}

#[cfg(test)]
mod tests {
    use super::*;

    fn names(directory: &Path, topic: &str) -> Names {
        Names { directory: directory.into(), topic: topic.into() }
    }

    fn list(directory: &Path) -> Vec<String> {
        let entries = fs::read_dir(directory).unwrap();
        let mut list: Vec<_> = entries.map(|entry| entry.unwrap().file_name().into_string().unwrap()).collect();
        list.sort();
        list
    }

    #[test]
    fn only_a_decimal_number_with_or_without_a_newline_is_an_offset() {
        assert_eq!(parse(b"0\n"), Some(0));
        assert_eq!(parse(b"-1\n"), Some(NOTHING));
        assert_eq!(parse(b"42"), Some(42));
        assert_eq!(parse(b"9223372036854775806\n"), Some(i64::MAX - 1));
        for bad in [
            "", "\n", "-2\n", "-01\n", "--1\n", "+1\n", " 1\n", "1 \n", "1\n\n", "1\r\n", "1\n2\n", "1.0", "0x1",
            "abc", "\u{661}",
        ] {
            assert_eq!(parse(bad.as_bytes()), None, "{bad:?}");
        }
        for overflow in ["9223372036854775807\n", "9223372036854775808\n", "99999999999999999999\n"] {
            assert_eq!(parse(overflow.as_bytes()), None, "{overflow:?}");
        }
    }

    #[test]
    fn a_bad_file_is_refused_with_its_path() {
        let directory = tempfile::tempdir().unwrap();
        let names = names(directory.path(), "t");
        let long = "1".repeat(100);
        for content in ["", "no number", long.as_str()] {
            fs::write(names.offset_file(0), content).unwrap();
            let error = read(&names, 0).unwrap_err();
            assert!(error.message.contains("bad file format"), "{error}");
            assert!(error.message.contains(names.offset_file(0).to_str().unwrap()), "{error}");
            assert_eq!((error.topic.as_deref(), error.partition), (Some("t"), Some(0)));
        }
    }

    #[test]
    fn an_offset_file_of_a_topic_whose_name_differs_in_case_only_is_not_taken_for_ones_own() {
        let directory = tempfile::tempdir().unwrap();
        let names = names(directory.path(), "clicks");
        let check = |listed: &[&str], exists: bool| {
            let listed: Vec<_> = listed.iter().map(|name| (*name).to_owned()).collect();
            check_case(&names, 0, &listed, |_| exists)
        };
        // The file system finds `clicks-0.offset`, but the file was made as `Clicks-0.offset`.
        let error = check(&["Clicks-0.offset", ".Clicks-0.lock"], true).unwrap_err();
        for part in ["Clicks-0.offset", "clicks-0.offset", "another topic", "directory of its own"] {
            assert!(error.message.contains(part), "{part}: {error}");
        }
        assert_eq!((error.topic.as_deref(), error.partition), (Some("clicks"), Some(0)));
        // Where it tells them apart both may be there, or only the other.
        check(&["Clicks-0.offset", "clicks-0.offset"], true).unwrap();
        check(&["Clicks-0.offset"], false).unwrap();
        // Another partition, a lock that was left behind, our own.
        check(&["Clicks-1.offset", ".Clicks-0.lock", "clicks-0.offset"], true).unwrap();
        // On this file system, whichever it is.
        fs::write(directory.path().join("Clicks-0.offset"), "5\n").unwrap();
        let listed = super::list(directory.path()).unwrap();
        let same = fs::metadata(names.offset_file(0)).is_ok();
        assert_eq!(check_case(&names, 0, &listed, Path::exists).is_err(), same);
    }

    #[test]
    fn what_is_written_is_read_back_and_nothing_else_is_left() {
        let directory = tempfile::tempdir().unwrap();
        let names = names(directory.path(), "t");
        let (durable, error) = write_round(&names, &[(0, 7), (12, 0)]);
        assert_eq!((durable, error), (vec![(0, 7), (12, 0)], None));
        assert_eq!(fs::read(names.offset_file(0)).unwrap(), b"7\n");
        assert_eq!(read(&names, 12).unwrap(), Some(0));
        assert_eq!(read(&names, 1).unwrap(), None);
        assert_eq!(list(directory.path()), ["t-0.offset", "t-12.offset"]);
    }

    #[test]
    fn where_nothing_is_processed_the_file_says_so_and_where_nothing_is_recorded_there_is_none() {
        let directory = tempfile::tempdir().unwrap();
        let names = names(directory.path(), "t");
        assert_eq!(write_round(&names, &[(0, 7), (1, 7)]).1, None);
        let (durable, error) = write_round(&names, &[(0, UNRECORDED), (1, 8), (2, UNRECORDED), (3, NOTHING)]);
        assert_eq!((durable, error), (vec![(0, UNRECORDED), (2, UNRECORDED), (1, 8), (3, NOTHING)], None));
        assert_eq!(read(&names, 0).unwrap(), None);
        assert_eq!(fs::read(names.offset_file(3)).unwrap(), b"-1\n");
        assert_eq!(read(&names, 3).unwrap(), Some(NOTHING));
        assert_eq!(list(directory.path()), ["t-1.offset", "t-3.offset"]);
    }

    #[test]
    fn one_bad_file_does_not_hold_back_the_others_and_is_named() {
        let directory = tempfile::tempdir().unwrap();
        let names = names(directory.path(), "t");
        fs::create_dir(names.offset_file(1)).unwrap();
        let (durable, error) = write_round(&names, &[(0, 7), (1, 7), (2, -3), (3, 7)]);
        assert_eq!(durable, [(0, 7), (3, 7)]);
        let error = error.unwrap();
        assert!(error.message.contains("t-2.offset") && error.message.contains("1 more"), "{error}");
        assert_eq!(list(directory.path()), ["t-0.offset", "t-1.offset", "t-3.offset"]);
    }

    #[test]
    fn leftovers_of_a_partition_are_removed_and_nothing_that_only_resembles_them() {
        let directory = tempfile::tempdir().unwrap();
        let kept = [
            ".a-1-1~abcde",      // topic `a-1`
            ".a.b-1~abcde",      // topic `a.b`
            ".a-1.offset-1~abc", // not ours
            ".a-2~abcde",        // a partition of another worker
            ".a-01~abcde",
            ".a-1~abcdef",
            ".a-1~ab.de",
            ".a-1.lock",
            ".b-1~abcde",
            "a-1.offset",
            "a-1~abcde",
        ];
        for name in kept.iter().chain(&[".a-1~abcde", ".a-1~12345", ".a-11~zzzzz"]) {
            fs::write(directory.path().join(name), "1\n").unwrap();
        }
        let listed = super::list(directory.path()).unwrap();
        remove_leftovers(&names(directory.path(), "a"), &[1, 11], &listed).unwrap();
        let mut expected = kept.map(String::from);
        expected.sort();
        assert_eq!(list(directory.path()), expected);
    }

    #[test]
    fn a_topic_name_that_fits_with_its_offset_file_fits_with_every_file() {
        let directory = tempfile::tempdir().unwrap();
        let names = names(directory.path(), &"t".repeat(255 - "-0.offset".len()));
        assert_eq!(write_round(&names, &[(0, 1)]).1, None);
        assert!(names.lock_file(0).file_name().unwrap().len() <= 255);
    }

    #[cfg(unix)]
    #[test]
    fn a_link_is_refused_when_read_and_replaced_when_written() {
        let directory = tempfile::tempdir().unwrap();
        let names = names(directory.path(), "t");
        let target = directory.path().join("target");
        fs::write(&target, "5\n").unwrap();
        std::os::unix::fs::symlink(&target, names.offset_file(0)).unwrap();
        let error = read(&names, 0).unwrap_err();
        assert!(error.message.contains("t-0.offset") && error.message.contains("a link"), "{error}");
        assert_eq!(write_round(&names, &[(0, 6)]).1, None);
        assert_eq!(fs::read(&target).unwrap(), b"5\n");
        assert_eq!(read(&names, 0).unwrap(), Some(6));
    }

    #[cfg(unix)]
    #[test]
    fn files_have_the_mode_that_the_umask_leaves() {
        use std::os::unix::fs::PermissionsExt;
        let directory = tempfile::tempdir().unwrap();
        let names = names(directory.path(), "t");
        assert_eq!(write_round(&names, &[(0, 1)]).1, None);
        fs::write(directory.path().join("plain"), "").unwrap();
        let mode = |path: &Path| fs::metadata(path).unwrap().permissions().mode();
        assert_eq!(mode(&names.offset_file(0)), mode(&directory.path().join("plain")));
    }
}
