import { MessageType } from 'socket.io-adapter';
import type { Place } from '../bus';
import { RecordType, type LogRecord } from '../record';
import type { NamespaceRecovery } from './namespace';
import type { Past } from './past';
import { entryOf, Ring } from './ring';
import { Sessions, type SessionData, type Stored, type Urgency } from './sessions';

/** Beside pings, for clocks that differ. */
const SLACK_MS = 15_000;

/**
 * Connection state recovery of one server: the sessions and the newest packets of all servers, as the log has them. When the server
 * begins it reads as much of the log's past as it needs.
 */
export class Recovery {
  readonly ring = new Ring();
  readonly sessions = new Sessions();
  readonly namespaces = new Map<string, NamespaceRecovery>();
  /** For packets that the ring has no room for; none where the consumer is the caller's. */
  past: Past | undefined;
  readonly maxBytes: number;
  readonly maxDisconnectionDuration: number;
  /** For how long packets are kept: a client's offset may be older, but then it has what is older: it answered pings since. */
  readonly window: number;
  readonly #refresh: NodeJS.Timeout;
  /** By server, when something of it was written last: milliseconds since 1970. */
  readonly #heard = new Map<string, number>();
  #expired = 0;

  constructor({ maxDisconnectionDuration, pingTimeout }: { maxDisconnectionDuration: number; pingTimeout: number }, maxBytes: number) {
    this.maxBytes = maxBytes;
    this.maxDisconnectionDuration = maxDisconnectionDuration;
    this.window = maxDisconnectionDuration + pingTimeout + SLACK_MS;
    const refresh = (): void => {
      for (const namespace of this.namespaces.values()) namespace.refresh();
      this.expire();
    };
    this.#refresh = setInterval(refresh, Math.max(100, Math.min(maxDisconnectionDuration / 8, 60_000)));
    this.#refresh.unref();
  }

  /** How far back the log is read when the server begins: each open session is written in this time, or less, and then stays for the rest of it. */
  get history(): number {
    return this.window + Math.ceil(0.75 * this.maxDisconnectionDuration);
  }

  /** Of the past: whether a record is needed. */
  wants(type: number, timestamp: number): boolean {
    if (type === RecordType.Session || type === RecordType.SessionEnd || type === RecordType.Claim || type === RecordType.Alive) return true;
    return type === MessageType.BROADCAST && timestamp > Date.now() - this.window;
  }

  /** Every record of the log, in its order. @throws Error for what is no such record */
  keep(namespace: string, record: LogRecord, place: Place, timestamp: number, live: boolean): void {
    const at = live ? Date.now() : timestamp;
    this.#heard.set(record.uid, at);
    // A record for clients is passed when it is done.
    if (live && !(record.type >= MessageType.BROADCAST && record.type <= MessageType.DISCONNECT_SOCKETS)) this.namespaces.get(namespace)?.passed(place);
    switch (record.type) {
      case MessageType.BROADCAST: {
        const entry = entryOf(namespace, record, place, at);
        if (!entry) return;
        this.ring.add(entry);
        break;
      }
      case RecordType.Session: {
        const { pid, final } = checkSession(record.data);
        const { partition, offset, body } = place;
        const stored = { owner: record.uid, partition, offset, at, final: final === true, body };
        const claimant = this.sessions.put(namespace, pid, stored);
        if (!live) break;
        const recovering = this.namespaces.get(namespace);
        if (claimant) recovering?.onGiven(claimant, pid, place, body);
        recovering?.onSession(pid, final === true);
        break;
      }
      case RecordType.SessionEnd:
        this.sessions.end(namespace, pidOf(record.data), record.uid);
        return;
      case RecordType.Claim: {
        const pid = pidOf(record.data);
        if ((record.data as { back?: unknown }).back === true) {
          this.sessions.giveBack(namespace, pid, record.uid);
          if (live && this.sessions.get(namespace, pid)?.final) this.namespaces.get(namespace)?.onSession(pid, true);
          return;
        }
        const before = this.sessions.get(namespace, pid);
        // Whoever's clock says what: in the log the session is the claimer's now.
        const over = before !== undefined && this.#isOver(before, at);
        const { uid: owner, number } = record;
        const { partition, offset } = place;
        const { now, spare } = record.data as Urgency;
        const outcome = this.sessions.claim(namespace, pid, { owner, number, partition, offset, at }, { now: now === true, spare: spare === true });
        if (live) this.namespaces.get(namespace)?.onClaim(record, pid, place, over ? undefined : outcome);
        return;
      }
      default:
        return;
    }
    while (this.bytes > this.maxBytes && (this.ring.evict() || this.sessions.evict()));
  }

  get bytes(): number {
    return this.ring.bytes + this.sessions.bytes;
  }

  /** A connection whose server wrote nothing for so long is as old as what that wrote last. */
  #isOver({ owner, at, final }: Stored, now: number): boolean {
    return (final ? at : Math.max(at, this.#heard.get(owner) ?? 0)) < now - this.maxDisconnectionDuration;
  }

  /** Whether a server may answer. */
  isAlive(uid: string, heartbeatTimeout: number): boolean {
    return (this.#heard.get(uid) ?? 0) > Date.now() - heartbeatTimeout;
  }

  expire(now = Date.now()): void {
    if (now - this.#expired < 1000) return;
    this.#expired = now;
    this.ring.expire(now - this.window);
    this.sessions.expire((stored) => this.#isOver(stored, now));
    for (const [uid, at] of this.#heard) if (at < now - this.history) this.#heard.delete(uid);
  }

  /** The records of the log are gone. */
  forget(): void {
    Object.assign(this, { ring: new Ring() });
    this.#rewrite();
  }

  /** Records below an offset of the partition are not what clients know, or were never read here. */
  lose(partition: number, offset: number): void {
    this.ring.lose(partition, offset, Date.now());
    this.#rewrite();
  }

  /** Sessions that are open are written again. */
  #rewrite(): void {
    Object.assign(this, { sessions: new Sessions() });
    for (const namespace of this.namespaces.values()) namespace.rewrite();
  }

  /** All clients of this server come again with their places: others may have what it lacks. */
  sendAway(onFailure: (error: unknown) => void): void {
    for (const namespace of this.namespaces.values()) namespace.sendAway(onFailure);
  }

  stop(): void {
    clearInterval(this.#refresh);
  }
}

function checkSession(data: unknown): SessionData {
  const session = data as SessionData;
  if (typeof session?.pid !== 'string' || typeof session.sid !== 'string' || !Array.isArray(session.rooms) || !isHad(session.had))
    throw new Error('it is no session');
  return session;
}

function isHad(had: unknown): boolean {
  if (had === undefined) return true;
  if (typeof had !== 'object' || had === null) return false;
  return Object.values(had).every((each) => Array.isArray(each) && each.length === 2 && each.every(Number.isFinite));
}

function pidOf(data: unknown): string {
  const pid = (data as { pid?: unknown } | null)?.pid;
  if (typeof pid !== 'string') throw new Error('it names no session');
  return pid;
}
