//! What is subscribed to, and where a topic of it begins.

use std::collections::{HashMap, HashSet};
use std::sync::Arc;

use super::Subscription;
use crate::consumer::Reset;
use crate::error::Result;
use crate::ffi::Pattern;

/// The topics that there were when a pattern was subscribed to for the first time; none when nobody could say.
pub(super) type Existing = Option<Arc<HashSet<String>>>;

/// The subscriptions in their order. The client's thread alone has them.
#[derive(Default)]
pub(super) struct Subscriptions {
    list: Vec<Subscription>,
    /// By the pattern: it stays known when the subscription is replaced.
    patterns: HashMap<String, (Pattern, Existing)>,
}

impl Subscriptions {
    /// Whether a pattern is new that begins at the end: then what there is has to be known first.
    pub(super) fn want_existing(&self, list: &[Subscription]) -> bool {
        list.iter()
            .any(|new| is_pattern(&new.topic) && new.reset == Reset::Latest && !self.patterns.contains_key(&new.topic))
    }

    pub(super) fn replace(&mut self, list: Vec<Subscription>, existing: Existing) -> Result<()> {
        for pattern in list.iter().filter(|new| is_pattern(&new.topic)) {
            if !self.patterns.contains_key(&pattern.topic) {
                self.patterns.insert(pattern.topic.clone(), (Pattern::new(&pattern.topic)?, existing.clone()));
            }
        }
        self.list = list;
        Ok(())
    }

    pub(super) fn is_empty(&self) -> bool {
        self.list.is_empty()
    }

    /// Where a partition of the topic begins of which the group has no offset. A name says it for itself, else the first
    /// pattern that matches; what a pattern found later begins with its first message, because all of it is new.
    pub(super) fn reset(&self, topic: &str) -> Reset {
        if let Some(named) = self.list.iter().find(|subscription| subscription.topic == topic) {
            return named.reset;
        }
        for subscription in self.list.iter().filter(|subscription| is_pattern(&subscription.topic)) {
            let Some((pattern, existing)) = self.patterns.get(&subscription.topic) else { continue };
            if pattern.matches(topic) {
                let new = existing.as_ref().is_some_and(|existing| !existing.contains(topic));
                return if new { Reset::Earliest } else { subscription.reset };
            }
        }
        Reset::Earliest // of another member's choice: nothing of it is skipped
    }
}

fn is_pattern(topic: &str) -> bool {
    topic.starts_with('^')
}

#[cfg(test)]
mod tests {
    use super::*;

    fn existing(topics: &[&str]) -> Existing {
        Some(Arc::new(topics.iter().map(|topic| (*topic).to_owned()).collect()))
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
        subscriptions.replace(list.clone(), existing(&["a-1", "b-1"])).unwrap();
        assert!(!subscriptions.want_existing(&list));
        for (topic, reset) in [
            ("a-1", Reset::Latest),
            ("b-1", Reset::Earliest),
            ("a-named", Reset::Earliest),
            ("b-named", Reset::Latest),
            ("c", Reset::Earliest),
        ] {
            assert_eq!(subscriptions.reset(topic), reset, "{topic}");
        }
    }

    #[test]
    fn what_a_pattern_finds_later_begins_with_its_first_message() {
        let mut subscriptions = Subscriptions::default();
        let list = vec![Subscription::new("^t", Reset::Latest)];
        subscriptions.replace(list.clone(), existing(&["t-old"])).unwrap();
        // Subscribed anew: what was new to the pattern stays so.
        subscriptions.replace(list, existing(&["t-old", "t-new"])).unwrap();
        assert_eq!((subscriptions.reset("t-old"), subscriptions.reset("t-new")), (Reset::Latest, Reset::Earliest));
        let error = subscriptions.replace(vec![Subscription::new("^(", Reset::Latest)], None).unwrap_err();
        assert!(error.message.contains("^("), "{error}");
    }
}
