// Where in the page one is: `#/topics/orders/messages`.

import { Store } from './parts/store';

export type Place =
  | { view: 'overview' | 'topics' | 'groups' | 'sockets' | 'alerts' | 'nowhere' }
  | { view: 'topic' | 'tail' | 'produce'; topic: string }
  | { view: 'group'; group: string };

export const place = new Store<Place>(read());
addEventListener('hashchange', () => place.set(read()));

/** A link's address; each part may be any text. */
export function to(...parts: string[]): string {
  return `#/${parts.map((part) => encodeURIComponent(part.replace(/\p{Cs}/gu, '\ufffd'))).join('/')}`;
}

function read(): Place {
  let parts: string[];
  try {
    parts = location.hash
      .replace(/^#?\/?/, '')
      .split('/')
      .map(decodeURIComponent);
  } catch {
    return { view: 'nowhere' }; // a broken %
  }
  const [first, name, what, ...more] = parts;
  if (more.length > 0) return { view: 'nowhere' };
  if (first === '' && name === undefined) return { view: 'overview' };
  if (name === undefined && (first === 'topics' || first === 'groups' || first === 'sockets' || first === 'alerts')) return { view: first };
  if (!name) return { view: 'nowhere' };
  if (first === 'groups' && what === undefined) return { view: 'group', group: name };
  if (first !== 'topics') return { view: 'nowhere' };
  if (what === undefined) return { view: 'topic', topic: name };
  if (what === 'messages') return { view: 'tail', topic: name };
  return what === 'produce' ? { view: 'produce', topic: name } : { view: 'nowhere' };
}
