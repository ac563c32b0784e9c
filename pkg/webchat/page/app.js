// The page around a conversation: which one it is, the composer, the side.

import { say, translate } from './words.js';
import { draw, recent } from './store.js';
import { Talk } from './talk.js';

const $ = (id) => document.getElementById(id);
const scroll = $('scroll');
let talk;

// The conversation is kept in the address, so that a reload or a bookmark finds it.
const inAddress = () => /^#c=([A-Za-z0-9_-]{1,64})$/.exec(location.hash)?.[1];

function enter() {
  const id = inAddress();
  if (!id) {
    location.replace(`#c=${recent()[0]?.id ?? draw()}`); // comes back here
    return;
  }
  if (talk?.id === id) return;
  talk?.close();
  let settled = false;
  talk = new Talk(id, $('log'), {
    change: () => { refresh(!settled); settled = true; },
    state: connected,
    done: (text) => { $('announce').textContent = text.slice(0, 600); },
  });
  showSide(false);
  refresh(true);
  $('text').focus();
}

function refresh(toEnd) {
  $('title').textContent = talk.title || say('untitled');
  $('name').textContent = talk.id.slice(0, 6);
  document.title = talk.title ? `${talk.title.slice(0, 60)} · Parley` : 'Parley';
  $('welcome').hidden = !talk.empty;
  $('stop').hidden = !talk.busy;
  listRecent();
  if (toEnd || following) scroll.scrollTop = scroll.scrollHeight;
}

function listRecent() {
  const entries = recent().map(({ id, title }) => {
    const a = document.createElement('a');
    a.href = `#c=${id}`;
    a.textContent = title || say('untitled');
    a.title = a.textContent;
    if (id === talk.id) a.setAttribute('aria-current', 'page');
    const li = document.createElement('li');
    li.append(a);
    return li;
  });
  if (!entries.every((li, i) => $('recent').children[i]?.isEqualNode(li)) || entries.length !== $('recent').children.length) {
    $('recent').replaceChildren(...entries);
  }
}

// A loss that mends itself within a moment is not worth a word.
let lostTimer;
function connected(yes) {
  if (yes) {
    clearTimeout(lostTimer);
    lostTimer = undefined;
    $('state').hidden = true;
  } else {
    lostTimer ??= setTimeout(() => { $('state').textContent = say('offline'); $('state').hidden = false; }, 1500);
  }
}

// Someone who has scrolled up is reading; the log then stays where it is.
let following = true;
scroll.addEventListener('scroll', () => {
  following = scroll.scrollHeight - scroll.scrollTop - scroll.clientHeight < 80;
}, { passive: true });

function submit() {
  const text = $('text').value.trim();
  if (!text) return;
  $('text').value = '';
  grow();
  following = true;
  talk.ask(text);
}

function grow() {
  const text = $('text');
  text.style.height = 'auto';
  text.style.height = `${Math.min(text.scrollHeight, 220)}px`;
  $('send').disabled = !text.value.trim();
}

// While an input method composes, Enter chooses a word. (229: Safari ends the
// composition before it reports the key.)
$('text').addEventListener('keydown', (e) => {
  if (e.key !== 'Enter' || e.shiftKey || e.isComposing || e.keyCode === 229) return;
  e.preventDefault();
  submit();
});
$('text').addEventListener('input', grow);
$('form').addEventListener('submit', (e) => { e.preventDefault(); submit(); });
$('stop').addEventListener('click', () => talk.stop());
$('new').addEventListener('click', () => { location.hash = `c=${draw()}`; });

// A hint is put into the composer, not sent: some of them are not harmless.
for (const hint of document.querySelectorAll('.hint')) {
  hint.addEventListener('click', () => {
    $('text').value = hint.textContent;
    grow();
    $('text').focus();
  });
}

function showSide(open) {
  document.body.classList.toggle('side-open', open);
  $('veil').hidden = !open;
  $('menu').setAttribute('aria-expanded', String(open));
  if (open) $('new').focus();
}
$('menu').addEventListener('click', () => showSide(!document.body.classList.contains('side-open')));
$('veil').addEventListener('click', () => showSide(false));
document.addEventListener('keydown', (e) => {
  if (e.key === 'Escape' && document.body.classList.contains('side-open')) {
    showSide(false);
    $('menu').focus();
  }
});

window.addEventListener('hashchange', enter);
translate();
grow();
enter();
