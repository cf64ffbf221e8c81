//! Messages on their way to the receiver. On the client's thread.

use super::*;

impl Driver {
    /// Hands over what was taken, one batch, or judges the error at its front.
    pub(super) fn hand_over(&mut self) {
        while self.handover.messages.len() > 0 {
            let front = self.handover.messages.get(0);
            if front.error() != 0 {
                let error = front.to_error();
                self.assignment.learn(&front);
                let place = self.assignment.of(&front).map(|(key, _)| key).and_then(|key| self.assignment.get_mut(key));
                place.into_iter().for_each(|place| place.failed = true);
                self.handover.messages.release(1);
                return self.tell(error);
            }
            self.assignment.learn(&front);
            if self.assignment.of(&front).is_some() {
                break;
            }
            self.handover.messages.release(1); // of a partition that is gone, paused, moving or about to go
        }
        if self.handover.messages.len() == 0 {
            return;
        }
        let assignment = &self.assignment;
        let chosen = self.handover.choose(|message| assignment.of(message).map(|(key, place)| (key.0, place.epoch)));
        let share = self.shared.credit.share();
        let mut tracker = self.shared.credit.tracker.lock();
        for run in &self.handover.runs {
            let key = (run.topic, run.partition);
            let Some(place) = self.assignment.get_mut(key) else { continue };
            if place.next.is_some_and(|next| run.first_offset < next) {
                // librdkafka went back, because the log was cut off there: so does what is committed, and received.
                if let Some(last) = tracker.fall_back(place.id, run.first_offset) {
                    self.shared.recordable.lock().insert(place.id, last);
                }
                if let Some(current) = self.shared.epochs.lock().get_mut(&key) {
                    current.received = None;
                }
                place.first = Some(run.first_offset);
            }
            place.took(run.first_offset);
            place.next = Some(run.last_offset + 1);
            tracker.handed_over(self.handover.next_batch, place.id, run.last_offset, run.charge);
            if tracker.outstanding_bytes_of(place.id) > share {
                self.shared.credit.set_holding(true);
                self.assignment.hold(key, true);
            }
        }
        drop(tracker);
        let (topics, troubles) = (self.assignment.topics(), &self.shared.troubles);
        (self.sink)(GroupEvent::Batch(self.handover.pack(chosen, 0, 0, topics, troubles)));
    }

    /// Partitions that were held go on when enough of what they have out is done.
    pub(super) fn relieve(&mut self) {
        let share = self.shared.credit.share();
        let held = self.assignment.held();
        let (done, left): (Vec<_>, Vec<_>) = {
            let tracker = self.shared.credit.tracker.lock();
            held.into_iter().partition(|(_, id)| tracker.outstanding_bytes_of(*id) <= share / 2)
        };
        self.shared.credit.set_holding(!left.is_empty());
        for (key, _) in done {
            self.assignment.hold(key, false);
        }
    }

    /// The inbox ran dry: positions that transaction markers have moved on are told, so that they can be committed.
    pub(super) fn advance(&mut self) {
        if !self.limits.markers || self.assignment.keys().is_empty() {
            return;
        }
        let read = self.assignment.keys().into_iter().filter(|key| {
            self.assignment.get(*key).is_some_and(|place| {
                !place.paused && !place.leaving && !place.held && !place.failed && place.moving.is_none()
            })
        });
        let Ok(list) = self.assignment.list(read.map(|key| (key, logical::INVALID))) else { return };
        let mut advanced = Vec::new();
        for at in self.client.positions(list) {
            let Some(key) = self.assignment.find(&at.topic, at.partition) else { continue };
            let Some(place) = self.assignment.get_mut(key) else { continue };
            if at.offset < 0 || place.next.is_some_and(|next| at.offset <= next) {
                continue;
            }
            place.next = Some(at.offset);
            let epoch = place.epoch;
            advanced.push((self.named(key, epoch), at.offset));
        }
        if !advanced.is_empty() {
            (self.sink)(GroupEvent::Advanced(advanced));
        }
    }

    pub(super) fn named(&self, key: Key, epoch: i32) -> AssignedPartition {
        AssignedPartition { topic: self.assignment.name(key.0).clone(), topic_id: key.0, partition: key.1, epoch }
    }
}
