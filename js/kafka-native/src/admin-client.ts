import type { AdminRequests, Named } from './admin-requests';
import { Event, type NativeAdmin, type NativeLog, type NativeTokens, type Told } from './binding';
import { Calls } from './calls';
import { fromData, native, type KafkaError } from './errors';
import { keep, letGo, watchExit, weakly } from './lifetime';
import { binding } from './loader';
import type { Properties } from './options';

/** Events of an admin that have no caller. @internal */
export interface AdminTells {
  error(error: KafkaError): void;
  log(lines: NativeLog[], dropped: number): void;
  stats?(json: string): void;
  /** A request was answered, of which it is told while {@link AdminClient.watchRequests} says so. */
  request?(broker: string, figures: number[]): void;
  /** Somebody wants its statistics: it lives until it is closed. */
  kept?: boolean;
}

/** The native admin, with promises; it does not keep the process alive between calls. @internal */
export class AdminClient {
  readonly #native: NativeAdmin;
  readonly #calls = new Calls(this);
  readonly #tells: AdminTells;
  readonly #giveToken: ((native: NativeTokens) => void) | undefined;
  #open = true;

  /** @param giveToken answers for a token that is wanted, with SASL/OAUTHBEARER */
  constructor(properties: Properties, tells: AdminTells, giveToken?: (native: NativeTokens) => void) {
    this.#tells = tells;
    this.#giveToken = giveToken;
    this.#native = native(() => new binding.NativeAdmin({ properties, tokens: giveToken !== undefined }, weakly(this.#onEvent)));
    if (tells.kept) keep(this);
    watchExit();
  }

  get open(): boolean {
    return this.#open;
  }

  watchRequests(wanted: boolean): void {
    this.#native.watchRequests(wanted);
  }

  connect(timeout: number): Promise<void> {
    return this.#calls.start((id) => this.#native.connect(id, timeout));
  }

  /** @param timeout milliseconds, up to an hour */
  async request<K extends keyof AdminRequests>(name: K, fields: AdminRequests[K]['fields'], timeout: number): Promise<AdminRequests[K]['answer']> {
    return JSON.parse(await this.#calls.start<string>((id) => this.#native.request(id, name, JSON.stringify(fields), timeout)));
  }

  /** Pending calls reject; a second call does nothing. */
  close(): void {
    if (!this.#open) return;
    this.#open = false;
    this.#native.close();
    letGo(this);
  }

  readonly #onEvent = (...told: Told): void => {
    if (told[0] === Event.Reply) this.#calls.finish(told[1], told[2], told[3]);
    else if (told[0] === Event.Error) this.#tells.error(fromData(told[1]));
    else if (told[0] === Event.Log) this.#tells.log(told[1], told[2]);
    else if (told[0] === Event.Stats) this.#tells.stats?.(told[1]);
    else if (told[0] === Event.Request) this.#tells.request?.(told[1], told[2]);
    else if (told[0] === Event.Token) this.#giveToken?.(this.#native);
  };
}

/** The result of one item of a request. */
export type ItemResult<T = null> = Named<T>['result'];

/** The value of an item, or its error thrown. @internal */
export function unwrap<T>(result: ItemResult<T>): T {
  if ('Err' in result) throw fromData(result.Err);
  return result.Ok;
}
