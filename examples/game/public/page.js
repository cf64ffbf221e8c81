// One tab. A click is sent, and nothing is painted until it comes back from the log, as the others' moves do. Text of people comes into the page as
// textContent only: it is never HTML.

import { Client } from './client.js';
import { GAMES, HEIGHT, WIDTH } from './engine.js';

/** Lines of the log that are shown. */
const LINES = 12;

const $ = (id) => document.getElementById(id);

function make(tag, className, ...content) {
  const element = document.createElement(tag);
  element.className = className;
  element.append(...content); // a string becomes a text node
  return element;
}

// The same after a reload, and another one in each tab.
const player = sessionStorage.getItem('player') ?? Math.random().toString(36).slice(2, 12);
sessionStorage.setItem('player', player);

const asked = new URL(location.href).searchParams.get('game');
let game = GAMES.includes(asked) ? asked : GAMES[0];
/** @type {Client | undefined} */
let client;
let lostAt = 0;
let missed = 0;

/** Names that are nearly the same get colours that are not. */
function hueOf(id) {
  let sum = 0;
  for (const letter of id) sum = (sum * 31 + letter.codePointAt(0)) % 1_000_003;
  return (sum * 137) % 360;
}

// The board

const cells = Array.from({ length: WIDTH * HEIGHT }, (_, i) => {
  const cell = make('button', 'cell');
  cell.dataset.cell = i;
  cell.setAttribute('aria-label', `row ${Math.floor(i / WIDTH) + 1}, column ${(i % WIDTH) + 1}`);
  return cell;
});
$('board').style.setProperty('--width', WIDTH);
$('board').append(...cells);
$('board').style.setProperty('--own', hueOf(player));

function paintCell(i) {
  const owner = client.state.cells[i];
  cells[i].classList.toggle('owned', owner !== null);
  cells[i].classList.toggle('own', owner === player);
  if (owner) cells[i].style.setProperty('--hue', hueOf(owner));
  cells[i].title = owner ? (client.state.players.get(owner)?.name ?? '') : '';
}

function paintAll() {
  for (let i = 0; i < cells.length; i++) paintCell(i);
}

function showPending() {
  const pending = new Set(client.pending.map(({ cell }) => cell));
  for (const [i, cell] of cells.entries()) cell.classList.toggle('pending', pending.has(i));
}

function paint(i) {
  if (client?.paint(i)) showPending();
}

/** The cell that was painted last while the button is down. */
let dragged = -1;
const cellAt = ({ clientX, clientY }) => Number(document.elementFromPoint(clientX, clientY)?.dataset?.cell ?? -1);
function drag(event) {
  const cell = cellAt(event);
  if (cell < 0 || cell === dragged) return;
  dragged = cell;
  paint(cell);
}
$('board').onpointerdown = (event) => {
  if (event.button !== 0) return;
  event.target.releasePointerCapture?.(event.pointerId); // a finger keeps the first cell otherwise
  drag(event);
};
$('board').onpointermove = (event) => event.buttons & 1 && drag(event);
window.onpointerup = window.onpointercancel = () => (dragged = -1);
// By keyboard: a click without a pointer.
$('board').onclick = (event) => event.detail === 0 && event.target.dataset.cell && paint(Number(event.target.dataset.cell));

// Beside it

function showPlayers() {
  $('scores').replaceChildren(
    ...client.state.scores().map(({ id, name, instance, here, cells: count }) => {
      const swatch = make('i', 'swatch');
      swatch.style.setProperty('--hue', hueOf(id));
      const where = here ? `instance ${instance}` : 'away';
      return make(
        'li',
        here ? '' : 'gone',
        swatch,
        make('span', 'name', name),
        make('small', '', id === player ? `you, ${where}` : where),
        make('b', '', String(count)),
      );
    }),
  );
}

function words({ type, player: id, n, cell, instance }) {
  const name = client.state.players.get(id)?.name ?? id;
  if (type === 'paint') return `${name} paints row ${Math.floor(cell / WIDTH) + 1}, column ${(cell % WIDTH) + 1} (move ${n})`;
  if (type === 'join') return `${name} comes to instance ${instance}`;
  if (type === 'leave') return `${name} leaves`;
  return `instance ${instance} starts anew`;
}

function line({ token, event, late }, ms) {
  const [partition, offset] = token.split('-');
  const time = ms ?? late;
  const row = make('tr', ms === undefined ? '' : 'own');
  row.append(...[partition, offset, words(event), time === null ? '' : String(Math.round(time))].map((text) => make('td', '', text)));
  $('log').prepend(row);
  while ($('log').children.length > LINES) $('log').lastChild.remove();
}

function notice(kind, text) {
  $('notice').className = kind;
  $('notice').textContent = text;
}

function showInstances(current) {
  $('instances').replaceChildren(
    'Go to ',
    ...client.urls.map((_, i) => {
      const button = make('button', i + 1 === current ? 'current' : '', String(i + 1));
      button.onclick = () => client.move(i + 1);
      return button;
    }),
  );
}

// The connection

function status({ connected, instance, why }) {
  document.body.classList.toggle('away', !connected);
  $('instance').textContent = connected ? `Instance ${instance}` : 'Not connected';
  if (connected) {
    showInstances(instance);
    const seconds = ((performance.now() - lostAt) / 1000).toFixed(1);
    if (!lostAt) notice('', `Connected to instance ${instance}`);
    else notice('good', `Back on instance ${instance} after ${seconds} s: ${missed} ${missed === 1 ? 'event' : 'events'} came meanwhile`);
    lostAt = 0;
  } else {
    if (!lostAt) [lostAt, missed] = [performance.now(), 0];
    notice('bad', `${why}. The next instance is tried …`);
  }
}

function play(name) {
  client?.close();
  lostAt = 0;
  $('log').replaceChildren();
  const url = new URL(location.href);
  url.searchParams.set('game', game);
  history.replaceState(null, '', url);
  $('games').replaceChildren(
    ...GAMES.map((each) => {
      const button = make('button', each === game ? 'current' : '', each);
      button.onclick = () => {
        game = each;
        play(name);
      };
      return button;
    }),
  );
  const urls = [`${location.protocol.replace('http', 'ws')}//${location.host}/play`];
  client = new Client(
    { urls, game, player, name, WebSocket },
    {
      snapshot() {
        paintAll();
        showPending();
        showPlayers();
      },
      event(frame, ms) {
        if (lostAt) missed++;
        if (frame.event.type === 'paint') paintCell(frame.event.cell);
        else paintAll(); // somebody may have another name now
        if (ms !== undefined) showPending();
        line(frame, ms);
        showPlayers();
      },
      status,
      fault: (what) => console.error(what),
    },
  );
}

$('welcome').onclose = () => {
  const name = $('name').value.trim().slice(0, 20) || 'Nobody';
  sessionStorage.setItem('name', name);
  play(name);
};
$('name').value = sessionStorage.getItem('name') ?? '';
$('welcome').showModal();
