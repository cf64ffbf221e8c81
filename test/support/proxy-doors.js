'use strict';
// Credentials for the doors of a proxy, and what looks like them: passwords, tokens, certificates, tickets.

const crypto = require('node:crypto');
const http = require('node:http');
const https = require('node:https');
const { once } = require('node:events');
const { cleanup } = require('./cleanup.js');
const { PATIENCE, within } = require('./flow.js');

const basic = (name, password) => `Basic ${Buffer.from(`${name}:${password}`).toString('base64')}`;
const json64 = (document) => Buffer.from(JSON.stringify(document)).toString('base64url');
const now = () => Math.floor(Date.now() / 1000);

/** A key of each family of algorithms. @returns {any} { alg, kid, sign }, and its secret, or publicKey, pem and jwk */
function signer(alg, kid = undefined) {
  if (alg.startsWith('HS')) {
    const secret = crypto.randomBytes(64);
    return {
      alg,
      kid,
      secret,
      sign: (text) =>
        crypto
          .createHmac(`sha${alg.slice(2)}`, secret)
          .update(text)
          .digest(),
    };
  }
  const families = /** @type {any} */ ({
    RS: ['rsa', { modulusLength: 2048 }, {}],
    PS: ['rsa', { modulusLength: 2048 }, { padding: crypto.constants.RSA_PKCS1_PSS_PADDING, saltLength: crypto.constants.RSA_PSS_SALTLEN_DIGEST }],
    ES: ['ec', { namedCurve: { 256: 'P-256', 384: 'P-384', 512: 'P-521' }[alg.slice(2)] }, { dsaEncoding: 'ieee-p1363' }],
    Ed: ['ed25519', {}, {}],
  });
  const [kind, how, options] = families[alg.slice(0, 2)];
  const { publicKey, privateKey } = /** @type {any} */ (crypto.generateKeyPairSync)(kind, how);
  const hash = kind === 'ed25519' ? null : `sha${alg.slice(2)}`;
  return {
    alg,
    kid,
    publicKey,
    privateKey,
    pem: publicKey.export({ type: 'spki', format: 'pem' }),
    jwk: Object.assign(publicKey.export({ format: 'jwk' }), kid && { kid }),
    sign: (text) => crypto.sign(hash, Buffer.from(text), { key: privateKey, ...options }),
  };
}

/** Of all tokens that were made: none of them may be in a log. */
const signatures = [];

/** A token of its own making: nothing here is jose's. */
function token({ alg, kid, sign }, claims = {}, header = {}) {
  const text = `${json64({ alg, typ: 'JWT', ...(kid && { kid }), ...header })}.${json64({ sub: 'ali', exp: now() + 3600, ...claims })}`;
  const signature = sign(text).toString('base64url');
  signatures.push(signature);
  return `${text}.${signature}`;
}

/** A server of keys. `keys` are what it publishes; `asked` counts; `answer` may take its place. */
async function keyServer(t) {
  const made = { keys: [], asked: 0, answer: /** @type {any} */ (undefined), url: '' };
  const server = http.createServer((request, response) => {
    made.asked++;
    if (made.answer) return made.answer(request, response);
    response.writeHead(200, { 'Content-Type': 'application/json' }).end(JSON.stringify({ keys: made.keys }));
  });
  await once(server.listen(0, '127.0.0.1'), 'listening');
  cleanup(t, () => {
    server.close();
    server.closeAllConnections();
  });
  const { port } = /** @type {import('node:net').AddressInfo} */ (server.address());
  made.url = `http://127.0.0.1:${port}/keys`;
  return made;
}

/**
 * A request, or an upgrade; resolves when its head is there: `{ status, headers, body }`. A body that goes on is not waited for.
 *
 * @param {{ port: number, tls?: object | boolean, method?: string, path?: string, headers?: object, body?: string, upgrade?: boolean | string }} how
 */
function ask({ port, tls, method = 'GET', path = '/', headers = {}, body, upgrade }) {
  return within(
    PATIENCE,
    `an answer to ${method} ${path}`,
    () =>
      new Promise((resolve, reject) => {
        const protocol = typeof upgrade === 'string' ? { 'Sec-WebSocket-Protocol': upgrade } : {};
        const upgrading = {
          Connection: 'Upgrade',
          Upgrade: 'websocket',
          'Sec-WebSocket-Version': '13',
          'Sec-WebSocket-Key': Buffer.alloc(16, 7).toString('base64'),
          ...protocol,
        };
        const options = { port, host: '127.0.0.1', method, path, agent: false, headers: { ...(upgrade && upgrading), ...headers } };
        const request = tls ? https.request({ ...options, rejectUnauthorized: false, ...(typeof tls === 'object' ? tls : {}) }) : http.request(options);
        request.on('upgrade', (response, socket) => {
          socket.destroy();
          resolve({ status: response.statusCode, headers: response.headers, body: '' });
        });
        request.on('response', async (response) => {
          let text = '';
          if (/event-stream/.test(response.headers['content-type'] ?? '')) request.destroy();
          else for await (const chunk of response.setEncoding('utf8')) text += chunk;
          resolve({ status: response.statusCode, headers: response.headers, body: text });
        });
        request.on('error', reject);
        request.end(body);
      }),
  );
}

module.exports = { ask, basic, json64, keyServer, now, signatures, signer, token };
