//! Partitions that come and go. On the client's thread.

use super::*;

impl Driver {
    pub(super) fn subscribe(&mut self, topics: Vec<Subscription>) -> Result<()> {
        if !self.limits.in_group {
            return Err(Error::config("subscribing needs a group (group.id); without one there is assign()"));
        }
        for subscription in topics.iter().filter(|subscription| !subscription.topic.starts_with('^')) {
            self.assignment.begin_at(&subscription.topic, subscription.reset)?;
        }
        let names: Vec<String> = topics.iter().map(|subscription| subscription.topic.clone()).collect();
        self.subscriptions = topics;
        self.client.subscribe(&names)
    }

    /// An assignment of one's own: what was goes at once, what comes begins at once.
    pub(super) fn assign(&mut self, partitions: &[TopicPartitionOffset]) -> Result<()> {
        let before = self.assignment.keys();
        if !before.is_empty() {
            let gone: Vec<_> = before.into_iter().map(|key| (key, self.assignment.new_epoch())).collect();
            self.tell_rebalance(0, RebalanceKind::Revoke, &gone);
            self.client.unassign()?;
            self.forget(&gone);
        }
        let mut come: Vec<(Key, i32, i64)> = Vec::new();
        for at in partitions {
            self.assignment.begin_at(&at.topic, crate::consumer::Reset::Earliest)?;
            let key = (self.assignment.topic(&at.topic), at.partition);
            if come.iter().any(|(known, ..)| *known == key) {
                return Err(Error::config(format!("{}/{} is assigned twice", at.topic, at.partition)));
            }
            come.push((key, self.assignment.new_epoch(), at.offset));
        }
        self.assignment.add(&come, Client::assign)?;
        let come: Vec<_> = come.into_iter().map(|(key, epoch, _)| (key, epoch)).collect();
        self.tell_rebalance(0, RebalanceKind::Assign, &come);
        self.publish();
        Ok(())
    }

    /// Others see what is assigned and not about to go.
    pub(super) fn publish(&self) {
        let keys = self.assignment.keys().into_iter();
        let current = keys
            .filter_map(|key| self.assignment.get(key).filter(|place| !place.leaving).map(|place| (key, place.epoch)));
        *self.shared.epochs.lock() = current.collect();
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
        let id = self.next_id;
        self.next_id += 1;
        self.membership = self.client.membership();
        let cooperative = self.client.rebalance_protocol() == "COOPERATIVE";
        self.publish();
        self.pending = Some(Pending { id, kind, partitions: partitions.clone(), cooperative });
        self.tell_rebalance(id, kind, &partitions);
    }

    pub(super) fn rebalanced(&mut self, id: u64, offsets: Option<Vec<i64>>) {
        let Some(pending) = self.pending.take_if(|pending| pending.id == id) else { return };
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
        for (key, _) in &pending.partitions {
            let topic = self.assignment.name(key.0).clone();
            self.assignment.begin_at(&topic, reset_of(&self.subscriptions, &topic))?;
        }
        let at = |i: usize| offsets.get(i).copied().unwrap_or(COMMITTED);
        let places: Vec<_> =
            pending.partitions.iter().enumerate().map(|(i, (key, epoch))| (*key, *epoch, at(i))).collect();
        let how = if pending.cooperative { Client::incremental_assign } else { Client::assign };
        let added = self.assignment.add(&places, how);
        self.publish();
        added
    }

    pub(super) fn go(&mut self, pending: &Pending) {
        let list = self.assignment.list(pending.partitions.iter().map(|(key, _)| (*key, COMMITTED)));
        let gone = match pending.cooperative {
            true => list.and_then(|list| self.client.incremental_unassign(&list)),
            false => self.client.unassign(),
        };
        self.forget(&pending.partitions);
        if let Err(error) = gone {
            self.tell(error);
        }
    }

    pub(super) fn forget(&mut self, partitions: &[(Key, i32)]) {
        let ids: Vec<_> = partitions.iter().filter_map(|(key, _)| self.assignment.remove(*key)).collect();
        let mut tracker = self.shared.tracker.lock();
        let mut recordable = self.shared.recordable.lock();
        for id in ids {
            tracker.forget(id);
            recordable.remove(&id);
        }
        drop((tracker, recordable));
        self.publish();
    }
}
