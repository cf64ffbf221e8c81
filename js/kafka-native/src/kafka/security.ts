import { existsSync, readdirSync, readFileSync, statSync } from 'node:fs';
import type * as tls from 'node:tls';
import { describe, type Properties } from '../options';
import { KafkaJSNotImplemented, KafkaJSSASLAuthenticationError } from './errors';
import { lazily } from './lazily';
import type { OidcOptions } from './oidc';
import type { OAuthToken, TokenProvider } from './tokens';

/** KafkaJS's mechanisms and options; names are taken in any case. */
export type SASLOptions =
  | { mechanism: 'plain' | 'scram-sha-256' | 'scram-sha-512'; username: string; password: string }
  | OauthbearerOptions
  | {
      /** @deprecated Throws: use `oauthbearer` with a provider that signs for MSK. */
      mechanism: 'aws';
      authorizationIdentity: string;
      accessKeyId: string;
      secretAccessKey: string;
      sessionToken?: string;
    };

/** Tokens of your own, or of an identity provider that grants client credentials. */
export type OauthbearerOptions = { mechanism: 'oauthbearer' } & (
  | {
      /** Called for the first token at every `connect`, then when 80% of a token's life are over. */
      oauthBearerProvider: () => Promise<OAuthToken>;
    }
  | {
      /** The built-in provider. */
      oidc: OidcOptions;
    }
);

/** @deprecated Throws: mechanisms of one's own need sockets of one's own. */
export interface Mechanism {
  mechanism: string;
  authenticationProvider: (args: any) => { authenticate(): Promise<void> };
}

/** Settings that follow from the `ssl` and `sasl` of a `Kafka`; `own` are its properties. @internal */
export interface Security {
  properties: Properties;
  tokens: TokenProvider | undefined;
  /** Why `connect` is refused: KafkaJS looks at credentials no earlier. */
  refusal?: KafkaJSSASLAuthenticationError;
}

/** @internal */
export function readSecurity(ssl: unknown, sasl: unknown, own: Properties): Security {
  const encrypted = ssl !== undefined && ssl !== null && ssl !== false;
  const properties: Properties = [];
  if (encrypted || sasl) properties.push(['security.protocol', sasl ? (encrypted ? 'sasl_ssl' : 'sasl_plaintext') : 'ssl']);
  if (encrypted)
    properties.push(
      ...tlsProperties(
        ssl === true ? {} : (ssl as tls.ConnectionOptions),
        own.some(([name]) => name.startsWith('ssl.ca.')),
      ),
    );
  if (!sasl) return { properties, tokens: undefined };
  const credentials = readSasl(sasl as SASLOptions | Mechanism);
  return { ...credentials, properties: [...properties, ...credentials.properties] };
}

/** TLS options that librdkafka cannot do, and what can be done about it. */
const NO_TLS: Record<string, string> = {
  checkServerIdentity:
    "a certificate is checked for the broker's name; properties: { 'ssl.endpoint.identification.algorithm': 'none' } takes any name of a trusted certificate",
  servername:
    "the name is that of the broker's address; let `brokers` and the brokers' advertised listeners say the name of the certificate, or take any name with properties: { 'ssl.endpoint.identification.algorithm': 'none' }",
  pfx: "use properties: { 'ssl.keystore.location': file, 'ssl.keystore.password': password }, or cert and key as PEM",
  crl: "use properties: { 'ssl.crl.location': file }",
  secureContext: 'use ca, cert and key',
};

/** Options of `tls.connect` as properties. */
function tlsProperties(
  { ca, cert, key, passphrase, rejectUnauthorized, ciphers, sigalgs, ecdhCurve, ...others }: tls.ConnectionOptions,
  caNamed: boolean,
): Properties {
  for (const [name, value] of Object.entries(others)) {
    if (value === undefined) continue;
    throw new KafkaJSNotImplemented(
      `ssl.${name} is not supported: ${(Object.hasOwn(NO_TLS, name) && NO_TLS[name]) || "see librdkafka's properties that begin with 'ssl.', which `properties` takes"}`,
    );
  }
  const properties: Properties = [];
  const set = (name: string, value: string | undefined) => value !== undefined && properties.push([name, value]);
  const trusted = ca === undefined ? (caNamed ? undefined : defaultAuthorities()) : [ca].flat().map((one) => certificate('ca', one));
  set('ssl.ca.pem', trusted?.join('\n'));
  set('ssl.certificate.pem', cert === undefined ? undefined : certificate('cert', single('cert', cert)));
  const own = key === undefined ? undefined : single('key', key as string | Buffer | tls.KeyObject);
  if (typeof own === 'string' || Buffer.isBuffer(own)) set('ssl.key.pem', own.toString());
  else if (own !== undefined) set('ssl.key.pem', own.pem.toString());
  set('ssl.key.password', (own as tls.KeyObject | undefined)?.passphrase ?? passphrase);
  if (rejectUnauthorized === false) set('enable.ssl.certificate.verification', 'false');
  set('ssl.cipher.suites', ciphers);
  set('ssl.sigalgs.list', sigalgs);
  set('ssl.curves.list', ecdhCurve);
  return properties;
}

/** One of the values that Node takes as a list. */
function single<T>(name: string, value: T | T[]): T {
  if (!Array.isArray(value)) return value;
  if (value.length === 1) return value[0]!;
  throw new KafkaJSNotImplemented(`ssl.${name} must be one, not ${value.length}: librdkafka has one identity a client`);
}

/** PEM as it is, one or several; DER as PEM. */
function certificate(name: string, value: unknown): string {
  if (typeof value !== 'string' && !(value instanceof Uint8Array))
    throw new TypeError(`Kafka: ssl.${name} must be PEM or DER, a string or a Buffer, got ${describe(value)}`);
  const text = typeof value === 'string' ? value : Buffer.from(value).toString('latin1');
  if (text.includes('-----BEGIN')) return text;
  try {
    return new (lazily.crypto().X509Certificate)(value).toString();
  } catch (cause) {
    throw new TypeError(`Kafka: ssl.${name} must be a certificate, PEM or DER, and not the path of one: read it with fs.readFileSync`, { cause });
  }
}

/** Where systems keep their authorities: what librdkafka looks through, too. */
const AUTHORITIES = [
  '/etc/ssl/certs/ca-certificates.crt',
  '/etc/pki/tls/certs/ca-bundle.crt',
  '/etc/ssl/certs/ca-bundle.crt',
  '/etc/pki/ca-trust/extracted/pem/tls-ca-bundle.pem',
  '/etc/ssl/ca-bundle.pem',
  '/etc/pki/tls/cacert.pem',
  '/etc/ssl/cert.pem',
  '/etc/ssl/certs',
  '/usr/local/share/certs/ca-root-nss.crt',
  '/private/etc/ssl/cert.pem',
];

/**
 * Whom to trust when no `ca` is given: nothing means the system's authorities, which the core looks for. A system without
 * any (a slim container) has Node's; a process with NODE_EXTRA_CA_CERTS has what Node's own TLS trusts.
 */
function defaultAuthorities(): readonly string[] | undefined {
  const extra = process.env.NODE_EXTRA_CA_CERTS;
  if (extra) return [...lazily.tls().rootCertificates, readFileSync(extra, 'utf8')];
  const named = process.env.SSL_CERT_FILE ?? process.env.SSL_CERT_DIR;
  return named || process.platform === 'win32' || AUTHORITIES.some(holdsCertificates) ? undefined : lazily.tls().rootCertificates;
}

function holdsCertificates(path: string): boolean {
  return existsSync(path) && (!statSync(path).isDirectory() || readdirSync(path).length > 0);
}

const PASSWORDS = ['PLAIN', 'SCRAM-SHA-256', 'SCRAM-SHA-512'];

function readSasl(sasl: SASLOptions | Mechanism): Security {
  const mechanism = String(sasl.mechanism).toUpperCase();
  if ('authenticationProvider' in sasl) {
    throw new KafkaJSNotImplemented(
      'sasl.authenticationProvider is not supported: librdkafka speaks its mechanisms itself; a token of any kind fits mechanism oauthbearer with an oauthBearerProvider',
    );
  }
  if (mechanism === 'AWS') {
    throw new KafkaJSNotImplemented(
      "the mechanism 'aws' is not supported: MSK takes oauthbearer, with an oauthBearerProvider that signs, such as generateAuthToken of aws-msk-iam-sasl-signer-js",
    );
  }
  const properties: Properties = [['sasl.mechanism', mechanism]];
  const refused = (why: string): Security => ({ properties: [], tokens: undefined, refusal: new KafkaJSSASLAuthenticationError(`SASL ${mechanism}${why}`) });
  if (PASSWORDS.includes(mechanism)) {
    const { username, password } = sasl as { username?: unknown; password?: unknown };
    if (typeof username !== 'string' || typeof password !== 'string' || !username || !password) {
      return refused(': Invalid username or password: both must be strings that are not empty');
    }
    return { properties: [...properties, ['sasl.username', username], ['sasl.password', password]], tokens: undefined };
  }
  if (mechanism !== 'OAUTHBEARER') return refused(' mechanism is not supported by the client: use plain, scram-sha-256, scram-sha-512 or oauthbearer');
  const tokens = tokensOf(sasl as OauthbearerOptions);
  return tokens ? { properties, tokens } : refused(': Missing OAuth bearer token provider: oauthBearerProvider must be a function, or give oidc');
}

function tokensOf(sasl: OauthbearerOptions): TokenProvider | undefined {
  if ('oidc' in sasl && sasl.oidc) return lazily.oidc().oidcProvider(sasl.oidc);
  return 'oauthBearerProvider' in sasl && typeof sasl.oauthBearerProvider === 'function' ? sasl.oauthBearerProvider : undefined;
}
