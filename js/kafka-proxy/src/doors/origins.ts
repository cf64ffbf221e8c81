// Which web pages may open a socket. A browser says the page's origin, and sends what it has of passwords and cookies whatever page asks.

import type { IncomingMessage } from 'node:http';
import { isIP } from 'node:net';
import { Refusal } from './refusal';

/** Origins (`'https://example.com'`), `'*'` for any, or a function that is asked. */
export type Origins = '*' | string[] | ((origin: string, request: IncomingMessage) => boolean);

const LOOPBACK = new Set(['localhost', '127.0.0.1', '::1']);
const WILDCARD = new Set(['', '0.0.0.0', '::']);
/** Names of a local network, of containers, of Kubernetes' services. */
const PRIVATE = /^[^.]+$|\.(?:local|internal|svc)$/;

const PAGE = new Refusal(403, 'pages of this origin may not connect; the option `origins` names those that may');
const HOST = new Refusal(403, 'the proxy is not known by this name; connect to localhost, or to the host that it listens on, or set the option `origins`');

/**
 * Without `origins` a page must be of the host that it connects to. Where nobody is asked for a password the header Host must be a name of the
 * proxy's, too, or, with `origins`, of one of them: else a page whose name leads here for a moment (DNS rebinding) is of that host. A request
 * whose origin browsers do not say, as when a page GETs something of its own host, may be of such a page; an upgrade of theirs always has it.
 *
 * @param hosts names and addresses on which the proxy listens
 */
export function refusesPage(request: IncomingMessage, origins: Origins | undefined, authenticated: boolean, hosts: readonly string[]): Refusal | undefined {
  const { origin, upgrade } = request.headers;
  if (origins === '*') return undefined;
  const host = hostOf(request.headers.host);
  if (origins !== undefined) {
    const fits = (page: string): boolean => (typeof origins === 'function' ? origins(page, request) === true : origins.includes(page.toLowerCase()));
    if (origin !== undefined) return fits(origin) ? undefined : PAGE;
    if (authenticated || upgrade !== undefined || known(host, true, hosts) || isNoPages(host)) return undefined;
    return host !== undefined && ['http', 'https'].some((scheme) => fits(`${scheme}://${request.headers.host}`)) ? undefined : HOST;
  }
  if (!authenticated && !known(host, origin !== undefined || upgrade === undefined, hosts)) return HOST;
  if (origin === undefined) return undefined;
  const page = pageHost(origin);
  const same = page !== undefined && (page === host || (LOOPBACK.has(page) && host !== undefined && LOOPBACK.has(host)));
  return same ? undefined : PAGE;
}

function known(host: string | undefined, page: boolean, hosts: readonly string[]): boolean {
  if (host === undefined) return false;
  if (LOOPBACK.has(host) || hosts.includes(host)) return true;
  // A proxy that listens on all addresses has names that it does not know.
  return hosts.some((each) => WILDCARD.has(each)) && (!page || isNoPages(host));
}

/** No page can make another's address its own name, nor a name that nobody can register. */
function isNoPages(host: string | undefined): boolean {
  return host !== undefined && (isIP(host) > 0 || PRIVATE.test(host));
}

/** Without the port, the brackets of IPv6, and the dot at the end. */
function hostOf(header: string | undefined): string | undefined {
  const match = /^(?:\[([\da-f:.]+)\]|([^:[\]]+))(?::\d*)?$/i.exec(header ?? '');
  return (match?.[1] ?? match?.[2])?.toLowerCase().replace(/\.$/, '');
}

function pageHost(origin: string): string | undefined {
  try {
    return hostOf(new URL(origin).host);
  } catch {
    return undefined; // 'null', and nonsense
  }
}
