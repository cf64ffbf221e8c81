//! Topics, their partitions and leaders, the cluster.

use super::*;
use crate::requests::{
    ClusterDescription, CreatePartitions, CreateTopics, DeleteTopics, DescribeCluster, DescribeTopics, ElectLeaders,
    Named, PartitionDescription, TopicDescription,
};

impl Operation for CreateTopics {
    type Answer = Vec<Named>;
    const CODE: rd::rd_kafka_admin_op_t = rd::rd_kafka_admin_op_t::RD_KAFKA_ADMIN_OP_CREATETOPICS;
    const EVENT: i32 = rd::RD_KAFKA_EVENT_CREATETOPICS_RESULT;

    fn start(&self, call: &Call) -> Result<()> {
        let mut topics = Objects::new(rd::rd_kafka_NewTopic_destroy);
        for new in &self.topics {
            let name = c_string("the topic", &new.topic)?;
            let partitions = if new.replicas.is_empty() { new.partitions } else { new.replicas.len() as i32 };
            // SAFETY: the name is copied.
            let topic = topics.make(|reason, size| unsafe {
                rd::rd_kafka_NewTopic_new(name.as_ptr(), partitions, new.replication, reason, size)
            })?;
            for (partition, brokers) in new.replicas.iter().enumerate() {
                let mut brokers = brokers.clone();
                // SAFETY: the brokers are copied.
                reasoned(|reason, size| unsafe {
                    rd::codes::rd_kafka_NewTopic_set_replica_assignment(
                        topic,
                        partition as i32,
                        brokers.as_mut_ptr(),
                        brokers.len(),
                        reason,
                        size,
                    )
                })?;
            }
            for (name, value) in &new.config {
                let (name, value) = (c_string("a topic property", name)?, c_string(name, value)?);
                // SAFETY: both are copied.
                unsafe { rd::rd_kafka_NewTopic_set_config(topic, name.as_ptr(), value.as_ptr()) };
            }
        }
        if self.validate_only {
            call.validate_only();
        }
        let (topics, count) = topics.array();
        // SAFETY: all are alive; the topics are copied.
        unsafe { rd::rd_kafka_CreateTopics(call.client, topics, count, call.options, call.queue) };
        Ok(())
    }

    unsafe fn read(&self, event: *mut rd::rd_kafka_event_t) -> Result<Self::Answer> {
        // SAFETY: the caller's promise; the array is the event's.
        Ok(named(unsafe {
            array(|count| rd::rd_kafka_CreateTopics_result_topics(rd::rd_kafka_event_CreateTopics_result(event), count))
        }))
    }
}

impl Operation for DeleteTopics {
    type Answer = Vec<Named>;
    const CODE: rd::rd_kafka_admin_op_t = rd::rd_kafka_admin_op_t::RD_KAFKA_ADMIN_OP_DELETETOPICS;
    const EVENT: i32 = rd::RD_KAFKA_EVENT_DELETETOPICS_RESULT;

    fn start(&self, call: &Call) -> Result<()> {
        let mut topics = Objects::new(rd::rd_kafka_DeleteTopic_destroy);
        for topic in &self.topics {
            let name = c_string("the topic", topic)?;
            // SAFETY: the name is copied.
            topics.make(|_, _| unsafe { rd::rd_kafka_DeleteTopic_new(name.as_ptr()) })?;
        }
        let (topics, count) = topics.array();
        // SAFETY: all are alive; the topics are copied.
        unsafe { rd::rd_kafka_DeleteTopics(call.client, topics, count, call.options, call.queue) };
        Ok(())
    }

    unsafe fn read(&self, event: *mut rd::rd_kafka_event_t) -> Result<Self::Answer> {
        // SAFETY: the caller's promise; the array is the event's.
        Ok(named(unsafe {
            array(|count| rd::rd_kafka_DeleteTopics_result_topics(rd::rd_kafka_event_DeleteTopics_result(event), count))
        }))
    }
}

impl Operation for CreatePartitions {
    type Answer = Vec<Named>;
    const CODE: rd::rd_kafka_admin_op_t = rd::rd_kafka_admin_op_t::RD_KAFKA_ADMIN_OP_CREATEPARTITIONS;
    const EVENT: i32 = rd::RD_KAFKA_EVENT_CREATEPARTITIONS_RESULT;

    fn start(&self, call: &Call) -> Result<()> {
        let mut topics = Objects::new(rd::rd_kafka_NewPartitions_destroy);
        for more in &self.topics {
            let name = c_string("the topic", &more.topic)?;
            // SAFETY: the name is copied.
            let topic = topics.make(|reason, size| unsafe {
                rd::rd_kafka_NewPartitions_new(name.as_ptr(), more.total, reason, size)
            })?;
            for (index, brokers) in more.replicas.iter().enumerate() {
                let mut brokers = brokers.clone();
                // SAFETY: the brokers are copied.
                reasoned(|reason, size| unsafe {
                    rd::codes::rd_kafka_NewPartitions_set_replica_assignment(
                        topic,
                        index as i32,
                        brokers.as_mut_ptr(),
                        brokers.len(),
                        reason,
                        size,
                    )
                })?;
            }
        }
        if self.validate_only {
            call.validate_only();
        }
        let (topics, count) = topics.array();
        // SAFETY: all are alive; the topics are copied.
        unsafe { rd::rd_kafka_CreatePartitions(call.client, topics, count, call.options, call.queue) };
        Ok(())
    }

    unsafe fn read(&self, event: *mut rd::rd_kafka_event_t) -> Result<Self::Answer> {
        // SAFETY: the caller's promise; the array is the event's.
        Ok(named(unsafe {
            let result = rd::rd_kafka_event_CreatePartitions_result(event);
            array(|count| rd::rd_kafka_CreatePartitions_result_topics(result, count))
        }))
    }
}

fn named(results: &[*const rd::rd_kafka_topic_result_t]) -> Vec<Named> {
    // SAFETY: the elements are alive while the caller's event is; texts are copied.
    let one = |result: &*const rd::rd_kafka_topic_result_t| unsafe {
        let name = text(rd::rd_kafka_topic_result_name(*result));
        let code = rd::codes::rd_kafka_topic_result_error(*result);
        let result = of_topic(&name, item_error(code, rd::rd_kafka_topic_result_error_string(*result)));
        Named { name, result }
    };
    results.iter().map(one).collect()
}

fn of_topic<T>(topic: &str, result: Result<T>) -> Result<T> {
    result.map_err(|mut error| {
        error.topic = Some(topic.to_owned());
        error
    })
}

impl Operation for DescribeTopics {
    type Answer = Vec<Named<TopicDescription>>;
    const CODE: rd::rd_kafka_admin_op_t = rd::rd_kafka_admin_op_t::RD_KAFKA_ADMIN_OP_DESCRIBETOPICS;
    const EVENT: i32 = rd::RD_KAFKA_EVENT_DESCRIBETOPICS_RESULT;

    fn start(&self, call: &Call) -> Result<()> {
        let names = self.topics.iter().map(|topic| c_string("the topic", topic)).collect::<Result<Vec<_>>>()?;
        let mut names: Vec<_> = names.iter().map(|name| name.as_ptr()).collect();
        // SAFETY: the names are copied into the collection, and that by the call; then it is destroyed.
        unsafe {
            let topics = rd::rd_kafka_TopicCollection_of_topic_names(names.as_mut_ptr(), names.len());
            rd::rd_kafka_DescribeTopics(call.client, topics, call.options, call.queue);
            rd::rd_kafka_TopicCollection_destroy(topics);
        }
        Ok(())
    }

    unsafe fn read(&self, event: *mut rd::rd_kafka_event_t) -> Result<Self::Answer> {
        // SAFETY: the caller's promise; everything is the event's, and copied.
        Ok(unsafe {
            let result = rd::rd_kafka_event_DescribeTopics_result(event);
            array(|count| rd::rd_kafka_DescribeTopics_result_topics(result, count))
                .iter()
                .map(|topic| {
                    let name = text(rd::rd_kafka_TopicDescription_name(*topic));
                    let error = borrowed_error(rd::rd_kafka_TopicDescription_error(*topic));
                    let result = of_topic(&name, error.map(|()| topic_description(*topic)));
                    Named { name, result }
                })
                .collect()
        })
    }
}

/// # Safety
/// Valid for the call.
unsafe fn topic_description(topic: *const rd::rd_kafka_TopicDescription_t) -> TopicDescription {
    // SAFETY: the caller's promise; everything is copied.
    unsafe {
        TopicDescription {
            id: text(rd::rd_kafka_Uuid_base64str(rd::rd_kafka_TopicDescription_topic_id(topic))),
            internal: rd::rd_kafka_TopicDescription_is_internal(topic) != 0,
            partitions: array(|count| rd::rd_kafka_TopicDescription_partitions(topic, count))
                .iter()
                .map(|partition| partition_description(*partition))
                .collect(),
        }
    }
}

/// # Safety
/// Valid for the call.
unsafe fn partition_description(partition: *const rd::rd_kafka_TopicPartitionInfo_t) -> PartitionDescription {
    // SAFETY: the caller's promise; everything is copied.
    unsafe {
        let id = |node: &*const rd::rd_kafka_Node_t| rd::rd_kafka_Node_id(*node);
        let leader = rd::rd_kafka_TopicPartitionInfo_leader(partition);
        let replicas = array(|count| rd::rd_kafka_TopicPartitionInfo_replicas(partition, count));
        let in_sync = array(|count| rd::rd_kafka_TopicPartitionInfo_isr(partition, count));
        PartitionDescription {
            partition: rd::rd_kafka_TopicPartitionInfo_partition(partition),
            leader: (!leader.is_null()).then(|| id(&leader)).filter(|leader| *leader >= 0),
            replicas: replicas.iter().map(id).collect(),
            in_sync: in_sync.iter().map(id).collect(),
            // Brokers that are not up have no address.
            offline: replicas.iter().filter(|node| rd::rd_kafka_Node_host(**node).is_null()).map(id).collect(),
        }
    }
}

impl Operation for DescribeCluster {
    type Answer = ClusterDescription;
    const CODE: rd::rd_kafka_admin_op_t = rd::rd_kafka_admin_op_t::RD_KAFKA_ADMIN_OP_DESCRIBECLUSTER;
    const EVENT: i32 = rd::RD_KAFKA_EVENT_DESCRIBECLUSTER_RESULT;

    fn start(&self, call: &Call) -> Result<()> {
        // SAFETY: all are alive.
        unsafe { rd::rd_kafka_DescribeCluster(call.client, call.options, call.queue) };
        Ok(())
    }

    unsafe fn read(&self, event: *mut rd::rd_kafka_event_t) -> Result<Self::Answer> {
        // SAFETY: the caller's promise; everything is the event's, and copied.
        Ok(unsafe {
            let result = rd::rd_kafka_event_DescribeCluster_result(event);
            let controller = node(rd::rd_kafka_DescribeCluster_result_controller(result));
            let nodes = array(|count| rd::rd_kafka_DescribeCluster_result_nodes(result, count));
            ClusterDescription {
                id: text(rd::rd_kafka_DescribeCluster_result_cluster_id(result)),
                controller: controller.map(|node| node.id).filter(|id| *id >= 0),
                brokers: nodes.iter().filter_map(|broker| node(*broker)).collect(),
            }
        })
    }
}

impl Operation for ElectLeaders {
    type Answer = Vec<Placed>;
    const CODE: rd::rd_kafka_admin_op_t = rd::rd_kafka_admin_op_t::RD_KAFKA_ADMIN_OP_ELECTLEADERS;
    const EVENT: i32 = rd::RD_KAFKA_EVENT_ELECTLEADERS_RESULT;

    fn start(&self, call: &Call) -> Result<()> {
        let list = self.partitions.as_ref().map(|list| partitions(list.iter().map(|at| (&at.topic, at.partition, 0))));
        let list = list.transpose()?;
        // SAFETY: null means all; the list is copied, and the request by the call; then it is destroyed.
        unsafe {
            let raw = list.as_ref().map_or(std::ptr::null_mut(), Partitions::raw);
            let elect = rd::codes::rd_kafka_ElectLeaders_new(self.election as i32, raw);
            rd::rd_kafka_ElectLeaders(call.client, elect, call.options, call.queue);
            rd::rd_kafka_ElectLeaders_destroy(elect);
        }
        Ok(())
    }

    unsafe fn read(&self, event: *mut rd::rd_kafka_event_t) -> Result<Self::Answer> {
        // SAFETY: the caller's promise; everything is the event's, and copied.
        Ok(unsafe {
            let result = rd::rd_kafka_event_ElectLeaders_result(event);
            array(|count| rd::rd_kafka_ElectLeaders_result_partitions(result, count))
                .iter()
                .map(|result| {
                    let error = borrowed_error(rd::rd_kafka_topic_partition_result_error(*result));
                    place(&*rd::rd_kafka_topic_partition_result_partition(*result), error)
                })
                .collect()
        })
    }
}
