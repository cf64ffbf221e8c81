//! Moving partitions: seek, pause, resume. On the client's thread.

use super::*;

impl Driver {
    /// The partition has only been assigned: librdkafka still asks where it begins.
    pub(super) fn again(&mut self, command: Command) {
        self.later.push((Instant::now() + TRY_AGAIN, command));
    }

    /// A partition begins anew: what was taken from the queue is out of date.
    pub(super) fn renew(&mut self, key: Key, offset: i64) -> Option<i32> {
        let epoch = self.assignment.new_epoch();
        let place = self.assignment.get_mut(key)?;
        (place.epoch, place.next, place.failed) = (epoch, (offset >= 0).then_some(offset), false);
        let mut tracker = self.shared.tracker.lock();
        tracker.forget(place.id);
        self.shared.recordable.lock().remove(&place.id);
        drop(tracker);
        self.shared.epochs.lock().insert(key, epoch);
        Some(epoch)
    }

    pub(super) fn drop_taken(&mut self, keys: &[Key]) {
        let assignment = &self.assignment;
        self.messages.retain(|message| {
            assignment.find(&message.topic_name(), message.partition()).is_none_or(|key| !keys.contains(&key))
        });
    }

    pub(super) fn seek(&mut self, to: &TopicPartitionOffset) -> Result<Option<i32>> {
        let Some(key) = self.assignment.find(&to.topic, to.partition) else { return Ok(None) };
        self.client.seek(&self.assignment.list([(key, to.offset)].into_iter())?, MOVE)?;
        self.drop_taken(&[key]);
        Ok(self.renew(key, to.offset))
    }

    pub(super) fn pause(&mut self, partitions: &[(String, i32)]) -> Result<()> {
        let keys: Vec<_> =
            partitions.iter().filter_map(|(topic, partition)| self.assignment.find(topic, *partition)).collect();
        if keys.is_empty() {
            return Ok(());
        }
        self.client.pause(&self.assignment.list(keys.iter().map(|key| (*key, COMMITTED)))?)?;
        self.assignment.set_paused(&keys, true);
        self.drop_taken(&keys);
        Ok(())
    }

    pub(super) fn resume(&mut self, partitions: &[TopicPartitionOffset]) -> Result<Vec<Option<i32>>> {
        let found: Vec<_> =
            partitions.iter().map(|at| (self.assignment.find(&at.topic, at.partition), at.offset)).collect();
        let here = || found.iter().filter_map(|(key, offset)| key.map(|key| (key, *offset)));
        let sought = || here().filter(|(_, offset)| *offset != COMMITTED);
        if sought().next().is_some() {
            self.client.seek(&self.assignment.list(sought())?, MOVE)?;
        }
        if here().next().is_some() {
            self.client.resume(&self.assignment.list(here())?)?;
        }
        self.assignment.set_paused(&here().map(|(key, _)| key).collect::<Vec<_>>(), false);
        Ok(found.into_iter().map(|(key, offset)| key.and_then(|key| self.renew(key, offset))).collect())
    }
}
