// `require('node:cluster')` is the cluster itself; @types/node says so of its default export only.
import type { Cluster } from 'node:cluster';

declare module 'cluster' {
  export const isWorker: Cluster['isWorker'];
  export const workers: Cluster['workers'];
  export const fork: Cluster['fork'];
  export const setupPrimary: Cluster['setupPrimary'];
}
