//! Groups and what they committed.

use super::*;
use crate::logical;
use crate::requests::{
    AlterGroupOffsets, CommittedOffset, DeleteGroupOffsets, DeleteGroups, DescribeGroups, GroupDescription,
    GroupListing, GroupListings, GroupMember, ListGroupOffsets, ListGroups, Named, TopicPartition,
};

impl Operation for ListGroups {
    type Answer = GroupListings;
    const CODE: rd::rd_kafka_admin_op_t = rd::rd_kafka_admin_op_t::RD_KAFKA_ADMIN_OP_LISTCONSUMERGROUPS;
    const EVENT: i32 = rd::RD_KAFKA_EVENT_LISTCONSUMERGROUPS_RESULT;

    fn start(&self, call: &Call) -> Result<()> {
        // SAFETY: all are alive.
        unsafe { rd::rd_kafka_ListConsumerGroups(call.client, call.options, call.queue) };
        Ok(())
    }

    unsafe fn read(&self, event: *mut rd::rd_kafka_event_t) -> Result<Self::Answer> {
        // SAFETY: the caller's promise; everything is the event's, and copied.
        Ok(unsafe {
            let result = rd::rd_kafka_event_ListConsumerGroups_result(event);
            let groups = array(|count| rd::rd_kafka_ListConsumerGroups_result_valid(result, count)).iter();
            let errors = array(|count| rd::rd_kafka_ListConsumerGroups_result_errors(result, count)).iter();
            GroupListings {
                groups: groups
                    .map(|group| GroupListing {
                        group: text(rd::rd_kafka_ConsumerGroupListing_group_id(*group)),
                        simple: rd::rd_kafka_ConsumerGroupListing_is_simple_consumer_group(*group) != 0,
                        state: rd::codes::rd_kafka_ConsumerGroupListing_state(*group).into(),
                        kind: rd::codes::rd_kafka_ConsumerGroupListing_type(*group).into(),
                    })
                    .collect(),
                errors: errors.filter_map(|error| borrowed_error(*error).err()).collect(),
            }
        })
    }
}

impl Operation for DescribeGroups {
    type Answer = Vec<Named<GroupDescription>>;
    const CODE: rd::rd_kafka_admin_op_t = rd::rd_kafka_admin_op_t::RD_KAFKA_ADMIN_OP_DESCRIBECONSUMERGROUPS;
    const EVENT: i32 = rd::RD_KAFKA_EVENT_DESCRIBECONSUMERGROUPS_RESULT;

    fn start(&self, call: &Call) -> Result<()> {
        let ids = self.groups.iter().map(|group| c_string("the group", group)).collect::<Result<Vec<_>>>()?;
        let mut ids: Vec<_> = ids.iter().map(|id| id.as_ptr()).collect();
        // SAFETY: all are alive; the ids are copied.
        unsafe {
            rd::rd_kafka_DescribeConsumerGroups(call.client, ids.as_mut_ptr(), ids.len(), call.options, call.queue)
        };
        Ok(())
    }

    unsafe fn read(&self, event: *mut rd::rd_kafka_event_t) -> Result<Self::Answer> {
        // SAFETY: the caller's promise; everything is the event's, and copied.
        Ok(unsafe {
            let result = rd::rd_kafka_event_DescribeConsumerGroups_result(event);
            array(|count| rd::rd_kafka_DescribeConsumerGroups_result_groups(result, count))
                .iter()
                .map(|group| {
                    let error = borrowed_error(rd::rd_kafka_ConsumerGroupDescription_error(*group));
                    Named {
                        name: text(rd::rd_kafka_ConsumerGroupDescription_group_id(*group)),
                        result: error.map(|()| description(*group)),
                    }
                })
                .collect()
        })
    }
}

/// # Safety
/// Valid for the call.
unsafe fn description(group: *const rd::rd_kafka_ConsumerGroupDescription_t) -> GroupDescription {
    // SAFETY: the caller's promise; everything is copied.
    unsafe {
        GroupDescription {
            simple: rd::rd_kafka_ConsumerGroupDescription_is_simple_consumer_group(group) != 0,
            state: rd::codes::rd_kafka_ConsumerGroupDescription_state(group).into(),
            kind: rd::codes::rd_kafka_ConsumerGroupDescription_type(group).into(),
            assignor: text(rd::rd_kafka_ConsumerGroupDescription_partition_assignor(group)),
            coordinator: node(rd::rd_kafka_ConsumerGroupDescription_coordinator(group)),
            members: (0..rd::rd_kafka_ConsumerGroupDescription_member_count(group))
                .map(|i| member(rd::rd_kafka_ConsumerGroupDescription_member(group, i)))
                .collect(),
        }
    }
}

/// # Safety
/// Valid for the call.
unsafe fn member(member: *const rd::rd_kafka_MemberDescription_t) -> GroupMember {
    // SAFETY: the caller's promise; everything is copied.
    unsafe {
        let instance = rd::rd_kafka_MemberDescription_group_instance_id(member);
        let target = rd::rd_kafka_MemberDescription_target_assignment(member);
        GroupMember {
            id: text(rd::rd_kafka_MemberDescription_consumer_id(member)),
            instance_id: (!instance.is_null()).then(|| text(instance)),
            client_id: text(rd::rd_kafka_MemberDescription_client_id(member)),
            host: text(rd::rd_kafka_MemberDescription_host(member)),
            assignment: assignment(rd::rd_kafka_MemberDescription_assignment(member)),
            target: (!target.is_null()).then(|| assignment(target)),
        }
    }
}

/// # Safety
/// Null or valid for the call.
unsafe fn assignment(assignment: *const rd::rd_kafka_MemberAssignment_t) -> Vec<TopicPartition> {
    if assignment.is_null() {
        return Vec::new();
    }
    // SAFETY: the caller's promise.
    let places = unsafe { placed(rd::rd_kafka_MemberAssignment_partitions(assignment), |_| ()) };
    places.into_iter().map(|place| TopicPartition { topic: place.topic, partition: place.partition }).collect()
}

impl Operation for DeleteGroups {
    type Answer = Vec<Named>;
    const CODE: rd::rd_kafka_admin_op_t = rd::rd_kafka_admin_op_t::RD_KAFKA_ADMIN_OP_DELETEGROUPS;
    const EVENT: i32 = rd::RD_KAFKA_EVENT_DELETEGROUPS_RESULT;

    fn start(&self, call: &Call) -> Result<()> {
        let mut groups = Objects::new(rd::rd_kafka_DeleteGroup_destroy);
        for group in &self.groups {
            let id = c_string("the group", group)?;
            // SAFETY: the id is copied.
            groups.make(|_, _| unsafe { rd::rd_kafka_DeleteGroup_new(id.as_ptr()) })?;
        }
        let (groups, count) = groups.array();
        // SAFETY: all are alive; the groups are copied.
        unsafe { rd::rd_kafka_DeleteGroups(call.client, groups, count, call.options, call.queue) };
        Ok(())
    }

    unsafe fn read(&self, event: *mut rd::rd_kafka_event_t) -> Result<Self::Answer> {
        // SAFETY: the caller's promise; everything is the event's, and copied.
        Ok(unsafe {
            let result = rd::rd_kafka_event_DeleteGroups_result(event);
            array(|count| rd::rd_kafka_DeleteGroups_result_groups(result, count))
                .iter()
                .map(|group| Named {
                    name: text(rd::rd_kafka_group_result_name(*group)),
                    result: borrowed_error(rd::rd_kafka_group_result_error(*group)),
                })
                .collect()
        })
    }
}

/// Results of the partitions of the one group of a request.
///
/// # Safety
/// The groups are alive for the call.
unsafe fn of_group<T>(
    groups: &[*const rd::rd_kafka_group_result_t],
    value: impl Fn(&rd::rd_kafka_topic_partition_t) -> T,
) -> Result<Vec<Placed<T>>> {
    let Some(group) = groups.first() else { return Ok(Vec::new()) };
    // SAFETY: the caller's promise.
    unsafe {
        borrowed_error(rd::rd_kafka_group_result_error(*group))?;
        Ok(placed(rd::rd_kafka_group_result_partitions(*group), value))
    }
}

impl Operation for ListGroupOffsets {
    type Answer = Vec<Placed<CommittedOffset>>;
    const CODE: rd::rd_kafka_admin_op_t = rd::rd_kafka_admin_op_t::RD_KAFKA_ADMIN_OP_LISTCONSUMERGROUPOFFSETS;
    const EVENT: i32 = rd::RD_KAFKA_EVENT_LISTCONSUMERGROUPOFFSETS_RESULT;

    fn start(&self, call: &Call) -> Result<()> {
        let group = c_string("the group", &self.group)?;
        let list = self.partitions.as_ref().map(|list| partitions(list.iter().map(|at| (&at.topic, at.partition, 0))));
        let list = list.transpose()?;
        let mut requests = Objects::new(rd::rd_kafka_ListConsumerGroupOffsets_destroy);
        // SAFETY: both are copied; null means all partitions.
        requests.make(|_, _| unsafe {
            let list = list.as_ref().map_or(std::ptr::null(), |list| list.raw().cast_const());
            rd::rd_kafka_ListConsumerGroupOffsets_new(group.as_ptr(), list)
        })?;
        let (requests, count) = requests.array();
        // SAFETY: all are alive; the request is copied.
        unsafe { rd::rd_kafka_ListConsumerGroupOffsets(call.client, requests, count, call.options, call.queue) };
        Ok(())
    }

    unsafe fn read(&self, event: *mut rd::rd_kafka_event_t) -> Result<Self::Answer> {
        // SAFETY: the caller's promise; everything is the event's, and copied.
        unsafe {
            let result = rd::rd_kafka_event_ListConsumerGroupOffsets_result(event);
            of_group(array(|count| rd::rd_kafka_ListConsumerGroupOffsets_result_groups(result, count)), |at| {
                let metadata = std::slice::from_raw_parts(at.metadata.cast::<u8>(), at.metadata_size);
                CommittedOffset {
                    offset: Some(at.offset).filter(|offset| *offset != logical::INVALID),
                    metadata: (!at.metadata.is_null()).then(|| String::from_utf8_lossy(metadata).into_owned()),
                }
            })
        }
    }
}

impl Operation for AlterGroupOffsets {
    type Answer = Vec<Placed>;
    const CODE: rd::rd_kafka_admin_op_t = rd::rd_kafka_admin_op_t::RD_KAFKA_ADMIN_OP_ALTERCONSUMERGROUPOFFSETS;
    const EVENT: i32 = rd::RD_KAFKA_EVENT_ALTERCONSUMERGROUPOFFSETS_RESULT;

    fn start(&self, call: &Call) -> Result<()> {
        let group = c_string("the group", &self.group)?;
        let list = partitions(self.offsets.iter().map(|at| (&at.topic, at.partition, at.offset)))?;
        let mut requests = Objects::new(rd::rd_kafka_AlterConsumerGroupOffsets_destroy);
        // SAFETY: both are copied.
        requests.make(|_, _| unsafe { rd::rd_kafka_AlterConsumerGroupOffsets_new(group.as_ptr(), list.raw()) })?;
        let (requests, count) = requests.array();
        // SAFETY: all are alive; the request is copied.
        unsafe { rd::rd_kafka_AlterConsumerGroupOffsets(call.client, requests, count, call.options, call.queue) };
        Ok(())
    }

    unsafe fn read(&self, event: *mut rd::rd_kafka_event_t) -> Result<Self::Answer> {
        // SAFETY: the caller's promise; everything is the event's, and copied.
        unsafe {
            let result = rd::rd_kafka_event_AlterConsumerGroupOffsets_result(event);
            of_group(array(|count| rd::rd_kafka_AlterConsumerGroupOffsets_result_groups(result, count)), |_| ())
        }
    }
}

impl Operation for DeleteGroupOffsets {
    type Answer = Vec<Placed>;
    const CODE: rd::rd_kafka_admin_op_t = rd::rd_kafka_admin_op_t::RD_KAFKA_ADMIN_OP_DELETECONSUMERGROUPOFFSETS;
    const EVENT: i32 = rd::RD_KAFKA_EVENT_DELETECONSUMERGROUPOFFSETS_RESULT;

    fn start(&self, call: &Call) -> Result<()> {
        let group = c_string("the group", &self.group)?;
        let list = partitions(self.partitions.iter().map(|at| (&at.topic, at.partition, 0)))?;
        let mut requests = Objects::new(rd::rd_kafka_DeleteConsumerGroupOffsets_destroy);
        // SAFETY: both are copied.
        requests.make(|_, _| unsafe { rd::rd_kafka_DeleteConsumerGroupOffsets_new(group.as_ptr(), list.raw()) })?;
        let (requests, count) = requests.array();
        // SAFETY: all are alive; the request is copied.
        unsafe { rd::rd_kafka_DeleteConsumerGroupOffsets(call.client, requests, count, call.options, call.queue) };
        Ok(())
    }

    unsafe fn read(&self, event: *mut rd::rd_kafka_event_t) -> Result<Self::Answer> {
        // SAFETY: the caller's promise; everything is the event's, and copied.
        unsafe {
            let result = rd::rd_kafka_event_DeleteConsumerGroupOffsets_result(event);
            of_group(array(|count| rd::rd_kafka_DeleteConsumerGroupOffsets_result_groups(result, count)), |_| ())
        }
    }
}
