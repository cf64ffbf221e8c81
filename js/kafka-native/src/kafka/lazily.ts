/** Modules that take milliseconds and memory to load, and many programs never use: loaded when first asked for. @internal */
export const lazily = {
  admin: () => require('./admin') as typeof import('./admin'),
  crypto: () => require('node:crypto') as typeof import('node:crypto'),
  oidc: () => require('./oidc') as typeof import('./oidc'),
  stream: () => require('node:stream') as typeof import('node:stream'),
  tls: () => require('node:tls') as typeof import('node:tls'),
};
