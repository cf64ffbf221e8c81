import { describe } from '../options';
import type { OAuthToken, TokenProvider } from './tokens';

/** An identity provider's token endpoint, and a client's credentials for it. */
export interface OidcOptions {
  /** `https://.../token` */
  tokenEndpoint: string;
  clientId: string;
  clientSecret: string;
  /** Scopes, separated by spaces. */
  scope?: string;
  /** More fields of the request, such as `audience`. */
  parameters?: Record<string, string>;
  /** SASL extensions that go with every token, such as `logicalCluster`. */
  extensions?: Record<string, string>;
  /** Default: the global `fetch`, which trusts what Node trusts. Another one can have authorities or a proxy of its own. */
  fetch?: typeof fetch;
}

/** OAuth 2's grant of client credentials (RFC 6749, 4.4). @internal */
export function oidcProvider(options: OidcOptions): TokenProvider {
  const { clientId, clientSecret, scope, parameters, extensions, fetch: request = globalThis.fetch } = options;
  for (const name of ['tokenEndpoint', 'clientId', 'clientSecret'] as const) {
    if (typeof options[name] !== 'string' || !options[name])
      throw new TypeError(`Kafka: sasl.oidc.${name} must be a string that is not empty, got ${describe(options[name])}`);
  }
  const endpoint = new URL(options.tokenEndpoint);
  const authorization = `Basic ${Buffer.from(`${encode(clientId)}:${encode(clientSecret)}`).toString('base64')}`;
  const body = new URLSearchParams({ grant_type: 'client_credentials', ...(scope && { scope }), ...parameters }).toString();
  return async (): Promise<OAuthToken> => {
    const headers = { authorization, accept: 'application/json', 'content-type': 'application/x-www-form-urlencoded' };
    const response = await request(endpoint, { method: 'POST', headers, body }).catch((error: Error) => {
      throw new Error(`${endpoint.href} could not be asked for a token: ${(error.cause as Error | undefined)?.message ?? error.message}`);
    });
    const answer = (await response.json().catch(() => ({}))) as { access_token?: unknown; expires_in?: unknown; error?: unknown; error_description?: unknown };
    if (!response.ok || typeof answer.access_token !== 'string') {
      const reason = [answer.error, answer.error_description].filter((part) => typeof part === 'string').join(': ');
      throw new Error(`${endpoint.href} gave no token: status ${response.status}${reason && `, ${reason}`}`);
    }
    const life = Number(answer.expires_in);
    return { value: answer.access_token, ...(life > 0 && { lifetime: Date.now() + life * 1000 }), ...(extensions && { extensions }) };
  };
}

/** As a form encodes it: RFC 6749, 2.3.1. */
function encode(text: string): string {
  return new URLSearchParams({ '': text }).toString().slice(1);
}
