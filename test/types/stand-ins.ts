// Stand-ins as tests of programs that were written for KafkaJS have them. It is compiled twice, as program.ts is, and nobody runs it.
import {
  Kafka,
  logLevel,
  type Admin,
  type Assigner,
  type AuthenticationProviderArgs,
  type Batch,
  type Broker,
  type Cluster,
  type Consumer,
  type ConsumerRunConfig,
  type EachBatchPayload,
  type EachMessagePayload,
  type GroupMember,
  type GroupMemberAssignment,
  type ISocketFactory,
  type KafkaMessage,
  type Logger,
  type PartitionAssigner,
  type Producer,
  type ProducerBatch,
  type ProducerRecord,
  type RecordMetadata,
  type RemoveInstrumentationEventListener,
  type Transaction,
} from 'the-client';

const producerEvents = new Kafka({ brokers: ['b:1'] }).producer().events;

/** Remembers what is sent. */
class Outbox implements Producer {
  readonly sent: ProducerRecord[] = [];
  readonly events = producerEvents;
  constructor(private readonly logs: Logger) {}
  async connect(): Promise<void> {}
  async disconnect(): Promise<void> {}
  async send(record: ProducerRecord): Promise<RecordMetadata[]> {
    this.sent.push(record);
    return [{ topicName: record.topic, partition: 0, errorCode: 0 }];
  }
  async sendBatch({ topicMessages = [] }: ProducerBatch): Promise<RecordMetadata[]> {
    return (await Promise.all(topicMessages.map((each) => this.send(each)))).flat();
  }
  async transaction(): Promise<Transaction> {
    const { send, sendBatch } = this;
    return { send, sendBatch, sendOffsets: async () => {}, commit: async () => {}, abort: async () => {}, isActive: () => true };
  }
  isIdempotent(): boolean {
    return false;
  }
  on(): RemoveInstrumentationEventListener<'producer.connect'> {
    return () => {};
  }
  logger(): Logger {
    return this.logs;
  }
}

const message: KafkaMessage = { key: null, value: Buffer.from('v'), timestamp: '0', attributes: 0, offset: '7', headers: { h: Buffer.from('x') } };
const old: KafkaMessage = { key: null, value: null, timestamp: '0', attributes: 0, offset: '8', size: 3 };
const batch: Batch = {
  topic: 't',
  partition: 0,
  highWatermark: '9',
  messages: [message, old],
  isEmpty: () => false,
  firstOffset: () => '7',
  lastOffset: () => '8',
  offsetLag: () => '0',
  offsetLagLow: () => '1',
};
const each: EachMessagePayload = { topic: 't', partition: 0, message, heartbeat: async () => {}, pause: () => () => {} };
const payload: EachBatchPayload = {
  batch,
  resolveOffset: () => {},
  heartbeat: async () => {},
  pause: () => () => {},
  commitOffsetsIfNecessary: async () => {},
  uncommittedOffsets: () => ({ topics: [{ topic: 't', partitions: [{ partition: 0, offset: '9' }] }] }),
  isRunning: () => true,
  isStale: () => false,
};

/** Hands two messages to the handler. */
function consumer(): Consumer {
  const real = new Kafka({ brokers: ['b:1'] }).consumer({ groupId: 'g' });
  const stub: Consumer = {
    connect: async () => {},
    disconnect: async () => {},
    subscribe: async () => {},
    stop: async () => {},
    run: async (config?: ConsumerRunConfig) => {
      await config?.eachMessage?.(each);
      await config?.eachBatch?.(payload);
    },
    commitOffsets: async () => {},
    seek: () => {},
    describeGroup: async () => ({ groupId: 'g', members: [], protocol: '', protocolType: '', state: 'Empty' }),
    pause: () => {},
    paused: () => [],
    resume: () => {},
    on: () => () => {},
    logger: real.logger,
    events: real.events,
  };
  return Math.random() > 2 ? { ...real, ...stub } : stub;
}

/** A class of the program's own under KafkaJS's name. */
class Recorder extends Kafka {
  readonly made: Producer[] = [];
  override producer() {
    const producer = super.producer();
    this.made.push(producer);
    return producer;
  }
}
function service(kafka: Pick<Kafka, 'producer' | 'consumer' | 'admin' | 'logger'>): { outbox: Producer; inbox: Consumer; topics: Admin } {
  return { outbox: kafka.producer(), inbox: kafka.consumer({ groupId: 'g' }), topics: kafka.admin() };
}
const logger = new Kafka({ brokers: ['b:1'] }).logger();
const fake: Kafka = { producer: () => new Outbox(logger), consumer, admin: () => ({ ...new Kafka({ brokers: ['b:1'] }).admin(), listTopics: async () => ['t'] }), logger: () => logger };
logger.setLogLevel(logLevel.NOTHING);

/** KafkaJS gives each member what it asks for. */
class Sticky implements Assigner {
  readonly name = 'sticky';
  readonly version = 0;
  constructor(readonly cluster: Cluster) {}
  async assign({ members }: { members: GroupMember[]; topics: string[] }): Promise<GroupMemberAssignment[]> {
    await this.cluster.findGroupCoordinator({ groupId: 'g' }).then((broker: Broker) => broker.isConnected());
    return members.map(({ memberId, memberMetadata }) => ({ memberId, memberAssignment: memberMetadata }));
  }
  protocol({ topics }: { topics: string[] }) {
    return { name: this.name, metadata: Buffer.from(topics.join()) };
  }
}
const sticky: PartitionAssigner = ({ cluster }) => new Sticky(cluster);
const assigners: PartitionAssigner[] = [sticky];
const sockets: ISocketFactory = ({ host, port, onConnect }) => require('node:net').connect(port, host, onConnect);
const authenticator = ({ host, saslAuthenticate }: AuthenticationProviderArgs) => ({
  authenticate: async () => void (await saslAuthenticate({ request: { encode: () => Buffer.from(host) } })),
});

export async function test(): Promise<void> {
  const { send } = new Kafka({ brokers: ['b:1'], socketFactory: sockets, sasl: { mechanism: 'own', authenticationProvider: authenticator } }).producer();
  await send({ topic: 't', messages: [{ value: 'v' }] });
  const { outbox, inbox, topics } = service(fake);
  service(new Recorder({ brokers: ['b:1'] }));
  service(new Kafka({ brokers: ['b:1'] }));
  process.on('SIGTERM', inbox.disconnect);
  await outbox.connect();
  await inbox.run({ eachMessage: async ({ message: { headers, size } }) => void [headers?.['h']?.toString(), size] });
  await topics.listTopics();
  new Kafka({ brokers: ['b:1'] }).consumer({ groupId: 'g', partitionAssigners: assigners });
}
