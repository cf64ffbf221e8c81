'use strict';
// Two services of NestJS and a client of theirs, which ask, answer and tell, with whatever `kafkajs` is.

require('reflect-metadata');
const { Controller, Logger, Module } = require('@nestjs/common');
const { NestFactory } = require('@nestjs/core');
const { ClientKafka, Ctx, EventPattern, MessagePattern, Payload, Transport } = require('@nestjs/microservices');
const { lastValueFrom, timeout } = require('rxjs');

const { brokers, names, questions } = JSON.parse(process.argv[2]);
const said = [];
Logger.overrideLogger({ log: (line) => said.push(line), error: (...line) => said.push(line.map(String).join(' ')), warn: (line) => said.push(line), debug() {}, verbose() {} });
const client = { clientId: 'nest', brokers };

const decorate = (target, method, decorator) => Reflect.decorate([decorator], target.prototype, method, Object.getOwnPropertyDescriptor(target.prototype, method));

/** A service that says who it is. */
function service(name, events) {
  class Sums {
    sum(numbers) {
      return { by: name, sum: numbers.reduce((a, b) => a + b, 0) };
    }
    seen(value, context) {
      events.push({ by: name, value, partition: context.getPartition() });
    }
  }
  decorate(Sums, 'sum', MessagePattern(names.sum));
  decorate(Sums, 'seen', EventPattern(names.seen));
  Payload()(Sums.prototype, 'seen', 0);
  Ctx()(Sums.prototype, 'seen', 1);
  Controller()(Sums);
  class App {}
  Module({ controllers: [Sums] })(App);
  return NestFactory.createMicroservice(App, { transport: Transport.KAFKA, options: { client, consumer: { groupId: names.group }, subscribe: { fromBeginning: true } } });
}

async function main() {
  const events = [];
  const services = [await service('a', events), await service('b', events)];
  // Side by side, as two processes are.
  await Promise.all(services.map((each) => each.listen()));
  const asking = new ClientKafka({ client, consumer: { groupId: names.group } });
  asking.subscribeToResponseOf(names.sum);
  await asking.connect();
  const assigned = Object.keys(asking.getConsumerAssignments());

  const answers = await Promise.all(Array.from({ length: questions }, (_, i) => lastValueFrom(asking.send(names.sum, { key: String(i), value: [i, 1] }).pipe(timeout(30_000)))));
  for (let i = 0; i < questions; i++) await lastValueFrom(asking.emit(names.seen, { key: String(i), value: i }));
  while (events.length < questions) await new Promise((resolve) => setTimeout(resolve, 20));

  const telling = new ClientKafka({ client, consumer: { groupId: `${names.group}-2` } });
  await telling.connect();
  await lastValueFrom(telling.emit(names.seen, { key: 'last', value: 'last' }));
  while (events.length < questions + 1) await new Promise((resolve) => setTimeout(resolve, 20));
  await Promise.all([asking.close(), telling.close(), ...services.map((each) => each.close())]);
  process.send({ type: 'done', assigned, answers, events, said });
  process.disconnect();
}

main();
