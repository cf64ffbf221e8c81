//! Positions that the log does not have. On the client's thread.

use super::*;

/// The pause before watermarks are asked for again.
const ASK_AGAIN: Duration = Duration::from_millis(500);

impl Driver {
    pub(super) fn on_message_error(&mut self, error: Error, truncation: Option<Truncation>) {
        match error.partition {
            Some(partition) if error.code == code::AUTO_OFFSET_RESET => {
                if let Some(place) = self.places.get_mut(partition) {
                    place.lost = true;
                    place.truncation = truncation;
                    self.ask_watermarks(partition);
                }
            }
            _ => self.on_error(error),
        }
    }

    pub(super) fn ask_watermarks(&mut self, partition: i32) {
        let topic = self.topic.clone();
        let asked = self.ask(move |client| {
            let answer = client.query_watermarks(&topic, partition, QUESTION);
            Some(Command::Watermarks { partition, answer })
        });
        if !asked {
            self.ask_again.push((Instant::now() + ASK_AGAIN, partition));
        }
    }

    /// The log does not have the offset that comes next: counts what is gone, says so, and goes on where the user wants.
    pub(super) fn relocate(&mut self, partition: i32, answer: Result<(i64, i64)>) {
        let watermarks = match answer {
            Ok(watermarks) => watermarks,
            Err(error) => {
                self.log(LogLine::warning(format!("watermarks of {}/{partition}: {error}; asking again", self.topic)));
                self.ask_again.push((Instant::now() + ASK_AGAIN, partition));
                return;
            }
        };
        let relocation = self.places.relocate(partition, watermarks, self.reset);
        let Some(place) = self.places.get_mut(partition).filter(|place| place.lost) else { return };
        let (low, high) = watermarks;
        let at = format!("{}/{partition}: offset {}", self.topic, place.next.unwrap_or(low));
        let truncation = place.truncation.take();
        let cut = truncation.as_ref().is_some_and(|truncation| truncation.offset >= 0);
        let place_text = match truncation {
            Some(_) => format!(
                "{at} is behind where the log ({low} to {high}) was cut off, by an election or a crash of its leader"
            ),
            None => format!("{at} is not in the log ({low} to {high})"),
        };
        self.misses += relocation.misses;
        self.repeats += u64::from(relocation.repeat);
        let Some(to) = relocation.to else {
            let mut error =
                Error::kafka(code::AUTO_OFFSET_RESET, format!("{place_text}, and auto.offset.reset is 'error'"));
            error.topic = Some(self.topic.to_string());
            error.partition = Some(partition);
            return self.tell(error);
        };
        if place.next != Some(to) || relocation.repeat {
            let missed = relocation.misses;
            (self.sink)(ConsumerEvent::Log(LogLine::warning(format!(
                "{place_text}; {missed} missed, going on at {to}"
            ))));
            let mut tracker = self.shared.credit.tracker.lock();
            if cut {
                // Outstanding messages of the part that is left come again after a crash, so nothing goes past them.
                self.shared.fall_back(&mut tracker, partition, to);
            } else {
                tracker.forget(partition);
                if relocation.repeat {
                    self.shared.record_lower(partition, to - 1);
                }
            }
        }
        place.next = Some(to);
        place.leader_epoch = relocation.leader_epoch;
        place.epoch += 1;
        place.lost = false;
        // librdkafka stopped the partition: seeking it fails, taking it away and giving it back works. Taking it away ends
        // the forwarding of its queue, a moment later and on librdkafka's thread; that has happened when the second call
        // returns, which that thread answers after. Messages that have come by then move along with the queue.
        let moved = Partitions::of(&self.topic, [(partition, to)]).and_then(|mut list| {
            list.set_leader_epoch(0, relocation.leader_epoch);
            let queue = self.client.partition_queue(&self.topic, partition)?;
            self.client.incremental_unassign(&list)?;
            self.client.incremental_assign(&list)?;
            queue.forward(&self.handover.inbox);
            Ok(())
        });
        if let Err(error) = moved {
            self.tell(error);
        }
    }
}
