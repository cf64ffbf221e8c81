// The admin as a program written for KafkaJS uses it; `npm test` compiles it and runs nothing.
import { AclOperationTypes, AclPermissionTypes, AclResourceTypes, AssignerProtocol, ConfigResourceTypes, Kafka, ResourcePatternTypes } from 'kafka-native/kafkajs';
import type { AclEntry, GroupDescription, ITopicConfig, KafkaAdmin, KafkaJSProtocolError } from 'kafka-native/kafkajs';

async function program(): Promise<void> {
  const admin: KafkaAdmin = new Kafka({ brokers: ['b:9092'] }).admin({ retry: { retries: 2 } });
  await admin.connect();
  const topic: ITopicConfig = { topic: 't', numPartitions: 3, configEntries: [{ name: 'retention.ms', value: '1' }] };
  const created: boolean = await admin.createTopics({ topics: [topic], waitForLeaders: true, timeout: 1000 });
  // @ts-expect-error a topic needs a name
  await admin.createTopics({ topics: [{ numPartitions: 3 }] });
  const grown: boolean = await admin.createPartitions({ topicPartitions: [{ topic: 't', count: 4 }] });
  const names: string[] = await admin.listTopics({ timeout: 100 });
  const { topics } = await admin.fetchTopicMetadata({ topics: names });
  const leader: number | undefined = topics[0]?.partitions[0]?.leader;
  for (const { partition, high, low } of await admin.fetchTopicOffsets('t')) {
    const text: string = `${partition} ${high} ${low}`;
  }
  await admin.setOffsets({ groupId: 'g', topic: 't', partitions: [{ partition: 0, offset: '1' }] });
  // @ts-expect-error offsets are strings
  await admin.setOffsets({ groupId: 'g', topic: 't', partitions: [{ partition: 0, offset: 1 }] });
  await admin.resetOffsets({ groupId: 'g', topic: 't', earliest: true });
  const { resources } = await admin.describeConfigs({ includeSynonyms: false, resources: [{ type: ConfigResourceTypes.TOPIC, name: 't' }] });
  const value: string | null | undefined = resources[0]?.configEntries[0]?.configValue;
  await admin.incrementalAlterConfigs({ resources: [{ type: ConfigResourceTypes.TOPIC, name: 't', configEntries: [{ name: 'cleanup.policy', operation: 'append', value: 'compact' }] }] });
  // @ts-expect-error no such operation
  await admin.incrementalAlterConfigs({ resources: [{ type: 2, name: 't', configEntries: [{ name: 'n', operation: 'add' }] }] });
  const groups: GroupDescription[] = (await admin.describeGroups(['g'])).groups;
  const member = groups[0]?.members[0];
  const mine: number[] | undefined = member && AssignerProtocol.MemberAssignment.decode(member.memberAssignment)?.assignment['t'];
  const acl: AclEntry = {
    resourceType: AclResourceTypes.TOPIC, resourceName: 't', resourcePatternType: ResourcePatternTypes.LITERAL,
    principal: 'User:a', host: '*', operation: AclOperationTypes.READ, permissionType: AclPermissionTypes.ALLOW,
  };
  await admin.createAcls({ acl: [acl] });
  await admin.alterUsers({ alterations: [{ user: 'a', mechanism: 'SCRAM-SHA-256', password: 'p' }] });
  const failed: KafkaJSProtocolError | undefined = (await admin.deleteGroups(['g']))[0]?.error;
  const off: () => void = admin.on(admin.events.CONNECT, ({ timestamp }) => timestamp.toFixed());
  // @ts-expect-error no such event
  admin.on('admin.nope', () => {});
  await admin.disconnect();
}
