'use strict';
// One tab. Text of people comes into the page as textContent only: it is never HTML.

const $ = (id) => document.getElementById(id);

function make(tag, className, ...content) {
  const element = document.createElement(tag);
  element.className = className;
  element.append(...content); // a string becomes a text node
  return element;
}

let name = sessionStorage.getItem('name') ?? '';

const socket = io({
  autoConnect: false,
  auth: (give) => give({ name }),
  transports: ['websocket'],
  reconnectionDelay: 500,
  reconnectionDelayMax: 2000,
});

// The rooms of this tab

/** Each room's messages, people, who types in it, and how many messages were not looked at. */
const rooms = new Map();
let current = '';

function enter(room) {
  if (!rooms.has(room)) {
    rooms.set(room, { list: make('ol', 'list'), people: [], typing: new Map(), unread: 0 });
    if (socket.connected) socket.emit('join', room);
  }
  current = room;
  rooms.get(room).unread = 0;
  $('messages').replaceChildren(rooms.get(room).list);
  $('title').textContent = $('place').textContent = `#${room}`;
  $('words').placeholder = `Say something in #${room}`;
  toEnd();
  show();
}

/** Everything beside the messages. */
function show() {
  const { people, typing } = rooms.get(current);
  $('rooms').replaceChildren(
    ...[...rooms].map(([room, { unread }]) => {
      const button = make('button', room === current ? 'current' : '', `# ${room}`, make('b', 'unread', unread ? String(unread) : ''));
      button.onclick = () => enter(room);
      return make('li', '', button);
    }),
  );
  $('people').replaceChildren(
    ...people.map((one) => {
      return make('li', '', avatar(one.name), make('span', 'name', one.name), make('small', '', one.id === socket.id ? 'you, ' : '', `server ${one.server}`));
    }),
  );
  const names = [...typing.keys()];
  $('typing').textContent = names.length ? `${names.join(', ')} ${names.length > 1 ? 'are' : 'is'} typing …` : '';
}

function avatar(name) {
  const element = make('i', 'avatar', [...name][0].toUpperCase());
  let hue = 0;
  for (const letter of name) hue = (hue * 31 + letter.codePointAt(0)) % 360;
  element.style.setProperty('--hue', hue);
  return element;
}

function toEnd() {
  $('messages').scrollTop = $('messages').scrollHeight;
}

/** Puts a line into a room: in the order of the log, before what this tab has said and not read back yet. */
function put(room, line) {
  const { list } = rooms.get(room);
  list.insertBefore(line, line.classList.contains('pending') ? null : list.querySelector('.pending'));
  line.classList.toggle('same', line.dataset.from !== undefined && line.previousSibling?.dataset.from === line.dataset.from);
  if (list.children.length > 1000) list.firstChild.remove();
  if (room === current) toEnd();
}

// Messages

let said = 0;
const tab = Math.random().toString(36).slice(2);
/** Messages that this tab has said and not read back yet. A server may die before one is in the log: then it is said again. */
const pending = new Map();
/** The messages that came: one that was said twice is shown once. */
const seen = new Set();

function line({ name, server, at, text }) {
  const time = new Date(at).toLocaleTimeString([], { hour: '2-digit', minute: '2-digit' });
  const head = make('p', 'head', make('b', '', name), make('small', '', server ? `${time} · server ${server}` : 'on its way'));
  const element = make('li', 'message', avatar(name), make('div', '', head, make('p', 'text', text)));
  element.dataset.from = `${name} ${server}`;
  return element;
}

function say(room, text) {
  const id = `${tab}-${++said}`;
  const element = line({ name, text });
  element.classList.add('pending');
  pending.set(id, { args: [room, id, text], element });
  put(room, element);
  // Not connected: 'connect' says it.
  if (socket.connected) socket.emit('message', room, id, text);
}

socket.on('message', (message) => {
  const { room, id, name } = message;
  if (!rooms.has(room) || seen.has(id)) return;
  seen.add(id);
  missed++;
  pending.get(id)?.element.remove();
  pending.delete(id);
  put(room, line(message));
  clearTimeout(rooms.get(room).typing.get(name));
  rooms.get(room).typing.delete(name);
  if (room !== current) rooms.get(room).unread++;
  show();
});

// People who are there, people who type

socket.on('people', ({ room, people }) => {
  if (!rooms.has(room)) return;
  rooms.get(room).people = people;
  show();
});

socket.on('typing', ({ room, name }) => {
  if (!rooms.has(room)) return;
  const { typing } = rooms.get(room);
  clearTimeout(typing.get(name));
  typing.set(
    name,
    setTimeout(() => typing.delete(name) && show(), 3000),
  );
  show();
});

// The connection

let lostAt = 0;
let missed = 0;

function notice(kind, text) {
  for (const room of rooms.keys()) put(room, make('li', `notice ${kind}`, text));
}

socket.on('connect', () => {
  // A recovered tab is in its rooms; but not in one that was entered just before its server died.
  for (const room of rooms.keys()) socket.emit('join', room);
  for (const { args } of pending.values()) socket.emit('message', ...args);
  socket.emit('hello', (server, pid) => {
    document.body.classList.remove('away');
    $('server').textContent = `Server ${server}`;
    $('process').textContent = `kill -9 ${pid}`;
    if (!lostAt) return notice('', `Connected to server ${server}`);
    const seconds = ((Date.now() - lostAt) / 1000).toFixed(1);
    // Messages that were missed have come before this answer.
    const came = `${missed} ${missed === 1 ? 'message' : 'messages'} came meanwhile`;
    if (!socket.recovered) return notice('bad', `Back on server ${server} after ${seconds} s, not recovered: what was said meanwhile is not shown`);
    notice('good', `Back on server ${server} after ${seconds} s, recovered: ${came}`);
  });
});

socket.on('disconnect', (reason) => {
  lostAt = Date.now();
  missed = 0;
  document.body.classList.add('away');
  $('server').textContent = 'Not connected';
  $('process').textContent = '';
  notice('bad', `The connection is lost (${reason}). Another server is looked for …`);
});

// The user's actions

let typedAt = 0;
$('say').onsubmit = (event) => {
  event.preventDefault();
  const text = $('words').value.trim();
  $('words').value = '';
  typedAt = 0;
  if (text) say(current, text);
};

$('words').oninput = () => {
  if (Date.now() - typedAt < 1000) return;
  typedAt = Date.now();
  socket.volatile.emit('typing', current);
};

$('open').onsubmit = (event) => {
  event.preventDefault();
  const room = $('room').value.trim();
  $('room').value = '';
  if (room) enter(room);
};

$('move').onclick = () => socket.io.engine?.close();

$('welcome').onclose = () => {
  name = $('name').value.trim() || 'Nobody';
  sessionStorage.setItem('name', name);
  for (const room of ['general', 'random', 'general']) enter(room);
  socket.connect();
  $('words').focus();
};
$('name').value = name;
$('welcome').showModal();
