// The package for `import`: the same objects as for `require`.
import kafka from './dist/index.js';

export const { Admin, Consumer, Errors, Kafka, KafkaError, MockCluster, Offsets, Producer, logLevel } = kafka;
export default kafka;
