'use strict';

const { execFile } = require('node:child_process');
const { createHash } = require('node:crypto');
const fs = require('node:fs');
const path = require('node:path');
const { promisify } = require('node:util');
const { LIBS, checkMaven } = require('./java.js');
const { withLock } = require('./lock.js');

const POM = path.join(__dirname, 'pom.xml');
const COPY = 'org.apache.maven.plugins:maven-dependency-plugin:3.8.1:copy-dependencies';

/**
 * Fetches the jars that pom.xml names into libs/, unless they are there.
 *
 * libs/ appears in one step and carries the digest of its pom.xml, so a download that was cut off, or another version's
 * jars, never count. Processes that ask at the same time wait for one download.
 *
 * @returns {Promise<boolean>} whether they had to be fetched
 */
async function fetchJars() {
  if (areFetched()) return false;
  await checkMaven();
  return withLock(`${LIBS}.lock`, async () => {
    if (areFetched()) return false;
    for (const name of fs.readdirSync(__dirname)) {
      if (/^libs\.\w{6}$/.test(name)) fs.rmSync(path.join(__dirname, name), { recursive: true }); // of a fetch that was killed
    }
    const fresh = fs.mkdtempSync(`${LIBS}.`);
    try {
      await promisify(execFile)('mvn', ['-q', '-B', '-f', POM, COPY, '-DincludeScope=runtime', `-DoutputDirectory=${fresh}`]);
      fs.writeFileSync(path.join(fresh, 'pom.sha256'), digest());
      fs.rmSync(LIBS, { recursive: true, force: true });
      fs.renameSync(fresh, LIBS);
    } finally {
      fs.rmSync(fresh, { recursive: true, force: true });
    }
    return true;
  });
}

function areFetched() {
  const stamp = path.join(LIBS, 'pom.sha256');
  return fs.existsSync(stamp) && fs.readFileSync(stamp, 'utf8') === digest();
}

function digest() {
  return createHash('sha256').update(fs.readFileSync(POM)).digest('hex');
}

module.exports = { fetchJars };
