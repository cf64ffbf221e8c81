// @deepstream/server as this package knows it: no more than it calls, so that the server's types are not needed to use it.

/** One of deepstream's messages: `topic` says what it is about. */
export interface Message {
  topic: number;
  action: number;
  name?: string;
  serverName?: string;
  data?: string | Uint8Array;
  parsedData?: unknown;
}

/** deepstream's logger. `fatal` ends the process, or emits FATAL_EXCEPTION, as `exitOnFatalError` says. */
export interface DeepstreamLogger {
  debug(event: string, message: string, meta?: any): void;
  info(event: string, message: string, meta?: any): void;
  warn(event: string, message: string, meta?: any): void;
  error(event: string, message: string, meta?: any): void;
  fatal(event: string, message: string, meta?: any): void;
}

/** Of what `server.getServices()` returns. */
export interface Services {
  readonly logger: DeepstreamLogger;
}

/** Of what `server.getConfig()` returns. */
export interface Config {
  readonly serverName: string;
}

export const PLUGIN_ERROR = 'PLUGIN_ERROR';
export const PLUGIN_INITIALIZATION_ERROR = 'PLUGIN_INITIALIZATION_ERROR';

/** The topic of the servers' own signs of life, and its actions: one leaves, one lives. */
export const CLUSTER = 9;
export const CLUSTER_REMOVE = 1;
export const CLUSTER_STATUS = 2;

export function isLeave({ topic, action }: Message): boolean {
  return topic === CLUSTER && action === CLUSTER_REMOVE;
}

export function isStatus({ topic, action }: Message): boolean {
  return topic === CLUSTER && action === CLUSTER_STATUS;
}
