'use strict';
// Follows kafka-native with OpenTelemetry: a span for each send and for each message that is processed, one trace for both,
// because the context travels in the message's headers. Nothing of it touches the program that sends and consumes.

const { AsyncLocalStorage } = require('node:async_hooks');
const { tracingChannel } = require('node:diagnostics_channel');
const { context, propagation, ROOT_CONTEXT, SpanKind, SpanStatusCode, trace } = require('@opentelemetry/api');

/** OpenTelemetry's current context, in a storage that channels can set, too. */
const storage = new AsyncLocalStorage();
const contextManager = {
  active: () => storage.getStore() ?? ROOT_CONTEXT,
  with: (of, run, self, ...args) => storage.run(of, () => run.apply(self, args)),
  bind: (of, run) => (typeof run === 'function' ? (...args) => storage.run(of, () => run(...args)) : run),
  enable: () => contextManager,
  disable: () => contextManager,
};

/** Headers as the propagators read and write them; those that were received are Buffers. */
const getter = { keys: (headers) => Object.keys(headers ?? {}), get: (headers, name) => headers?.[name]?.toString() };
const setter = {
  set: (headers, name, value) => {
    headers[name] = value;
  },
};

/** Runs each call in the context that `begin` makes, and ends its span with the call. @param {string} name @param {(event: any) => import('@opentelemetry/api').Context} begin */
function follow(name, begin) {
  const channel = tracingChannel(`kafka-native:${name}`);
  const spans = new WeakMap();
  channel.start.bindStore(storage, (event) => {
    const active = begin(event);
    spans.set(event, trace.getSpan(active));
    return active;
  });
  channel.subscribe({
    start() {},
    end() {},
    asyncStart() {},
    error: (event) =>
      spans
        .get(event)
        ?.setStatus({ code: SpanStatusCode.ERROR, message: /** @type {Error} */ (event.error).message })
        .recordException(event.error),
    asyncEnd: (event) => spans.get(event)?.end(),
  });
}

exports.followKafka = function followKafka() {
  context.setGlobalContextManager(contextManager);
  const tracer = trace.getTracer('kafka-native');
  const attributes = (topic) => ({ 'messaging.system': 'kafka', 'messaging.destination.name': topic });

  follow('send', ({ topic, messages }) => {
    const span = tracer.startSpan(`send ${topic}`, {
      kind: SpanKind.PRODUCER,
      attributes: { ...attributes(topic), 'messaging.batch.message_count': messages.length },
    });
    const active = trace.setSpan(context.active(), span);
    for (const message of messages) propagation.inject(active, message.headers, setter);
    return active;
  });

  // With eachBatch there is `messages` in place of `message`, which may belong to many traces: link them.
  follow('batch', ({ topic, partition, message, messages = [] }) => {
    const parent = message ? propagation.extract(ROOT_CONTEXT, message.headers, getter) : ROOT_CONTEXT;
    const links = messages
      .map(({ headers }) => ({ context: trace.getSpanContext(propagation.extract(ROOT_CONTEXT, headers, getter)) }))
      .filter((link) => link.context);
    const span = tracer.startSpan(
      `process ${topic}`,
      { kind: SpanKind.CONSUMER, links, attributes: { ...attributes(topic), 'messaging.destination.partition.id': String(partition) } },
      parent,
    );
    return trace.setSpan(parent, span);
  });
};
