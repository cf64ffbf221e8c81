//! Rules: which messages a consumer wants, by their headers and keys.

use std::collections::HashSet;

use crate::batch::Header;
use crate::error::{Error, Result};

/// So deep rules may lie in one another: deciding goes down as far, on the client's thread.
const DEEPEST: usize = 100;
/// More values than these are looked up, fewer compared one by one.
const FEW: usize = 8;

/// Which messages a consumer wants, decided by exact bytes. A message that it leaves out is never packed, and counts as done.
///
/// ```
/// use kafka_native::Rule;
///
/// // To this node or to everybody, and not from this node.
/// let wanted = Rule::all([
///     Rule::any([Rule::header("to", [Some("node-1")]), Rule::header_absent("to")]),
///     Rule::header("from", [Some("node-1")]).negated(),
/// ]);
/// assert!(wanted.wants(None, || [(&b"from"[..], Some(&b"node-2"[..]))].into_iter()));
/// assert!(!wanted.wants(None, || [(&b"from"[..], Some(&b"node-1"[..]))].into_iter()));
/// ```
#[derive(Debug, Clone)]
pub struct Rule(Node);

#[derive(Debug, Clone)]
enum Node {
    Header(Vec<u8>, Values),
    HeaderAbsent(Vec<u8>),
    Key(Values),
    All(Vec<Rule>),
    Any(Vec<Rule>),
    Not(Box<Rule>),
}

/// The values that a key or a header may have.
#[derive(Debug, Clone, Default)]
struct Values {
    null: bool,
    few: Vec<Vec<u8>>,
    many: HashSet<Vec<u8>>,
}

impl<V: AsRef<[u8]>> FromIterator<Option<V>> for Values {
    fn from_iter<I: IntoIterator<Item = Option<V>>>(values: I) -> Self {
        let mut found = Self::default();
        for value in values {
            match value {
                None => found.null = true,
                Some(value) => drop(found.many.insert(value.as_ref().to_vec())),
            }
        }
        if found.many.len() <= FEW {
            found.few = found.many.drain().collect();
        }
        found
    }
}

impl Values {
    fn have(&self, value: Option<&[u8]>) -> bool {
        match value {
            None => self.null,
            Some(value) => {
                self.few.iter().any(|one| one == value) || (!self.many.is_empty() && self.many.contains(value))
            }
        }
    }
}

impl Rule {
    /// Messages with a header of this name that has one of these values; none is null. Of a name that comes more than once any may have it.
    pub fn header<V: AsRef<[u8]>>(name: impl AsRef<[u8]>, values: impl IntoIterator<Item = Option<V>>) -> Self {
        Self(Node::Header(name.as_ref().to_vec(), values.into_iter().collect()))
    }

    /// Messages without a header of this name.
    pub fn header_absent(name: impl AsRef<[u8]>) -> Self {
        Self(Node::HeaderAbsent(name.as_ref().to_vec()))
    }

    /// Messages whose key is one of these; none is null, which an empty key is not.
    pub fn key<V: AsRef<[u8]>>(keys: impl IntoIterator<Item = Option<V>>) -> Self {
        Self(Node::Key(keys.into_iter().collect()))
    }

    /// Messages that all of these want; without any, every message.
    pub fn all(rules: impl IntoIterator<Item = Rule>) -> Self {
        Self(Node::All(rules.into_iter().collect()))
    }

    /// Messages that one of these wants; without any, no message.
    pub fn any(rules: impl IntoIterator<Item = Rule>) -> Self {
        Self(Node::Any(rules.into_iter().collect()))
    }

    /// Messages that this rule does not want.
    pub fn negated(self) -> Self {
        Self(Node::Not(Box::new(self)))
    }

    /// Whether it wants a message with this key and these headers, which are asked for as often as the rule looks at them.
    pub fn wants<'a, H>(&self, key: Option<&'a [u8]>, headers: impl Fn() -> H) -> bool
    where
        H: IntoIterator<Item = Header<'a>>,
    {
        self.decide(key, &headers)
    }

    fn decide<'a, H>(&self, key: Option<&'a [u8]>, headers: &impl Fn() -> H) -> bool
    where
        H: IntoIterator<Item = Header<'a>>,
    {
        match &self.0 {
            Node::Header(name, values) => headers().into_iter().any(|(each, value)| each == name && values.have(value)),
            Node::HeaderAbsent(name) => !headers().into_iter().any(|(each, _)| each == name),
            Node::Key(keys) => keys.have(key),
            Node::All(rules) => rules.iter().all(|rule| rule.decide(key, headers)),
            Node::Any(rules) => rules.iter().any(|rule| rule.decide(key, headers)),
            Node::Not(rule) => !rule.decide(key, headers),
        }
    }

    /// Refuses what would be too deep to decide.
    pub(crate) fn check(&self) -> Result<()> {
        let mut level: Vec<&Rule> = vec![self];
        for _ in 0..DEEPEST {
            level = level.into_iter().flat_map(Self::parts).collect();
            if level.is_empty() {
                return Ok(());
            }
        }
        Err(Error::config(format!("rules may lie in one another {DEEPEST} deep, these are deeper")))
    }

    fn parts(&self) -> &[Rule] {
        match &self.0 {
            Node::Header(..) | Node::HeaderAbsent(_) | Node::Key(_) => &[],
            Node::All(rules) | Node::Any(rules) => rules,
            Node::Not(rule) => std::slice::from_ref(rule),
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    type Headers = [(&'static str, Option<&'static [u8]>)];

    fn wants(rule: &Rule, key: Option<&[u8]>, headers: &Headers) -> bool {
        rule.wants(key, || headers.iter().map(|(name, value)| (name.as_bytes(), *value)))
    }

    #[test]
    fn a_header_is_wanted_by_its_exact_bytes_and_any_of_a_name_counts() {
        let rule = Rule::header("to", [Some(&b"a"[..]), Some(&[0xff, 0]), None]);
        for value in [Some(&b"a"[..]), Some(&[0xff, 0]), None] {
            assert!(wants(&rule, None, &[("to", value)]), "{value:?}");
        }
        for value in [Some(&b"A"[..]), Some(b""), Some(b"aa"), Some(&[0xff])] {
            assert!(!wants(&rule, None, &[("to", value), ("too", Some(b"a"))]), "{value:?}");
        }
        assert!(wants(&rule, None, &[("to", Some(b"x")), ("from", None), ("to", Some(b"a"))]));
        assert!(!wants(&rule, Some(b"a"), &[]));
        assert!(!wants(&Rule::header("to", [Some("a")]), None, &[("to", None)]));
        assert!(!wants(&Rule::header::<&str>("to", []), None, &[("to", None), ("to", Some(b""))]));
    }

    #[test]
    fn a_header_is_absent_when_none_has_its_name() {
        let rule = Rule::header_absent("to");
        assert!(wants(&rule, None, &[]) && wants(&rule, None, &[("To", None), ("", Some(b"to"))]));
        assert!(!wants(&rule, None, &[("a", None), ("to", None)]));
    }

    #[test]
    fn a_key_is_wanted_by_its_exact_bytes_and_null_is_not_empty() {
        assert!(
            wants(&Rule::key([Some("k"), None]), Some(b"k"), &[]) && wants(&Rule::key([Some("k"), None]), None, &[])
        );
        assert!(!wants(&Rule::key([Some("k"), None]), Some(b""), &[]));
        assert!(wants(&Rule::key([Some("")]), Some(b""), &[]) && !wants(&Rule::key([Some("")]), None, &[]));
        assert!(!wants(&Rule::key::<&str>([]), None, &[]));
    }

    #[test]
    fn many_values_are_wanted_as_few_are() {
        let rule = Rule::key((0..1000).map(|i| Some(format!("room-{i}"))));
        assert!((0..1000).all(|i| wants(&rule, Some(format!("room-{i}").as_bytes()), &[])));
        assert!(!wants(&rule, Some(b"room-1000"), &[]) && !wants(&rule, None, &[]));
    }

    #[test]
    fn and_or_and_not_are_those_of_logic() {
        let (yes, no) = (Rule::all([]), Rule::any([]));
        assert!(wants(&yes, None, &[]) && !wants(&no, None, &[]));
        for (a, b) in [(0, 0), (0, 1), (1, 0), (1, 1)] {
            let [one, other] = [a, b].map(|wanted| if wanted == 1 { yes.clone() } else { no.clone() });
            assert_eq!(wants(&Rule::all([one.clone(), other.clone()]), None, &[]), a == 1 && b == 1);
            assert_eq!(wants(&Rule::any([one.clone(), other.clone()]), None, &[]), a == 1 || b == 1);
            assert_eq!(wants(&one.negated(), None, &[]), a == 0);
        }
    }

    #[test]
    fn a_rule_that_is_too_deep_is_refused() {
        let deep = |depth| (1..depth).fold(Rule::all([]), |rule, _| rule.negated());
        assert!(deep(DEEPEST).check().is_ok());
        assert!(deep(DEEPEST + 1).check().is_err());
    }
}
