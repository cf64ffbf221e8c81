// As a user writes it with `require`; `npm test` compiles it and runs nothing.
import type { ClusterNodePlugin, DeepstreamClusterNode, DeepstreamConfig, DeepstreamServices } from '@deepstream/types';
import deepstream = require('deepstream.io-msg-kafka');
import ClusterNode = require('deepstream.io-clusternode-kafka');

declare const services: DeepstreamServices;
declare const config: DeepstreamConfig;
// As deepstream itself takes them, with its own types.
const plugins: ClusterNodePlugin<deepstream.ClusterNodeOptions>[] = [deepstream.ClusterNode, ClusterNode];
const node: DeepstreamClusterNode = new deepstream.ClusterNode({ connectionString: 'a:9092' }, services, config);
const same: deepstream.ClusterNode = new ClusterNode({ connectionString: 'a:9092' }, services, config);
const connector = new deepstream.MessageConnector({ connectionString: 'a:9092' });
