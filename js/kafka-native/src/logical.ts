/*
 * Offsets that are no place in a log: what they mean is found out when they are used. librdkafka's numbers, the first two Kafka's, too.
 */

/** The first message that the log has. */
export const BEGIN = -2;
/** Behind the last message. */
export const END = -1;
/** The offset that the group committed. */
export const STORED = -1000;
/** Nothing is known of it yet. Where a partition is to begin: where the group committed, or its topic's reset says. */
export const UNKNOWN = -1001;
