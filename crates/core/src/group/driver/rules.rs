//! Messages that a rule leaves out: given back as soon as they were taken, and reported as read. On the client's thread.

use std::cell::OnceCell;
use std::mem::take;

use super::*;
use crate::ffi::Message;
use crate::offsets::Tracker;
use crate::rule::Rule;

/// Messages left out move positions, which are reported at once, and not more often than this.
const PAUSE: Duration = Duration::from_millis(10);
/// So many rules may have been replaced before the messages that they let through are processed.
const MOST_REPLACED: usize = 1000;

/// The rule that decides, and whose positions are to be told.
pub(super) struct Ruling {
    rule: Option<Arc<Rule>>,
    /// A rule decides of some partition, perhaps an older one.
    active: bool,
    /// Partitions of which something is to be told.
    pub(super) moved: Vec<Key>,
    told: Instant,
    pub(super) tell_at: Option<Instant>,
    /// Which of the messages that were taken are wanted; kept for its memory.
    wanted: Vec<bool>,
    touched: Vec<Key>,
}

impl Ruling {
    pub(super) fn new(rule: Option<Rule>) -> Self {
        let active = rule.is_some();
        Self {
            rule: rule.map(Arc::new),
            active,
            moved: Vec::new(),
            told: Instant::now(),
            tell_at: None,
            wanted: Vec::new(),
            touched: Vec::new(),
        }
    }

    pub(super) fn active(&self) -> bool {
        self.active
    }
}

fn wants(rule: Option<&Rule>, message: &Message<'_>) -> bool {
    let Some(rule) = rule else { return true };
    let headers = OnceCell::new();
    rule.wants(message.key(), || headers.get_or_init(|| message.header_list()).iter())
}

impl Driver {
    /// Messages taken just now are decided, once: what is not wanted is given back.
    pub(super) fn leave_out(&mut self) {
        let (mut wanted, mut touched) = (take(&mut self.ruling.wanted), take(&mut self.ruling.touched));
        let rule = self.ruling.rule.as_deref();
        let taken = self.handover.messages.len();
        let (mut begin, mut jumps) = (0, Vec::new());
        while begin < taken {
            let front = self.handover.messages.get(begin);
            if front.error() != 0 {
                wanted.push(true);
                begin += 1;
                continue;
            }
            // One partition's, up to another's or an error.
            let same = |other: &Message<'_>| {
                other.error() == 0 && other.topic_id() == front.topic_id() && other.partition() == front.partition()
            };
            let messages = (begin..taken).map(|i| self.handover.messages.get(i)).take_while(same);
            self.assignment.learn(&front);
            let key = self.assignment.of(&front).map(|(key, _)| key);
            let Some((key, place)) = key.and_then(|key| Some((key, self.assignment.get_mut(key)?))) else {
                begin += messages.map(|_| wanted.push(false)).count();
                continue;
            };
            if place.wanted == 0 {
                touched.push(key);
            }
            for message in messages {
                let offset = message.offset();
                match place.decided.or(place.next) {
                    Some(next) if offset < next => place.replaced.clear(), // the log was cut off, and goes on with others
                    Some(next) if offset > next => jumps.push((key, next, offset)),
                    _ => {}
                }
                let keep = wants(place.rule_at(offset, rule), &message);
                place.wanted += usize::from(keep);
                place.decided = Some(offset + 1);
                wanted.push(keep);
                begin += 1;
            }
        }
        let mut wants = wanted.drain(..);
        self.handover.messages.retain(|_| wants.next().unwrap_or(true));
        drop(wants);
        self.handover.taken(taken);
        jumps.into_iter().for_each(|(key, from, to)| self.jumped(key, from, to));
        for key in touched.drain(..) {
            self.pass_over(key);
        }
        (self.ruling.wanted, self.ruling.touched) = (wanted, touched);
        self.tell_soon();
    }

    /// If all that is wanted of what was taken is handed over, the rest is read, too.
    fn pass_over(&mut self, key: Key) {
        let Some(place) = self.assignment.get_mut(key).filter(|place| place.wanted == 0) else { return };
        let mut tracker = self.shared.credit.tracker.lock();
        pass_over(place, key, &mut tracker, &self.shared, &mut self.ruling.moved);
    }

    /// The partition was read up to here: told with its position.
    pub(super) fn read_to_end(&mut self, key: Key, offset: i64, advanced: bool) {
        let Some(place) = self.assignment.get_mut(key) else { return };
        place.moved |= advanced;
        place.end = Some(offset);
        to_be_told(place, key, &mut self.ruling.moved);
        self.tell_soon();
    }

    /// Tells what is to be told, unless that was done a moment ago: then a moment later.
    pub(super) fn tell_soon(&mut self) {
        if self.ruling.moved.is_empty() || self.ruling.tell_at.is_some() {
            return;
        }
        let at = self.ruling.told + PAUSE;
        match at <= Instant::now() {
            true => self.tell_moved(),
            false => self.ruling.tell_at = Some(at),
        }
    }

    /// Tells positions that what is left out has moved on.
    pub(super) fn tell_moved(&mut self) {
        self.ruling.tell_at = None;
        self.ruling.told = Instant::now();
        let (mut advanced, mut ends) = (Vec::new(), Vec::new());
        for key in take(&mut self.ruling.moved) {
            let Some(place) = self.assignment.get_mut(key) else { continue };
            place.to_be_told = false;
            let (epoch, next) = (place.epoch, place.next.filter(|_| take(&mut place.moved)));
            let end = place.end.take();
            let at = self.named(key, epoch);
            advanced.extend(next.map(|next| (at.clone(), next)));
            ends.extend(end.map(|end| (at, end)));
        }
        if !advanced.is_empty() {
            (self.sink)(GroupEvent::Advanced(advanced));
        }
        ends.into_iter().for_each(|(at, end)| (self.sink)(GroupEvent::End(at, end)));
    }

    /// Replaces the rule; answers from where on it decides. Messages taken were decided by the one before, and still are when fetched
    /// again. `processed`: below these offsets nothing is fetched again.
    pub(super) fn set_rule(
        &mut self,
        rule: Option<Rule>,
        processed: &[TopicPartitionOffset],
    ) -> Result<Vec<TopicPartitionOffset>> {
        rule.as_ref().map_or(Ok(()), Rule::check)?;
        if !self.ruling.active {
            self.count_taken();
        }
        self.forget_replaced(processed);
        let keys = self.assignment.keys();
        let full = |key: &&Key| self.assignment.get(**key).is_some_and(|place| place.replaced.len() >= MOST_REPLACED);
        if let Some((topic, partition)) = keys.iter().find(full) {
            return Err(Error::state(format!(
                "the rule was replaced {MOST_REPLACED} times while messages of {}/{partition} wait to be processed: replace it when some are",
                self.assignment.name(*topic)
            )));
        }
        let before = std::mem::replace(&mut self.ruling.rule, rule.map(Arc::new));
        let mut from = Vec::new();
        self.ruling.active = self.ruling.rule.is_some();
        for key in keys {
            let name = self.assignment.name(key.0).clone();
            let Some(place) = self.assignment.get_mut(key).filter(|place| !place.leaving) else { continue };
            let read = if place.wanted > 0 { place.decided } else { place.next };
            let last = place.replaced.last().map(|(until, _)| *until);
            let offset = read.max(last);
            if let Some(until) = offset.filter(|until| last.is_none_or(|last| *until > last)) {
                place.replaced.push((until, before.clone()));
            }
            self.ruling.active |= place.replaced.iter().any(|(_, rule)| rule.is_some());
            from.push(TopicPartitionOffset::new(&*name, key.1, offset.unwrap_or(logical::BEGIN)));
        }
        if !self.ruling.active {
            self.handover.taken(self.handover.messages.len());
            self.assignment.undecide();
        }
        Ok(from)
    }

    /// No rule decided what was taken and waits: it is wanted.
    fn count_taken(&mut self) {
        for i in 0..self.handover.messages.len() {
            let message = self.handover.messages.get(i);
            if message.error() != 0 {
                continue;
            }
            self.assignment.learn(&message);
            let key = self.assignment.of(&message).map(|(key, _)| key);
            let Some(place) = key.and_then(|key| self.assignment.get_mut(key)) else { continue };
            place.wanted += 1;
            place.decided = Some(message.offset() + 1);
        }
    }

    /// Rules whose messages nobody asks for again.
    fn forget_replaced(&mut self, processed: &[TopicPartitionOffset]) {
        let received: Vec<_> =
            self.shared.epochs.lock().iter().filter_map(|(key, current)| Some((*key, current.received?.0))).collect();
        let said = processed.iter().filter_map(|at| Some((self.assignment.find(&at.topic, at.partition)?, at.offset)));
        for (key, next) in said.collect::<Vec<_>>().into_iter().chain(received) {
            let Some(place) = self.assignment.get_mut(key) else { continue };
            place.replaced.retain(|(until, _)| *until > next);
        }
    }
}

/// All that was decided of the partition is read, but what was handed over: its position is behind it.
pub(super) fn pass_over(place: &mut Place, key: Key, tracker: &mut Tracker, shared: &Shared, moved: &mut Vec<Key>) {
    let Some(decided) = place.decided.filter(|decided| place.next != Some(*decided)) else { return };
    if place.next.is_some_and(|next| decided < next) {
        fall_back(place, key, decided, tracker, shared);
    }
    place.next = Some(decided);
    (place.heard, place.moved) = (true, true);
    if tracker.left_out(place.id, decided - 1) {
        shared.recordable.lock().insert(place.id, decided - 1);
    }
    to_be_told(place, key, moved);
}

/// librdkafka went back, because the log was cut off there: so does what is committed, and received.
pub(super) fn fall_back(place: &mut Place, key: Key, offset: i64, tracker: &mut Tracker, shared: &Shared) {
    if let Some(last) = tracker.fall_back(place.id, offset) {
        shared.recordable.lock().insert(place.id, last);
    }
    if let Some(current) = shared.epochs.lock().get_mut(&key) {
        current.received = None;
    }
    place.first = Some(offset);
}

fn to_be_told(place: &mut Place, key: Key, moved: &mut Vec<Key>) {
    if !std::mem::replace(&mut place.to_be_told, true) {
        moved.push(key);
    }
}
