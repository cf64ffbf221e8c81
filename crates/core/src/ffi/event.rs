//! `rd_kafka_event_t`: what librdkafka tells through a queue.

use super::{rd, text, Client, Message};
use crate::error::Error;

/// One event; borrowed from its queue, so that it is gone before the client is.
pub(crate) struct Event<'q> {
    raw: *mut rd::rd_kafka_event_t,
    client: &'q Client,
}

pub(crate) const DELIVERIES: i32 = rd::RD_KAFKA_EVENT_DR;
pub(crate) const LOG: i32 = rd::RD_KAFKA_EVENT_LOG;
pub(crate) const ERROR: i32 = rd::RD_KAFKA_EVENT_ERROR;
pub(crate) const STATS: i32 = rd::RD_KAFKA_EVENT_STATS;
pub(crate) const REBALANCE: i32 = rd::RD_KAFKA_EVENT_REBALANCE;
pub(crate) const COMMIT: i32 = rd::RD_KAFKA_EVENT_OFFSET_COMMIT;

impl<'q> Event<'q> {
    pub(super) fn from_raw(raw: *mut rd::rd_kafka_event_t, client: &'q Client) -> Option<Self> {
        (!raw.is_null()).then_some(Self { raw, client })
    }

    pub(super) fn raw(&self) -> *mut rd::rd_kafka_event_t {
        self.raw
    }

    pub(crate) fn kind(&self) -> i32 {
        // SAFETY: alive.
        unsafe { rd::rd_kafka_event_type(self.raw) }
    }

    /// Of an error event: the error, with topic and partition where librdkafka names them. Of a result: how it ended.
    pub(crate) fn error(&self) -> Option<Error> {
        // SAFETY: alive; the strings are copied; the partition object is ours to destroy.
        unsafe {
            let code = rd::codes::rd_kafka_event_error(self.raw);
            if code == 0 {
                return None;
            }
            let mut error = Error::kafka(code, text(rd::rd_kafka_event_error_string(self.raw)));
            if self.kind() != ERROR {
                return Some(error);
            }
            error = self.client.callbacks.refused.explain(error);
            error.fatal |= rd::rd_kafka_event_error_is_fatal(self.raw) != 0;
            let place = rd::rd_kafka_event_topic_partition(self.raw);
            if !place.is_null() {
                error.topic = Some(text((*place).topic)).filter(|topic| !topic.is_empty());
                error.partition = Some((*place).partition).filter(|partition| *partition >= 0);
                rd::rd_kafka_topic_partition_destroy(place);
            }
            error.broker = broker_of(&error.message);
            Some(error)
        }
    }

    /// Of an answer: what its request was made with.
    pub(crate) fn opaque(&self) -> usize {
        // SAFETY: alive; null for other kinds.
        unsafe { rd::rd_kafka_event_opaque(self.raw) as usize }
    }

    /// Of a statistics event: the JSON.
    pub(crate) fn stats(&self) -> String {
        // SAFETY: alive; copied.
        text(unsafe { rd::rd_kafka_event_stats(self.raw) })
    }

    /// Of a log event: syslog level, facility, line.
    pub(crate) fn log(&self) -> (i32, String, String) {
        let (mut facility, mut line, mut level) = (std::ptr::null(), std::ptr::null(), 0);
        // SAFETY: alive; both strings belong to the event and are copied.
        unsafe {
            rd::rd_kafka_event_log(self.raw, &mut facility, &mut line, &mut level);
        }
        (level, text(facility), text(line))
    }

    /// Of a delivery event: its next messages, in `room`; none when all were told.
    pub(crate) fn messages<'e>(&'e self, room: &'e mut Room) -> impl ExactSizeIterator<Item = Message<'e>> + 'e {
        // SAFETY: alive; fills at most `room.len()` slots with messages that live as long as the event.
        let count = unsafe { rd::rd_kafka_event_message_array(self.raw, room.0.as_mut_ptr(), room.0.len()) };
        // SAFETY: filled by the call above.
        room.0[..count].iter().map(|message| unsafe { Message::from_raw(*message) })
    }
}

/// For some messages of a delivery event.
pub(crate) struct Room([*const rd::rd_kafka_message_t; 256]);

impl Default for Room {
    fn default() -> Self {
        Self([std::ptr::null(); 256])
    }
}

/// A connection's errors begin with its broker: `ssl://host:9092/1: ` or `host:9092/bootstrap: `.
fn broker_of(message: &str) -> Option<String> {
    let (name, _) = message.split_once(": ")?;
    let (address, id) = name.rsplit_once('/')?;
    let known = id == "bootstrap" || id.parse::<u32>().is_ok();
    (known && address.contains(':')).then(|| name.to_owned())
}

impl Drop for Event<'_> {
    fn drop(&mut self) {
        // SAFETY: ours, destroyed once; its messages go with it.
        unsafe { rd::rd_kafka_event_destroy(self.raw) }
    }
}

#[cfg(test)]
mod tests {
    use super::broker_of;

    #[test]
    fn an_error_of_a_connection_names_its_broker() {
        assert_eq!(broker_of("ssl://b:9093/1: SSL handshake failed: x").as_deref(), Some("ssl://b:9093/1"));
        assert_eq!(broker_of("b:9092/bootstrap: Connect failed").as_deref(), Some("b:9092/bootstrap"));
        assert_eq!(broker_of("1/1 brokers are down"), None);
        assert_eq!(broker_of("Fetch of a/b: failed"), None);
    }
}
