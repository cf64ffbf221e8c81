//! From options to librdkafka's configuration.

use crate::error::{Error, Result};
use crate::ffi::Conf;

/// Properties that the engine owns: its promises rest on them.
const OWNED: &[(&str, &str)] = &[
    ("enable.auto.commit", "offsets are recorded when messages are processed"),
    ("auto.commit.enable", "offsets are recorded when messages are processed"),
    ("enable.auto.offset.store", "offsets are recorded when messages are processed"),
    ("offset.store.method", "offsets are recorded when messages are processed"),
    ("enable.partition.eof", "the end of a partition is no event"),
    ("delivery.report.only.error", "every report counts against the queue's length"),
    ("log.queue", "log lines come through the logger"),
];

/// librdkafka properties in the order in which they are set: a later one wins.
#[derive(Debug, Clone, Default)]
pub(crate) struct Properties {
    list: Vec<(String, String)>,
}

impl Properties {
    pub(crate) fn set(&mut self, name: impl Into<String>, value: impl ToString) {
        self.list.push((name.into(), value.to_string()));
    }

    /// Removes a property that the engine translates; the last value wins.
    pub(crate) fn take(&mut self, name: &str) -> Option<String> {
        let value = self.list.iter().rfind(|(n, _)| n == name).map(|(_, value)| value.clone());
        self.list.retain(|(n, _)| n != name);
        value
    }

    /// Like `take`, for a whole number within bounds.
    pub(crate) fn take_number(&mut self, name: &str, min: u64, max: u64) -> Result<Option<u64>> {
        let Some(value) = self.take(name) else { return Ok(None) };
        match value.parse::<u64>() {
            Ok(number) if (min..=max).contains(&number) => Ok(Some(number)),
            _ => Err(Error::config(format!(
                "property '{name}' must be a whole number from {min} to {max}, not '{value}'"
            ))),
        }
    }

    pub(crate) fn get(&self, name: &str) -> Option<&str> {
        self.list.iter().rfind(|(n, _)| n == name).map(|(_, value)| value.as_str())
    }

    /// Removes what the engine owns; one warning for all of it.
    pub(crate) fn refuse_owned(&mut self) -> Option<String> {
        let mut ignored = Vec::new();
        for (name, reason) in OWNED {
            if self.take(name).is_some() {
                ignored.push(format!("{name} ({reason})"));
            }
        }
        (!ignored.is_empty()).then(|| format!("ignored, because the engine owns it: {}", ignored.join(", ")))
    }

    /// These first, then the others: the others win.
    pub(crate) fn then(mut self, others: &Properties) -> Self {
        self.list.extend(others.list.iter().cloned());
        self
    }

    /// librdkafka's judgement on every one of them.
    pub(crate) fn into_conf(self, events: i32) -> Result<Conf> {
        let mut conf = Conf::new();
        for (name, value) in &self.list {
            conf.set(name, value)?;
        }
        conf.events(events);
        Ok(conf)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn what_the_engine_owns_is_ignored_with_one_warning() {
        let mut properties = Properties::default();
        properties.set("enable.auto.commit", true);
        properties.set("log.queue", false);
        properties.set("client.id", "c");
        let warning = properties.refuse_owned().unwrap();
        assert!(warning.contains("enable.auto.commit") && warning.contains("log.queue"), "{warning}");
        assert_eq!(properties.list.len(), 1);
        assert!(properties.refuse_owned().is_none());
    }

    #[test]
    fn the_last_value_wins() {
        let mut properties = Properties::default();
        properties.set("linger.ms", 5);
        properties.set("linger.ms", 0);
        assert_eq!(properties.get("linger.ms"), Some("0"));
        assert_eq!(properties.take("linger.ms").as_deref(), Some("0"));
        assert_eq!(properties.get("linger.ms"), None);
    }
}
