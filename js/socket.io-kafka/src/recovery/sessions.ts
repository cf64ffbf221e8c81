import type { Room } from 'socket.io-adapter';
import { bytesOf, type Body } from '../record';

/** The data of a connection in a session record. */
export interface SessionData {
  sid: string;
  pid: string;
  rooms: Room[];
  data: unknown;
  /** By server, up to which number the client has its packets though they were not in the log; and when that was said. */
  had?: Had;
  /** The connection has ended. */
  final?: boolean;
}

export type Had = Record<string, [number: number, at: number]>;

/** The first wish in the log to have a session. */
export interface Claim {
  owner: string;
  /** Among its server's records. */
  number: number;
}

/** Claims that do not wait: for an owner that does not answer, or for one that has claimed the session and has not written it. */
export interface Urgency {
  now?: boolean;
  spare?: boolean;
}

/** The result of a claim: the session, or its owner is asked for it, or nobody may have it. */
export type Outcome = Stored | 'asked' | undefined;

/** The newest record of a session. */
export interface Stored {
  /** The server whose records count: the one that it connected to, then who claimed it. */
  owner: string;
  partition: number;
  offset: number;
  /** Milliseconds since 1970. */
  at: number;
  final: boolean;
  /** undefined: it is claimed, and its new owner has not written it yet, or has ended it. */
  body: Body | undefined;
  /** The session as it was when it was claimed, as long as there is no body: its new owner may have died. */
  spare: Body | undefined;
  /** It has had another owner, who may not know yet that it has it no more. */
  moved: boolean;
  /** The claim that gets it when its owner says that the connection has ended. */
  claimant: Claim | undefined;
  bytes: number;
}

const OVERHEAD = 300;

/** The sessions of all servers, by namespace and private id: of each what is newest in the log. */
export class Sessions {
  readonly #byNamespace = new Map<string, Map<string, Stored>>();
  bytes = 0;
  count = 0;

  get(namespace: string, pid: string): Stored | undefined {
    return this.#byNamespace.get(namespace)?.get(pid);
  }

  /** A record of a server that is not the owner any more is late, and does not count. Returns who has claimed the session, when it is his now. */
  put(namespace: string, pid: string, stored: Omit<Stored, 'bytes' | 'moved' | 'claimant' | 'spare'>): Claim | undefined {
    const before = this.get(namespace, pid);
    if (before && before.owner !== stored.owner) return undefined;
    const claimant = before?.claimant;
    if (claimant && stored.final) this.#give(namespace, pid, { ...stored, owner: claimant.owner }, stored.body);
    else this.#set(namespace, pid, { ...stored, moved: before?.moved ?? false, claimant, spare: undefined });
    return stored.final ? claimant : undefined;
  }

  /** The connection ended in a way that is not recovered from. */
  end(namespace: string, pid: string, owner: string): void {
    const before = this.get(namespace, pid);
    if (before?.owner !== owner) return;
    // A late record of an owner before must not bring it back.
    if (before.moved) this.#set(namespace, pid, { ...before, final: true, body: undefined, spare: undefined, claimant: undefined });
    else this.#delete(namespace, pid);
  }

  /**
   * The first claim gets the session; nobody gets it again before its new owner has written it. Where the connection has not ended, as far as
   * the log says, its owner is to say what became of it, unless the claim cannot wait.
   */
  claim(namespace: string, pid: string, claim: Pick<Stored, 'owner' | 'partition' | 'offset' | 'at'> & Claim, { now, spare }: Urgency): Outcome {
    const stored = this.get(namespace, pid);
    const { owner, number } = claim;
    if (stored && !stored.body && stored.spare && spare) {
      this.#give(namespace, pid, claim, stored.spare);
      return { ...stored, body: stored.spare };
    }
    if (!stored?.body || (now && stored.claimant && stored.claimant.owner !== owner)) return undefined;
    if (!stored.final && (stored.owner !== owner || stored.claimant) && !now) {
      // The client may have gone on to yet another server: the last who asks gets it.
      stored.claimant = { owner, number };
      return 'asked';
    }
    this.#give(namespace, pid, claim, stored.body);
    return stored;
  }

  #give(
    namespace: string,
    pid: string,
    { owner, partition, offset, at }: Pick<Stored, 'owner' | 'partition' | 'offset' | 'at'>,
    spare: Body | undefined,
  ): void {
    this.#set(namespace, pid, { owner, partition, offset, at, final: true, body: undefined, spare, moved: true, claimant: undefined });
  }

  /** A server that closes wants no session any more: what it has claimed, and not written, is as it was. */
  giveBack(namespace: string, pid: string, owner: string): void {
    const stored = this.get(namespace, pid);
    if (stored?.claimant?.owner === owner) stored.claimant = undefined;
    if (stored?.owner === owner && !stored.body && stored.spare) this.#set(namespace, pid, { ...stored, body: stored.spare, spare: undefined });
  }

  expire(isOver: (stored: Stored) => boolean): void {
    for (const [namespace, sessions] of this.#byNamespace) {
      for (const [pid, stored] of sessions) if (isOver(stored)) this.#delete(namespace, pid);
    }
  }

  #set(namespace: string, pid: string, stored: Omit<Stored, 'bytes'>): void {
    // It comes behind the others again: a map is in the order of the log.
    this.#delete(namespace, pid);
    let sessions = this.#byNamespace.get(namespace);
    if (!sessions) this.#byNamespace.set(namespace, (sessions = new Map()));
    const body = stored.body ?? stored.spare;
    const bytes = (body ? bytesOf(body) : 0) + OVERHEAD;
    sessions.set(pid, { ...stored, bytes });
    this.bytes += bytes;
    this.count++;
  }

  /** Makes room; false when there is nothing left. */
  evict(): boolean {
    for (const [namespace, sessions] of this.#byNamespace) {
      for (const pid of sessions.keys()) {
        this.#delete(namespace, pid);
        return true;
      }
    }
    return false;
  }

  #delete(namespace: string, pid: string): void {
    const sessions = this.#byNamespace.get(namespace);
    const stored = sessions?.get(pid);
    if (!stored) return;
    sessions!.delete(pid);
    if (sessions!.size === 0) this.#byNamespace.delete(namespace);
    this.bytes -= stored.bytes;
    this.count--;
  }
}
