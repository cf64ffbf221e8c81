// The identity of a client, and tickets for it.

import { version } from '../../package.json';
import type { Access } from '../access';
import { CloseCode, ProxyError } from '../errors';
import type { Ticket } from '../doors/tickets';
import type { WhoAmI } from './api';
import { json } from './answer';
import type { Ask, Route } from './router';

async function may({ context, identity }: Ask, access: Access): Promise<boolean> {
  try {
    await context.allow(identity, access);
    return true;
  } catch (error) {
    if (error instanceof ProxyError && error.close === CloseCode.Forbidden) return false;
    throw error;
  }
}

async function whoAmI(ask: Ask): Promise<WhoAmI> {
  const { name = null, way, expires = null } = ask.identity;
  const [admin, metrics] = await Promise.all([may(ask, { operation: 'admin' }), may(ask, { operation: 'metrics' })]);
  return { name, way, expires, admin, metrics, version, socket: ask.door };
}

function issue({ context, identity, response }: Ask): void {
  const ticket: Ticket = context.tickets.issue(identity);
  json(response, 201, ticket);
}

export const IDENTITY: readonly Route[] = [
  { method: 'GET', path: '/whoami', answer: whoAmI },
  { method: 'POST', path: '/tickets', answer: issue },
];
