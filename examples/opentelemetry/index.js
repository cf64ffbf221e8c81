'use strict';
// One trace from a send to the message's handler, and what the handler does. Usage: node examples/opentelemetry [topic]

const { propagation, trace } = require('@opentelemetry/api');
const { BasicTracerProvider, ConsoleSpanExporter, SimpleSpanProcessor } = require('@opentelemetry/sdk-trace-base');
const { W3CTraceContextPropagator } = require('@opentelemetry/core');
const { Kafka } = require('kafka-native');
const { followKafka } = require('./tracing.js');

trace.setGlobalTracerProvider(new BasicTracerProvider({ spanProcessors: [new SimpleSpanProcessor(new ConsoleSpanExporter())] }));
propagation.setGlobalPropagator(new W3CTraceContextPropagator());
followKafka();

const topic = process.argv[2] ?? 'clicks';
const tracer = trace.getTracer('shop');
const kafka = new Kafka({ clientId: 'shop', brokers: [process.env.KAFKA_BROKER ?? 'localhost:9092'], logLevel: 1 });
const producer = kafka.producer();
const consumer = kafka.consumer({ groupId: `shop-${process.pid}` });

(async () => {
  await Promise.all([producer.connect(), consumer.connect()]);
  await consumer.subscribe({ topics: [topic], fromBeginning: true });
  /** @type {Promise<void>} */
  const handled = new Promise((resolve) => {
    consumer.run({
      eachMessage: async ({ message }) => {
        await tracer.startActiveSpan('ship', async (span) => {
          span.setAttribute('order', String(message.value));
          span.end();
        });
        resolve();
      },
    });
  });
  await tracer.startActiveSpan('checkout', async (span) => {
    await producer.send({ topic, messages: [{ key: 'user-1', value: 'order-1' }] });
    span.end();
  });
  await handled;
  await Promise.all([producer.disconnect(), consumer.disconnect()]);
})();
