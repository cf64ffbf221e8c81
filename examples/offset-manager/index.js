'use strict';
// Effects that happen exactly once: the offsets are kept with the results, in one atomic write.
//
// With offset files a process that dies between its work and the recording of the offset repeats the work: the balance of
// an account would be wrong by one payment. Here there is no between: a balance and the offset it stands for are written
// together (ledger.js), and the next start asks the ledger where to go on.
//
//   KAFKA_BROKER=host:port node examples/offset-manager [topic] [file]

const path = require('node:path');
const { Consumer } = require('kafka-native');
const { Ledger } = require('./ledger.js');

async function main() {
  const ledger = await Ledger.open(path.resolve(process.argv[3] ?? 'ledger.json'));

  const consumer = new Consumer({
    broker: process.env.KAFKA_BROKER ?? 'localhost:9092',
    topic: process.argv[2] ?? 'clicks',
    offset_manager: {
      read: async (partitions) => partitions.map((partition) => ledger.offsets[partition] ?? -1),
      // They are in the ledger before the consumer knows that the batch is done.
      commit: async () => {},
    },
    // A batch that could not be written is delivered again, and nothing overtakes it.
    commit_on_error: false,
    receive_callback: async ({ messages }) => {
      await ledger.book(messages);
      console.log(`booked ${messages.length} payments`);
    },
  });

  const partitions = await consumer.start();
  console.log(`partitions ${partitions.join(', ')}; so far: ${JSON.stringify(ledger.balances)}`);
  const stop = () => consumer.stop({ drain: true });
  process.once('SIGTERM', stop);
  process.once('SIGINT', stop);
}

main().catch((error) => {
  console.error(error.message);
  process.exitCode = 1;
});
