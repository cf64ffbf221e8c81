/**
 * A WebSocket door to Kafka.
 * @packageDocumentation
 */
import { KafkaProxy } from './proxy';

export { KafkaProxy } from './proxy';
export type { LegacyOptions, Limits, ProxyOptions } from './options';
export type { Access } from './access';
export type { AuditEvent } from './doors/audit';
export type { CertificateOptions } from './doors/certificates';
export type { Jwk } from './doors/keys';
export type { Origins } from './doors/origins';
export type { RuleOptions } from './doors/rules';
export type { JwtOptions } from './doors/tokens';
export type { Principal } from './socket';
export { CloseCode, ProxyError } from './errors';

export default KafkaProxy;

// In 1.0 the module was this class itself.
module.exports = Object.assign(KafkaProxy, exports, { __esModule: true });
