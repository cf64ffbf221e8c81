/**
 * deepstream over Kafka.
 * @packageDocumentation
 */
import { ClusterNode } from './cluster-node';
import { MessageConnector } from './connector';

export { ClusterNode } from './cluster-node';
export { MessageConnector, type MessageCallback, type MessageConnectorOptions } from './connector';
export type { ClusterNodeOptions, ConnectionOptions, SharedOptions } from './options';

// deepstream takes the default of what `clusterNode: { path }` names.
export default ClusterNode;

// In 0.1 the module was the message connector itself.
module.exports = Object.assign(MessageConnector, exports, { __esModule: true });
