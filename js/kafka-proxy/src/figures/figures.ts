// The proxy's work, counted where it is done.

import { Named } from './named';
import { Exchange, Traffic } from './traffic';

/** One a proxy. On the JavaScript thread. */
export class Figures {
  /** Milliseconds since 1970. */
  readonly since = Date.now();
  readonly all = new Exchange();
  readonly topics = new Named(() => new Exchange());
  /** Messages that groups' members got. */
  readonly groups = new Named<GroupTraffic>(() => new GroupTraffic());
  /** Upgrades and requests that were refused, by HTTP status. */
  readonly refused = new Map<number, number>();
  refusals = 0;

  /** Messages of a topic went to a client, in a group or not. Bytes are those of the frame. */
  sent(client: Exchange, topic: string, group: string | undefined, messages: number, bytes: number): void {
    this.all.sent.add(messages, bytes);
    client.sent.add(messages, bytes);
    this.topics.of(topic).sent.add(messages, bytes);
    if (group !== undefined) this.groups.of(group).sent.add(messages, bytes);
  }

  /** Messages of a client were written to a topic. Bytes are those of keys, values and headers. */
  received(client: Exchange, topic: string, messages: number, bytes: number): void {
    this.all.received.add(messages, bytes);
    client.received.add(messages, bytes);
    this.topics.of(topic).received.add(messages, bytes);
  }

  refuse(status: number): void {
    this.refusals++;
    this.refused.set(status, (this.refused.get(status) ?? 0) + 1);
  }

  /** Once a second. */
  tick(now: number): void {
    this.all.tick(now);
    this.topics.tick(now);
    this.groups.tick(now);
  }
}

/** Messages that a group's members got. */
export class GroupTraffic {
  readonly sent = new Traffic();

  get messages(): number {
    return this.sent.messages;
  }

  tick(now: number): void {
    this.sent.tick(now);
  }

  add({ sent }: GroupTraffic): void {
    this.sent.take(sent);
  }
}
