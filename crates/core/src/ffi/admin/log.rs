//! Offsets of the log, and its begin.

use std::collections::BTreeSet;

use super::*;
use crate::requests::{DeleteRecords, ListOffsets, ListedOffset};

/// librdkafka's `_NOENT`: none of the partitions has a leader, because there is none of them.
fn unknown<'a, T>(error: Error, places: impl Iterator<Item = (&'a String, i32)>) -> Result<Vec<Placed<T>>> {
    if error.code != code::NOENT {
        return Err(error);
    }
    Ok(places
        .map(|(topic, partition)| {
            let mut error = Error::of(code::UNKNOWN_TOPIC_OR_PART);
            (error.topic, error.partition) = (Some(topic.clone()), Some(partition));
            Placed { topic: topic.clone(), partition, result: Err(error) }
        })
        .collect())
}

fn distinct<'a>(topics: impl Iterator<Item = &'a String>) -> Vec<String> {
    topics.collect::<BTreeSet<_>>().into_iter().cloned().collect()
}

impl Operation for ListOffsets {
    type Answer = Vec<Placed<ListedOffset>>;
    const CODE: rd::rd_kafka_admin_op_t = rd::rd_kafka_admin_op_t::RD_KAFKA_ADMIN_OP_LISTOFFSETS;
    const EVENT: i32 = rd::RD_KAFKA_EVENT_LISTOFFSETS_RESULT;

    fn topics(&self) -> Vec<String> {
        distinct(self.offsets.iter().map(|query| &query.topic))
    }

    fn failed(&self, error: Error) -> Result<Self::Answer> {
        unknown(error, self.offsets.iter().map(|query| (&query.topic, query.partition)))
    }

    fn start(&self, call: &Call) -> Result<()> {
        let list = partitions(self.offsets.iter().map(|query| (&query.topic, query.partition, query.at.into())))?;
        let isolation = match self.read_committed {
            true => rd::rd_kafka_IsolationLevel_t::RD_KAFKA_ISOLATION_LEVEL_READ_COMMITTED,
            false => rd::rd_kafka_IsolationLevel_t::RD_KAFKA_ISOLATION_LEVEL_READ_UNCOMMITTED,
        };
        // SAFETY: the options are alive; the error is taken.
        check_error(unsafe { rd::rd_kafka_AdminOptions_set_isolation_level(call.options, isolation) })?;
        // SAFETY: all are alive; the list is copied.
        unsafe { rd::rd_kafka_ListOffsets(call.client, list.raw(), call.options, call.queue) };
        Ok(())
    }

    unsafe fn read(&self, event: *mut rd::rd_kafka_event_t) -> Result<Self::Answer> {
        // SAFETY: the caller's promise; everything is the event's, and copied.
        Ok(unsafe {
            let result = rd::rd_kafka_event_ListOffsets_result(event);
            array(|count| rd::rd_kafka_ListOffsets_result_infos(result, count))
                .iter()
                .map(|info| {
                    let at = &*rd::rd_kafka_ListOffsetsResultInfo_topic_partition(*info);
                    // SAFETY: read as an integer, because a newer broker's code is not in the enum.
                    let code = std::ptr::addr_of!(at.err).cast::<i32>().read();
                    let time = rd::rd_kafka_ListOffsetsResultInfo_timestamp(*info);
                    let listed = ListedOffset {
                        offset: Some(at.offset).filter(|offset| *offset >= 0),
                        timestamp: Some(time).filter(|time| *time >= 0),
                    };
                    place(at, item_error(code, std::ptr::null()).map(|()| listed))
                })
                .collect()
        })
    }
}

impl Operation for DeleteRecords {
    type Answer = Vec<Placed<i64>>;
    const CODE: rd::rd_kafka_admin_op_t = rd::rd_kafka_admin_op_t::RD_KAFKA_ADMIN_OP_DELETERECORDS;
    const EVENT: i32 = rd::RD_KAFKA_EVENT_DELETERECORDS_RESULT;

    fn topics(&self) -> Vec<String> {
        distinct(self.before.iter().map(|at| &at.topic))
    }

    fn failed(&self, error: Error) -> Result<Self::Answer> {
        unknown(error, self.before.iter().map(|at| (&at.topic, at.partition)))
    }

    fn start(&self, call: &Call) -> Result<()> {
        let list = partitions(self.before.iter().map(|at| (&at.topic, at.partition, at.offset)))?;
        let mut requests = Objects::new(rd::rd_kafka_DeleteRecords_destroy);
        // SAFETY: the list is copied.
        requests.make(|_, _| unsafe { rd::rd_kafka_DeleteRecords_new(list.raw()) })?;
        let (requests, count) = requests.array();
        // SAFETY: all are alive; the request is copied.
        unsafe { rd::rd_kafka_DeleteRecords(call.client, requests, count, call.options, call.queue) };
        Ok(())
    }

    unsafe fn read(&self, event: *mut rd::rd_kafka_event_t) -> Result<Self::Answer> {
        // SAFETY: the caller's promise; the list is the event's, and copied.
        Ok(unsafe {
            let result = rd::rd_kafka_event_DeleteRecords_result(event);
            placed(rd::rd_kafka_DeleteRecords_result_offsets(result), |at| at.offset)
        })
    }
}
