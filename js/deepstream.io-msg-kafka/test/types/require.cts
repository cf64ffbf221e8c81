// As a user writes it with `require`; `npm test` compiles it and runs nothing.
import type { DeepstreamClusterNode, DeepstreamConfig, DeepstreamServices } from '@deepstream/types';
import deepstream = require('deepstream.io-msg-kafka');
import ClusterNode = require('deepstream.io-clusternode-kafka');

declare const services: DeepstreamServices;
declare const config: DeepstreamConfig;
// What deepstream itself calls, with its own types.
const node: Pick<DeepstreamClusterNode, 'send' | 'sendDirect' | 'subscribe' | 'close'> = new deepstream.ClusterNode({ connectionString: 'a:9092' }, services, config);
const same: deepstream.ClusterNode = new ClusterNode({ connectionString: 'a:9092' }, services, config);
const connector = new deepstream.MessageConnector({ connectionString: 'a:9092' });
