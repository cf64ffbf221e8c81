//! Calls of a client as a member of a group: subscribing, rebalances, positions, commits, leaving.

use std::ffi::c_void;
use std::time::Duration;

use super::partitions::{copies, first_error, PartitionOffset};
use super::{check, check_error, millis, rd, text, Client, Event, Partitions, Queue};
use crate::code;
use crate::error::{Error, Result};

/// The change that a rebalance event asks for.
pub(crate) struct Rebalance {
    /// They come; otherwise they go.
    pub(crate) assign: bool,
    /// They are gone already: the group has given them to others, or will.
    pub(crate) lost: bool,
    pub(crate) partitions: Vec<PartitionOffset>,
}

/// A member's identity in its group.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub(crate) struct Membership {
    pub(crate) member_id: String,
    pub(crate) generation: i32,
}

impl Client {
    /// The names of all topics, with how many partitions they have: all that there can be where a broker could not say; blocks up
    /// to `timeout`.
    pub(crate) fn topics(&self, timeout: Duration) -> Result<Vec<(String, i32)>> {
        let mut raw = std::ptr::null();
        // SAFETY: alive; on success the metadata is ours until destroyed; `topic_cnt` entries are valid.
        unsafe {
            check(rd::codes::rd_kafka_metadata(self.raw(), 1, std::ptr::null_mut(), &mut raw, millis(timeout)))?;
            let topics = (0..(*raw).topic_cnt as usize).map(|i| {
                let topic = &*(*raw).topics.add(i);
                let partitions = if topic.partition_cnt > 0 { topic.partition_cnt } else { i32::MAX };
                (text(topic.topic), partitions)
            });
            let topics = topics.collect();
            rd::rd_kafka_metadata_destroy(raw);
            Ok(topics)
        }
    }

    /// Replaces the subscription; a name that begins with `^` is a pattern. None left: begins to leave the group.
    pub(crate) fn subscribe(&self, topics: &[String]) -> Result<()> {
        if topics.is_empty() {
            // SAFETY: alive.
            return check(unsafe { rd::codes::rd_kafka_unsubscribe(self.raw()) });
        }
        let list = Partitions::list(topics.iter().map(|topic| (topic.as_str(), -1, 0)))?;
        // SAFETY: both are alive; the list is copied.
        check(unsafe { rd::codes::rd_kafka_subscribe(self.raw(), list.raw()) })
    }

    /// Gives back the whole assignment.
    pub(crate) fn unassign(&self) -> Result<()> {
        // SAFETY: alive; null means that nothing is assigned.
        check(unsafe { rd::codes::rd_kafka_assign(self.raw(), std::ptr::null()) })
    }

    /// `EAGER`, `COOPERATIVE`, or `NONE` while the group has not decided.
    pub(crate) fn rebalance_protocol(&self) -> String {
        // SAFETY: alive; returns a static string. Asks librdkafka's own thread, which never waits for ours.
        text(unsafe { rd::rd_kafka_rebalance_protocol(self.raw()) })
    }

    /// Goes on at these offsets. When it returns, what was fetched before is out of date and never comes.
    pub(crate) fn seek(&self, partitions: &Partitions, timeout: Duration) -> Result<()> {
        // SAFETY: both are alive; each element's error is written.
        check_error(unsafe { rd::rd_kafka_seek_partitions(self.raw(), partitions.raw(), millis(timeout)) })?;
        partitions.first_error()
    }

    /// Stops fetching these and throws away what was.
    pub(crate) fn pause(&self, partitions: &Partitions) -> Result<()> {
        // SAFETY: both are alive; each element's error is written.
        check(unsafe { rd::codes::rd_kafka_pause_partitions(self.raw(), partitions.raw()) })
    }

    /// Fetches these again.
    pub(crate) fn resume(&self, partitions: &Partitions) -> Result<()> {
        // SAFETY: as above.
        check(unsafe { rd::codes::rd_kafka_resume_partitions(self.raw(), partitions.raw()) })
    }

    /// Behind the last message or transaction marker that was taken from the queue; `INVALID` = nothing was. Local.
    pub(crate) fn positions(&self, partitions: Partitions) -> Vec<PartitionOffset> {
        // SAFETY: as above.
        unsafe { rd::codes::rd_kafka_position(self.raw(), partitions.raw()) };
        partitions.iter().collect()
    }

    /// Commits; a commit event with this `opaque` comes through `queue`.
    pub(crate) fn commit(&self, offsets: &Partitions, queue: &Queue, opaque: usize) -> Result<()> {
        // SAFETY: all are alive; the list is copied; without a callback the answer is an event, whose opaque is never followed.
        check(unsafe {
            rd::codes::rd_kafka_commit_queue(
                self.raw(),
                offsets.raw(),
                queue.raw(),
                std::ptr::null(),
                opaque as *mut c_void,
            )
        })
    }

    /// Offsets that the group has committed, `INVALID` = nothing; blocks up to `timeout`.
    pub(crate) fn committed(&self, partitions: &Partitions, timeout: Duration) -> Result<Vec<PartitionOffset>> {
        // SAFETY: both are alive; offsets and errors are written into the list.
        check(unsafe { rd::codes::rd_kafka_committed(self.raw(), partitions.raw(), millis(timeout)) })?;
        partitions.first_error().map(|()| partitions.iter().collect())
    }

    /// The offsets of the first messages that are not older than the times given as offsets; -1 = there is none. Blocks up to `timeout`.
    pub(crate) fn offsets_for_times(&self, times: &Partitions, timeout: Duration) -> Result<Vec<PartitionOffset>> {
        // SAFETY: as above.
        check(unsafe { rd::codes::rd_kafka_offsets_for_times(self.raw(), times.raw(), millis(timeout)) })?;
        times.first_error().map(|()| times.iter().collect())
    }

    /// The member's place in its group, serialised for a producer's transaction; blocks for a moment.
    pub(crate) fn group_metadata(&self) -> Result<Vec<u8>> {
        // SAFETY: alive; the metadata is ours and destroyed; the buffer is librdkafka's malloc, copied and freed.
        unsafe {
            let metadata = rd::rd_kafka_consumer_group_metadata(self.raw());
            if metadata.is_null() {
                return Err(Error::config("property 'group.id' must not be empty"));
            }
            let (mut buffer, mut size) = (std::ptr::null_mut(), 0);
            let written = check_error(rd::rd_kafka_consumer_group_metadata_write(metadata, &mut buffer, &mut size));
            rd::rd_kafka_consumer_group_metadata_destroy(metadata);
            written?;
            let bytes = std::slice::from_raw_parts(buffer.cast::<u8>(), size).to_vec();
            rd::rd_kafka_mem_free(std::ptr::null_mut(), buffer);
            Ok(bytes)
        }
    }

    /// The member's id and generation, as far as it has any.
    pub(crate) fn membership(&self) -> Membership {
        // Serialised: the magic "CGMDv2:", the generation, then group, member and instance, each ended by a zero.
        const MAGIC: usize = 7;
        let bytes = self.group_metadata().unwrap_or_default();
        let Some(generation) = bytes.get(MAGIC..MAGIC + 4) else { return Membership::default() };
        let mut names = bytes[MAGIC + 4..].split(|byte| *byte == 0);
        Membership {
            generation: i32::from_ne_bytes(generation.try_into().expect("four bytes")),
            member_id: names.nth(1).map(|name| String::from_utf8_lossy(name).into_owned()).unwrap_or_default(),
        }
    }

    /// Whether it is a member still though it subscribes to nothing. When that ends the consumer's queue is yielded.
    pub(crate) fn leaving(&self) -> bool {
        // SAFETY: alive. Asks librdkafka's own thread, which never waits for ours.
        unsafe { rd::rd_kafka_consumer_leaving(self.raw()) != 0 }
    }

    /// Begins to leave the group; what it has to tell comes through `queue`, until [`left`](Self::left).
    pub(crate) fn leave(&self, queue: &Queue) -> Result<()> {
        // SAFETY: both are alive.
        check_error(unsafe { rd::rd_kafka_consumer_close_queue(self.raw(), queue.raw()) })
    }

    pub(crate) fn left(&self) -> bool {
        // SAFETY: alive.
        unsafe { rd::rd_kafka_consumer_closed(self.raw()) != 0 }
    }
}

impl Event<'_> {
    /// Of a rebalance event.
    pub(crate) fn rebalance(&self, client: &Client) -> Result<Rebalance> {
        // SAFETY: alive; the list belongs to the event and is copied.
        let (code, partitions) = unsafe {
            (rd::codes::rd_kafka_event_error(self.raw()), copies(rd::rd_kafka_event_topic_partition_list(self.raw())))
        };
        match code {
            code::ASSIGN_PARTITIONS => Ok(Rebalance { assign: true, lost: false, partitions }),
            code::REVOKE_PARTITIONS => {
                // SAFETY: alive.
                let lost = unsafe { rd::rd_kafka_assignment_lost(client.raw()) } != 0;
                Ok(Rebalance { assign: false, lost, partitions })
            }
            code => Err(Error::of(code)),
        }
    }

    /// Of a commit event: what was given to `commit`, and how it ended.
    pub(crate) fn committed(&self) -> (usize, Result<()>) {
        // SAFETY: alive; the list belongs to the event and is copied.
        let (opaque, partitions) = unsafe {
            (
                rd::rd_kafka_event_opaque(self.raw()) as usize,
                copies(rd::rd_kafka_event_topic_partition_list(self.raw())),
            )
        };
        let ended = self.error().map_or(Ok(()), Err).and_then(|()| first_error(partitions.into_iter()));
        (opaque, ended)
    }
}
