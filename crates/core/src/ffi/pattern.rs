//! `rd_regex_t`: a pattern of topics, matched as librdkafka matches it.

use std::ffi::c_char;

use super::{c_string, rd, text};
use crate::error::{Error, Result};

/// A POSIX extended regular expression.
pub(crate) struct Pattern {
    raw: *mut rd::rd_regex_t,
}

// SAFETY: a compiled pattern belongs to no thread.
unsafe impl Send for Pattern {}

impl Pattern {
    fn new(pattern: &str) -> Result<Self> {
        let given = c_string("the pattern", pattern)?;
        let mut reason = [0 as c_char; 256];
        // SAFETY: the pattern ends with a zero; `reason` has the length that is told.
        let raw = unsafe { rd::rd_regex_comp(given.as_ptr(), reason.as_mut_ptr(), reason.len()) };
        match raw.is_null() {
            true => Err(Error::config(format!("'{pattern}' is no regular expression: {}", text(reason.as_ptr())))),
            false => Ok(Self { raw }),
        }
    }

    /// The pattern, if the topic begins with `^`; none for a name.
    pub(crate) fn of(topic: &str) -> Result<Option<Self>> {
        topic.starts_with('^').then(|| Self::new(topic)).transpose()
    }

    pub(crate) fn matches(&self, name: &str) -> bool {
        // SAFETY: compiled above; the name ends with a zero.
        c_string("the topic", name).is_ok_and(|name| unsafe { rd::rd_regex_exec(self.raw, name.as_ptr()) } != 0)
    }
}

impl Drop for Pattern {
    fn drop(&mut self) {
        // SAFETY: ours, destroyed once.
        unsafe { rd::rd_regex_destroy(self.raw) }
    }
}
