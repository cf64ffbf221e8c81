// Figures that are watched, and reported when they are not as they should be.

import type { AlertState } from '../http/api';
import type { Log } from '../options';
import { within } from '../within';
import { nameOf, type Alarm, type AlertHook, type AlertOptions, type Webhook } from './alert-options';
import type { Figures } from './figures';
import { Ring } from './ring';
import type { Samples } from './samples';
import { Teller } from './teller';
import { post } from './webhook';

/** Milliseconds that a hook may take. */
const HOOK = 10_000;

export interface AlertsOptions {
  alerts: readonly AlertOptions[];
  hook: AlertHook | undefined;
  webhook: Webhook | undefined;
}

/** A finding; without a value it is not known. */
interface Measure {
  value?: number;
  firing?: boolean;
  message: string;
}

/** Looked at once a second. On the JavaScript thread. */
export class Alerts {
  readonly #alerts: readonly Alert[];
  readonly #ending = new AbortController();

  constructor({ alerts, hook, webhook }: AlertsOptions, samples: Samples, figures: Figures, log: Log) {
    this.#alerts = alerts.map((options) => {
      const own = options.hook !== undefined || options.webhook !== undefined;
      const to = own ? options : { hook, webhook };
      return new Alert(options, to, measureOf(options, samples, figures), this.#ending.signal, log);
    });
  }

  tick(now: number): void {
    if (this.#ending.signal.aborted) return;
    for (const alert of this.#alerts) alert.look(now);
  }

  get states(): AlertState[] {
    return this.#alerts.map(({ name, state, since, message }) => ({ name, state, since, message }));
  }

  /** `firing` is what was known last, also where that is unknown now. */
  get all(): readonly { readonly name: string; readonly firing: boolean; readonly state: AlertState['state'] }[] {
    return this.#alerts;
  }

  /** Nothing is told any more. */
  close(): void {
    this.#ending.abort();
  }
}

class Alert {
  readonly name: string;
  state: AlertState['state'] = 'unknown';
  since = Date.now();
  message = 'Kafka has not been asked yet.';
  firing = false;
  #firingSince = Date.now();
  #value = 0;
  /** The message of the last look at which the state was known. */
  #last = this.message;
  /** Since when it is as it should not be. */
  #pending: number | undefined;
  readonly #for: number;
  readonly #threshold: number;
  readonly #measure: (now: number) => Measure;
  readonly #tellers: Teller[] = [];

  constructor(
    options: AlertOptions,
    { hook, webhook }: { hook?: AlertHook | undefined; webhook?: Webhook | undefined },
    measure: (now: number) => Measure,
    ending: AbortSignal,
    log: Log,
  ) {
    const { lag, silent, refused, for: seconds = 0 } = options;
    this.name = nameOf(options);
    this.#measure = measure;
    this.#for = 1000 * seconds;
    this.#threshold = lag?.above ?? silent?.seconds ?? refused?.above ?? 1;
    const teller = (what: string, tell: (alarm: Alarm) => Promise<unknown>): void => {
      const call = async (firing: boolean): Promise<void> => {
        try {
          await tell(this.#alarm(firing));
        } catch (error) {
          if (!ending.aborted)
            log.warn(`The ${what} of the alert "${this.name}" failed, and is tried again in a minute: ${(error as Error)?.message ?? 'no error'}`);
          throw error;
        }
      };
      this.#tellers.push(new Teller(call));
    };
    if (hook) teller('hook', (alarm) => within(HOOK, () => hook(alarm), ending));
    if (webhook !== undefined) teller('webhook', (alarm) => post(webhook, alarm, ending));
  }

  look(now: number): void {
    const { value, firing, message } = this.#measure(now);
    this.message = message;
    if (value === undefined || firing === undefined) return this.#become('unknown');
    this.#pending = firing ? (this.#pending ?? now) : undefined;
    const fires = this.#pending !== undefined && now - this.#pending >= this.#for;
    this.#value = value;
    this.#last = message;
    if (fires !== this.firing) this.#firingSince = Date.now();
    this.firing = fires;
    this.#become(fires ? 'firing' : 'ok');
    for (const teller of this.#tellers) teller.look(fires, now);
  }

  #become(state: AlertState['state']): void {
    if (state === this.state) return;
    this.state = state;
    this.since = state === 'unknown' ? Date.now() : this.#firingSince;
  }

  #alarm(firing: boolean): Alarm {
    return { name: this.name, state: firing ? 'firing' : 'ok', since: this.#firingSince, value: this.#value, threshold: this.#threshold, message: this.#last };
  }
}

const SILENT_KAFKA = 'Kafka does not say it now.';

function measureOf({ lag, noConsumer, silent, refused }: AlertOptions, samples: Samples, figures: Figures): (now: number) => Measure {
  if (lag) return () => behind(lag, samples);
  if (noConsumer) {
    return () => {
      const value = samples.members(noConsumer.group);
      if (value === undefined) return { message: SILENT_KAFKA };
      return { value, firing: value === 0, message: `The group ${noConsumer.group} has ${value === 0 ? 'no members' : `${value} members`}.` };
    };
  }
  if (silent) {
    return () => {
      const found = samples.silence(silent.topic);
      if (found === 'gone') return { message: `There is no topic ${silent.topic}.` };
      if (found === undefined) return { message: SILENT_KAFKA };
      const value = Math.floor(found / 1000);
      const firing = value >= silent.seconds;
      return {
        value,
        firing,
        message: `The topic ${silent.topic} has got ${firing ? 'no message' : 'its last message'} ${firing ? 'for' : 'in the last'} ${firing ? value : silent.seconds} s.`,
      };
    };
  }
  const { above, seconds } = refused!;
  /** The count of refusals at each look. */
  const counts = new Ring<number>(seconds + 1);
  return () => {
    const count = figures.refusals;
    counts.push(counts.newest === undefined ? 0 : count);
    const value = count - (counts.oldest ?? 0);
    return { value, firing: value > above, message: `${value} sockets and requests were refused in the last ${seconds} s.` };
  };
}

function behind({ group, topic, above }: AlertOptions['lag'] & object, samples: Samples): Measure {
  const found = samples.lag(group, topic);
  if (!found) return { message: SILENT_KAFKA };
  const value = topic === undefined ? found.lag : found.topics[topic];
  if (value == null)
    return { message: topic === undefined ? `The group ${group} has committed nothing, and has no members here.` : `There is no topic ${topic}.` };
  const where = topic === undefined ? '' : ` in ${topic}`;
  return {
    value,
    firing: value > above,
    message: `The group ${group} is ${value} messages behind${where}: ${value > above ? 'more' : 'no more'} than ${above}.`,
  };
}
