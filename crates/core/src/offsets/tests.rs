//! Promises that need the whole: the recorder over a real directory, and several processes.
//!
//! A second process is this test binary again: it runs the one test `a_child_of_another_test`, which does nothing
//! unless the environment names a role for it.

use std::fs;
use std::io::{BufRead, BufReader, Write};
use std::path::{Path, PathBuf};
use std::process::{Child, ChildStdout, Command, Stdio};
use std::sync::Arc;
use std::time::Duration;

use crossbeam_channel::{unbounded, Receiver};

use super::*;
use crate::code;

const ROLE: &str = "KAFKA_NATIVE_TEST_ROLE";
const DIRECTORY: &str = "KAFKA_NATIVE_TEST_DIRECTORY";
const LONG: Duration = Duration::from_secs(60);
/// Text of a child to its parent starts with this; the rest is the test harness talking.
const SAYS: &str = "child says ";

fn store(directory: &Path) -> OffsetDirectory {
    OffsetDirectory::new(directory, "t", Arc::new(|text| panic!("unexpected warning: {text}"))).unwrap()
}

fn recorder(directory: &Path) -> (Recorder, Receiver<OffsetEvent>) {
    let (sender, events) = unbounded();
    (Recorder::new(Box::new(store(directory)), Arc::new(move |event| drop(sender.send(event)))), events)
}

fn open(recorder: &Recorder, partitions: &[i32]) -> Result<Vec<Option<i64>>> {
    let (sender, receiver) = unbounded();
    recorder.open(partitions.into(), move |offsets| drop(sender.send(offsets)));
    receiver.recv_timeout(LONG).unwrap()
}

fn close(recorder: &Recorder, deadline: Duration) -> Result<()> {
    let (sender, receiver) = unbounded();
    recorder.close(deadline, move |outcome| drop(sender.send(outcome)));
    receiver.recv_timeout(LONG).unwrap()
}

fn temporary_files(directory: &Path) -> usize {
    let names = fs::read_dir(directory).unwrap().map(|entry| entry.unwrap().file_name());
    names.filter(|name| name.to_string_lossy().contains('~')).count()
}

/// A child process, killed when this is dropped.
struct Process {
    child: Child,
    output: BufReader<ChildStdout>,
}

impl Process {
    fn start(role: &str, directory: &Path) -> Self {
        let test = concat!(module_path!(), "::a_child_of_another_test");
        let test = test.split_once("::").unwrap().1;
        let mut child = Command::new(std::env::current_exe().unwrap())
            .args(["--exact", test, "--nocapture", "--test-threads=1"])
            .env(ROLE, role)
            .env(DIRECTORY, directory)
            .stdout(Stdio::piped())
            .spawn()
            .unwrap();
        let output = BufReader::new(child.stdout.take().unwrap());
        Self { child, output }
    }

    /// The next thing that the child says; `None` when it is gone.
    fn next(&mut self) -> Option<String> {
        loop {
            let mut line = String::new();
            if self.output.read_line(&mut line).unwrap() == 0 {
                return None;
            }
            // The harness does not end its own line before the child's first.
            if let (Some((_, said)), true) = (line.split_once(SAYS), line.ends_with('\n')) {
                return Some(said.trim_end().to_owned());
            }
        }
    }

    fn kill(&mut self) {
        let _ = self.child.kill();
        let _ = self.child.wait();
    }
}

impl Drop for Process {
    fn drop(&mut self) {
        self.kill();
    }
}

fn say(text: impl std::fmt::Display) {
    let mut output = std::io::stdout().lock();
    writeln!(output, "{SAYS}{text}").and_then(|()| output.flush()).unwrap();
}

#[test]
fn a_child_of_another_test() {
    let (Ok(role), Some(directory)) = (std::env::var(ROLE), std::env::var_os(DIRECTORY)) else { return };
    let mut store = store(&PathBuf::from(directory));
    let offsets = store.open(&[0, 1]).unwrap();
    match role.as_str() {
        "hold" => {
            say("held");
            loop {
                std::thread::park();
            }
        }
        "write" => {
            let mut offset = offsets.into_iter().flatten().max().unwrap_or(-1);
            loop {
                offset += 1;
                store.write(&[(0, offset), (1, offset)]).unwrap();
                say(offset);
            }
        }
        role => panic!("no such role: {role}"),
    }
}

#[test]
fn a_process_killed_while_it_writes_leaves_the_old_offset_or_the_new_one() {
    let directory = tempfile::tempdir().unwrap();
    let mut durable = -1i64;
    let mut leftovers = 0;
    for round in 0..30u32 {
        let mut process = Process::start("write", directory.path());
        // The kill comes at another point of a write each time: after some rounds, plus some microseconds.
        for _ in 0..=round % 7 {
            durable = process.next().expect("the child writes").parse().unwrap();
        }
        let started = std::time::Instant::now();
        while started.elapsed() < Duration::from_micros(u64::from(round) * 37) {
            std::hint::spin_loop();
        }
        process.kill();
        while let Some(said) = process.next() {
            durable = said.parse().unwrap();
        }

        for partition in 0..2 {
            let content = fs::read_to_string(directory.path().join(format!("t-{partition}.offset"))).unwrap();
            let offset: i64 = content.strip_suffix('\n').expect("a whole line").parse().expect("a number");
            assert!((durable..=durable + 1).contains(&offset), "{durable} was durable, {offset} was found");
        }
        leftovers += temporary_files(directory.path());
        let mut store = store(directory.path());
        store.open(&[0, 1]).expect("the lock died with its process, and both files can be read");
        assert_eq!(temporary_files(directory.path()), 0);
    }
    println!("{leftovers} temporary files were left behind and removed");
}

#[test]
fn a_second_process_is_told_who_holds_the_partition_until_that_process_dies() {
    let directory = tempfile::tempdir().unwrap();
    let mut process = Process::start("hold", directory.path());
    assert_eq!(process.next().as_deref(), Some("held"));
    let (recorder, _events) = recorder(directory.path());
    let error = open(&recorder, &[1]).unwrap_err();
    assert_eq!((error.code, error.topic.as_deref(), error.partition), (code::CONFLICT, Some("t"), Some(1)));
    for part in [&format!("process {}", process.child.id()), "t-1.offset", ".t-1.lock"] {
        assert!(error.message.contains(part), "{part}: {error}");
    }
    process.kill();
    assert_eq!(open(&recorder, &[1]).unwrap(), [None]);
}

#[test]
fn a_lock_is_not_inherited_by_a_program_that_the_holder_starts() {
    let directory = tempfile::tempdir().unwrap();
    let elsewhere = tempfile::tempdir().unwrap();
    let mut first = store(directory.path());
    first.open(&[0]).unwrap();
    let mut process = Process::start("hold", elsewhere.path());
    assert_eq!(process.next().as_deref(), Some("held"));
    first.close();
    store(directory.path()).open(&[0]).unwrap();
}

#[test]
fn what_was_recorded_before_close_is_where_the_next_consumer_starts() {
    let directory = tempfile::tempdir().unwrap();
    let (first, events) = recorder(directory.path());
    assert_eq!(open(&first, &[0, 1]).unwrap(), [None, None]);
    for offset in 0..100 {
        first.record(0, offset);
        first.record(1, offset * 2);
    }
    let (second, _events) = recorder(directory.path());
    assert_eq!(open(&second, &[0]).unwrap_err().code, code::CONFLICT);
    close(&first, LONG).unwrap();
    assert_eq!(open(&second, &[0, 1]).unwrap(), [Some(99), Some(198)]);

    // The second consumer has the partitions now, so the first one's late value is a repeat and never a gap.
    first.record(0, 100);
    let OffsetEvent::Warning(text) = events.recv_timeout(LONG).unwrap() else { panic!("a warning") };
    assert!(text.contains("offset 100 of partition 0"), "{text}");
    assert!(events.is_empty());
    close(&second, LONG).unwrap();
    first.record(0, 101);
    assert!(!first.flush(LONG), "a value was dropped");
    assert_eq!(fs::read(directory.path().join("t-0.offset")).unwrap(), b"101\n");
}

#[test]
fn writing_goes_on_when_a_directory_that_vanished_is_back() {
    let root = tempfile::tempdir().unwrap();
    let directory = root.path().join("offsets");
    let (recorder, events) = recorder(&directory);
    open(&recorder, &[0]).unwrap();
    fs::remove_dir_all(&directory).unwrap();
    recorder.record(0, 5);
    let OffsetEvent::WriteFailed(error) = events.recv_timeout(LONG).unwrap() else { panic!("a failure") };
    assert!(error.message.contains(directory.to_str().unwrap()), "{error}");
    recorder.record(0, 6);
    fs::create_dir(&directory).unwrap();
    assert_eq!(events.recv_timeout(LONG).unwrap(), OffsetEvent::Recovered);
    assert!(recorder.flush(LONG));
    assert_eq!(fs::read(directory.join("t-0.offset")).unwrap(), b"6\n");
    assert!(events.is_empty());
}

#[test]
fn a_partition_that_cannot_be_written_does_not_hold_back_the_others_and_is_named_at_close() {
    let directory = tempfile::tempdir().unwrap();
    let (recorder, events) = recorder(directory.path());
    open(&recorder, &[0, 1]).unwrap();
    fs::create_dir(directory.path().join("t-0.offset")).unwrap();
    recorder.record(0, 5);
    let OffsetEvent::WriteFailed(error) = events.recv_timeout(LONG).unwrap() else { panic!("a failure") };
    assert_eq!(error.partition, Some(0));
    recorder.record(1, 7);
    let error = close(&recorder, Duration::from_millis(150)).unwrap_err();
    assert_eq!((error.topic.as_deref(), error.partition), (Some("t"), Some(0)));
    assert!(error.to_string().contains("t-0.offset"), "{error}");
    assert_eq!(fs::read(directory.path().join("t-1.offset")).unwrap(), b"7\n");
    // The partitions are free again.
    fs::remove_dir(directory.path().join("t-0.offset")).unwrap();
    assert_eq!(store(directory.path()).open(&[0, 1]).unwrap(), [None, Some(7)]);
}

#[test]
fn at_close_only_the_partitions_are_named_whose_files_could_not_be_written() {
    let directory = tempfile::tempdir().unwrap();
    let (recorder, events) = recorder(directory.path());
    open(&recorder, &[0, 1]).unwrap();
    fs::create_dir(directory.path().join("t-0.offset")).unwrap();
    recorder.record(0, 5);
    assert!(matches!(events.recv_timeout(LONG).unwrap(), OffsetEvent::WriteFailed(_)));
    // The next round has both of them.
    recorder.record(1, 7);
    let error = close(&recorder, Duration::from_secs(1)).unwrap_err();
    let text = error.to_string();
    assert!(text.contains("0: 5") && !text.contains("1: 7"), "{text}");
    assert_eq!(fs::read(directory.path().join("t-1.offset")).unwrap(), b"7\n");
}
