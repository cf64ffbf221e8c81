import { MessageType, type BroadcastFlags, type BroadcastOptions, type Room } from 'socket.io-adapter';
import type { LogRecord } from './record';

/** A packet's type, by socket.io-parser's number. */
export const EVENT = 2;

/** Whom a message is for, as it is in the log. */
export interface WrittenOptions {
  rooms: Room[];
  except: Room[];
  flags?: BroadcastFlags;
}

export interface BroadcastData {
  opts: WrittenOptions;
  packet: { type: number; data: unknown[]; id?: number };
  /** There when answers are wanted. */
  requestId?: string;
  /** The message of another topic that it is made of: it counts once, however often it is written. */
  source?: string;
}

/** Of joins and leaves `rooms`, of disconnects `close`. */
export interface OperationData {
  opts: WrittenOptions;
  rooms?: Room[];
  close?: boolean;
}

export function written({ rooms, except, flags }: BroadcastOptions): WrittenOptions {
  return { rooms: [...rooms], except: [...(except ?? [])], ...(flags && { flags }) };
}

/** socket.io's rule: events that wait for no answer and are not volatile. */
export function isRecoverable({ packet, requestId, opts }: BroadcastData): boolean {
  return packet.type === EVENT && packet.id === undefined && requestId === undefined && opts.flags?.volatile === undefined;
}

/** @throws Error for what would make the base class throw */
export function checkMessage({ type, data }: LogRecord): void {
  if (!(type >= MessageType.INITIAL_HEARTBEAT && type <= MessageType.ADAPTER_CLOSE)) throw new Error(`its type ${type} is not known`);
  if (type < MessageType.BROADCAST || type === MessageType.ADAPTER_CLOSE) return;
  const { opts, packet, rooms, requestId, sockets } = (data ?? {}) as Record<string, any>;
  const whom = Array.isArray(opts?.rooms) && Array.isArray(opts.except);
  const fine =
    type === MessageType.BROADCAST
      ? whom && Array.isArray(packet?.data)
      : type === MessageType.SOCKETS_JOIN || type === MessageType.SOCKETS_LEAVE
        ? whom && Array.isArray(rooms)
        : type === MessageType.DISCONNECT_SOCKETS || type === MessageType.FETCH_SOCKETS
          ? whom
          : type === MessageType.SERVER_SIDE_EMIT
            ? Array.isArray(packet)
            : typeof requestId === 'string' && (type !== MessageType.FETCH_SOCKETS_RESPONSE || Array.isArray(sockets));
  if (!fine) throw new Error(`its data is not what type ${type} has`);
}

/** Whether a client in these rooms gets what is sent so. */
export function matches(joined: ReadonlySet<Room>, rooms: readonly Room[], except: readonly Room[]): boolean {
  return (rooms.length === 0 || rooms.some((room) => joined.has(room))) && !except.some((room) => joined.has(room));
}
