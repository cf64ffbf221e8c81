//! Messages on their way to the receiver. On the client's thread.

use super::rules::{fall_back, pass_over};
use super::*;

impl Driver {
    /// Hands over what was taken, one batch, or judges the error at its front.
    pub(super) fn hand_over(&mut self) {
        while self.handover.messages.len() > 0 {
            let front = self.handover.messages.get(0);
            if front.error() == code::PARTITION_EOF {
                self.assignment.learn(&front);
                let end = self.assignment.of(&front).map(|(key, _)| (key, front.offset()));
                self.handover.messages.release(1);
                end.into_iter().for_each(|(key, offset)| self.at_end(key, offset));
                continue;
            }
            if front.error() != 0 {
                let error = front.to_error();
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
        let (mut jumps, ruled) = (Vec::new(), self.ruling.active());
        let mut tracker = self.shared.credit.tracker.lock();
        for (i, run) in self.handover.runs.iter().enumerate() {
            let key = (run.topic, run.partition);
            let Some(place) = self.assignment.get_mut(key) else { continue };
            if place.next.is_some_and(|next| run.first_offset < next) {
                fall_back(place, key, run.first_offset, &mut tracker, &self.shared);
                self.reading.look_soon(); // its topic may have been made anew
            }
            if let Some(next) = place.next.filter(|next| !ruled && run.first_offset > *next) {
                jumps.push((key, next, run.first_offset));
            }
            place.took(run.first_offset);
            place.next = Some(run.last_offset + 1);
            place.heard = true;
            tracker.handed_over(self.handover.next_batch, place.id, run.last_offset, run.charge);
            if place.wanted > 0 {
                let end = self.handover.runs.get(i + 1).map_or(chosen.0, |next| next.first);
                place.wanted = place.wanted.saturating_sub(end - run.first);
                if place.wanted == 0 {
                    pass_over(place, key, &mut tracker, &self.shared, &mut self.ruling.moved);
                }
            }
            if tracker.outstanding_bytes_of(place.id) > share {
                self.shared.credit.set_holding(true);
                self.assignment.hold(key, true);
            }
        }
        drop(tracker);
        if self.shared.credit.is_holding() {
            self.handover.behind(true);
        }
        jumps.into_iter().for_each(|(key, from, to)| self.jumped(key, from, to));
        let (topics, troubles) = (self.assignment.topics(), &self.shared.troubles);
        (self.sink)(GroupEvent::Batch(self.handover.pack(chosen, 0, 0, topics, troubles)));
        self.tell_soon();
    }

    /// Offsets were left out: compacted, of markers, or deleted before they were read, which is told.
    pub(super) fn jumped(&self, key: Key, from: i64, to: i64) {
        let (topic, partition) = (self.assignment.name(key.0), key.1);
        let low = self.client.cached_watermarks(topic, partition).map_or(0, |(low, _)| low.min(to));
        if low > from {
            let gone = low - from;
            self.log(LogLine::warning(format!(
                "{topic}/{partition}: what was at offset {from} and up to {} was deleted before it was read ({gone} offsets), as retention \
                 does; it is read on at {to}. Read faster, or let the topic keep more",
                low - 1
            )));
            let epoch = self.assignment.get(key).map_or(0, |place| place.epoch);
            (self.sink)(GroupEvent::OffsetsLost(self.named(key, epoch), from, low));
        }
    }

    /// Everything below this offset was taken.
    fn at_end(&mut self, key: Key, offset: i64) {
        let Some(place) = self.assignment.get_mut(key) else { return };
        place.heard = true;
        let before = place.next.replace(offset.max(place.next.unwrap_or(offset))).filter(|next| offset > *next);
        let epoch = place.epoch;
        before.into_iter().for_each(|next| self.jumped(key, next, offset));
        let advanced = before.is_some() && self.limits.markers;
        if self.ruling.active() {
            return self.read_to_end(key, offset, advanced);
        }
        let at = self.named(key, epoch);
        if advanced {
            (self.sink)(GroupEvent::Advanced(vec![(at.clone(), offset)]));
        }
        (self.sink)(GroupEvent::End(at, offset));
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
            self.assignment
                .get(*key)
                .is_some_and(|place| !place.paused && !place.leaving && !place.held && place.moving.is_none())
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
            place.heard = true;
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
