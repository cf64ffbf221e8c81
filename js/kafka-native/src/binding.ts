/**
 * The addon's types, for those who call it. Internal: nothing of it is re-exported. All of it is made from Rust: addon.ts and
 * addon-data.ts (what crates/napi exports), events.ts (what it tells), admin-requests.ts, layout.ts (a received batch).
 */
import type * as addon from './addon';
import type { NativeProducer } from './addon';

export type * from './addon';
export type * from './addon-data';
export * from './events';

/** The exports of the addon. */
export type Binding = typeof addon;

/** Every client whose requests can be watched. */
export type NativeWatched = Pick<NativeProducer, 'watchRequests'>;

/** Every client that can authenticate with SASL/OAUTHBEARER. */
export type NativeTokens = Pick<NativeProducer, 'setToken' | 'setTokenFailure'>;
