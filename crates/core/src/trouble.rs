//! Troubles without a caller: log lines, and errors that librdkafka tells on the side.

use std::collections::HashSet;
use std::sync::{Arc, Weak};

use parking_lot::Mutex;

use crate::code;
use crate::error::{Error, Result};
use crate::ffi::wish_of_listener;
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
    /// Lines that repeat our own warnings, and librdkafka's remarks on properties that the other kind of client would use, are for
    /// those who debug.
    fn of_librdkafka((level, facility, message): (i32, String, String)) -> Self {
        let twice = matches!(facility.as_str(), "FAIL" | "ERROR" | "SSLCERTVRFY");
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

/// The verdict on an error that librdkafka tells on the side.
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
    waiting: Vec<Box<dyn Waiting>>,
}

/// Whoever waits for a [`Guarded`] reply. Does not keep it: a job that is dropped unanswered still answers that it was.
trait Waiting: Send {
    fn refuse(&self, refusal: Error);
    fn is_over(&self) -> bool;
}

impl<T: Send + 'static> Waiting for Weak<Mutex<Option<Reply<T>>>> {
    fn refuse(&self, refusal: Error) {
        if let Some(reply) = self.upgrade() {
            Guarded(reply).send(Err(refusal));
        }
    }

    fn is_over(&self) -> bool {
        self.strong_count() == 0
    }
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

    /// Takes the reply, which nobody else can answer then.
    pub(crate) fn take(&self) -> Option<Reply<T>> {
        self.0.lock().take()
    }

    pub(crate) fn answered(&self) -> bool {
        self.0.lock().is_none()
    }
}

impl Troubles {
    /// Judges an error event.
    pub(crate) fn judge(&self, error: Error) -> Verdict {
        let mut state = self.state.lock();
        // That all are down is a consequence: why it is so was told before.
        if error.code != code::ALL_BROKERS_DOWN || state.last.is_none() {
            state.last = Some(error.clone());
        }
        if code::is_refusal(error.code) {
            state.refusal = Some(error.clone());
            let waiting = std::mem::take(&mut state.waiting);
            drop(state);
            for waiting in waiting {
                waiting.refuse(error.clone());
            }
            state = self.state.lock();
        }
        // An error that heals by itself is a warning; but all brokers down, or a topic gone, somebody should know.
        let tell = error.fatal
            || !code::is_retriable(error.code)
            || matches!(error.code, code::ALL_BROKERS_DOWN | code::UNKNOWN_TOPIC_OR_PART);
        if !tell {
            return Verdict::Warn(LogLine::warning(format!("{} ({})", error.message, error.name())));
        }
        // One topic's trouble is one trouble, not one per partition.
        let partition = if code::is_of_topic(error.code) { None } else { error.partition };
        match state.told.insert((error.code, error.topic.clone(), partition)) {
            true => Verdict::Tell(error),
            false => Verdict::Known,
        }
    }

    /// A line of librdkafka's: that a broker hangs up is an error in lines alone.
    pub(crate) fn line(&self, line: (i32, String, String)) -> LogLine {
        let line = LogLine::of_librdkafka(line);
        if let Some(why) = wish_of_listener(&line.facility, &line.message) {
            let mut state = self.state.lock();
            if state.last.as_ref().is_none_or(|last| last.code == code::ALL_BROKERS_DOWN) {
                state.last = Some(Error::kafka(code::TRANSPORT, why));
            }
        }
        line
    }

    /// Data flows, so connections work; `flows` says of which topics and partitions (none: the topic as a whole). Errors
    /// reported of those are over, and would be reported again.
    pub(crate) fn healed(&self, flows: impl Fn(&str, Option<i32>) -> bool) {
        let over = |topic: &Option<String>, partition| topic.as_deref().is_none_or(|topic| flows(topic, partition));
        let mut state = self.state.lock();
        state.told.retain(|(_, topic, partition)| !over(topic, *partition));
        state.refusal = None;
        state.last.take_if(|last| over(&last.topic, last.partition));
    }

    /// The client closes: answers whoever still waits.
    pub(crate) fn close(&self) {
        let waiting = std::mem::take(&mut self.state.lock().waiting);
        for waiting in waiting {
            waiting.refuse(closed());
        }
    }

    /// Whether there is anything to heal; cheap enough for every batch.
    pub(crate) fn any(&self) -> bool {
        let state = self.state.lock();
        state.last.is_some() || !state.told.is_empty()
    }

    /// Makes the next refusal answer `reply`. One that stands may be over (the user was added, the certificate renewed),
    /// so it answers only when another try has failed.
    pub(crate) fn guard<T: Send + 'static>(&self, reply: Reply<T>) -> Guarded<T> {
        let guarded = Guarded(Arc::new(Mutex::new(Some(reply))));
        let mut state = self.state.lock();
        state.waiting.retain(|waiting| !waiting.is_over());
        state.waiting.push(Box::new(Arc::downgrade(&guarded.0)));
        guarded
    }

    /// Why no connection can be made, if that was told and none was made since.
    pub(crate) fn refusal(&self) -> Option<Error> {
        self.state.lock().refusal.clone()
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
        let down = || Error::kafka(code::ALL_BROKERS_DOWN, "down");
        assert!(matches!(troubles.judge(down()), Verdict::Tell(_)));
        assert!(matches!(troubles.judge(down()), Verdict::Known));
        troubles.healed(|_, _| false);
        assert!(matches!(troubles.judge(down()), Verdict::Tell(_)));
    }

    #[test]
    fn the_cause_of_a_time_out_says_why_no_broker_is_up() {
        let troubles = Troubles::default();
        troubles.judge(Error::kafka(code::TRANSPORT, "connection refused"));
        troubles.judge(Error::kafka(code::ALL_BROKERS_DOWN, "1/1 brokers are down"));
        assert_eq!(troubles.last().unwrap().message, "connection refused");
    }

    #[test]
    fn a_broker_that_hangs_up_may_want_tls_or_sasl() {
        let troubles = Troubles::default();
        troubles.judge(Error::kafka(code::ALL_BROKERS_DOWN, "1/1 brokers are down"));
        let fail = |name: &str, text: &str| {
            troubles.line((
                6,
                "FAIL".into(),
                format!("[thrd:{name}]: {name}: Disconnected: closed by peer (after {text})"),
            ))
        };
        fail("b:9092/1", "60000ms in state UP");
        fail("sasl_ssl://b:9092/1", "1ms in state UP");
        fail("ssl://b:9092/1", "1ms in state APIVERSION_QUERY");
        assert_eq!(troubles.last().unwrap().code, code::ALL_BROKERS_DOWN);
        fail("ssl://b:9092/1", "1ms in state UP, 1 identical error(s) suppressed");
        let last = troubles.last().unwrap().message;
        assert!(last.starts_with("ssl://b:9092/1: ") && last.contains("may want SASL"), "{last}");
        troubles.healed(|_, _| true);
        fail("[::1]:9092/bootstrap", "1ms in state APIVERSION_QUERY");
        let last = troubles.last().unwrap().message;
        assert!(last.starts_with("[::1]:9092/bootstrap: ") && last.contains("may want TLS"), "{last}");
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
        assert!(matches!(Troubles::default().judge(Error::kafka(code::TRANSPORT, "gone")), Verdict::Warn(_)));
    }

    #[test]
    fn what_no_retry_heals_is_told() {
        assert!(matches!(
            Troubles::default().judge(Error::kafka(code::BAD_COMPRESSION, "bad compression")),
            Verdict::Tell(_)
        ));
        assert!(matches!(
            Troubles::default().judge(Error::kafka(code::UNKNOWN_TOPIC_OR_PART, "topic gone")),
            Verdict::Tell(_)
        ));
    }

    fn waiting(troubles: &Troubles) -> (Guarded<()>, std::sync::mpsc::Receiver<Result<()>>) {
        let (tx, rx) = std::sync::mpsc::channel();
        (troubles.guard(Reply::new(move |answer| tx.send(answer).unwrap())), rx)
    }

    #[test]
    fn a_refusal_answers_those_who_wait_and_is_remembered_until_data_flows() {
        let troubles = Troubles::default();
        let (guarded, answer) = waiting(&troubles);
        troubles.judge(Error::kafka(code::AUTHENTICATION, "wrong password"));
        assert_eq!(answer.recv().unwrap().unwrap_err().code, code::AUTHENTICATION);
        assert!(guarded.answered());
        let (later, _answer) = waiting(&troubles);
        assert!(!later.answered(), "it may be over");
        assert_eq!(troubles.refusal().unwrap().code, code::AUTHENTICATION);
        troubles.healed(|_, _| false);
        assert!(troubles.refusal().is_none());
    }

    #[test]
    fn whoever_waits_while_another_heals_still_hears_of_a_refusal() {
        let troubles = Troubles::default();
        let (_guarded, answer) = waiting(&troubles);
        troubles.healed(|_, _| true);
        troubles.judge(Error::kafka(code::AUTHENTICATION, "wrong password"));
        assert_eq!(answer.recv().unwrap().unwrap_err().code, code::AUTHENTICATION);
    }

    #[test]
    fn a_reply_whose_job_is_dropped_is_answered() {
        let troubles = Troubles::default();
        let (guarded, answer) = waiting(&troubles);
        drop(guarded);
        assert_eq!(answer.recv().unwrap().unwrap_err().code, crate::code::DESTROY);
    }

    #[test]
    fn a_topic_that_may_not_be_read_refuses_no_other() {
        let troubles = Troubles::default();
        let (guarded, _answer) = waiting(&troubles);
        troubles.judge(Error::kafka(code::TOPIC_AUTHORIZATION_FAILED, "not this topic"));
        assert!(!guarded.answered());
    }

    #[test]
    fn a_stuck_partition_is_told_once_while_others_flow() {
        let troubles = Troubles::default();
        let stuck = || {
            let mut error = Error::kafka(code::MSG_SIZE_TOO_LARGE, "too large");
            (error.topic, error.partition) = (Some("t".into()), Some(1));
            error
        };
        assert!(matches!(troubles.judge(stuck()), Verdict::Tell(_)));
        troubles.healed(|_, partition| partition == Some(0));
        assert!(matches!(troubles.judge(stuck()), Verdict::Known));
        troubles.healed(|_, partition| partition == Some(1));
        assert!(matches!(troubles.judge(stuck()), Verdict::Tell(_)));
        assert!(troubles.any());
    }
}
