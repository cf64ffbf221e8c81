import { AccessAdmin } from './access';

/**
 * KafkaJS's admin on librdkafka.
 *
 * ```js
 * const admin = kafka.admin();
 * await admin.connect();
 * await admin.createTopics({ topics: [{ topic: 'clicks', numPartitions: 4 }] });
 * console.log(await admin.fetchTopicOffsets('clicks'));
 * await admin.disconnect();
 * ```
 *
 * Calls run side by side, take a `timeout` each, and reject with KafkaJS's errors. The process stays alive while a call is
 * pending.
 */
export class Admin extends AccessAdmin {}

/** The admin that `kafka.admin()` makes: its methods can be taken off it. */
export interface KafkaAdmin extends Pick<Admin, keyof Admin> {}

export * from './access';
export type { AdminCall, AdminConfig, AdminEvents } from './connection';
export * from './configs';
export type * from './groups';
export type * from './offsets';
export type * from './topics';
