import { AsyncLocalStorage } from 'node:async_hooks';

/** Node 24 carries it for nothing; before, it costs each message that is awaited 350 ns. */
const context = Number(process.versions.node.split('.')[0]) >= 24 ? new AsyncLocalStorage<{ of: Handled; ended: boolean }>() : undefined;

let named = 0;

/** Knows whether the code that runs was called by one of the handlers that it runs. @internal */
export class Handled {
  /** Of a function that is on the stack, or among what awaits, while a handler runs. */
  readonly #name = `handler of consumer ${++named}`;
  readonly #awaited: (handle: () => Promise<void>) => Promise<void>;

  constructor() {
    const { [this.#name]: awaited } = { [this.#name]: async (handle: () => Promise<void>): Promise<void> => await handle() };
    this.#awaited = awaited!;
  }

  run(handle: () => Promise<void>): Promise<void> {
    if (!context) return this.#awaited(handle);
    // Code that a handler leaves running, and nobody waits for, is outside once the handler has ended.
    const call = { of: this, ended: false };
    return context.run(call, () => this.#awaited(handle)).finally(() => (call.ended = true));
  }

  /** Without the context it is not seen through a callback or a promise that is not Node's own. */
  get inside(): boolean {
    const call = context?.getStore();
    if (call?.of === this && !call.ended) return true;
    const { prepareStackTrace, stackTraceLimit } = Error;
    try {
      Error.stackTraceLimit = Infinity;
      Error.prepareStackTrace = (_, calls) => calls.some((call) => call.getFunctionName() === this.#name);
      return new Error().stack as unknown as boolean;
    } finally {
      Error.prepareStackTrace = prepareStackTrace;
      Error.stackTraceLimit = stackTraceLimit;
    }
  }
}
