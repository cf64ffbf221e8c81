'use strict';

const { execFile } = require('node:child_process');
const fs = require('node:fs');
const path = require('node:path');
const { promisify } = require('node:util');
const { codeOf } = require('./lock.js');

const run = promisify(execFile);

const JAVA = process.env.JAVA_HOME ? path.join(process.env.JAVA_HOME, 'bin', 'java') : 'java';
const LIBS = path.join(__dirname, 'libs');
/** The classes of a running broker, ready to be mapped into a JVM. Empty if this JVM cannot make one. See archive.js. */
const ARCHIVE = path.join(LIBS, 'kafka.jsa');
const OLDEST_JAVA = 17;

/** @typedef {'test' | 'bench'} Heap */

/** @type {Record<Heap, string[]>} */
const HEAPS = {
  test: ['-Xms256m', '-Xmx512m', '-XX:+UseSerialGC', '-XX:TieredStopAtLevel=1', '-Xshare:auto'],
  bench: ['-Xms1g', '-Xmx1g', '-XX:+UseG1GC', '-XX:MaxGCPauseMillis=20'],
};

/**
 * The arguments of `java` before the main class.
 *
 * @param {Heap} heap
 */
function javaArgs(heap) {
  return [
    ...HEAPS[heap],
    ...(fs.statSync(ARCHIVE, { throwIfNoEntry: false })?.size ? [`-XX:SharedArchiveFile=${ARCHIVE}`] : []),
    '-XX:+ExitOnOutOfMemoryError',
    `-Dlog4j2.configurationFile=${path.join(__dirname, 'log4j2.properties')}`,
    '-cp',
    path.join(LIBS, '*'),
  ];
}

/**
 * Runs one of Kafka's command line classes to its end.
 *
 * @param {string} mainClass
 * @param {string[]} args
 * @returns {Promise<string>} what it printed
 */
async function runTool(mainClass, args) {
  const { stdout } = await run(JAVA, [...javaArgs('test'), mainClass, ...args]).catch((error) => {
    throw new Error(`${mainClass} failed:\n${error.stdout}${error.stderr}`, { cause: error });
  });
  return stdout;
}

/** Throws an error that says what to install, unless there is a `java` that can run the broker. */
async function checkJava() {
  const advice = `install a JDK ${OLDEST_JAVA} or newer (Debian: apt-get install openjdk-17-jdk-headless; macOS: brew install openjdk)`;
  const { stderr } = await run(JAVA, ['-version']).catch((error) => {
    throw new Error(`Apache Kafka needs Java, and '${JAVA} -version' failed (${codeOf(error)}): ${advice}`);
  });
  const version = Number(/version "(\d+)/.exec(stderr)?.[1]);
  if (!(version >= OLDEST_JAVA)) throw new Error(`Apache Kafka needs Java ${OLDEST_JAVA}, and '${JAVA}' is ${version}: ${advice}`);
}

/** Throws an error that says what to install, unless there is a `mvn`. */
async function checkMaven() {
  await run('mvn', ['-v']).catch((error) => {
    throw new Error(
      `Apache Kafka's jars are fetched with Maven, and 'mvn -v' failed (${codeOf(error)}): ` +
        'install it (Debian: apt-get install maven; macOS: brew install maven)',
    );
  });
}

module.exports = { ARCHIVE, JAVA, LIBS, javaArgs, runTool, checkJava, checkMaven };
