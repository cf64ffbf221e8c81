//! Admin requests: each on a queue of its own, the caller waits for the one result.

use std::ffi::{c_char, CString};
use std::sync::Arc;
use std::time::{Duration, Instant};

use super::{c_string, check, error_text, millis, rd, text, Client, Event, Partitions, Queue, ERROR, LOG};
use crate::error::{code, is_refusal, Error, Result};
use crate::helper::deadline;

/// A topic to be created.
#[derive(Debug, Clone)]
pub(crate) struct NewTopic<'a> {
    pub(crate) name: &'a str,
    /// -1 = the broker's `num.partitions`.
    pub(crate) partitions: i32,
    /// -1 = the broker's `default.replication.factor`.
    pub(crate) replication: i32,
    pub(crate) config: &'a [(String, String)],
}

/// How long a result may come after the time that was given to the broker.
const GRACE: Duration = Duration::from_secs(2);

impl Client {
    /// A queue for one request of a client that only makes requests. What the client tells on the side comes through it,
    /// too, so that a wrong password ends the request at once.
    fn request_queue(self: &Arc<Self>) -> Queue {
        let queue = self.new_queue();
        self.main_queue().forward(&queue);
        queue
    }

    /// The newest error that a client that only makes requests told on the side, waiting a moment for the first.
    pub(crate) fn told(self: &Arc<Self>) -> Option<Error> {
        let queue = self.request_queue();
        let mut told = None;
        while let Some(event) = queue.poll(if told.is_none() { Duration::from_millis(50) } else { Duration::ZERO }) {
            told = side_error(&event).or(told);
        }
        told
    }

    pub(crate) fn create_topic(self: &Arc<Self>, topic: &NewTopic<'_>, timeout: Duration) -> Result<()> {
        let name = c_string("the topic", topic.name)?;
        let config: Vec<(CString, CString)> = topic
            .config
            .iter()
            .map(|(k, v)| Ok((c_string("a topic property", k)?, c_string(k, v)?)))
            .collect::<Result<_>>()?;
        let queue = self.request_queue();
        let mut reason = [0 as c_char; 512];
        // SAFETY: name and config are copied; the new topic is ours and destroyed after the call, which copies it.
        unsafe {
            let mut new = rd::rd_kafka_NewTopic_new(
                name.as_ptr(),
                topic.partitions,
                topic.replication,
                reason.as_mut_ptr(),
                reason.len(),
            );
            if new.is_null() {
                return Err(Error::config(text(reason.as_ptr())));
            }
            for (key, value) in &config {
                rd::rd_kafka_NewTopic_set_config(new, key.as_ptr(), value.as_ptr());
            }
            let options = Options::new(self, rd::rd_kafka_admin_op_t::RD_KAFKA_ADMIN_OP_CREATETOPICS, timeout);
            rd::rd_kafka_CreateTopics(self.raw(), &mut new, 1, options.raw, queue.raw());
            rd::rd_kafka_NewTopic_destroy(new);
        }
        let event = result(&queue, timeout)?;
        // SAFETY: the event is of the kind that was asked for; the array belongs to it.
        first_topic_error(topic.name, |count| unsafe {
            rd::rd_kafka_CreateTopics_result_topics(rd::rd_kafka_event_CreateTopics_result(event.raw()), count)
        })
    }

    pub(crate) fn delete_topic(self: &Arc<Self>, topic: &str, timeout: Duration) -> Result<()> {
        let name = c_string("the topic", topic)?;
        let queue = self.request_queue();
        // SAFETY: the request object is ours and destroyed after the call, which copies it.
        unsafe {
            let mut delete = rd::rd_kafka_DeleteTopic_new(name.as_ptr());
            let options = Options::new(self, rd::rd_kafka_admin_op_t::RD_KAFKA_ADMIN_OP_DELETETOPICS, timeout);
            rd::rd_kafka_DeleteTopics(self.raw(), &mut delete, 1, options.raw, queue.raw());
            rd::rd_kafka_DeleteTopic_destroy(delete);
        }
        let event = result(&queue, timeout)?;
        // SAFETY: as above.
        first_topic_error(topic, |count| unsafe {
            rd::rd_kafka_DeleteTopics_result_topics(rd::rd_kafka_event_DeleteTopics_result(event.raw()), count)
        })
    }

    pub(crate) fn create_partitions(self: &Arc<Self>, topic: &str, total: usize, timeout: Duration) -> Result<()> {
        let name = c_string("the topic", topic)?;
        let queue = self.request_queue();
        let mut reason = [0 as c_char; 512];
        // SAFETY: as above.
        unsafe {
            let mut new = rd::rd_kafka_NewPartitions_new(name.as_ptr(), total, reason.as_mut_ptr(), reason.len());
            if new.is_null() {
                return Err(Error::config(text(reason.as_ptr())));
            }
            let options = Options::new(self, rd::rd_kafka_admin_op_t::RD_KAFKA_ADMIN_OP_CREATEPARTITIONS, timeout);
            rd::rd_kafka_CreatePartitions(self.raw(), &mut new, 1, options.raw, queue.raw());
            rd::rd_kafka_NewPartitions_destroy(new);
        }
        let event = result(&queue, timeout)?;
        // SAFETY: as above.
        first_topic_error(topic, |count| unsafe {
            rd::rd_kafka_CreatePartitions_result_topics(rd::rd_kafka_event_CreatePartitions_result(event.raw()), count)
        })
    }

    /// Deletes what is below `offset` (-1 = everything); returns the new low watermark.
    pub(crate) fn delete_records(
        self: &Arc<Self>,
        topic: &str,
        partition: i32,
        offset: i64,
        timeout: Duration,
    ) -> Result<i64> {
        let before = Partitions::of(topic, [(partition, offset)])?;
        let queue = self.request_queue();
        // SAFETY: as above.
        unsafe {
            let mut delete = rd::rd_kafka_DeleteRecords_new(before.raw());
            let options = Options::new(self, rd::rd_kafka_admin_op_t::RD_KAFKA_ADMIN_OP_DELETERECORDS, timeout);
            rd::rd_kafka_DeleteRecords(self.raw(), &mut delete, 1, options.raw, queue.raw());
            rd::rd_kafka_DeleteRecords_destroy(delete);
        }
        let event = result(&queue, timeout)?;
        // SAFETY: the event is of that kind; its list has one element, whose code is read as an integer.
        unsafe {
            let list = rd::rd_kafka_DeleteRecords_result_offsets(rd::rd_kafka_event_DeleteRecords_result(event.raw()));
            let element = (*list).elems;
            let error = std::ptr::addr_of!((*element).err).cast::<i32>().read();
            check(error).map(|()| (*element).offset).map_err(|mut error| {
                error.topic = Some(topic.to_owned());
                error.partition = Some(partition);
                error
            })
        }
    }

    /// The earliest (or latest) offset of each partition, asked of their leaders in one go; a partition whose leader does not
    /// answer is left out.
    pub(crate) fn list_offsets(
        self: &Arc<Self>,
        topic: &str,
        partitions: &[i32],
        latest: bool,
        timeout: Duration,
    ) -> Result<Vec<(i32, i64)>> {
        let spec = if latest { -1 } else { -2 };
        let list = Partitions::of(topic, partitions.iter().map(|partition| (*partition, spec)))?;
        let queue = self.new_queue();
        // SAFETY: the list is copied.
        unsafe {
            let options = Options::new(self, rd::rd_kafka_admin_op_t::RD_KAFKA_ADMIN_OP_LISTOFFSETS, timeout);
            rd::rd_kafka_ListOffsets(self.raw(), list.raw(), options.raw, queue.raw());
        }
        let event = result(&queue, timeout)?;
        let mut count = 0;
        // SAFETY: the event is of that kind; `count` elements belong to it, each with its partition.
        unsafe {
            let infos =
                rd::rd_kafka_ListOffsets_result_infos(rd::rd_kafka_event_ListOffsets_result(event.raw()), &mut count);
            Ok((0..count)
                .map(|i| &*rd::rd_kafka_ListOffsetsResultInfo_topic_partition(*infos.add(i)))
                .filter(|place| std::ptr::addr_of!(place.err).cast::<i32>().read() == 0 && place.offset >= 0)
                .map(|place| (place.partition, place.offset))
                .collect())
        }
    }
}

/// Waits for the request's one result. No retry heals a refused connection, so that ends it, too.
fn result(queue: &Queue, timeout: Duration) -> Result<Event<'_>> {
    let deadline = deadline(timeout) + GRACE;
    let mut told = None;
    let fail = |error: Error, told: Option<Error>| match told {
        Some(told) => Err(error.because(told)),
        None => Err(error),
    };
    loop {
        let left = deadline.saturating_duration_since(Instant::now());
        match queue.poll(left) {
            Some(event) if matches!(event.kind(), ERROR | LOG) => match side_error(&event) {
                Some(refusal) if is_refusal(refusal.code) => return Err(refusal),
                error => told = error.or(told),
            },
            Some(event) => {
                return match event.error() {
                    Some(error) => fail(error, told),
                    None => Ok(event),
                }
            }
            None if left.is_zero() => {
                return fail(Error::kafka(code::TIMED_OUT, "the cluster did not answer in time"), told);
            }
            None => {}
        }
    }
}

fn side_error(event: &Event<'_>) -> Option<Error> {
    (event.kind() == ERROR).then(|| event.error()).flatten()
}

fn first_topic_error(
    topic: &str,
    results: impl FnOnce(&mut usize) -> *mut *const rd::rd_kafka_topic_result_t,
) -> Result<()> {
    let mut count = 0;
    let results = results(&mut count);
    for i in 0..count {
        // SAFETY: `count` results, alive while the caller's event is; strings are copied.
        unsafe {
            let result = *results.add(i);
            let code = rd::codes::rd_kafka_topic_result_error(result);
            if code != 0 {
                let reason = text(rd::rd_kafka_topic_result_error_string(result));
                let mut error = Error::kafka(code, if reason.is_empty() { error_text(code) } else { reason });
                error.topic = Some(topic.to_owned());
                return Err(error);
            }
        }
    }
    Ok(())
}

/// `rd_kafka_AdminOptions_t`
struct Options {
    raw: *mut rd::rd_kafka_AdminOptions_t,
}

impl Options {
    fn new(client: &Client, operation: rd::rd_kafka_admin_op_t, timeout: Duration) -> Self {
        let timeout_ms = millis(timeout);
        let mut reason = [0 as c_char; 512];
        // SAFETY: the client is alive. The operation time-out exists for some operations only; its refusal changes nothing.
        unsafe {
            let raw = rd::rd_kafka_AdminOptions_new(client.raw(), operation);
            rd::rd_kafka_AdminOptions_set_request_timeout(raw, timeout_ms, reason.as_mut_ptr(), reason.len());
            rd::rd_kafka_AdminOptions_set_operation_timeout(raw, timeout_ms, reason.as_mut_ptr(), reason.len());
            Self { raw }
        }
    }
}

impl Drop for Options {
    fn drop(&mut self) {
        // SAFETY: ours, destroyed once.
        unsafe { rd::rd_kafka_AdminOptions_destroy(self.raw) }
    }
}
