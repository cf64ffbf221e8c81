'use strict';

const fs = require('node:fs');
const os = require('node:os');
const path = require('node:path');
const { Broker } = require('./broker.js');
const { ALL_LISTENERS, LOOPBACK, serverProperties } = require('./config.js');
const { ARCHIVE, javaArgs } = require('./java.js');
const { withLock } = require('./lock.js');
const { releasePorts, reservePorts } = require('./ports.js');
const { makeTls } = require('./tls.js');

const EXIT_TIMEOUT = 60_000;

/**
 * Makes the archive of the classes that a broker loads, unless it is there. Mapping them in place of loading, verifying
 * and linking them takes about half of the time off every start. A broker writes the archive as it exits.
 */
async function makeArchive() {
  if (fs.existsSync(ARCHIVE)) return;
  await withLock(`${ARCHIVE}.lock`, async () => {
    if (fs.existsSync(ARCHIVE)) return;
    const dir = fs.mkdtempSync(path.join(os.tmpdir(), 'kafka-native-'));
    const numbers = await reservePorts(dir, 1 + ALL_LISTENERS.length);
    try {
      const fresh = `${ARCHIVE}.new`;
      fs.rmSync(fresh, { force: true });
      await runOnce(dir, numbers, [...javaArgs('test'), `-XX:ArchiveClassesAtExit=${fresh}`]);
      // A JVM that cannot make one is not asked again.
      if (!fs.existsSync(fresh)) fs.writeFileSync(fresh, '');
      fs.renameSync(fresh, ARCHIVE);
    } finally {
      fs.rmSync(dir, { recursive: true, force: true });
      releasePorts(numbers);
    }
  });
}

/**
 * Starts a broker with all listeners and stops it.
 *
 * @param {string} dir
 * @param {number[]} numbers of ports
 * @param {string[]} jvm
 */
async function runOnce(dir, numbers, jvm) {
  const ports = /** @type {import('./config.js').Ports} */ (Object.fromEntries(['controller', ...ALL_LISTENERS].map((kind, i) => [kind, numbers[i]])));
  const tlsDir = path.join(dir, 'tls');
  await makeTls(tlsDir);
  const broker = new Broker({ id: 1, dir, clusterId: 'kafka-native-archive00', host: LOOPBACK, ports, alone: true, jvm, detached: false, wipe: dir });
  const properties = { id: 1, ports: [ports], host: LOOPBACK, dataDir: path.join(dir, 'data'), tlsDir, config: {} };
  fs.writeFileSync(broker.properties, serverProperties({ ...properties, security: true, acls: true, autoCreateTopics: true }));
  await broker.format();
  await broker.start();
  await broker.stop(EXIT_TIMEOUT);
}

module.exports = { makeArchive };
