// Protocol 2: `kafka.v2.json` and `kafka.v2.msgpack`.

import type { Protocol } from '../context';
import * as codecs from './codec';
import { Session } from './session';

export const json: Protocol = (socket, context) => new Session(socket, context, codecs.json);
export const msgpack: Protocol = (socket, context) => new Session(socket, context, codecs.msgpack);
