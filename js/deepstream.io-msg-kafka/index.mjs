// The package for `import`: the same objects as for `require`.
export * from './dist/index.js';
export { ClusterNode as default } from './dist/index.js';
