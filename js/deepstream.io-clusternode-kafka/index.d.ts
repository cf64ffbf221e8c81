import { ClusterNode } from 'deepstream.io-msg-kafka';
export = ClusterNode;
