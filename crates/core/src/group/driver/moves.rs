//! Moving partitions: seek, pause, resume. On the client's thread.
//!
//! A move is tried until it succeeds or the partition goes: librdkafka refuses it while it still asks where a partition that
//! has only been assigned begins. From the first try on nothing of the old place is handed over.

use super::*;

/// Of seeks and resumes, whose partitions are on their way.
pub(super) enum Moved {
    One(Reply<Option<i32>>),
    Each(Reply<Vec<Option<i32>>>),
}

/// How long librdkafka may take to answer a move; it is tried again then.
const MOVE: Duration = Duration::from_secs(5);
/// The pause before a move is tried again.
const TRY_AGAIN: Duration = Duration::from_millis(20);
/// How long the group may take to say what it has committed, before it is asked again.
const QUESTION: Duration = Duration::from_secs(10);

impl Driver {
    /// A partition begins anew: what was taken from the queue is out of date. `keep`: it goes on behind what was received,
    /// which still counts when it is done.
    fn renew(&mut self, key: Key, start: i64, keep: bool) {
        let epoch = self.assignment.new_epoch();
        self.drop_taken(&[key]);
        let Some(place) = self.assignment.get_mut(key) else { return };
        let unread = place.batch;
        place.begin(epoch, start, self.handover.next_batch);
        place.origin = if keep { place.origin } else { epoch };
        let received = {
            let mut epochs = self.shared.epochs.lock();
            let before = epochs.insert(key, Current { epoch, received: None });
            before.and_then(|before| before.received)
        };
        let mut tracker = self.shared.credit.tracker.lock();
        if keep {
            tracker.forget_from(place.id, received.map_or(unread, |(_, batch)| batch + 1));
        } else {
            tracker.forget(place.id);
            self.shared.recordable.lock().remove(&place.id);
        }
    }

    /// Throws away what was taken of these and not handed over.
    pub(super) fn drop_taken(&mut self, keys: &[Key]) {
        let assignment = &self.assignment;
        self.handover.messages.retain(|message| assignment.key_at(message).is_none_or(|key| !keys.contains(&key)));
    }

    /// The partition, unless it is not assigned, or about to go.
    fn here(&self, topic: &str, partition: i32) -> Option<Key> {
        let key = self.assignment.find(topic, partition)?;
        self.assignment.get(key).filter(|place| !place.leaving).map(|_| key)
    }

    pub(super) fn seek(&mut self, to: &TopicPartitionOffset, again: bool, reply: Reply<Option<i32>>) {
        if to.offset < logical::BEGIN {
            let text =
                format!("an offset to seek is from 0 on, or -2 (the log's begin) or -1 (its end), not {}", to.offset);
            return reply.send(Err(Error::config(text)));
        }
        let key = self.here(&to.topic, to.partition);
        if let Some(key) = key {
            self.begin_move(key, Target::At(to.offset), false, again);
        }
        self.moved.push((vec![key], Moved::One(reply)));
        self.move_on();
    }

    pub(super) fn pause(&mut self, partitions: &[(String, i32)]) -> Result<()> {
        let keys: Vec<_> = partitions.iter().filter_map(|(topic, partition)| self.here(topic, *partition)).collect();
        if keys.is_empty() {
            return Ok(());
        }
        self.client.pause(&self.assignment.list(keys.iter().map(|key| (*key, logical::INVALID)))?)?;
        for key in &keys {
            let Some(place) = self.assignment.get_mut(*key) else { continue };
            place.paused = true;
            if let Some(moving) = &mut place.moving {
                moving.resume = false;
            }
        }
        // librdkafka goes on behind these, whatever becomes of them.
        for i in 0..self.handover.messages.len() {
            let message = self.handover.messages.get(i);
            let Some(key) = self.assignment.key_at(&message).filter(|key| keys.contains(key) && message.error() == 0)
            else {
                continue;
            };
            let offset = message.offset();
            let place = self.assignment.get_mut(key).filter(|place| place.moving.is_none());
            place.into_iter().for_each(|place| place.took(offset));
        }
        self.drop_taken(&keys);
        Ok(())
    }

    pub(super) fn resume(
        &mut self,
        partitions: &[TopicPartitionOffset],
        again: &[bool],
        reply: Reply<Vec<Option<i32>>>,
    ) {
        if let Some(at) = partitions.iter().find(|at| at.offset < logical::BEGIN && at.offset != logical::INVALID) {
            let text = format!(
                "an offset to resume at is from 0 on, or -2 (the log's begin), -1 (its end) or -1001 (where it was), not {}",
                at.offset
            );
            return reply.send(Err(Error::config(text)));
        }
        let keys: Vec<_> = partitions.iter().map(|at| self.here(&at.topic, at.partition)).collect();
        for ((key, at), again) in keys.iter().zip(partitions).zip(again) {
            let Some(key) = *key else { continue };
            let to = if at.offset == logical::INVALID { self.where_it_was(key) } else { Some(Target::At(at.offset)) };
            to.into_iter().for_each(|to| self.begin_move(key, to, true, *again));
        }
        self.moved.push((keys, Moved::Each(reply)));
        self.move_on();
    }

    /// Where a partition goes on from which nothing is to be left out: behind what was received, else at the first message
    /// that was taken since it began. librdkafka itself stands behind all that was taken.
    fn where_it_was(&self, key: Key) -> Option<Target> {
        let place = self.assignment.get(key)?;
        if let Some(moving) = place.moving {
            return Some(moving.to);
        }
        let received = self.shared.epochs.lock().get(&key).and_then(|current| current.received);
        // Messages that were taken and wait to be handed over are thrown away by the move.
        let mut messages = (0..self.handover.messages.len()).map(|i| self.handover.messages.get(i));
        let taken = messages.find(|message| message.error() == 0 && self.assignment.key_at(message) == Some(key));
        let first = place.first.or(taken.map(|message| message.offset()));
        Some(match received.map(|(next, _)| next).or(first) {
            Some(next) => Target::At(next),
            None => Target::Here,
        })
    }

    /// Where a partition begins of which the group has no offset.
    pub(super) fn reset(&self, key: Key) -> Reset {
        self.subscriptions.reset(self.assignment.name(key.0), key.1)
    }

    fn begin_move(&mut self, key: Key, to: Target, resume: bool, again: bool) {
        let before = self.assignment.get(key).and_then(|place| place.moving);
        let start = match (to, self.assignment.get(key)) {
            (Target::At(offset), _) => offset,
            (_, Some(place)) => place.start,
            (_, None) => return,
        };
        // Only a resume without an offset goes on from where it was.
        let keep = resume && self.where_it_was(key) == Some(to);
        self.renew(key, start, keep);
        if let Some(place) = self.assignment.get_mut(key) {
            if !again {
                place.replaced.clear();
            }
            let resume = resume || before.is_some_and(|before| before.resume);
            place.moving = Some(Move { to, resume });
        }
    }

    /// Tries every move that is under way, and answers those that have ended.
    pub(super) fn move_on(&mut self) {
        let mut ask = Vec::new();
        for key in self.assignment.moving() {
            let Some(Move { to, resume }) = self.assignment.get(key).and_then(|place| place.moving) else { continue };
            let moved = match to {
                Target::Committed(reset) => {
                    ask.push((key, reset));
                    continue;
                }
                Target::Here => Ok(()),
                Target::At(offset) => {
                    self.assignment.list([(key, offset)].into_iter()).and_then(|list| self.client.seek(&list, MOVE))
                }
            };
            let moved = moved.and_then(|()| match resume {
                true => self
                    .assignment
                    .list([(key, logical::INVALID)].into_iter())
                    .and_then(|list| self.client.resume(&list)),
                false => Ok(()),
            });
            if moved.is_ok() {
                self.drop_taken(&[key]);
                let Some(place) = self.assignment.get_mut(key) else { continue };
                place.moving = None;
                place.paused &= !resume;
            }
        }
        if !ask.is_empty() && !self.asking {
            self.ask_committed(ask);
        }
        self.move_at = (!self.assignment.moving().is_empty()).then(|| Instant::now() + TRY_AGAIN);
        self.answer_moves();
    }

    /// Asks the group where it left these. On the helper thread, because the coordinator may take long.
    fn ask_committed(&mut self, partitions: Vec<(Key, Reset)>) {
        let names: Vec<(String, i32)> = partitions
            .iter()
            .map(|((topic, partition), _)| (self.assignment.name(*topic).to_string(), *partition))
            .collect();
        let in_group = self.limits.in_group;
        self.asking = self.help(move |client| {
            let list = names.iter().map(|(topic, partition)| (topic.as_str(), *partition, logical::INVALID));
            let committed = match in_group {
                true => ffi::Partitions::list(list).and_then(|list| client.committed(&list, QUESTION)),
                false => Ok(Vec::new()),
            };
            let found = committed.map(|found| {
                let offset = |i: usize| found.get(i).map(|found| found.offset).filter(|offset| *offset >= 0);
                let begin = |reset| if reset == Reset::Latest { logical::END } else { logical::BEGIN };
                partitions
                    .iter()
                    .enumerate()
                    .map(|(i, (key, reset))| (*key, offset(i).unwrap_or(begin(*reset))))
                    .collect()
            });
            Command::Committed { found }
        });
    }

    pub(super) fn on_committed(&mut self, found: Result<Vec<(Key, i64)>>) {
        self.asking = false;
        match found {
            Ok(found) => {
                for (key, offset) in found {
                    let Some(place) = self.assignment.get_mut(key) else { continue };
                    if let Some(Move { to: to @ Target::Committed(_), .. }) = &mut place.moving {
                        *to = Target::At(offset);
                        let (epoch, batch) = (place.epoch, place.batch);
                        place.begin(epoch, offset, batch);
                    }
                }
            }
            Err(error) => self.tell(error),
        }
        self.move_on();
    }

    /// Answers the seeks and resumes of which no partition is under way any more.
    pub(super) fn answer_moves(&mut self) {
        let assignment = &self.assignment;
        let place = |key: &Option<Key>| key.and_then(|key| assignment.get(key)).filter(|place| !place.leaving);
        let ended = self
            .moved
            .extract_if(.., |(keys, _)| keys.iter().all(|key| place(key).is_none_or(|place| place.moving.is_none())));
        let ended: Vec<_> = ended
            .map(|(keys, moved)| {
                (keys.iter().map(|key| place(key).map(|place| place.epoch)).collect::<Vec<_>>(), moved)
            })
            .collect();
        for (epochs, moved) in ended {
            match moved {
                Moved::One(reply) => reply.send(Ok(epochs[0])),
                Moved::Each(reply) => reply.send(Ok(epochs)),
            }
        }
    }
}

/// Whether a partition can begin there.
pub(super) fn check_begin(offset: i64) -> Result<()> {
    match offset {
        logical::BEGIN.. | logical::STORED | logical::INVALID => Ok(()),
        _ => Err(Error::config(format!(
            "a partition begins at an offset from 0 on, at -2 (the log's begin), -1 (its end) or -1000 (what is committed), not at {offset}"
        ))),
    }
}
