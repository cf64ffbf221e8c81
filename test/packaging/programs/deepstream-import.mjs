import { createRequire } from 'node:module';
import ClusterNode, { ClusterNode as named, MessageConnector } from 'deepstream.io-msg-kafka';

const required = createRequire(import.meta.url)('deepstream.io-msg-kafka');
if (required !== MessageConnector || required.ClusterNode !== ClusterNode || named !== ClusterNode) throw new Error('import and require have copies of their own');
console.log('the same');
