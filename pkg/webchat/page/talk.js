// A conversation: its turns, kept in order and in step with the server.

import { say } from './words.js';
import { draw, touch, pending, keep } from './store.js';
import { send, history, listen } from './wire.js';
import { Turn, isBusy, isAnswered } from './turn.js';

// order makes times comparable as text: the server writes microseconds, but not
// trailing zeros.
function order(time) {
  const [whole, fraction = ''] = time.replace(/Z$/, '').split('.');
  return `${whole}.${fraction.padEnd(9, '0')}`;
}

// Talk shows one conversation in log. on.change is called after each change,
// on.state when the connection comes (true) or goes, on.done with each answer that
// was waited for.
export class Talk {
  constructor(id, log, on) {
    Object.assign(this, { id, log, on, entries: new Map(), pressed: new Map(), boot: '', divider: null, read: false, closed: false });
    log.replaceChildren();
    // A send that a reload cut off may be made again: its id makes it one message.
    for (const s of pending(id)) this.put(s.kind === 'sending' ? { ...s, kind: 'unsent' } : s, false);
    this.leave = listen(id, {
      hello: (h) => this.hello(h),
      snapshot: (s) => this.receive(s),
      lost: () => on.state(false),
    });
  }

  close() {
    this.closed = true;
    this.leave();
  }

  get busy() { return [...this.entries.values()].some((e) => isBusy(e.snapshot)); }

  get empty() { return this.entries.size === 0; }

  get title() {
    const first = [...this.entries.values()].map((e) => e.snapshot).filter((s) => s.question)
      .sort((a, b) => (order(a.asked_at) < order(b.asked_at) ? -1 : 1))[0];
    return first?.question ?? '';
  }

  // hello begins a connection. A new process knows only what happens from now on,
  // so what earlier ones said is no longer taken for the newest.
  async hello({ boot }) {
    this.on.state(true);
    if (boot !== this.boot) for (const e of this.entries.values()) e.live = false;
    this.boot = boot;
    await this.catchUp();
  }

  // catchUp reads what memory holds.
  async catchUp() {
    try {
      const { turns, reset_before: reset } = await history(this.id);
      for (const s of turns) if (!this.entries.get(s.id)?.live) this.put(s, false);
      if (reset) this.divide(reset);
      this.read = true;
    } catch {
      // The next connection reads it.
    }
    this.changed();
  }

  receive(s) {
    const before = this.entries.get(s.id)?.snapshot;
    if (s.kind === 'notice' && this.pressed.has(s.id)) { // why a button did nothing
      const was = this.pressed.get(s.id);
      this.update(was.id, ['waiting'], { ...was, problem: s.markdown });
      return;
    }
    if (s.kind === 'notice') this.catchUp(); // it may have been a reset
    if (s.kind === 'withdrawn') this.remove(s.id);
    else this.put({ ...s, question: before?.question || s.question, feedback: before?.feedback }, true);
    if (before && isBusy(before) && !isBusy(s)) this.on.done(this.entries.get(s.id)?.turn.text.textContent ?? '');
    this.changed();
  }

  // put shows s at its place in the log. live: it is from the running process.
  put(s, live) {
    let e = this.entries.get(s.id);
    if (!e) {
      e = { turn: new Turn(this) };
      this.entries.set(s.id, e);
    }
    e.snapshot = s;
    e.live = live;
    e.turn.show(s);
    this.place(e.turn.element, s.asked_at);
  }

  place(element, time) {
    if (this.closed) return; // the log is another's now
    const at = order(time);
    if (element.dataset.at === at && element.isConnected) return;
    element.dataset.at = at;
    element.remove();
    const after = [...this.log.children].find((other) => other.dataset.at > at);
    this.log.insertBefore(element, after ?? null);
  }

  remove(id) {
    this.entries.get(id)?.turn.element.remove();
    this.entries.delete(id);
  }

  // divide draws the line up to which Parley has forgotten.
  divide(time) {
    this.divider ??= Object.assign(document.createElement('li'), { className: 'divider', textContent: say('forgotten') });
    this.place(this.divider, time);
    if (!this.divider.previousElementSibling) this.divider.remove(); // there is nothing above
  }

  changed() {
    const open = [...this.entries.values()].map((e) => e.snapshot).filter((s) => s.question && !isAnswered(s) && !['said', 'notice'].includes(s.kind));
    keep(this.id, open);
    if (this.read && this.title) touch(this.id, this.title); // before that, the first question is unknown
    if (!this.closed) this.on.change();
  }

  // ask sends text as a new message.
  ask(text) {
    const id = draw();
    return this.deliver({ id: `web:${this.id}:${id}`, kind: 'sending', question: text, asked_at: new Date().toISOString() }, id);
  }

  resend(s) { return this.deliver({ ...s, kind: 'sending', error: undefined }, s.id.slice(s.id.lastIndexOf(':') + 1)); }

  async deliver(s, id) {
    this.put(s, true);
    this.changed();
    let sent;
    try {
      sent = await send({ conversation: this.id, id, text: s.question });
    } catch (err) {
      this.update(s.id, ['sending'], { kind: 'unsent', error: err.message });
      return;
    }
    const quiet = ['stop', 'retry'].includes(sent.kind); // its effect shows elsewhere
    this.update(s.id, ['sending'], { kind: quiet ? 'said' : 'waiting', asked_at: sent.sent_at });
  }

  // update changes a turn, unless an event has overtaken it.
  update(id, kinds, change) {
    const e = this.entries.get(id);
    if (e && kinds.includes(e.snapshot.kind)) this.put({ ...e.snapshot, ...change }, e.live);
    this.changed();
  }

  // press sends what a button stands for, shows s as kind meanwhile, and puts it
  // back with the reason if it did not get through.
  async press(s, kind, gesture) {
    const id = draw();
    this.pressed.set(`web:${this.id}:${id}`, s);
    this.put({ ...s, kind, html: '', problem: undefined }, true);
    this.changed();
    try {
      await send({ conversation: this.id, id, subject: s.id, ...gesture });
    } catch (err) {
      const e = this.entries.get(s.id);
      if (e?.snapshot.kind === kind) this.put({ ...s, problem: err.message }, true);
      this.changed();
    }
  }

  retry(s) { return this.press(s, 'waiting', { kind: 'retry', token: s.retry }); }

  again(s) { return this.press(s, 'waiting', { kind: 'regenerate' }); }

  async feedback(s, value, complaint) {
    try {
      await send({ conversation: this.id, id: draw(), subject: s.id, kind: 'feedback', value, complaint });
      this.update(s.id, [s.kind], { feedback: value, complaint, asked: value === 'down' });
    } catch (err) {
      this.update(s.id, [s.kind], { problem: err.message });
    }
  }

  // stop ends what is being answered and what waits behind it.
  async stop() {
    try {
      await send({ conversation: this.id, id: draw(), kind: 'stop' });
    } catch {
      return; // what is shown is still true
    }
    for (const e of this.entries.values()) if (e.snapshot.kind === 'working') this.update(e.snapshot.id, ['working'], { kind: 'stopping', html: '' });
  }
}
