//! Committing, to the group's coordinator or to files. On the client's thread.

use super::*;

impl Driver {
    /// Takes what is done and not committed: the next offsets of the partitions that are wanted.
    pub(super) fn done(&mut self, wanted: impl Fn(i32) -> bool) -> Vec<TopicPartitionOffset> {
        let done: Vec<_> = self.shared.recordable.lock().extract_if(|id, _| wanted(*id)).collect();
        done.into_iter()
            .map(|(id, last)| {
                let (topic, partition) = self.assignment.key_of(id);
                TopicPartitionOffset::new(&**self.assignment.name(topic), partition, last + 1)
            })
            .collect()
    }

    /// Commits, and goes on with `then` when that has ended.
    pub(super) fn commit(&mut self, offsets: &[TopicPartitionOffset], then: Committing) {
        if offsets.is_empty() {
            return self.commit_ended(then, Ok(()));
        }
        let opaque = self.next_commit;
        self.next_commit += 1;
        if let Some(files) = self.files.clone() {
            self.committing.insert(opaque, then);
            let offsets = offsets.to_vec();
            return self.help(move || Command::Written { opaque, ended: files.commit(&offsets, WRITE) });
        }
        let list = ffi::Partitions::list(offsets.iter().map(|at| (at.topic.as_str(), at.partition, at.offset)));
        let begun = list.and_then(|mut list| {
            for (index, at) in offsets.iter().enumerate() {
                at.metadata.iter().for_each(|metadata| list.set_metadata(index, metadata));
            }
            if !self.limits.in_group {
                return Err(Error::config("committing needs a group (group.id)"));
            }
            self.client.commit(&list, &self.events, opaque)
        });
        match begun {
            Ok(()) => drop(self.committing.insert(opaque, then)),
            Err(error) => self.commit_ended(then, Err(error)),
        }
    }

    pub(super) fn commit_ended(&mut self, then: Committing, ended: Result<()>) {
        match then {
            Committing::Reply(reply) => reply.send(ended),
            Committing::Timed(offsets) => {
                if let Err(error) = ended {
                    self.not_committed(&error);
                    self.put_back(&offsets);
                }
            }
            Committing::Revoke(pending) => {
                ended.unwrap_or_else(|error| self.not_committed(&error));
                self.go(&pending);
            }
            Committing::Stop => {
                ended.unwrap_or_else(|error| self.not_committed(&error));
                self.leave();
            }
        }
    }

    /// The next commit tries these again, unless more is done by then or the partition is gone.
    fn put_back(&self, offsets: &[TopicPartitionOffset]) {
        let mut recordable = self.shared.recordable.lock();
        for at in offsets {
            let place = self.assignment.find(&at.topic, at.partition).and_then(|key| self.assignment.get(key));
            if let Some(place) = place {
                recordable.entry(place.id).or_insert(at.offset - 1);
            }
        }
    }

    fn not_committed(&self, error: &Error) {
        self.log(LogLine::warning(format!("offsets were not committed, their messages may come again: {error}")));
    }
}
