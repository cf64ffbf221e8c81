'use strict';

const { execFile } = require('node:child_process');
const fs = require('node:fs');
const path = require('node:path');
const { promisify } = require('node:util');

const CONFIG = path.join(__dirname, 'openssl.cnf');
const TEN_YEARS = 3650;

/**
 * Paths of PEM files. Every certificate is signed by the CA; every key is a PKCS#8 key without a password.
 *
 * @typedef {object} Tls
 * @property {string} ca what clients trust
 * @property {string} clientCert what the mutual TLS listener accepts
 * @property {string} clientKey
 * @property {string} expiredCert a client certificate that has run out
 * @property {string} expiredKey
 * @property {string} server key and certificate for localhost and 127.0.0.1
 * @property {string} expiredServer key and certificate that has run out
 * @property {string} wrongHostServer key and certificate for another host's name
 */

/**
 * Makes a CA and its certificates in `dir`, a folder that does not exist, in one step.
 *
 * @param {string} dir
 * @returns {Promise<void>}
 */
async function makeTls(dir) {
  const fresh = fs.mkdtempSync(`${dir}.`);
  const file = (/** @type {string} */ name) => path.join(fresh, name);
  await openssl(
    'req',
    '-x509',
    ...newKey(file('ca.key')),
    '-subj',
    '/CN=kafka-native test CA',
    '-extensions',
    'authority',
    '-days',
    String(TEN_YEARS),
    '-out',
    file('ca.pem'),
  );

  /** @type {[name: string, extensions: string, days: number][]} */
  const certificates = [
    ['server', 'local', TEN_YEARS],
    ['client', 'local', TEN_YEARS],
    ['expired', 'local', -1],
    ['wrong-host', 'elsewhere', TEN_YEARS],
  ];
  await Promise.all(
    certificates.map(async ([name, extensions, days], i) => {
      const request = file(`${name}.csr`);
      await openssl('req', '-new', ...newKey(file(`${name}.key`)), '-subj', `/CN=${name}`, '-out', request);
      await openssl(
        'x509',
        '-req',
        '-in',
        request,
        '-CA',
        file('ca.pem'),
        '-CAkey',
        file('ca.key'),
        '-set_serial',
        String(i + 2),
        '-extfile',
        CONFIG,
        '-extensions',
        extensions,
        '-days',
        String(days),
        '-out',
        file(`${name}.pem`),
      );
      // The broker reads key and certificate from one file.
      fs.writeFileSync(file(`${name}.both.pem`), fs.readFileSync(file(`${name}.key`), 'utf8') + fs.readFileSync(file(`${name}.pem`), 'utf8'));
    }),
  );
  fs.renameSync(fresh, dir);
}

/**
 * The files that `makeTls` made in `dir`.
 *
 * @param {string} dir
 * @returns {Tls}
 */
function tlsPaths(dir) {
  const file = (/** @type {string} */ name) => path.join(dir, name);
  return {
    ca: file('ca.pem'),
    clientCert: file('client.pem'),
    clientKey: file('client.key'),
    expiredCert: file('expired.pem'),
    expiredKey: file('expired.key'),
    server: file('server.both.pem'),
    expiredServer: file('expired.both.pem'),
    wrongHostServer: file('wrong-host.both.pem'),
  };
}

/** @param {string} keyFile */
function newKey(keyFile) {
  return ['-config', CONFIG, '-newkey', 'ec', '-pkeyopt', 'ec_paramgen_curve:prime256v1', '-nodes', '-keyout', keyFile];
}

/** @param {string[]} args */
async function openssl(...args) {
  await promisify(execFile)('openssl', args).catch((error) => {
    if (error.code === 'ENOENT') throw new Error("the security listeners need the 'openssl' command: install OpenSSL");
    throw error;
  });
}

module.exports = { makeTls, tlsPaths };
