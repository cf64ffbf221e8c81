//! Subscriptions, and where their topics begin.

use std::collections::HashMap;
use std::sync::Arc;

use super::Subscription;
use crate::consumer::Reset;
use crate::error::Result;
use crate::ffi::Pattern;

/// The topics that there were when something was subscribed to for the first time, with how many partitions they had; none when
/// nobody could say.
pub(super) type Existing = Option<Arc<HashMap<String, i32>>>;

/// The subscriptions in their order. The client's thread alone has them.
#[derive(Default)]
pub(super) struct Subscriptions {
    list: Vec<Subscription>,
    /// By the name or pattern: it stays known when the subscription is replaced.
    known: HashMap<String, Known>,
}

struct Known {
    /// None for a name.
    pattern: Option<Pattern>,
    existing: Existing,
}

/// The entry for a topic: its name, or else the first pattern that matches. `names`: the name or pattern of one, and that compiled.
pub(super) fn first_for<'a, T>(
    topic: &str,
    list: &'a [T],
    names: impl Fn(&'a T) -> (&'a String, Option<&'a Pattern>),
) -> Option<&'a T> {
    let named = list.iter().find(|each| names(each).0 == topic);
    named.or_else(|| list.iter().find(|each| names(each).1.is_some_and(|pattern| pattern.matches(topic))))
}

impl Subscriptions {
    /// Whether something is new that begins at the end: then what there is has to be known first.
    pub(super) fn want_existing(&self, list: &[Subscription]) -> bool {
        list.iter().any(|new| new.reset == Reset::Latest && !self.known.contains_key(&new.topic))
    }

    pub(super) fn replace(&mut self, list: Vec<Subscription>, existing: Existing) -> Result<()> {
        for new in &list {
            if !self.known.contains_key(&new.topic) {
                let pattern = Pattern::of(&new.topic)?;
                self.known.insert(new.topic.clone(), Known { pattern, existing: existing.clone() });
            }
        }
        self.list = list;
        Ok(())
    }

    pub(super) fn is_empty(&self) -> bool {
        self.list.is_empty()
    }

    /// Where a partition begins of which the group has no offset. The name of its topic says it, else the first pattern that
    /// matches; the end is for what there was: a topic that is made later, and a partition that is added, begins with its first
    /// message, because all of it is new.
    pub(super) fn reset(&self, topic: &str, partition: i32) -> Reset {
        let pattern = |subscription: &Subscription| self.known.get(&subscription.topic)?.pattern.as_ref();
        match first_for(topic, &self.list, |subscription| (&subscription.topic, pattern(subscription))) {
            Some(Subscription { reset: Reset::Latest, topic: by }) => {
                let existing = self.known.get(by).and_then(|known| known.existing.as_ref());
                let old = existing.is_none_or(|existing| existing.get(topic).is_some_and(|count| partition < *count));
                if old {
                    Reset::Latest
                } else {
                    Reset::Earliest
                }
            }
            Some(subscription) => subscription.reset,
            None => Reset::Earliest, // of another member's choice: nothing of it is skipped
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn existing(topics: &[&str]) -> Existing {
        Some(Arc::new(topics.iter().map(|topic| ((*topic).to_owned(), 2)).collect()))
    }

    #[test]
    fn a_topic_begins_where_its_name_says_or_the_first_pattern_that_matches_it() {
        let mut subscriptions = Subscriptions::default();
        let list = vec![
            Subscription::new("^a-", Reset::Latest),
            Subscription::new("^[ab]-", Reset::Earliest),
            Subscription::new("a-named", Reset::Earliest),
            Subscription::new("b-named", Reset::Latest),
        ];
        assert!(subscriptions.want_existing(&list));
        subscriptions.replace(list.clone(), existing(&["a-1", "b-1", "b-named"])).unwrap();
        assert!(!subscriptions.want_existing(&list));
        for (topic, reset) in [
            ("a-1", Reset::Latest),
            ("b-1", Reset::Earliest),
            ("a-named", Reset::Earliest),
            ("b-named", Reset::Latest),
            ("c", Reset::Earliest),
        ] {
            assert_eq!(subscriptions.reset(topic, 1), reset, "{topic}");
        }
    }

    #[test]
    fn what_is_made_later_begins_with_its_first_message() {
        let mut subscriptions = Subscriptions::default();
        let list = vec![Subscription::new("^t", Reset::Latest), Subscription::new("late", Reset::Latest)];
        subscriptions.replace(list.clone(), existing(&["t-old"])).unwrap();
        // Subscribed anew: what was new to the pattern stays so.
        subscriptions.replace(list, existing(&["t-old", "t-new"])).unwrap();
        for (topic, partition, reset) in [
            ("t-old", 0, Reset::Latest),
            ("t-old", 1, Reset::Latest),
            ("t-old", 2, Reset::Earliest),
            ("t-new", 0, Reset::Earliest),
            ("late", 0, Reset::Earliest),
        ] {
            assert_eq!(subscriptions.reset(topic, partition), reset, "{topic}/{partition}");
        }
        let error = subscriptions.replace(vec![Subscription::new("^(", Reset::Latest)], None).unwrap_err();
        assert!(error.message.contains("^("), "{error}");
    }
}
