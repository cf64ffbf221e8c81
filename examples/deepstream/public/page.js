'use strict';
// A pane for each server, and in it a client of deepstream at that server. Data of others comes into the page as text only: it is never HTML.

const panes = new Map();

/** A value from elsewhere can be anything. */
const text = (value) => (typeof value === 'string' ? value.slice(0, 2000) : '');
const count = (value) => (Number.isSafeInteger(value) && value >= 0 ? value : 0);

class Pane {
  constructor({ name, port }) {
    this.name = name;
    /** The user in front of this pane, as presence names him. */
    this.user = `at ${name}`;
    this.element = document.getElementById('pane').content.firstElementChild.cloneNode(true);
    this.element.id = name;
    this.$('.name').textContent = name;
    document.getElementById('panes').append(this.element);
    this.client = new DeepstreamClient.DeepstreamClient(`ws://127.0.0.1:${port}`, {
      reconnectIntervalIncrement: 500,
      maxReconnectInterval: 1000,
      maxReconnectAttempts: Number.POSITIVE_INFINITY,
      offlineBufferTimeout: 60_000,
    });
    this.client.on('connectionStateChanged', (state) => this.showState(state));
    // That it is not connected is shown already.
    this.client.on('error', (error, event) => event === 'CONNECTION_ERROR' || this.log(`${text(event)}: ${text(error?.message ?? error)}`));
    this.wire();
  }

  $(selector) {
    return this.element.querySelector(selector);
  }

  async wire() {
    const { client } = this;
    this.$('.kill').onclick = () => fetch(`/kill/${this.name}`, { method: 'POST' });
    await client.login({ username: this.user });

    this.record = client.record.getRecord('note');
    await this.record.whenReady();
    this.record.subscribe((note) => this.showNote(note), true);
    for (const field of ['title', 'text']) this.$(`.${field}`).oninput = ({ target }) => this.record.set(field, target.value);
    this.$('.like').onclick = () => this.record.set('likes', count(this.record.get('likes')) + 1);

    client.presence.subscribe((user, here) => this.showPerson(text(user), here));

    // Each pane answers under its own name: so a question for another pane has to cross to its server.
    client.rpc.provide(`answer of ${this.name}`, (question, response) => {
      this.log(`was asked: ${text(question)}`);
      response.send(`${this.name} has ${[...text(question)].length} letters from you`);
    });
    this.$('.ask').onsubmit = (event) => {
      event.preventDefault();
      for (const other of panes.values()) if (other !== this) this.ask(other.name, this.$('.question').value);
    };
    this.wired = true;
    this.showState(client.getConnectionState());
  }

  /** Nobody tells this client who came and went while it was not connected. */
  async lookAround() {
    const here = await this.client.presence.getAll();
    this.$('.people').replaceChildren();
    for (const user of [this.user, ...here]) this.showPerson(text(user), true);
  }

  async ask(other, question) {
    try {
      this.log(text(await this.client.rpc.make(`answer of ${other}`, question)));
    } catch (error) {
      this.log(`${other} does not answer: ${text(error?.message ?? error)}`);
    }
  }

  showState(state) {
    const open = state === 'OPEN' && this.wired;
    this.element.classList.toggle('away', !open);
    this.$('.state').textContent = open ? 'Connected' : this.wired ? 'Not connected. It tries again by itself.' : 'Connecting …';
    for (const control of this.element.querySelectorAll('input, textarea, button:not(.kill)')) control.disabled = !open;
    if (open) this.lookAround().catch((error) => this.log(`who is here: ${text(error?.message ?? error)}`));
  }

  showServer({ up, pid }) {
    this.$('.process').textContent = up ? `process ${pid}` : 'comes again in some seconds';
    this.$('.kill').disabled = !up;
  }

  showNote(note) {
    for (const field of ['title', 'text']) if (this.$(`.${field}`).value !== text(note?.[field])) this.$(`.${field}`).value = text(note?.[field]);
    this.$('.likes').textContent = String(count(note?.likes));
  }

  showPerson(user, here) {
    const list = this.$('.people');
    const old = [...list.children].find((item) => item.textContent === user);
    if (!here) old?.remove();
    else if (!old) {
      const item = document.createElement('li');
      item.textContent = user;
      list.append(item);
    }
  }

  log(line) {
    const item = document.createElement('li');
    item.textContent = `${new Date().toLocaleTimeString()} ${line}`;
    this.$('.log').prepend(item);
    if (this.$('.log').children.length > 100) this.$('.log').lastChild.remove();
  }
}

new EventSource('/servers').onmessage = ({ data }) => {
  for (const server of JSON.parse(data)) {
    if (!panes.has(server.name)) panes.set(server.name, new Pane(server));
    panes.get(server.name).showServer(server);
  }
};
