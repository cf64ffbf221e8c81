//! Offsets of an assignment of one's own in local files, the same as those of [`Consumer`](crate::Consumer).

use std::collections::{HashMap, HashSet};
use std::path::PathBuf;
use std::sync::Arc;
use std::time::Duration;

use parking_lot::Mutex;

use super::{GroupEvent, Sink, TopicPartitionOffset};
use crate::error::{Error, Result};
use crate::logical;
use crate::offsets::{absolute, Identity, OffsetDirectory, OffsetEvent, Recorder};
use crate::trouble::LogLine;

/// One recorder for each topic. Its calls wait for the disk: they are made on the helper thread.
pub(super) struct Files {
    directory: PathBuf,
    sink: Sink,
    topics: Mutex<HashMap<String, OfTopic>>,
}

struct OfTopic {
    recorder: Arc<Recorder>,
    /// The partitions whose files are locked by it.
    open: HashSet<i32>,
}

impl Files {
    pub(super) fn new(directory: PathBuf, sink: Sink) -> Result<Self> {
        Ok(Self { directory: absolute(directory)?, sink, topics: Mutex::default() })
    }

    fn recorder(&self, topic: &str) -> Result<Arc<Recorder>> {
        let mut topics = self.topics.lock();
        if let Some(OfTopic { recorder, .. }) = topics.get(topic) {
            return Ok(recorder.clone());
        }
        let (warner, sink) = (self.sink.clone(), self.sink.clone());
        let warn = Arc::new(move |text| warner(GroupEvent::Log(LogLine::warning(text))));
        let store = OffsetDirectory::new(&self.directory, topic, warn)?;
        let recorder = Arc::new(Recorder::new(
            Box::new(store),
            Arc::new(move |event| match event {
                OffsetEvent::Warning(text) => sink(GroupEvent::Log(LogLine::warning(text))),
                OffsetEvent::WriteFailed(error) => sink(GroupEvent::Error(error)),
                OffsetEvent::Recovered => sink(GroupEvent::Log(LogLine::info("offsets are written again"))),
            }),
        ));
        topics.insert(topic.to_owned(), OfTopic { recorder: recorder.clone(), open: HashSet::new() });
        Ok(recorder)
    }

    /// Locks the files of a topic's partitions and reads them.
    fn take(&self, topic: &str, partitions: Vec<i32>) -> Result<Vec<Option<i64>>> {
        let (tx, rx) = crossbeam_channel::bounded(1);
        self.recorder(topic)?.open(partitions.clone(), move |opened| drop(tx.send(opened)));
        let last = rx.recv().unwrap_or_else(|_| Err(crate::reply::closed()))?;
        if let Some(of_topic) = self.topics.lock().get_mut(topic) {
            of_topic.open.extend(partitions);
        }
        Ok(last)
    }

    /// Locks the partitions' files; where the offset is "what was committed" it becomes the one behind the recorded, or `first`.
    pub(super) fn open(&self, partitions: &mut [TopicPartitionOffset], first: i64) -> Result<()> {
        let mut topics: HashMap<String, Vec<usize>> = HashMap::new();
        for (index, at) in partitions.iter().enumerate() {
            topics.entry(at.topic.clone()).or_default().push(index);
        }
        for (topic, indices) in topics {
            let numbers = indices.iter().map(|index| partitions[*index].partition).collect();
            let opened = self.take(&topic, numbers)?;
            for (index, last) in indices.into_iter().zip(opened) {
                let at = &mut partitions[index];
                if matches!(at.offset, logical::STORED | logical::INVALID) {
                    at.offset = last.map_or(first, next);
                }
            }
        }
        Ok(())
    }

    /// Records the next offsets to be read; returns when they are on disk. The file of a partition that is not assigned is
    /// taken first, as of one that is.
    pub(super) fn commit(&self, offsets: &[TopicPartitionOffset], timeout: Duration) -> Result<()> {
        if let Some(at) = offsets.iter().find(|at| at.offset < 0) {
            return Err(Error::config(format!("an offset to commit is from 0 on, not {}", at.offset)));
        }
        for at in offsets {
            let open = self.topics.lock().get(&at.topic).is_some_and(|topic| topic.open.contains(&at.partition));
            if !open {
                self.take(&at.topic, vec![at.partition])?;
            }
        }
        let mut recorders: Vec<Arc<Recorder>> = Vec::new();
        for at in offsets {
            let recorder = self.recorder(&at.topic)?;
            match at.offset {
                0 => recorder.begin(at.partition),
                next => recorder.record(at.partition, next - 1),
            }
            if !recorders.iter().any(|known| Arc::ptr_eq(known, &recorder)) {
                recorders.push(recorder);
            }
        }
        match recorders.iter().all(|recorder| recorder.flush(timeout)) {
            true => Ok(()),
            false => Err(Error::from_store(format!("offsets could not be written to {}", self.directory.display()))),
        }
    }

    /// Reading begins at these: whoever opens their files goes on there, even if nothing was processed. Returns when they are on disk.
    pub(super) fn begin(&self, offsets: Vec<TopicPartitionOffset>, timeout: Duration) -> Result<()> {
        let offset = |at: TopicPartitionOffset| TopicPartitionOffset { offset: at.offset.max(0), ..at };
        self.commit(&offsets.into_iter().map(offset).collect::<Vec<_>>(), timeout)
    }

    /// Of which topic the files are; none: nothing was ever said. Whoever asks has opened them.
    pub(super) fn identity(&self, topic: &str) -> Result<Option<Identity>> {
        Identity::read(&self.directory, topic)
    }

    /// From now on the files are of these topics; returns when that is on disk. Whoever says so has opened them, and written where
    /// reading begins.
    pub(super) fn write_identities(&self, topics: &[(String, Identity)]) -> Result<()> {
        topics.iter().try_for_each(|(topic, identity)| identity.write(&self.directory, topic))
    }

    /// Writes what is left and releases the files.
    pub(super) fn close(&self, timeout: Duration) -> Result<()> {
        let topics = std::mem::take(&mut *self.topics.lock());
        let closing: Vec<_> = topics
            .into_values()
            .map(|OfTopic { recorder, .. }| {
                let (tx, rx) = crossbeam_channel::bounded(1);
                recorder.close(timeout, move |closed| drop(tx.send(closed)));
                rx
            })
            .collect();
        closing.into_iter().try_for_each(|closed| closed.recv().unwrap_or(Ok(())))
    }
}

/// Behind the last that is processed; the log may begin later than with 0.
fn next(last: i64) -> i64 {
    if last < 0 {
        logical::BEGIN
    } else {
        last.saturating_add(1)
    }
}
