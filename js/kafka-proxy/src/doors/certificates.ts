// Clients that show a certificate in TLS's handshake.

import type { Socket as NetSocket } from 'node:net';
import type { PeerCertificate, TLSSocket } from 'node:tls';
import type { Identity } from './identity';

/** By what a client is called that shows a certificate of an authority in `tls.ca`. */
export interface CertificateOptions {
  /** The subject's common name, or the first of its alternative names of that kind. Default `CN`. */
  name?: 'CN' | 'email' | 'DNS' | 'URI';
}

/** The certificate's owner; undefined: there is none, or no authority of ours has signed it. */
export function certified(connection: NetSocket, { name: kind = 'CN' }: CertificateOptions): Identity | undefined {
  const socket = connection as TLSSocket;
  if (socket.authorized !== true) return undefined;
  // Node calls a connection authorized that goes on with a session without a certificate: then there is no subject.
  const certificate = socket.getPeerCertificate() as Partial<PeerCertificate> | undefined;
  if (!certificate?.subject || !certificate.valid_to) return undefined;
  const names = namesOf(certificate.subjectaltname);
  const name = kind === 'CN' ? (certificate.subject as { CN?: unknown }).CN : names.get(kind)?.[0];
  // Several common names are an array: which of them counts?
  if (typeof name !== 'string' || name === '') return undefined;
  const expires = Date.parse(certificate.valid_to);
  if (!(expires > Date.now())) return undefined;
  const claims = {
    sub: name,
    subject: { ...certificate.subject },
    issuer: { ...certificate.issuer },
    email: names.get('email') ?? [],
    dns: names.get('DNS') ?? [],
    uri: names.get('URI') ?? [],
    fingerprint: certificate.fingerprint256,
    serial: certificate.serialNumber,
  };
  return { way: 'certificate', principal: name, name, claims, expires };
}

/** `DNS:a.example, email:"a, b"`: by kind. A value that is not plain is JSON's text. */
function namesOf(text = ''): Map<string, string[]> {
  const names = new Map<string, string[]>();
  for (const [, kind = '', quoted, plain = ''] of text.matchAll(/(?:^|, )([A-Za-z ]+):(?:("(?:[^"\\]|\\.)*")|([^,"]*))/g)) {
    let name = plain;
    if (quoted !== undefined) {
      try {
        name = String(JSON.parse(quoted));
      } catch {
        continue;
      }
    }
    names.set(kind, [...(names.get(kind) ?? []), name]);
  }
  return names;
}
