//! Partitions that come and go. On the client's thread.

use super::*;

impl Driver {
    pub(super) fn subscribe(&mut self, topics: Vec<Subscription>, existing: Existing) -> Result<()> {
        if !self.limits.in_group {
            return Err(Error::config(
                "subscribing needs a group (group.id); without one there are read() and assign()",
            ));
        }
        for subscription in topics.iter().filter(|subscription| !subscription.topic.starts_with('^')) {
            self.assignment.begin_at(&subscription.topic, subscription.reset, &self.shared)?;
        }
        let names: Vec<String> = topics.iter().map(|subscription| subscription.topic.clone()).collect();
        self.subscriptions.replace(topics, existing)?;
        self.client.subscribe(&names)
    }

    /// An assignment of one's own: what was goes at once, what comes begins at once.
    pub(super) fn assign(&mut self, partitions: &[TopicPartitionOffset]) -> Result<()> {
        for at in partitions {
            check_begin(at.offset)?;
        }
        let before = self.assignment.keys();
        if !before.is_empty() {
            let gone: Vec<_> = before.into_iter().map(|key| (key, self.assignment.new_epoch())).collect();
            self.tell_rebalance(0, RebalanceKind::Revoke, &gone);
            self.client.unassign()?;
            self.forget(&gone);
        }
        let mut come: Vec<Come> = Vec::new();
        for at in partitions {
            let key = (self.assignment.topic(&at.topic), at.partition);
            if come.iter().any(|known| known.key == key) {
                return Err(Error::config(format!("{}/{} is assigned twice", at.topic, at.partition)));
            }
            let epoch = self.assignment.new_epoch();
            come.push(self.coming(key, epoch, at.offset)?);
        }
        self.assignment.add(&come, self.handover.next_batch, Client::assign)?;
        let come: Vec<_> = come.into_iter().map(|come| (come.key, come.epoch)).collect();
        self.tell_rebalance(0, RebalanceKind::Assign, &come);
        self.publish();
        self.move_on();
        Ok(())
    }

    /// Where a partition that comes begins. If librdkafka would go to another place where nothing is committed, because the
    /// topic was asked about before it was subscribed to, or the partition was added later, what is committed is asked for first.
    pub(super) fn coming(&mut self, key: Key, epoch: i32, offset: i64) -> Result<Come> {
        let topic = self.assignment.name(key.0).clone();
        let (first, reset) = (self.reset((key.0, 0)), self.reset(key));
        let begins = self.assignment.begin_at(&topic, first, &self.shared)?;
        let ask = offset < logical::BEGIN && begins != reset;
        let moving = ask.then_some(Move { to: Target::Committed(reset), resume: false });
        Ok(Come { key, epoch, offset, moving })
    }

    /// Others see what is assigned and not about to go.
    pub(super) fn publish(&self) {
        let keys = self.assignment.keys().into_iter();
        let current = keys
            .filter_map(|key| self.assignment.get(key).filter(|place| !place.leaving).map(|place| (key, place.epoch)));
        let mut epochs = self.shared.epochs.lock();
        let mut before = std::mem::take(&mut *epochs);
        *epochs = current
            .map(|(key, epoch)| match before.remove(&key) {
                Some(same) if same.epoch == epoch => (key, same),
                _ => (key, Current { epoch, received: None }),
            })
            .collect();
    }

    pub(super) fn tell_rebalance(&self, id: u64, kind: RebalanceKind, partitions: &[(Key, i32)]) {
        let protocol = if self.limits.in_group { self.client.rebalance_protocol() } else { "NONE".to_owned() };
        (self.sink)(GroupEvent::Rebalance(Rebalance {
            id,
            kind,
            partitions: partitions.iter().map(|(key, epoch)| self.named(*key, *epoch)).collect(),
            member_id: self.membership.member_id.clone(),
            generation: if self.limits.in_group { self.membership.generation } else { -1 },
            protocol,
        }));
    }

    /// librdkafka waits with the rebalance until it is told to assign or unassign: when the hooks are through.
    pub(super) fn on_rebalance(&mut self, rebalance: ffi::Rebalance) {
        // First, so that commits of the partitions that go have the moved positions.
        self.tell_moved();
        let kind = match rebalance {
            ffi::Rebalance { assign: true, .. } => RebalanceKind::Assign,
            ffi::Rebalance { lost: true, .. } => RebalanceKind::Lost,
            _ => RebalanceKind::Revoke,
        };
        let mut partitions = Vec::new();
        for element in rebalance.partitions {
            let key = (self.assignment.topic(&element.topic), element.partition);
            let epoch = match (kind, self.assignment.get_mut(key)) {
                (RebalanceKind::Assign, _) => self.assignment.new_epoch(),
                (_, Some(place)) => {
                    place.leaving = true;
                    if kind == RebalanceKind::Lost {
                        place.stay = 0; // others may have it: what is under way of it is not committed any more
                    }
                    place.epoch
                }
                (_, None) => continue,
            };
            partitions.push((key, epoch));
        }
        self.divided &= kind == RebalanceKind::Assign;
        let id = self.next_id;
        self.next_id += 1;
        self.membership = self.client.membership();
        let cooperative = self.client.rebalance_protocol() == "COOPERATIVE";
        self.publish();
        self.pending = Some(Pending { id, kind, partitions: partitions.clone(), cooperative });
        self.answer_moves();
        self.wait_to_leave();
        self.tell_rebalance(id, kind, &partitions);
    }

    pub(super) fn rebalanced(&mut self, id: u64, offsets: Option<Vec<i64>>) {
        let Some(pending) = self.pending.take_if(|pending| pending.id == id) else { return };
        self.wait_to_leave();
        match pending.kind {
            RebalanceKind::Assign => {
                if let Err(error) = self.come(&pending, &offsets.unwrap_or_default()) {
                    self.tell(error);
                }
            }
            RebalanceKind::Revoke if self.limits.auto_commit.is_some() => {
                let ids: Vec<_> =
                    pending.partitions.iter().filter_map(|(key, _)| self.assignment.get(*key)).map(|p| p.id).collect();
                let done = self.done(|id| ids.contains(&id));
                self.commit(&done, Committing::Revoke(pending));
            }
            _ => self.go(&pending),
        }
    }

    pub(super) fn come(&mut self, pending: &Pending, offsets: &[i64]) -> Result<()> {
        let mut come = Vec::new();
        for (i, (key, epoch)) in pending.partitions.iter().enumerate() {
            let offset = offsets.get(i).copied().unwrap_or(logical::INVALID);
            let offset = check_begin(offset).map(|()| offset).unwrap_or_else(|error| {
                self.tell(error);
                logical::INVALID
            });
            come.push(self.coming(*key, *epoch, offset)?);
        }
        let how = if pending.cooperative { Client::incremental_assign } else { Client::assign };
        let added = self.assignment.add(&come, self.handover.next_batch, how);
        self.publish();
        self.move_on();
        self.divide();
        added
    }

    pub(super) fn go(&mut self, pending: &Pending) {
        let list = self.assignment.list(pending.partitions.iter().map(|(key, _)| (*key, logical::INVALID)));
        let gone = match pending.cooperative {
            true => list.and_then(|list| self.client.incremental_unassign(&list)),
            false => self.client.unassign(),
        };
        self.forget(&pending.partitions);
        if let Err(error) = gone {
            self.tell(error);
        }
        // Of a cooperative group what is left is what it has; otherwise all is divided anew.
        if pending.kind == RebalanceKind::Revoke && pending.cooperative {
            self.divide();
        }
    }

    /// Nothing that was taken of these outlives them: were they to come back, it would count as of then.
    pub(super) fn forget(&mut self, partitions: &[(Key, i32)]) {
        let keys: Vec<_> = partitions.iter().map(|(key, _)| *key).collect();
        self.drop_taken(&keys);
        // librdkafka would keep them paused, were they to come back.
        let paused = keys.iter().filter(|key| self.assignment.get(**key).is_some_and(|place| place.paused));
        let resumed =
            self.assignment.list(paused.map(|key| (*key, logical::INVALID))).and_then(|list| self.client.resume(&list));
        resumed.unwrap_or_else(|error| self.tell(error));
        let ids: Vec<_> = keys.iter().filter_map(|key| self.assignment.remove(*key)).collect();
        let mut tracker = self.shared.credit.tracker.lock();
        let mut recordable = self.shared.recordable.lock();
        for id in ids {
            tracker.forget(id);
            recordable.remove(&id);
        }
        drop((tracker, recordable));
        self.publish();
        self.answer_moves();
    }
}
