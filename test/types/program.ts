// A program that was written for KafkaJS, and uses all of it that is not its own engine. It is compiled twice: `the-client` is
// once kafkajs, once kafka-native/kafkajs. Nobody runs it.
import { readFileSync } from 'node:fs';
import {
  AclOperationTypes,
  AclPermissionTypes,
  AclResourceTypes,
  AssignerProtocol,
  CompressionTypes,
  ConfigResourceTypes,
  Kafka,
  KafkaJSAggregateError,
  KafkaJSConnectionError,
  KafkaJSDeleteGroupsError,
  KafkaJSError,
  KafkaJSNonRetriableError,
  KafkaJSNumberOfRetriesExceeded,
  KafkaJSOffsetOutOfRange,
  KafkaJSProtocolError,
  KafkaJSRequestTimeoutError,
  logLevel,
  PartitionAssigners,
  Partitioners,
  ResourcePatternTypes,
  type Admin,
  type AdminConfig,
  type Batch,
  type Consumer,
  type ConsumerConfig,
  type ConsumerRunConfig,
  type ConsumerSubscribeTopics,
  type EachBatchHandler,
  type EachBatchPayload,
  type EachMessageHandler,
  type EachMessagePayload,
  type GroupDescription,
  type ICustomPartitioner,
  type IHeaders,
  type ITopicConfig,
  type KafkaConfig,
  type KafkaMessage,
  type logCreator,
  type LogEntry,
  type Logger,
  type Message,
  type Offsets,
  type Producer,
  type ProducerBatch,
  type ProducerConfig,
  type ProducerRecord,
  type RecordMetadata,
  type RetryOptions,
  type SASLOptions,
  type SeekEntry,
  type TopicMessages,
  type TopicPartitionOffsetAndMetadata,
  type TopicPartitions,
  type Transaction,
} from 'the-client';

const MyLogCreator: logCreator = (level: logLevel) => ({ namespace, level: of, label, log }: LogEntry) => {
  if (of <= level) process.stdout.write(`${namespace} ${label} ${log.timestamp} ${log.message} ${String(log['groupId'])}\n`);
};

const retry: RetryOptions = { maxRetryTime: 1, initialRetryTime: 1, factor: 0.1, multiplier: 2, retries: 3, restartOnFailure: async (error: Error) => error.message !== '' };
const sasl: SASLOptions = { mechanism: 'scram-sha-512', username: 'u', password: 'p' };
const config: KafkaConfig = {
  brokers: async () => ['a:9092'],
  clientId: 'app',
  ssl: { ca: [readFileSync('ca.pem')], cert: 'cert', key: 'key', passphrase: 'secret', rejectUnauthorized: true },
  sasl,
  connectionTimeout: 1000,
  authenticationTimeout: 1000,
  reauthenticationThreshold: 1000,
  requestTimeout: 1000,
  enforceRequestTimeout: true,
  retry,
  logLevel: logLevel.WARN,
  logCreator: MyLogCreator,
};
const kafka = new Kafka(config);
new Kafka({ brokers: ['a:1'], ssl: true, sasl: { mechanism: 'plain', username: 'u', password: 'p' } });
new Kafka({ brokers: ['a:1'], sasl: { mechanism: 'oauthbearer', oauthBearerProvider: async () => ({ value: 'token' }) } });
const logger: Logger = kafka.logger().namespace('App', logLevel.DEBUG);
logger.info('text', { more: 1 });
logger.setLogLevel(logLevel.NOTHING);

export async function producing(): Promise<RecordMetadata[]> {
  const custom: ICustomPartitioner = () => ({ topic, partitionMetadata, message }) => (topic === String(message.key) ? partitionMetadata[0]!.partitionId : partitionMetadata.length - 1);
  const options: ProducerConfig = {
    createPartitioner: Partitioners.LegacyPartitioner,
    retry,
    metadataMaxAge: 1,
    allowAutoTopicCreation: false,
    idempotent: true,
    transactionalId: 'tx',
    transactionTimeout: 1000,
    maxInFlightRequests: 1,
  };
  const producer: Producer = kafka.producer(options);
  kafka.producer({ createPartitioner: custom });
  kafka.producer({ createPartitioner: Partitioners.DefaultPartitioner });
  kafka.producer({ createPartitioner: Partitioners.JavaCompatiblePartitioner });
  const { CONNECT, DISCONNECT, REQUEST, REQUEST_TIMEOUT, REQUEST_QUEUE_SIZE } = producer.events;
  const removes = [
    producer.on(CONNECT, ({ id, type, timestamp, payload }) => void [id, type, timestamp + 1, payload]),
    producer.on(DISCONNECT, (event) => void event.timestamp),
    producer.on(REQUEST, ({ payload: { apiName, apiKey, broker, duration } }) => void [apiName, apiKey, broker, duration]),
    producer.on(REQUEST_TIMEOUT, ({ payload }) => void payload.correlationId),
    producer.on(REQUEST_QUEUE_SIZE, ({ payload: { queueSize } }) => void queueSize),
  ];
  removes.forEach((remove) => remove());
  await producer.connect();
  const headers: IHeaders = { text: 'a', bytes: Buffer.from('b'), several: ['a', Buffer.from('b')], none: undefined };
  const message: Message = { key: 'k', value: Buffer.from('v'), partition: 1, headers, timestamp: '1' };
  const tombstone: Message = { key: Buffer.from('k'), value: null };
  const record: ProducerRecord = { topic: 't', messages: [message, tombstone], acks: -1, timeout: 1000, compression: CompressionTypes.GZIP };
  const sent = await producer.send(record);
  const { topicName, partition, errorCode, baseOffset, logAppendTime, logStartOffset } = sent[0]!;
  void [topicName.length, partition + 1, errorCode + 1, baseOffset, logAppendTime, logStartOffset];
  const topicMessages: TopicMessages[] = [{ topic: 't', messages: [message] }];
  const batch: ProducerBatch = { topicMessages, acks: 1, timeout: 1, compression: CompressionTypes.ZSTD };
  await producer.sendBatch(batch);

  const transaction: Transaction = await producer.transaction();
  await transaction.send({ topic: 't', messages: [message] });
  await transaction.sendBatch(batch);
  await transaction.sendOffsets({ consumerGroupId: 'g', topics: [{ topic: 't', partitions: [{ partition: 0, offset: '1' }] }] });
  if (transaction.isActive()) await transaction.commit();
  else await transaction.abort();
  if (producer.isIdempotent()) producer.logger().warn('still here');
  await producer.disconnect();
  return sent;
}

export async function consuming(): Promise<void> {
  const options: ConsumerConfig = {
    groupId: 'g',
    partitionAssigners: [PartitionAssigners.roundRobin],
    metadataMaxAge: 1000,
    sessionTimeout: 30_000,
    rebalanceTimeout: 60_000,
    heartbeatInterval: 3000,
    maxBytesPerPartition: 1,
    minBytes: 1,
    maxBytes: 1,
    maxWaitTimeInMs: 1,
    retry,
    allowAutoTopicCreation: true,
    maxInFlightRequests: 1,
    readUncommitted: false,
    rackId: 'r',
  };
  const consumer: Consumer = kafka.consumer(options);
  await consumer.connect();
  const subscription: ConsumerSubscribeTopics = { topics: ['t', /^u-/i], fromBeginning: true };
  await consumer.subscribe(subscription);
  await consumer.subscribe({ topic: 't', fromBeginning: false });

  const { events } = consumer;
  const removes = [
    consumer.on(events.HEARTBEAT, ({ payload: { groupId, memberId, groupGenerationId } }) => void [groupId, memberId, groupGenerationId + 1]),
    consumer.on(events.COMMIT_OFFSETS, ({ payload: { topics } }) => topics.forEach(({ topic, partitions }) => void [topic, partitions[0]?.partition, partitions[0]?.offset])),
    consumer.on(events.GROUP_JOIN, ({ payload }) => void [payload.duration, payload.isLeader, payload.leaderId, payload.groupProtocol, payload.memberId, payload.memberAssignment['t']?.[0]]),
    consumer.on(events.FETCH_START, ({ payload: { nodeId } }) => void (nodeId + 1)),
    consumer.on(events.FETCH, ({ payload: { numberOfBatches, duration, nodeId } }) => void [numberOfBatches, duration, nodeId]),
    consumer.on(events.START_BATCH_PROCESS, ({ payload }) => void [payload.topic, payload.partition, payload.highWatermark, payload.offsetLag, payload.offsetLagLow, payload.batchSize, payload.firstOffset, payload.lastOffset]),
    consumer.on(events.END_BATCH_PROCESS, ({ payload: { duration, batchSize } }) => void (duration + batchSize)),
    consumer.on(events.CONNECT, ({ payload }) => void payload),
    consumer.on(events.DISCONNECT, ({ payload }) => void payload),
    consumer.on(events.STOP, ({ payload }) => void payload),
    consumer.on(events.CRASH, ({ payload: { error, groupId, restart } }) => void [error.message, groupId, restart]),
    consumer.on(events.REBALANCING, ({ payload: { groupId, memberId } }) => void [groupId, memberId]),
    consumer.on(events.RECEIVED_UNSUBSCRIBED_TOPICS, ({ payload }) => void [payload.generationId, payload.assignedTopics, payload.topicsSubscribed, payload.topicsNotSubscribed]),
    consumer.on(events.REQUEST, ({ payload }) => void payload.size),
    consumer.on(events.REQUEST_TIMEOUT, ({ payload }) => void payload.sentAt),
    consumer.on(events.REQUEST_QUEUE_SIZE, ({ payload }) => void payload.queueSize),
  ];
  removes.forEach((remove) => remove());

  const eachMessage: EachMessageHandler = async ({ topic, partition, message, heartbeat, pause }: EachMessagePayload) => {
    const { key, value, timestamp, attributes, offset, headers }: KafkaMessage = message;
    void [topic, partition, key?.toString(), value?.toString(), Number(timestamp), attributes, BigInt(offset), headers?.['h']?.toString()];
    await heartbeat();
    const resume: () => void = pause();
    resume();
  };
  const eachBatch: EachBatchHandler = async (payload: EachBatchPayload) => {
    const { batch, resolveOffset, heartbeat, pause, commitOffsetsIfNecessary, uncommittedOffsets, isRunning, isStale } = payload;
    const { topic, partition, highWatermark, messages }: Batch = batch;
    for (const message of messages) {
      if (!isRunning() || isStale()) break;
      resolveOffset(message.offset);
      await heartbeat();
      await commitOffsetsIfNecessary(uncommittedOffsets());
    }
    const offsets: Offsets = { topics: [{ topic, partitions: [{ partition, offset: '1' }] }] };
    await commitOffsetsIfNecessary(offsets);
    void [highWatermark, batch.isEmpty(), batch.firstOffset(), batch.lastOffset(), batch.offsetLag(), batch.offsetLagLow(), pause()];
  };
  const run: ConsumerRunConfig = { autoCommit: true, autoCommitInterval: null, autoCommitThreshold: 100, eachBatchAutoResolve: true, partitionsConsumedConcurrently: 3, eachMessage };
  await consumer.run(run);
  await consumer.run({ eachBatch });

  const offset: TopicPartitionOffsetAndMetadata = { topic: 't', partition: 0, offset: '1', metadata: 'm' };
  await consumer.commitOffsets([offset]);
  consumer.seek({ topic: 't', partition: 0, offset: '1' });
  consumer.pause([{ topic: 't' }, { topic: 't', partitions: [1] }]);
  const paused: TopicPartitions[] = consumer.paused();
  consumer.resume(paused);
  const group: GroupDescription = await consumer.describeGroup();
  void [group.state, group.protocol, group.members[0]?.memberId];
  consumer.logger().debug('text');
  await consumer.stop();
  await consumer.disconnect();
}

export async function administrating(): Promise<void> {
  const options: AdminConfig = { retry };
  const admin: Admin = kafka.admin(options);
  await admin.connect();
  admin.on(admin.events.CONNECT, ({ payload }) => void payload)();
  const topics: string[] = await admin.listTopics();
  const topic: ITopicConfig = { topic: 't', numPartitions: 1, replicationFactor: 1, replicaAssignment: [{ partition: 0, replicas: [1] }], configEntries: [{ name: 'cleanup.policy', value: 'compact' }] };
  const created: boolean = await admin.createTopics({ validateOnly: false, waitForLeaders: true, timeout: 1, topics: [topic] });
  await admin.createPartitions({ validateOnly: false, timeout: 1, topicPartitions: [{ topic: 't', count: 2, assignments: [[1], [2]] }] });
  const metadata = await admin.fetchTopicMetadata({ topics });
  void [created, metadata.topics[0]?.name, metadata.topics[0]?.partitions[0]?.leader, metadata.topics[0]?.partitions[0]?.isr[0]];
  const offsets = await admin.fetchOffsets({ groupId: 'g', topics, resolveOffsets: true });
  void [offsets[0]?.topic, offsets[0]?.partitions[0]?.offset, offsets[0]?.partitions[0]?.metadata];
  const ends = await admin.fetchTopicOffsets('t');
  void [ends[0]?.high, ends[0]?.low, ends[0]?.offset, ends[0]?.partition];
  const seek: SeekEntry[] = await admin.fetchTopicOffsetsByTimestamp('t', 1);
  const { brokers, controller, clusterId } = await admin.describeCluster();
  void [brokers[0]?.nodeId, brokers[0]?.host, brokers[0]?.port, controller, clusterId.length];
  await admin.setOffsets({ groupId: 'g', topic: 't', partitions: seek });
  await admin.resetOffsets({ groupId: 'g', topic: 't', earliest: true });
  const { resources } = await admin.describeConfigs({ includeSynonyms: true, resources: [{ type: ConfigResourceTypes.TOPIC, name: 't', configNames: ['cleanup.policy'] }] });
  void [resources[0]?.resourceName, resources[0]?.configEntries[0]?.configValue, resources[0]?.configEntries[0]?.configSource, resources[0]?.configEntries[0]?.configSynonyms[0]?.configName];
  await admin.alterConfigs({ validateOnly: false, resources: [{ type: ConfigResourceTypes.TOPIC, name: 't', configEntries: [{ name: 'retention.ms', value: '1' }] }] });
  const { groups } = await admin.listGroups();
  const described = await admin.describeGroups(groups.map(({ groupId }) => groupId));
  for (const member of described.groups[0]?.members ?? []) {
    void [AssignerProtocol.MemberMetadata.decode(member.memberMetadata)?.topics, AssignerProtocol.MemberAssignment.decode(member.memberAssignment)?.assignment['t']];
  }
  const deleted = await admin.deleteGroups(['g']);
  void [deleted[0]?.groupId, deleted[0]?.errorCode, deleted[0]?.error?.type];
  const acl = {
    resourceType: AclResourceTypes.TOPIC,
    resourceName: 't',
    resourcePatternType: ResourcePatternTypes.LITERAL,
    principal: 'User:u',
    host: '*',
    operation: AclOperationTypes.READ,
    permissionType: AclPermissionTypes.ALLOW,
  };
  const made: boolean = await admin.createAcls({ acl: [acl] });
  const acls = await admin.describeAcls({ ...acl, operation: AclOperationTypes.ANY });
  void [made, acls.resources[0]?.acls[0]?.principal];
  const gone = await admin.deleteAcls({ filters: [acl] });
  void gone.filterResponses[0]?.matchingAcls[0]?.resourceName;
  await admin.deleteTopicRecords({ topic: 't', partitions: [{ partition: 0, offset: '-1' }] });
  await admin.deleteTopics({ topics: ['t'], timeout: 1 });
  admin.logger().info('text');
  await admin.disconnect();
}

export function failures(error: unknown): string | number | boolean | undefined {
  if (error instanceof KafkaJSOffsetOutOfRange) return error.topic + error.partition;
  if (error instanceof KafkaJSProtocolError) return `${error.type} ${error.code}`;
  if (error instanceof KafkaJSNumberOfRetriesExceeded) return error.retryCount + error.retryTime;
  if (error instanceof KafkaJSConnectionError) return error.broker;
  if (error instanceof KafkaJSRequestTimeoutError) return error.correlationId;
  if (error instanceof KafkaJSDeleteGroupsError) return error.groups[0]?.groupId;
  if (error instanceof KafkaJSAggregateError) return error.errors.length;
  if (error instanceof KafkaJSNonRetriableError) return error.helpUrl;
  return error instanceof KafkaJSError ? error.retriable : undefined;
}
throw new KafkaJSNonRetriableError('my own');
