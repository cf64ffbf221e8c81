//! What has no caller: log lines, and errors that librdkafka tells on the side.

use std::collections::HashSet;
use std::sync::Arc;

use parking_lot::Mutex;

use crate::error::{is_refusal, is_retriable, Error, Result};
use crate::reply::{closed, Reply};

/// A line for the logger.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct LogLine {
    /// syslog's level: 3 error, 4 warning, 5 notice, 6 info, 7 debug.
    pub level: i32,
    /// The part that speaks; librdkafka's facility, or `kafka-native`.
    pub facility: String,
    /// The line.
    pub message: String,
}

impl LogLine {
    /// A line of librdkafka's. What our own warnings say already, and its remarks on properties that the other kind of
    /// client would use, are for those who debug.
    pub(crate) fn of_librdkafka((level, facility, message): (i32, String, String)) -> Self {
        let twice = matches!(facility.as_str(), "FAIL" | "ERROR");
        let remark = facility == "CONFWARN" && message.contains(" property and will be ignored by this ");
        Self { level: if twice || remark { 7 } else { level }, facility, message }
    }

    pub(crate) fn warning(message: impl Into<String>) -> Self {
        Self { level: 4, facility: "kafka-native".into(), message: message.into() }
    }

    pub(crate) fn info(message: impl Into<String>) -> Self {
        Self { level: 6, facility: "kafka-native".into(), message: message.into() }
    }

    pub(crate) fn debug(message: impl Into<String>) -> Self {
        Self { level: 7, facility: "kafka-native".into(), message: message.into() }
    }
}

/// What becomes of an error that librdkafka tells on the side.
pub(crate) enum Verdict {
    /// For the error callback: a state that needs somebody.
    Tell(Error),
    /// For the logger: librdkafka goes on by itself.
    Warn(LogLine),
    /// Told before and not healed since.
    Known,
}

/// Tells each trouble once until it heals.
#[derive(Default)]
pub(crate) struct Troubles {
    state: Mutex<State>,
}

#[derive(Default)]
struct State {
    told: HashSet<(i32, Option<String>, Option<i32>)>,
    refusal: Option<Error>,
    last: Option<Error>,
    waiting: Vec<Box<dyn FnOnce(Error) + Send>>,
}

/// A reply that a refusal answers at once, while the call that was to answer it still blocks on the helper thread.
pub(crate) struct Guarded<T>(Arc<Mutex<Option<Reply<T>>>>);

impl<T> Clone for Guarded<T> {
    fn clone(&self) -> Self {
        Self(self.0.clone())
    }
}

impl<T: Send + 'static> Guarded<T> {
    /// Answers, unless a refusal did.
    pub(crate) fn send(&self, answer: Result<T>) {
        let reply = self.0.lock().take();
        if let Some(reply) = reply {
            reply.send(answer);
        }
    }

    pub(crate) fn answered(&self) -> bool {
        self.0.lock().is_none()
    }
}

impl Troubles {
    /// Judges an error event.
    pub(crate) fn judge(&self, error: Error) -> Verdict {
        let mut state = self.state.lock();
        state.last = Some(error.clone());
        if is_refusal(error.code) {
            state.refusal = Some(error.clone());
            let waiting = std::mem::take(&mut state.waiting);
            drop(state);
            for waiting in waiting {
                waiting(error.clone());
            }
            state = self.state.lock();
        }
        // What heals by itself is a warning; but all brokers down, or a topic gone, somebody should know.
        let tell = error.fatal || !is_retriable(error.code) || matches!(error.code, -187 /* _ALL_BROKERS_DOWN */ | 3);
        if !tell {
            return Verdict::Warn(LogLine::warning(format!("{} ({})", error.message, error.name())));
        }
        // One topic's trouble is one trouble, not one per partition.
        let partition = if matches!(error.code, 3 | -188 | -190 | 17 | 29) { None } else { error.partition };
        match state.told.insert((error.code, error.topic.clone(), partition)) {
            true => Verdict::Tell(error),
            false => Verdict::Known,
        }
    }

    /// Data flows: what was told is over, and would be told again.
    pub(crate) fn healed(&self) {
        let mut state = self.state.lock();
        state.told.clear();
        state.refusal = None;
        state.last = None;
        state.waiting.clear();
    }

    /// The client closes: answers whoever still waits.
    pub(crate) fn close(&self) {
        let waiting = std::mem::take(&mut self.state.lock().waiting);
        for waiting in waiting {
            waiting(closed());
        }
    }

    /// Whether there is anything to heal; cheap enough for every batch.
    pub(crate) fn any(&self) -> bool {
        self.state.lock().last.is_some()
    }

    /// Makes a refusal answer `reply`: the one that stands, or the next.
    pub(crate) fn guard<T: Send + 'static>(&self, reply: Reply<T>) -> Guarded<T> {
        let guarded = Guarded(Arc::new(Mutex::new(Some(reply))));
        let mut state = self.state.lock();
        match state.refusal.clone() {
            Some(refusal) => {
                drop(state);
                guarded.send(Err(refusal));
            }
            None => {
                let guarded = guarded.clone();
                state.waiting.push(Box::new(move |refusal| guarded.send(Err(refusal))));
            }
        }
        guarded
    }

    /// The newest error that was told on the side: the true cause of a time-out.
    pub(crate) fn last(&self) -> Option<Error> {
        self.state.lock().last.clone()
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_trouble_is_told_once_until_it_heals() {
        let troubles = Troubles::default();
        let down = || Error::kafka(-187, "down");
        assert!(matches!(troubles.judge(down()), Verdict::Tell(_)));
        assert!(matches!(troubles.judge(down()), Verdict::Known));
        troubles.healed();
        assert!(matches!(troubles.judge(down()), Verdict::Tell(_)));
    }

    #[test]
    fn a_lost_connection_is_one_line_not_two() {
        let line = |facility: &str, text: &str| LogLine::of_librdkafka((3, facility.into(), text.into())).level;
        assert_eq!(line("FAIL", "b:9092/1: Disconnected"), 7);
        assert_eq!(line("CONFWARN", "Configuration property fetch.wait.max.ms is a consumer property and will be ignored by this producer instance"), 7);
        assert_eq!(line("CONFWARN", "Configuration property x is deprecated"), 3);
        assert_eq!(line("TERMINATE", "x"), 3);
    }

    #[test]
    fn a_single_disconnect_is_a_warning_only() {
        assert!(matches!(Troubles::default().judge(Error::kafka(-195, "gone")), Verdict::Warn(_)));
    }

    #[test]
    fn what_no_retry_heals_is_told() {
        assert!(matches!(Troubles::default().judge(Error::kafka(-198, "bad compression")), Verdict::Tell(_)));
        assert!(matches!(Troubles::default().judge(Error::kafka(3, "topic gone")), Verdict::Tell(_)));
    }

    #[test]
    fn a_refusal_is_remembered_for_those_who_wait() {
        let troubles = Troubles::default();
        let (tx, rx) = std::sync::mpsc::channel::<Result<()>>();
        let late = tx.clone();
        let waiting = troubles.guard(Reply::new(move |answer| tx.send(answer).unwrap()));
        troubles.judge(Error::kafka(-169, "wrong password"));
        assert_eq!(rx.recv().unwrap().unwrap_err().code, -169);
        assert!(waiting.answered());
        troubles.guard(Reply::new(move |answer| late.send(answer).unwrap()));
        assert_eq!(rx.recv().unwrap().unwrap_err().code, -169);
    }
}
