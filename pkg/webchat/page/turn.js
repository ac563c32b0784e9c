// A turn: a question and what stands of its answer, as elements.

import { say, pageNumber } from './words.js';

const busy = new Set(['sending', 'waiting', 'working', 'partial', 'stopping']);
const complaints = ['wrong', 'outdated', 'unsourced', 'long', 'other']; // as the server names them
const answered = new Set(['final', 'stopped']);

export const isBusy = (s) => busy.has(s.kind);
export const isAnswered = (s) => answered.has(s.kind);

function element(name, className, ...children) {
  const e = document.createElement(name);
  if (className) e.className = className;
  e.append(...children);
  return e;
}

function button(className, key, press) {
  const b = element('button', className, say(key));
  b.type = 'button';
  b.addEventListener('click', () => press(b));
  return b;
}

// Turn is one entry of the log. on holds what its buttons do: retry, resend, again
// and feedback, each with the snapshot.
export class Turn {
  constructor(on) {
    this.on = on;
    this.question = element('div', 'question');
    this.question.dir = 'auto';
    this.text = element('div', 'text');
    this.text.dir = 'auto';
    this.above = element('div', 'above');
    this.below = element('div', 'below');
    this.answer = element('article', 'answer', this.above, this.text, this.below);
    this.answer.setAttribute('aria-label', say('parley'));
    this.element = element('li', 'turn', this.question, this.answer);
  }

  show(s) {
    const e = this.element;
    e.dataset.kind = s.kind;
    e.setAttribute('aria-busy', String(isBusy(s)));
    this.question.textContent = s.question ?? '';
    this.question.hidden = !s.question;
    this.answer.hidden = s.kind === 'said';
    const wanted = document.createElement('template');
    wanted.innerHTML = s.html ?? ''; // rendered and made safe by the server
    cite(wanted.content, s.citations ?? [], (n) => this.reveal(n));
    morph(this.text, wanted.content);
    this.above.replaceChildren(...steps(s));
    const open = new Set(Array.from(this.below.querySelectorAll('details[open]'), (d) => d.dataset.n));
    this.below.replaceChildren(...sign(s), ...sources(s, open), ...this.actions(s), ...this.why(s));
  }

  // reveal opens the passage behind [n].
  reveal(n) {
    const passage = this.below.querySelector(`details[data-n="${n}"]`);
    if (!passage) return;
    passage.open = true;
    passage.scrollIntoView({ block: 'nearest', behavior: 'smooth' });
    passage.querySelector('summary').focus({ preventScroll: true });
  }

  actions(s) {
    const row = element('div', 'actions');
    if (s.kind === 'unsent') row.append(element('span', 'error', s.error ?? ''), button('', 'resend', () => this.on.resend(s)));
    if (s.kind === 'failed') {
      if (s.retry) row.append(button('primary', 'retry', () => this.on.retry(s)));
      if (s.ref && !(s.markdown ?? '').includes(s.ref)) row.append(element('span', 'note', `${say('reference')} ${s.ref}`));
    }
    if (s.problem) row.append(element('span', 'error', s.problem));
    if (isAnswered(s)) {
      if (navigator.clipboard) row.append(button('quiet', 'copy', (b) => copy(b, s.markdown)));
      row.append(button('quiet', 'again', () => this.on.again(s)), ...this.verdicts(s));
      const note = [s.model, s.tokens ? `${s.tokens.toLocaleString()} ${say('tokens')}` : ''].filter(Boolean).join(' · ');
      if (note) row.append(element('span', 'note', note));
    }
    return row.childNodes.length ? [row] : [];
  }

  verdicts(s) {
    return ['up', 'down'].map((value) => {
      const b = button('quiet verdict', value, () => this.on.feedback(s, value));
      b.replaceChildren(document.getElementById(`thumb-${value}`).content.cloneNode(true));
      b.title = say(value);
      b.setAttribute('aria-label', say(value));
      b.setAttribute('aria-pressed', String(s.feedback === value));
      return b;
    });
  }

  // why asks what is wrong with an answer that was just called bad.
  why(s) {
    if (!s.asked) return [];
    const row = element('div', 'actions', element('span', 'note', say(s.complaint ? 'thanks' : 'why')));
    if (!s.complaint) row.append(...complaints.map((c) => button('', `complaint.${c}`, () => this.on.feedback(s, 'down', c))));
    return [row];
  }
}

// sign says that something is going on, and what.
function sign(s) {
  if (!isBusy(s) || s.kind === 'partial') return [];
  const dots = element('span', 'dots', element('i'), element('i'), element('i'));
  dots.setAttribute('aria-hidden', 'true');
  return [element('p', 'sign', dots, s.kind === 'working' && s.html ? '' : say(s.kind))];
}

function steps(s) {
  if (!s.steps?.length) return [];
  return [element('ul', 'steps', ...s.steps.map((step) => element('li', step.done ? 'done' : '', step.title)))];
}

// sources lists the citations; the passage of each is shown on demand.
function sources(s, open) {
  if (!s.citations?.length) return [];
  const list = s.citations.map((c) => {
    const where = [c.title || c.url || say('source'), c.heading, c.page ? pageNumber(c.page) : ''].filter(Boolean).join(' · ');
    const passage = element('details', '', element('summary', '', element('span', 'number', String(c.number)), where));
    passage.dataset.n = c.number;
    passage.open = open.has(String(c.number));
    if (c.quote) passage.append(element('blockquote', '', c.quote));
    if (c.url && !/^(https?|mailto):/.test(c.url)) passage.append(element('p', 'note', c.url)); // a file of the folder
    else if (c.url) {
      const link = element('a', '', c.url);
      Object.assign(link, { href: c.url, target: '_blank', rel: 'noopener noreferrer nofollow' });
      passage.append(link);
    }
    return element('li', '', passage);
  });
  return [element('section', 'sources', element('h3', '', say('sources')), element('ul', '', ...list))];
}

// cite turns each [n] of a citation into a button that shows its passage.
function cite(root, citations, reveal) {
  const numbers = new Set(citations.map((c) => String(c.number)));
  if (!numbers.size) return;
  const texts = [];
  const walk = document.createTreeWalker(root, NodeFilter.SHOW_TEXT);
  while (walk.nextNode()) if (!walk.currentNode.parentElement?.closest('code, a')) texts.push(walk.currentNode);
  for (const text of texts) {
    const parts = text.data.split(/\[(\d{1,3})\]/); // every second part is a number
    if (parts.length === 1) continue;
    text.replaceWith(...parts.map((part, i) => {
      if (i % 2 === 0) return part;
      if (!numbers.has(part)) return `[${part}]`;
      const b = button('cite', '', () => reveal(part));
      b.textContent = part;
      b.setAttribute('aria-label', `${say('source')} ${part}`);
      return b;
    }));
  }
}

// morph makes box show what content holds and leaves alone what it shows already,
// so that a growing answer neither flickers nor loses the reader's selection.
function morph(box, content) {
  const want = [...content.childNodes];
  const have = [...box.childNodes];
  let same = 0;
  while (same < want.length && same < have.length && have[same].isEqualNode(want[same])) same++;
  for (const gone of have.slice(same)) gone.remove();
  box.append(...want.slice(same));
}

async function copy(b, text) {
  await navigator.clipboard.writeText(text ?? '');
  b.textContent = say('copied');
  setTimeout(() => { b.textContent = say('copy'); }, 1500);
}
