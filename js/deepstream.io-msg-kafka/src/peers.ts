import { CLUSTER, CLUSTER_REMOVE, isLeave, isStatus, type Message } from './deepstream';

/** deepstream misses a server that died without a word to anybody: of more than so many, those are forgotten that were silent for longest. */
const MOST = 10_000;

export interface PeersOptions {
  /** To the subscribers of this server. */
  deliver(message: Message, from: string): void;
  /** A server is heard of for the first time. */
  onCome(server: string): void;
}

/**
 * Which node speaks for each other server. deepstream knows servers by their names alone: one that was killed and is back under its name before it was
 * missed would keep for ever what the dead one had, its providers and its users.
 */
export class Peers {
  readonly #options: PeersOptions;
  /** In the order of their last signs of life. */
  readonly #nodes = new Map<string, string>();

  constructor(options: PeersOptions) {
    this.#options = options;
  }

  /** A message of another server, whose node is the one with this id. */
  hear(message: Message, server: string, node: string): void {
    const { deliver, onCome } = this.#options;
    const known = this.#nodes.get(server);
    if (isLeave(message)) {
      // The last message of a node does not remove the node that has its name by now.
      if (known !== undefined && known !== node) return;
      this.#nodes.delete(server);
    } else if (known !== node) {
      this.#remember(server, node);
      if (known !== undefined) deliver({ topic: CLUSTER, action: CLUSTER_REMOVE, name: server, serverName: server }, server);
      onCome(server);
    } else if (isStatus(message)) {
      this.#remember(server, node);
    }
    deliver(message, server);
  }

  #remember(server: string, node: string): void {
    this.#nodes.delete(server);
    this.#nodes.set(server, node);
    if (this.#nodes.size > MOST) this.#nodes.delete(this.#nodes.keys().next().value!);
  }
}
