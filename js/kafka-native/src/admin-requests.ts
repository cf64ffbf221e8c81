// Generated from crates/core/src/requests by its tests. Do not edit.

/** Each request's fields and answer. */
export interface AdminRequests {
  ListTopics: { fields: {}; answer: Array<string> };
  CreateTopics: { fields: CreateTopics; answer: Array<Named<null>> };
  DeleteTopics: { fields: DeleteTopics; answer: Array<Named<null>> };
  CreatePartitions: { fields: CreatePartitions; answer: Array<Named<null>> };
  DescribeTopics: { fields: DescribeTopics; answer: Array<Named<TopicDescription>> };
  ElectLeaders: { fields: ElectLeaders; answer: Array<Placed<null>> };
  DescribeConfigs: { fields: DescribeConfigs; answer: Array<ConfigResult<Array<ConfigEntry>>> };
  AlterConfigs: { fields: AlterConfigs; answer: Array<ConfigResult<null>> };
  ListGroups: { fields: ListGroups; answer: GroupListings };
  DescribeGroups: { fields: DescribeGroups; answer: Array<Named<GroupDescription>> };
  DeleteGroups: { fields: DeleteGroups; answer: Array<Named<null>> };
  ListGroupOffsets: { fields: ListGroupOffsets; answer: Array<Placed<CommittedOffset>> };
  AlterGroupOffsets: { fields: AlterGroupOffsets; answer: Array<Placed<null>> };
  DeleteGroupOffsets: { fields: DeleteGroupOffsets; answer: Array<Placed<null>> };
  ListOffsets: { fields: ListOffsets; answer: Array<Placed<ListedOffset>> };
  DeleteRecords: { fields: DeleteRecords; answer: Array<Placed<number>> };
  CreateAcls: { fields: CreateAcls; answer: Array<{ Ok: null } | { Err: ErrorData }> };
  DescribeAcls: { fields: DescribeAcls; answer: Array<Acl> };
  DeleteAcls: { fields: DeleteAcls; answer: Array<{ Ok: Array<DeletedAcl> } | { Err: ErrorData }> };
  DescribeUsers: { fields: DescribeUsers; answer: Array<Named<Array<ScramCredential>>> };
  AlterUsers: { fields: AlterUsers; answer: Array<Named<null>> };
  DescribeCluster: { fields: DescribeCluster; answer: ClusterDescription };
}

/** A right, or its denial. */
export type Acl = {
  /** The resource's kind. */
  resource: ResourceKind;
  /** The resource's name. */
  name: string;
  /** How the name is meant. */
  pattern: PatternKind;
  /** The user, such as `User:alice`. */
  principal: string;
  /** From where; `*` = from everywhere. */
  host: string;
  /** The operation. */
  operation: AclOperation;
  /** Allowed or not. */
  permission: AclPermission;
};

/** Which ACLs; none = every. */
export type AclFilter = {
  /** The resource's kind. */
  resource: ResourceKind;
  /** The resource's name. */
  name?: string;
  /** How the name is meant. */
  pattern: PatternKind;
  /** The user. */
  principal?: string;
  /** From where. */
  host?: string;
  /** The operation. */
  operation: AclOperation;
  /** Allowed or not. */
  permission: AclPermission;
};

/**
 * The operation that an ACL allows or denies.
 * 0 Unknown
 * 1 Any
 * 2 All
 * 3 Read
 * 4 Write
 * 5 Create
 * 6 Delete
 * 7 Alter
 * 8 Describe
 * 9 ClusterAction
 * 10 DescribeConfigs
 * 11 AlterConfigs
 * 12 IdempotentWrite
 */
export type AclOperation = number;

/**
 * Whether an ACL allows.
 * 0 Unknown
 * 1 Any
 * 2 Deny
 * 3 Allow
 */
export type AclPermission = number;

/**
 * Alters single properties; what is not named stays. At most one broker a request.
 *
 * Items fail with `INVALID_CONFIG`, `UNKNOWN_TOPIC_OR_PART`, `POLICY_VIOLATION`.
 */
export type AlterConfigs = {
  /** Resources to be altered, each once. */
  resources: Array<AlteredResource>;
  /** Only ask whether it could be altered. */
  validateOnly?: boolean;
};

/** Commits in the name of a group. Items fail with `UNKNOWN_MEMBER_ID` while it has members. */
export type AlterGroupOffsets = {
  /** The group's id; it is made when there is none. */
  group: string;
  /** The next offsets to be read. */
  offsets: Array<TopicPartitionOffset>;
};

/**
 * Sets and deletes passwords. Items fail with `RESOURCE_NOT_FOUND`, `UNACCEPTABLE_CREDENTIAL` (less than 4096 iterations),
 * `DUPLICATE_RESOURCE`.
 */
export type AlterUsers = {
  /** Changes to be made; a user and mechanism once. */
  alterations: Array<UserAlteration>;
};

/** An alteration of one property. */
export type Alteration = {
  /** The property's name. */
  name: string;
  /** The operation on it. */
  operation?: ConfigOperation;
  /** The value; none for [`ConfigOperation::Delete`]. */
  value?: string;
};

/** A resource and its alterations. */
export type AlteredResource = {
  /** The alterations, each property once. */
  entries: Array<Alteration>;
  /** Its kind. */
  kind: ConfigKind;
  /** The topic's name, the broker's id, the group's id. */
  name: string;
};

/** A cluster. */
export type ClusterDescription = {
  /** Its id. */
  id: string;
  /** The broker that takes the controller's requests; none while there is none. */
  controller: number | null;
  /** The brokers that are up. */
  brokers: Array<Node>;
};

/** A committed offset. */
export type CommittedOffset = {
  /** The next to be read; none = nothing committed. Programs can commit below zero, so it may be. */
  offset: number | null;
  /** Text that was committed with it. */
  metadata: string | null;
};

/** One property. */
export type ConfigEntry = {
  /** Its name, such as `retention.ms`. */
  name: string;
  /** None when it is secret, or not set and without a default. */
  value: string | null;
  /** Where the value comes from. */
  source: ConfigSource;
  /** It cannot be altered. */
  readOnly: boolean;
  /** Its value is secret. */
  sensitive: boolean;
  /** Where the value would come from, the first of them wins; empty inside synonyms. */
  synonyms: Array<ConfigEntry>;
};

/**
 * The kinds of resources that have a configuration.
 * 0 Unknown
 * 2 Topic
 * 3 Group
 * 4 Broker
 */
export type ConfigKind = number;

/** The operation on a property. */
export type ConfigOperation = "set" | "delete" | "append" | "subtract";

/** Whose configuration. */
export type ConfigResource = {
  /** Its kind. */
  kind: ConfigKind;
  /** The topic's name, the broker's id, the group's id. */
  name: string;
};

/** The result of each resource. */
export type ConfigResult<T> = {
  /** The resource's kind. */
  kind: ConfigKind;
  /** The item's name. */
  name: string;
  /** The item's result. */
  result: { Ok: T } | { Err: ErrorData };
};

/**
 * Where a value comes from.
 * 0 Unknown
 * 1 Topic
 * 2 DynamicBroker
 * 3 DynamicDefaultBroker
 * 4 StaticBroker
 * 5 Default
 * 8 Group
 */
export type ConfigSource = number;

/**
 * Makes ACLs. Answers what became of each, in order. Items fail with `SECURITY_DISABLED` where brokers have no authorizer,
 * `CLUSTER_AUTHORIZATION_FAILED`, `INVALID_REQUEST`.
 */
export type CreateAcls = {
  /** The ACLs. */
  acls: Array<Acl>;
};

/** Adds partitions to topics. Items fail with `INVALID_PARTITIONS` when the topic has as many. */
export type CreatePartitions = {
  /** The topics, each name once. */
  topics: Array<MorePartitions>;
  /** Only ask whether they could be made. */
  validateOnly?: boolean;
};

/**
 * Makes topics. Answers what became of each when the controller has it; brokers hear of it a moment later.
 *
 * Items fail with `TOPIC_ALREADY_EXISTS`, `TOPIC_EXCEPTION` (the name), `INVALID_CONFIG`, `INVALID_REPLICATION_FACTOR`,
 * `INVALID_PARTITIONS`, `POLICY_VIOLATION` and what else the controller says.
 */
export type CreateTopics = {
  /** The topics, each name once. */
  topics: Array<NewTopic>;
  /** Only ask whether they could be made. */
  validateOnly?: boolean;
};

/** Deletes ACLs. Answers for each filter, in order, those that it deleted, or could not. */
export type DeleteAcls = {
  /** Which. */
  filters: Array<AclFilter>;
};

/** Forgets what a group committed. Items fail with `GROUP_SUBSCRIBED_TO_TOPIC` while members read the topic. */
export type DeleteGroupOffsets = {
  /** The group's id. */
  group: string;
  /** Of these partitions. */
  partitions: Array<TopicPartition>;
};

/** Deletes groups with what they committed. Items fail with `NON_EMPTY_GROUP`, `GROUP_ID_NOT_FOUND`. */
export type DeleteGroups = {
  /** Their ids. */
  groups: Array<string>;
};

/**
 * Deletes the messages below an offset (-1 = all). Answers the new begin of each log. Items fail with
 * `OFFSET_OUT_OF_RANGE` past the end, `UNKNOWN_TOPIC_OR_PART`, `POLICY_VIOLATION` where the topic is only compacted.
 */
export type DeleteRecords = {
  /** The first offsets that stay. */
  before: Array<TopicPartitionOffset>;
};

/** Deletes topics with their messages. Items fail with `UNKNOWN_TOPIC_OR_PART`. */
export type DeleteTopics = {
  /** Their names. */
  topics: Array<string>;
};

/** An ACL that a filter found. */
export type DeletedAcl = {
  /** The ACL. */
  acl: Acl;
  /** Whether it is gone. */
  result: { Ok: null } | { Err: ErrorData };
};

/** Finds ACLs. Fails with `SECURITY_DISABLED` where brokers have no authorizer. */
export type DescribeAcls = {
  /** Which. */
  filter: AclFilter;
};

/** Describes the cluster. */
export type DescribeCluster = Record<symbol, never>;

/**
 * Describes configurations. At most one broker a request, because brokers answer for themselves.
 *
 * Items fail with `UNKNOWN_TOPIC_OR_PART`, `CLUSTER_AUTHORIZATION_FAILED`, `TOPIC_AUTHORIZATION_FAILED`.
 */
export type DescribeConfigs = {
  /** Whose. */
  resources: Array<ConfigResource>;
};

/** Describes groups. One that does not exist is [`GroupState::Dead`], or fails with `GROUP_ID_NOT_FOUND`. */
export type DescribeGroups = {
  /** Their ids. */
  groups: Array<string>;
};

/** Describes topics. Items fail with `UNKNOWN_TOPIC_OR_PART` while no broker has heard of them. */
export type DescribeTopics = {
  /** Their names; none = nothing ([`Admin::list_topics`](super::Admin::list_topics) has all names). */
  topics: Array<string>;
};

/** The credentials that users have, never passwords. Items fail with `RESOURCE_NOT_FOUND`. */
export type DescribeUsers = {
  /** Their names; empty = all. */
  users: Array<string>;
};

/**
 * Has leaders elected. Partitions whose leader is the right one already are not answered.
 * Items fail with `PREFERRED_LEADER_NOT_AVAILABLE`, `ELIGIBLE_LEADERS_NOT_AVAILABLE`, `UNKNOWN_TOPIC_OR_PART`.
 */
export type ElectLeaders = {
  /** How. */
  election: Election;
  /** Of these partitions; none = of all. */
  partitions?: Array<TopicPartition>;
};

/** How a leader is elected. */
export type Election = "preferred" | "unclean";

/** An [`Error`] as data for other languages: what crosses, as JSON and as the addon's object. Unknown values are left out. */
export type ErrorData = {
  /** Its subject: `config`, `state`, `kafka`, `offsets` or `timeout`. */
  kind: string;
  /** librdkafka's number. */
  code: number;
  /** librdkafka's name of the code, such as `_TIMED_OUT`. */
  name: string;
  /** The failure, with the errors behind it. */
  message: string;
  /** Whether the same call can succeed later without a change. */
  retriable: boolean;
  /** Whether the client is of no further use. */
  fatal: boolean;
  /** Whether the transaction can only be aborted. */
  txnRequiresAbort: boolean;
  /** The topic that the error is about. */
  topic?: string;
  /** The partition that the error is about. */
  partition?: number;
  /** The broker that the error is about, `host:port/id`. */
  broker?: string;
  /** The error behind this one; at most one. */
  causes: Array<ErrorData>;
};

/** A group and its members. */
export type GroupDescription = {
  /** Nobody joins it: it is only committed to. */
  simple: boolean;
  /** Its state. */
  state: GroupState;
  /** Its protocol. */
  kind: GroupKind;
  /** How partitions are assigned, such as `range`; empty when the group is. */
  assignor: string;
  /** The broker that keeps it. */
  coordinator: Node | null;
  /** Its members. */
  members: Array<GroupMember>;
};

/** A group's protocol. */
export type GroupKind = "Unknown" | "Consumer" | "Classic";

/** A group in a list. */
export type GroupListing = {
  /** Its id. */
  group: string;
  /** Nobody joins it: it is only committed to. */
  simple: boolean;
  /** Its state. */
  state: GroupState;
  /** Its protocol. */
  kind: GroupKind;
};

/** The groups, and what brokers did not answer. */
export type GroupListings = {
  /** Those that were told. */
  groups: Array<GroupListing>;
  /** One for each broker that failed; its groups are missing. */
  errors: Array<ErrorData>;
};

/** A member of a group. */
export type GroupMember = {
  /** Its id. */
  id: string;
  /** Its `group.instance.id`. */
  instanceId: string | null;
  /** Its `client.id`. */
  clientId: string;
  /** Where it connects from. */
  host: string;
  /** Partitions that it has. */
  assignment: Array<TopicPartition>;
  /** Partitions that it shall have; KIP-848 only. */
  target: Array<TopicPartition> | null;
};

/** The state of a group. */
export type GroupState = "Unknown" | "PreparingRebalance" | "CompletingRebalance" | "Stable" | "Dead" | "Empty";

/** Offsets that a group committed. */
export type ListGroupOffsets = {
  /** The group's id. */
  group: string;
  /** Of these partitions; none = of all that it committed. */
  partitions?: Array<TopicPartition>;
};

/** Lists the consumer groups of all brokers, and the groups that only commit. */
export type ListGroups = Record<symbol, never>;

/** Looks offsets up. Items fail with `UNKNOWN_TOPIC_OR_PART`, `LEADER_NOT_AVAILABLE`. */
export type ListOffsets = {
  /** Which; each partition once. */
  offsets: Array<OffsetQuery>;
  /** The end is the last stable offset: where the first transaction that is not finished begins. */
  readCommitted?: boolean;
};

/** An offset that was looked up. */
export type ListedOffset = {
  /** None when no message fits. */
  offset: number | null;
  /** Of that message, where the query was for a time, in milliseconds since 1970. */
  timestamp: number | null;
};

/** How a topic shall grow. */
export type MorePartitions = {
  /** Its name. */
  topic: string;
  /** How many partitions it shall have in all. */
  total: number;
  /** The brokers of each new partition, the preferred leader first; empty = the controller chooses. */
  replicas?: Array<Array<number>>;
};

/** The result of one item of a request: a topic, group, user or resource. */
export type Named<T = null> = {
  /** The item's name. */
  name: string;
  /** The item's result. */
  result: { Ok: T } | { Err: ErrorData };
};

/** A topic to be made. */
export type NewTopic = {
  /** Its name. */
  topic: string;
  /** How many partitions; -1 = the broker's `num.partitions`. With `replicas` it is their number. */
  partitions: number;
  /** How many copies of each; -1 = the broker's `default.replication.factor`. Must be -1 with `replicas`. */
  replication: number;
  /** The brokers of each partition from 0 on, the preferred leader first; empty = the controller chooses. */
  replicas?: Array<Array<number>>;
  /** Kafka's topic properties, such as (`retention.ms`, `3600000`). */
  config?: Array<[string, string]>;
};

/** A broker. */
export type Node = {
  /** Its id. */
  id: number;
  /** Its advertised host. */
  host: string;
  /** Its advertised port. */
  port: number;
  /** Its `broker.rack`. */
  rack: string | null;
};

/** Which offset of a partition. */
export type OffsetQuery = {
  /** The topic. */
  topic: string;
  /** The partition. */
  partition: number;
  /** Which of its offsets. */
  at: OffsetSpec;
};

/** An offset by its meaning. As a number -1 latest, -2 earliest, -3 highest timestamp, else milliseconds since 1970. */
export type OffsetSpec = number;

/** Where a partition lives. */
export type PartitionDescription = {
  /** Its number. */
  partition: number;
  /** The broker that leads it; none while a leader is elected. */
  leader: number | null;
  /** The brokers that have a copy, the preferred leader first. */
  replicas: Array<number>;
  /** Those whose copy is complete. */
  inSync: Array<number>;
  /** Those that are not up. */
  offline: Array<number>;
};

/**
 * How an ACL's name is meant.
 * 0 Unknown
 * 1 Any
 * 2 Match
 * 3 Literal
 * 4 Prefixed
 */
export type PatternKind = number;

/** The result of one partition of a request. */
export type Placed<T = null> = {
  /** The topic. */
  topic: string;
  /** The partition. */
  partition: number;
  /** The partition's result. */
  result: { Ok: T } | { Err: ErrorData };
};

/**
 * The kind of resource that an ACL is about.
 * 0 Unknown
 * 1 Any
 * 2 Topic
 * 3 Group
 * 4 Cluster
 * 5 TransactionalId
 */
export type ResourceKind = number;

/** A credential of a user. */
export type ScramCredential = {
  /** How the password is kept. */
  mechanism: ScramMechanism;
  /** How often it was hashed. */
  iterations: number;
};

/**
 * How a password is kept.
 * 0 Unknown
 * 1 Sha256
 * 2 Sha512
 */
export type ScramMechanism = number;

/** A topic and where its partitions live. */
export type TopicDescription = {
  /** Kafka's id of it, url-safe base64; a topic that is made anew has another. */
  id: string;
  /** One of Kafka's own, such as `__consumer_offsets`. */
  internal: boolean;
  /** By number. */
  partitions: Array<PartitionDescription>;
};

/** A partition. */
export type TopicPartition = {
  /** The topic. */
  topic: string;
  /** The partition. */
  partition: number;
};

/** A partition with an offset. */
export type TopicPartitionOffset = {
  /** The topic. */
  topic: string;
  /** The partition. */
  partition: number;
  /** The offset. */
  offset: number;
};

/** A change to a user's credential. */
export type UserAlteration = {
  /** The user. */
  user: string;
  /** Which of the credentials. */
  mechanism: ScramMechanism;
  /** The new password; none = the credential is deleted, and the user with the last one. */
  password?: string;
  /** How often it is hashed, at least 4096; default 8192. */
  iterations?: number;
};
