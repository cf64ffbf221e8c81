/**
 * Makes a client's methods its own, bound to it, as KafkaJS's are: `const { send } = producer`, `{ ...producer }` and
 * `process.on('SIGTERM', consumer.disconnect)` are right. @internal
 */
export function ownMethods(client: object): void {
  const own = client as Record<PropertyKey, unknown>;
  for (let prototype = Object.getPrototypeOf(client); prototype !== Object.prototype; prototype = Object.getPrototypeOf(prototype)) {
    for (const name of Reflect.ownKeys(prototype)) {
      const method = name === 'constructor' || Object.hasOwn(own, name) ? undefined : Object.getOwnPropertyDescriptor(prototype, name)?.value;
      if (typeof method === 'function') own[name] = method.bind(client);
    }
  }
}
