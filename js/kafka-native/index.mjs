// The package for `import`: the same objects as for `require`.
import kafka from './dist/index.js';

export const { Admin, Consumer, Errors, KafkaError, MockCluster, Offsets, Producer } = kafka;
export default kafka;
