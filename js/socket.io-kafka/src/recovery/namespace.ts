import { MessageType, type BroadcastOptions, type Room, type Session } from 'socket.io-adapter';
import type { Bus, Place } from '../bus';
import { isRecoverable, matches, type BroadcastData, type OperationData } from '../messages';
import { bytesOf, decodeRecord, RecordType, sendable, type Body, type LogRecord } from '../record';
import { within } from '../within';
import { OrderedOutgoing } from './outgoing';
import type { Recovery } from './recovery';
import type { Entry } from './ring';
import type { Claim, Had, Outcome, SessionData, Urgency } from './sessions';

/** The part of its adapter that the recovery of a namespace needs. */
export interface RecoveringAdapter {
  readonly nsp: any;
  readonly name: string;
  readonly sids: Map<string, Set<Room>>;
  /** Applies a record here, as the base class does for other servers'. */
  take(record: LogRecord, id: string | undefined): void;
}

/** A connection of this server whose state is in the log. */
interface Connection {
  sid: string;
  pid: string;
  /** When it was written last; `performance.now()`. */
  written: number;
  /** Packets of other servers that it got before it came here, and that were not in the log then. */
  had: Had;
}

/** A session that was claimed, and whose socket is not connected yet. */
interface Coming {
  sid: string;
  pid: string;
  data: unknown;
  had: Had;
  /** Until there is a socket, which has its own. */
  rooms: Set<Room>;
  /** Messages that the socket is to get: those it has missed, and those that come meanwhile. */
  held: ((socket: any) => void)[];
  /** So many of them go out before its CONNECT packet; the others behind it. */
  early: number;
  /** Of what came meanwhile. */
  bytes: number;
  /** Too much came: the client has to come again with the same offset, and must not get what is behind a gap. */
  full: boolean;
}

/** A client has all packets up to a place in the log, and of one server also those up to a number that were not in the log yet. */
interface ClientOffset {
  tag: string;
  partition: number;
  offset: number;
  uid: string | undefined;
  number: number;
}

/** A claim that found no session, and is told what becomes of it. */
interface Awaited {
  pid: string;
  read: (final: boolean) => void;
}

const CLAIM_MS = 5000;
/** For how long a record may be behind its client. */
const FASTER_MS = 500;
/** For how long the owner of a session may say what became of it. */
const ANSWER_MS = 1000;
/** So much is held for a socket that middlewares do not let in for long, and `maxRecoveryBytes`; then it has to come again. */
const MAX_HELD = 10_000;
/** So many bytes that a client has missed are there when it is connected, as with socket.io's own adapter: a segment of TCP. */
const EARLY_BYTES = 1024;
const MAX_PID = 200;

/**
 * Connection state recovery of one namespace: what it does is applied in the log's order on every server, so that an offset says what a
 * client has. A packet that goes out before it is in the log has, with the offset, its server's name and its number. A session is in the log; who
 * claims it first gets it, and with the claim has read what was before it.
 */
export class NamespaceRecovery {
  readonly #adapter: RecoveringAdapter;
  readonly #bus: Bus;
  readonly #recovery: Recovery;
  readonly #outgoing: OrderedOutgoing;
  readonly #connections = new Map<string, Connection>();
  /** By private id, the socket's. */
  readonly #sids = new Map<string, string>();
  /** Connections that have something which is not in the log, or was not when they came. */
  readonly #ahead = new Set<Connection | Coming>();
  /** Written at the end of this turn. */
  readonly #dirty = new Set<string>();
  #flushing: NodeJS.Immediate | undefined;
  /** Own claims that were not read yet, by number. */
  readonly #claims = new Map<number, { pid: string; read: (place: Place, body: Body | undefined) => void; asked: () => void }>();
  /** Claims that found no session. */
  readonly #awaited = new Set<Awaited>();
  readonly #coming = new Map<string, Coming>();
  /** Up to where the log was done for this namespace's clients, as they have it. */
  #place: string | undefined;
  #closed = false;

  constructor(adapter: RecoveringAdapter, bus: Bus, recovery: Recovery) {
    this.#adapter = adapter;
    this.#bus = bus;
    this.#recovery = recovery;
    this.#outgoing = new OrderedOutgoing(bus.options.publishTimeout, bus.options.maxQueuedBytes, (record) => this.#early(record));
    recovery.namespaces.set(adapter.name, this);
  }

  close(): void {
    if (this.#closed) return;
    this.#outgoing.close();
    this.#flush();
    this.#closed = true;
    for (const coming of this.#coming.values()) this.#giveBack(coming);
    // Whether these get their sessions is not known yet. Should they, others find them as they were.
    for (const { pid } of this.#claims.values()) this.#bus.send(this.#adapter.name, RecordType.Claim, { pid, back: true });
    this.#claims.clear();
    if (this.#recovery.namespaces.get(this.#adapter.name) === this) this.#recovery.namespaces.delete(this.#adapter.name);
  }

  // Records that this server sends.

  /** Is applied here when it is read; without Kafka after `publishTimeout`. */
  publish(type: MessageType, data: object): void {
    try {
      const { body, number } = this.#bus.encode(type, data);
      this.#outgoing.logged(number, body);
      this.#bus.write(this.#adapter.name, body);
      this.#outgoing.bound();
    } catch (error) {
      this.#bus.tell('encoding', error as Error);
    }
  }

  /** Is done here, when everything that was published before has been applied here. */
  behind(action: () => void): void {
    this.#outgoing.local(action);
  }

  // Records that are read.

  /** A record of this namespace was read that is not for clients, or was done. */
  passed({ id }: Place): void {
    this.#place = id;
  }

  /** A packet for this server alone, with a place: clients take a text at the end for one, and must stay where they are. */
  placed(packet: any, opts: BroadcastOptions): any {
    if (this.#place === undefined || !isRecoverable({ packet, opts: { rooms: [], except: [], flags: opts.flags } })) return packet;
    return { ...packet, data: [...packet.data, this.#known(this.#place)] };
  }

  /** A record of this namespace, in the log's order. */
  onRecord(record: LogRecord, place: Place): void {
    const apply = (): void => {
      this.#apply(this.#ahead.size > 0 && record.uid !== this.#bus.uid ? this.#withoutAhead(record) : record, place.id);
      // Packets that follow, also within the same batch, are behind it, and those before it are not.
      this.passed(place);
    };
    if (record.uid !== this.#bus.uid) return apply();
    this.#outgoing.read(record.number, apply);
    this.passed(place);
  }

  /** Kafka is slow, or away: clients do not wait. They stay where they are in the log. */
  #early(record: LogRecord): void {
    this.#bus.figures.early++;
    this.#apply(record, this.#place);
  }

  #apply(record: LogRecord, id: string | undefined): void {
    this.#adapter.take(record, id === undefined ? undefined : this.#known(id));
    for (const coming of this.#coming.values()) this.#hold(coming, record);
  }

  /** A place in the log, and what this server's clients have beyond it. */
  #known(id: string): string {
    const { early } = this.#outgoing;
    return early === undefined ? id : `${id}~${this.#bus.uid}.${early}`;
  }

  /** Not for those who had it on its own server, and were faster than the log. */
  #withoutAhead(record: LogRecord): LogRecord {
    const data = record.data as BroadcastData;
    const ahead = [...this.#ahead].filter(({ had }) => record.number <= (had[record.uid]?.[0] ?? -1));
    if (ahead.length === 0) return record;
    return { ...record, data: { ...data, opts: { ...data.opts, except: [...data.opts.except, ...ahead.map(({ sid }) => sid)] } } };
  }

  /** Until the socket is connected nothing reaches it. */
  #hold(coming: Coming, { type, data, bytes }: LogRecord): void {
    const { opts, packet, requestId, rooms = [], close } = data as BroadcastData & OperationData;
    if (type === MessageType.BROADCAST && requestId !== undefined) return;
    if (!matches(this.#roomsOf(coming), opts.rooms, opts.except)) return;
    const socket = this.#adapter.nsp._preConnectSockets?.get(coming.sid);
    if (type === MessageType.BROADCAST) {
      if (coming.full) return;
      coming.held.push((connected) => connected.packet(packet, { ...opts.flags }));
      coming.bytes += bytes;
    } else if (type === MessageType.SOCKETS_JOIN) {
      if (socket) socket.join(rooms);
      else for (const room of rooms) coming.rooms.add(room);
    } else if (type === MessageType.SOCKETS_LEAVE) {
      for (const room of rooms) {
        if (socket) socket.leave(room);
        else coming.rooms.delete(room);
      }
    } else {
      // Not before socket.io knows it. A client that is to come again does not after this.
      if (coming.full) coming.held = [];
      coming.held.push((connected) => process.nextTick(() => connected.disconnect(close)));
    }
    if (!coming.full && (coming.held.length > MAX_HELD || coming.bytes > this.#recovery.maxBytes)) comeAgain(coming);
  }

  #roomsOf({ sid, rooms }: Coming): Set<Room> {
    return this.#adapter.sids.get(sid) ?? rooms;
  }

  // Sessions of this server's connections.

  /** A socket has joined rooms; the first is its own, when it is connected. */
  joined(sid: string): void {
    const socket = this.#adapter.nsp.sockets.get(sid);
    if (!socket?.pid) return;
    if (!this.#connections.has(sid)) {
      const coming = this.#coming.get(sid);
      const connection: Connection = { sid, pid: socket.pid, written: -Infinity, had: coming?.had ?? {} };
      this.#connections.set(sid, connection);
      this.#sids.set(socket.pid, sid);
      if (coming) {
        this.#coming.delete(sid);
        if (this.#ahead.delete(coming)) this.#ahead.add(connection);
        withItsNextPacket(socket, coming);
      }
    }
    this.#changed(sid);
  }

  left(sid: string): void {
    if (this.#connections.has(sid)) this.#changed(sid);
  }

  /** A socket is no more. Without `persist` before it cannot come back. */
  gone(sid: string): void {
    const connection = this.#connections.get(sid);
    const coming = this.#coming.get(sid);
    if (connection) {
      this.#remove(connection);
      if (!this.#closed) this.#bus.send(this.#adapter.name, RecordType.SessionEnd, { pid: connection.pid });
    } else if (coming) {
      // Its client went away before it was let in: it may come again. One that was refused may not.
      if (this.#adapter.nsp._preConnectSockets?.get(sid)?.conn.readyState !== 'open') this.#giveBack(coming);
      else this.#bus.send(this.#adapter.name, RecordType.SessionEnd, { pid: coming.pid });
      this.#coming.delete(sid);
      this.#ahead.delete(coming);
    }
  }

  persist({ sid, pid, rooms, data }: Pick<SessionData, 'sid' | 'pid' | 'rooms' | 'data'>): void {
    const connection = this.#connections.get(sid);
    if (connection) this.#remove(connection);
    else if (this.#closed) return;
    this.#write({ sid, pid, rooms, data, ...(connection && this.#hadOf(connection)), final: true });
  }

  #remove(connection: Connection): void {
    const { sid, pid } = connection;
    this.#connections.delete(sid);
    if (this.#sids.get(pid) === sid) this.#sids.delete(pid);
    this.#ahead.delete(connection);
    this.#dirty.delete(sid);
  }

  #giveBack(coming: Coming): void {
    const { sid, pid, data } = coming;
    this.#write({ sid, pid, rooms: [...this.#roomsOf(coming)], data, ...this.#hadOf(coming), final: true });
  }

  #changed(sid: string): void {
    this.#dirty.add(sid);
    this.#flushing ??= setImmediate(() => this.#flush());
  }

  #flush(): void {
    clearImmediate(this.#flushing);
    this.#flushing = undefined;
    for (const sid of this.#dirty) {
      const connection = this.#connections.get(sid);
      const socket = this.#adapter.nsp.sockets.get(sid);
      if (!connection || !socket) continue;
      connection.written = performance.now();
      this.#write({ sid, pid: connection.pid, rooms: [...socket.rooms], data: socket.data, ...this.#hadOf(connection) });
    }
    this.#dirty.clear();
  }

  #write(session: SessionData): void {
    try {
      this.#bus.send(this.#adapter.name, RecordType.Session, session);
    } catch (error) {
      const text = `socket.io-kafka: the data of the socket ${session.sid} cannot be written, it is recovered without: ${(error as Error).message}`;
      this.#bus.tell('session', new Error(text, { cause: error }));
      this.#bus.send(this.#adapter.name, RecordType.Session, sendable(session));
    }
  }

  #hadOf({ had }: Pick<Connection, 'had'>): Pick<SessionData, 'had'> {
    return Object.keys(had).length > 0 ? { had } : {};
  }

  /** The log keeps records only so long. */
  refresh(): void {
    const old = performance.now() - this.#recovery.maxDisconnectionDuration / 2;
    for (const { sid, written } of this.#connections.values()) if (written < old) this.#changed(sid);
    // Packets that were not in the log for so long do not come any more, and nobody asks for them.
    const late = Date.now() - this.#recovery.history;
    for (const connection of this.#ahead) {
      for (const [uid, [, at]] of Object.entries(connection.had)) if (at < late) delete connection.had[uid];
      if (Object.keys(connection.had).length === 0) this.#ahead.delete(connection);
    }
  }

  /** The log has begun anew. */
  rewrite(): void {
    this.#place = undefined;
    for (const sid of this.#connections.keys()) this.#changed(sid);
  }

  /** The log has a gap that this server has not read: its clients come again with their old places, and others may have what is missing. */
  sendAway(onFailure: (error: unknown) => void): void {
    for (const sid of [...this.#connections.keys()]) {
      try {
        this.#adapter.nsp.sockets.get(sid)?.client.close();
      } catch (error) {
        onFailure(error); // of a listener of the program's
      }
    }
    for (const coming of this.#coming.values()) if (!coming.full) comeAgain(coming);
  }

  // Coming back.

  /** Resolves with the session; rejects, with the reason, where the client has to begin anew. */
  async restore(pid: string, offset: string): Promise<Session> {
    try {
      const session = await this.#restore(pid, readOffset(pid, offset));
      this.#bus.figures.recovered++;
      return session;
    } catch (error) {
      this.#bus.figures.notRecovered++;
      this.#bus.options.logger.debug?.(`socket.io-kafka: a client of ${this.#adapter.name} begins anew: ${(error as Error).message}`);
      throw error;
    }
  }

  async #restore(pid: string, client: ClientOffset): Promise<Session> {
    await within(CLAIM_MS, this.#bus.start());
    if (client.tag !== this.#bus.tag) throw new Error('the offset is of another log');
    let how: Urgency = {};
    for (let tries = 4; tries > 0; tries--) {
      const { session, later } = await this.#claim(pid, client, how);
      if (session) return session;
      // The client may be faster than the record that it has connected, or that its next connection has ended.
      how = (await later) ? {} : { spare: true };
    }
    throw new Error('other servers have the session');
  }

  /** With the session, or with what resolves when there is one. */
  async #claim(pid: string, client: ClientOffset, how: Urgency): Promise<{ session?: Promise<Session>; later?: Promise<boolean> }> {
    const numbers: number[] = [];
    let isRead = false;
    let timer: NodeJS.Timeout | undefined;
    try {
      return await within(
        CLAIM_MS,
        new Promise((resolve, reject) => {
          // When the server has closed, the client finds its session at another.
          if (this.#closed) return;
          const say = (urgency: Urgency): void => {
            const { body, number } = this.#bus.encode(RecordType.Claim, { pid, ...urgency });
            numbers.push(number);
            this.#claims.set(number, { pid, read, asked });
            this.#bus.write(this.#adapter.name, body);
          };
          const read = (place: Place, body: Body | undefined): void => {
            // The answer may come in one batch with the claim that does without it.
            if (isRead) return;
            isRead = true;
            try {
              const session = this.#claimed(pid, client, place, body);
              // Reading all that it has missed may take longer than the claim.
              resolve(session ? { session } : { later: this.#comes(pid, client) });
            } catch (error) {
              reject(error);
            }
          };
          // An owner that does not answer is dead: the session is as in its newest record.
          const asked = (): void => {
            timer = setTimeout(() => this.#closed || say({ now: true }), ANSWER_MS);
          };
          const owner = this.#recovery.sessions.get(this.#adapter.name, pid)?.owner;
          const dead = owner !== undefined && !this.#recovery.isAlive(owner, this.#bus.options.heartbeatTimeout);
          say({ ...how, ...(dead && { now: true }) });
        }),
      );
    } finally {
      clearTimeout(timer);
      for (const number of numbers) this.#claims.delete(number);
    }
  }

  /** Whether the session is to be had by an ordinary claim; rejects when it is another's. */
  async #comes(pid: string, client: ClientOffset): Promise<boolean> {
    // A session claimed by another server is to be had when that connection has ended, when the client has been there, or when the server never writes it.
    const claimed = this.#recovery.sessions.get(this.#adapter.name, pid);
    const spare = claimed?.spare;
    // One that lives, and lets its client in slowly, gives the session back when that goes: else two would take it from each other for ever.
    const lives = claimed !== undefined && this.#recovery.isAlive(claimed.owner, this.#bus.options.heartbeatTimeout);
    const wasThere = spare === undefined || client.offset > claimed!.offset;
    let connected = false;
    let awaited: Awaited | undefined;
    try {
      return await within(
        lives ? ANSWER_MS : FASTER_MS,
        new Promise<boolean>((resolve) => {
          const read = (final: boolean): void => (final || wasThere ? resolve(true) : void (connected = true));
          this.#awaited.add((awaited = { pid, read }));
        }),
      );
    } catch (error) {
      if (!lives && spare !== undefined && this.#recovery.sessions.get(this.#adapter.name, pid)?.spare === spare) return false;
      throw spare === undefined ? new Error('there is no session') : connected ? new Error('the client has another connection') : error;
    } finally {
      this.#awaited.delete(awaited!);
    }
  }

  /** A session was read. */
  onSession(pid: string, final: boolean): void {
    for (const awaited of this.#awaited) if (awaited.pid === pid) awaited.read(final);
  }

  /** A claim was read, of whatever server; everything before it was, too. */
  onClaim(record: LogRecord, pid: string, place: Place, outcome: Outcome): void {
    if (outcome === 'asked') {
      if (record.uid === this.#bus.uid) this.#claims.get(record.number)?.asked();
      else this.#release(pid);
      return;
    }
    if (record.uid === this.#bus.uid) this.#answered(record.number, pid, place, outcome?.body);
    // The client has another connection now. Nobody has it who was refused.
    else if (outcome) this.#drop(pid);
  }

  /** The owner has said what became of a session that was claimed. */
  onGiven({ owner, number }: Claim, pid: string, place: Place, body: Body): void {
    if (owner === this.#bus.uid) this.#answered(number, pid, place, body);
  }

  #answered(number: number, pid: string, place: Place, body: Body | undefined): void {
    // It has given back what it claimed.
    if (this.#closed) return;
    const claim = this.#claims.get(number);
    const sid = this.#sids.get(pid);
    if (claim) claim.read(place, body);
    // Its client waits no more, and may come again.
    else if (sid !== undefined) this.#changed(sid);
    else if (body !== undefined) this.#write({ ...(decodeRecord(body as string | Buffer).data as SessionData), final: true });
  }

  /** The client is at another server, which waits for what it was here. */
  #release(pid: string): void {
    const connection = this.#connections.get(this.#sids.get(pid) ?? '');
    const socket = connection && this.#adapter.nsp.sockets.get(connection.sid);
    if (!socket) return;
    this.#write({ sid: connection.sid, pid, rooms: [...socket.rooms], data: socket.data, ...this.#hadOf(connection), final: true });
    this.#drop(pid);
  }

  /** Without a word in the log: the session is another's. */
  #drop(pid: string): void {
    for (const coming of this.#coming.values()) {
      if (coming.pid !== pid) continue;
      this.#coming.delete(coming.sid);
      this.#ahead.delete(coming);
      this.#forget(coming)?.client.close();
    }
    const connection = this.#connections.get(this.#sids.get(pid) ?? '');
    if (!connection) return;
    this.#remove(connection);
    const socket = this.#adapter.nsp.sockets.get(connection.sid);
    // Of other namespaces the same client is to come back, too.
    for (const end of [() => socket?.disconnect(), () => socket?.client.close()]) {
      try {
        end();
      } catch (error) {
        this.#bus.tell('listener', new Error(`socket.io-kafka: a listener failed on a disconnect: ${(error as Error)?.message ?? error}`, { cause: error }));
      }
    }
  }

  /** In the turn of the claim; the session may take longer. @throws Error where the client has to begin anew */
  #claimed(pid: string, client: ClientOffset, claim: Place, body: Body | undefined): Promise<Session> | undefined {
    // The client may be here still, on its old connection: what it is now is newer than its record.
    const open = this.#connections.get(this.#sids.get(pid) ?? '');
    const socket = open && this.#adapter.nsp.sockets.get(open.sid);
    const session: SessionData | undefined = socket
      ? { sid: open.sid, pid, rooms: [...socket.rooms], data: socket.data, had: open.had }
      : body === undefined
        ? undefined
        : (decodeRecord(body as string | Buffer).data as SessionData);
    if (!session) return undefined;
    this.#drop(pid);
    if (client.partition !== claim.partition || client.offset >= claim.offset) throw new Error('the offset is of another log');
    const { sid, data } = session;
    const had = { ...session.had };
    if (client.uid !== undefined && !(client.number <= (had[client.uid]?.[0] ?? -1))) had[client.uid] = [client.number, Date.now()];
    const has = (uid: string, number: number): boolean => number <= (had[uid]?.[0] ?? -1);
    const rooms = new Set(session.rooms);
    const missed = this.#missed(client, claim, rooms);
    const coming: Coming = { sid, pid, data, had, rooms: new Set(rooms), held: [], early: 0, bytes: 0, full: false };
    // Records that the others here have already, and that are not in the log yet.
    for (const record of this.#outgoing.unread()) if (!has(record.uid, record.number)) this.#hold(coming, this.#numbered(record, claim));
    this.#coming.set(sid, coming);
    if (Object.keys(had).length > 0) this.#ahead.add(coming);
    const wants = (entry: Entry): boolean => matches(rooms, entry.rooms, entry.except) && !has(entry.uid, entry.number);
    return Array.isArray(missed) ? Promise.resolve(this.#session(coming, missed.filter(wants))) : this.#sessionOfPast(coming, client, missed, wants);
  }

  /** The packets for its rooms up to its claim. @throws Error where some of them are nowhere */
  #missed({ partition, offset }: ClientOffset, claim: Place, rooms: ReadonlySet<Room>): Entry[] | Promise<Entry[]> {
    const { ring, past } = this.#recovery;
    const namespace = this.#adapter.name;
    const entries = ring.after(namespace, partition, offset, rooms);
    if (entries) return entries;
    if (!past || !ring.hadNoRoom(namespace, partition, offset)) throw new Error('the packets behind the offset are gone');
    return past.read({ namespace, partition, after: offset, before: claim.offset, rooms });
  }

  async #sessionOfPast(coming: Coming, client: ClientOffset, past: Promise<Entry[]>, wants: (entry: Entry) => boolean): Promise<Session> {
    const isComing = (): boolean => this.#coming.get(coming.sid) === coming;
    try {
      const entries = await past;
      if (!isComing()) throw new Error('another connection has the session');
      const { ring } = this.#recovery;
      const { tag, partition, offset } = client;
      if (tag !== this.#bus.tag || !ring.hadNoRoom(this.#adapter.name, partition, offset)) throw new Error('the offset is of another log');
      return this.#session(coming, entries.filter(wants));
    } catch (error) {
      // The session was given back: the client finds it at another server.
      if (this.#closed) return await new Promise<never>(() => {});
      if (isComing()) this.#coming.delete(coming.sid);
      this.#ahead.delete(coming);
      throw error;
    }
  }

  /** Its socket is made in the turn of this. */
  #session(coming: Coming, missed: Entry[]): Session {
    const { sid, pid, data } = coming;
    const packets = missed.map(packetOf);
    const missedPackets = packets.map((packet) => packet.data);
    // They are held with the rest. socket.io would send them now: the client keeps what it gets before it is connected, and gets it again, should the
    // connection break before.
    Object.defineProperty(missedPackets, 'forEach', { value: () => {} });
    // A client for which too much came meanwhile has to come again.
    if (!coming.full) {
      const given = packets.map((packet) => (connected: any) => connected.packet(packet));
      coming.held = given.concat(coming.held);
      if (missed.reduce((bytes, { body }) => bytes + bytesOf(body), 0) <= EARLY_BYTES) coming.early = given.length;
    }
    setImmediate(() => this.#watch(coming));
    return {
      sid,
      pid,
      get rooms() {
        return [...coming.rooms];
      },
      data,
      missedPackets,
    };
  }

  /** As the others here got it. */
  #numbered(record: LogRecord, { id }: Place): LogRecord {
    const data = record.data as BroadcastData;
    if (record.type !== MessageType.BROADCAST || !isRecoverable(data)) return record;
    return { ...record, data: { ...data, packet: { ...data.packet, data: [...data.packet.data, `${id}~${record.uid}.${record.number}`] } } };
  }

  /** A client that goes away before middlewares let it in may come again before they are through. */
  #watch(coming: Coming): void {
    const { sid } = coming;
    if (this.#coming.get(sid) !== coming) return;
    const socket = this.#adapter.nsp._preConnectSockets.get(sid);
    if (!socket) {
      // The session was asked for without a client.
      this.#coming.delete(sid);
      this.#ahead.delete(coming);
      return;
    }
    const end = (): void => void (this.#coming.get(sid) === coming && this.#forget(coming));
    if (socket.conn.readyState === 'open') socket.conn.once('close', end);
    else end();
  }

  /** When its middlewares are through, its name may be another socket's. */
  #forget({ sid }: Coming): any {
    const socket = this.#adapter.nsp._preConnectSockets?.get(sid);
    socket?._cleanup();
    if (socket) socket._cleanup = () => {};
    return socket;
  }
}

/** @throws Error for what is none */
function readOffset(pid: string, text: string): ClientOffset {
  const [, tag, partition, offset, uid, number] = /^(.{1,32})-(\d{1,10})-(\d{1,16})(?:~([0-9a-f]{16})\.(\d{1,15}))?$/.exec(String(text)) ?? [];
  if (tag === undefined || typeof pid !== 'string' || pid.length > MAX_PID) throw new Error('the offset is none of this log');
  return { tag, partition: Number(partition), offset: Number(offset), uid, number: Number(number) };
}

/** The packets that clients hold now, by their records: however many have missed one, it is decoded once. */
const packets = new WeakMap<Entry, WeakRef<{ type: number; data: unknown[] }>>();

function packetOf(entry: Entry): { type: number; data: unknown[] } {
  const known = packets.get(entry)?.deref();
  if (known) return known;
  const { type, data } = (decodeRecord(entry.body as string | Buffer).data as BroadcastData).packet;
  const packet = { type, data: [...data, entry.id] };
  packets.set(entry, new WeakRef(packet));
  return packet;
}

/** Its socket is closed as soon as it is connected, and gets nothing: its client keeps its place. */
function comeAgain(coming: Coming): void {
  coming.full = true;
  coming.early = 0;
  coming.held = [(connected) => process.nextTick(() => connected.client.close())];
}

/** The next packet says that it is connected. */
function withItsNextPacket(socket: any, { held, early }: Coming): void {
  socket.packet = (...connect: unknown[]) => {
    delete socket.packet;
    const { transport } = socket.conn;
    const { writable } = transport;
    // One write for them and the CONNECT packet: the client has all or nothing, whenever the connection breaks.
    transport.writable = false;
    for (const give of held.slice(0, early)) give(socket);
    transport.writable = writable;
    socket.packet(...connect);
    for (const give of held.slice(early)) give(socket);
  };
}
