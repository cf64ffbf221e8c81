'use strict';
// A program with OpenTelemetry's instrumentation for KafkaJS, which sends, handles, and says which spans there were.

const { propagation } = require('@opentelemetry/api');
const { W3CTraceContextPropagator } = require('@opentelemetry/core');
const { registerInstrumentations } = require('@opentelemetry/instrumentation');
const { KafkaJsInstrumentation } = require('@opentelemetry/instrumentation-kafkajs');
const { BasicTracerProvider, InMemorySpanExporter, SimpleSpanProcessor } = require('@opentelemetry/sdk-trace-base');

const exporter = new InMemorySpanExporter();
propagation.setGlobalPropagator(new W3CTraceContextPropagator());
registerInstrumentations({
  instrumentations: [new KafkaJsInstrumentation()],
  tracerProvider: new BasicTracerProvider({ spanProcessors: [new SimpleSpanProcessor(exporter)] }),
});

const { Kafka } = require('kafkajs');
const { brokers, topic, groupId, transactionalId } = JSON.parse(process.argv[2]);

async function main() {
  const kafka = new Kafka({ brokers, logLevel: 0 });
  const producer = kafka.producer({ transactionalId });
  const consumer = kafka.consumer({ groupId });
  await Promise.all([producer.connect(), consumer.connect()]);
  await consumer.subscribe({ topic, fromBeginning: true });
  let all;
  const handled = new Promise((resolve) => (all = resolve));
  const values = [];
  await consumer.run({ eachMessage: async ({ message }) => values.push(String(message.value)) === 3 && all() });
  await producer.send({ topic, messages: [{ value: 'one' }] });
  await producer.sendBatch({ topicMessages: [{ topic, messages: [{ value: 'two' }] }] });
  const transaction = await producer.transaction();
  await transaction.send({ topic, messages: [{ value: 'three' }] });
  await transaction.commit();
  await handled;
  await Promise.all([producer.disconnect(), consumer.disconnect()]);
  const spans = exporter.getFinishedSpans().map((span) => ({ name: span.name, parent: span.parentSpanContext?.spanId, id: span.spanContext().spanId }));
  process.send({ type: 'done', values, spans });
  process.disconnect();
}

main();
