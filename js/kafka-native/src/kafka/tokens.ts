import { clearTimeout, setTimeout } from '../clock';
import type { NativeTokens } from '../binding';

/** A token for SASL/OAUTHBEARER. */
export interface OAuthToken {
  /** The text for the broker, most often a JWT. */
  value: string;
  /** When it ends, milliseconds since 1970; default: the `exp` of a JWT, else in five minutes. */
  lifetime?: number;
  /** Whom it is for, as librdkafka's debug lines show it; default: the `sub` of a JWT. */
  principal?: string;
  /** SASL extensions: names are letters, values printable ASCII. */
  extensions?: Record<string, string>;
}

/** @internal */
export type TokenProvider = () => Promise<OAuthToken>;

const FIVE_MINUTES = 300_000;

/**
 * Answers `Event.Token`. When the provider throws, or takes longer than `timeout` milliseconds, authentication has
 * failed: whoever waits for a connection hears of it. Never rejects.
 * @internal
 */
export async function giveToken(native: NativeTokens, provider: TokenProvider | undefined, timeout: number): Promise<void> {
  let timer: NodeJS.Timeout | undefined;
  try {
    const late = new Promise<never>((_, reject) => {
      timer = setTimeout(() => reject(new Error(`the token provider did not answer within ${timeout} ms`)), timeout).unref();
    });
    const token = await Promise.race([provider?.(), late]);
    if (typeof token?.value !== 'string' || !token.value) throw new Error("the token provider gave no token: it must resolve with { value: '...' }");
    const claims = claimsOf(token.value);
    const lifetime = token.lifetime ?? (typeof claims.exp === 'number' ? claims.exp * 1000 : Date.now() + FIVE_MINUTES);
    const principal = token.principal ?? (typeof claims.sub === 'string' ? claims.sub : '');
    native.setToken(token.value, lifetime, principal, Object.entries(token.extensions ?? {}).flat());
  } catch (error) {
    native.setTokenFailure(error instanceof Error ? error.message : String(error));
  } finally {
    clearTimeout(timer);
  }
}

/** The claims of a JWT, not verified, which is the broker's business; none when it is not one. */
function claimsOf(token: string): { exp?: unknown; sub?: unknown } {
  try {
    return Object(JSON.parse(Buffer.from(token.split('.')[1]!, 'base64url').toString()));
  } catch {
    return {};
  }
}
