export * from './dist/index.js';
export { ClusterNode as default } from './dist/index.js';
