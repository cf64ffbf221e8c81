/** A partition by its topic's name and its number. */
export interface TopicPartition {
  topic: string;
  partition: number;
}

/** Partitions of one topic. */
export interface TopicPartitions {
  topic: string;
  partitions: number[];
}

/** A topic's partition, as a partitioner sees it. */
export interface PartitionMetadata {
  /** Kafka's code; 0 when it is well. */
  partitionErrorCode: number;
  partitionId: number;
  /** The broker that leads it; -1 while there is none. */
  leader: number;
  replicas: number[];
  /** The replicas in sync. */
  isr: number[];
  /** The replicas whose broker is not up; only of `admin.fetchTopicMetadata()`. */
  offlineReplicas?: number[];
}

/** The partitions of each topic, in their order. No object: a topic may be named `constructor`, or `__proto__`. @internal */
export function partitionsByTopic(partitions: Iterable<TopicPartition>): Map<string, number[]> {
  const topics = new Map<string, number[]>();
  for (const { topic, partition } of partitions) {
    const list = topics.get(topic);
    if (list) list.push(partition);
    else topics.set(topic, [partition]);
  }
  return topics;
}
