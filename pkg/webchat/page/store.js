// What the browser remembers: which conversations there were, and questions that
// memory does not hold, because they wait, failed or were never sent.

const recentKey = 'parley.recent';
const pendingKey = (conversation) => `parley.pending.${conversation}`;
const maxRecent = 20;
const maxPending = 20;
const patience = 15 * 60 * 1000; // ms; a question that waits for longer got lost

function read(key) {
  try {
    const value = JSON.parse(localStorage.getItem(key) ?? '[]');
    return Array.isArray(value) ? value : [];
  } catch {
    return [];
  }
}

function write(key, value) {
  try {
    if (value.length) localStorage.setItem(key, JSON.stringify(value));
    else localStorage.removeItem(key);
  } catch {
    // Without storage the page forgets on reload, and that is all.
  }
}

// draw returns a new id. (crypto.randomUUID exists on secure origins only.)
export function draw() {
  const bytes = crypto.getRandomValues(new Uint8Array(12));
  return Array.from(bytes, (b) => b.toString(16).padStart(2, '0')).join('');
}

export const recent = () => read(recentKey).filter((c) => c && typeof c.id === 'string');

// touch puts a conversation at the head of the recent ones, named by its first
// question.
export function touch(id, title) {
  const all = recent();
  const known = all.find((c) => c.id === id);
  const head = { id, title: known?.title || title.slice(0, 80) };
  const kept = [head, ...all.filter((c) => c.id !== id)];
  for (const gone of kept.slice(maxRecent)) write(pendingKey(gone.id), []);
  write(recentKey, kept.slice(0, maxRecent));
}

// pending returns the snapshots kept by keep that may still mean something.
export function pending(conversation) {
  const now = Date.now();
  return read(pendingKey(conversation)).filter((s) => s && typeof s.id === 'string' && typeof s.asked_at === 'string' &&
    (s.kind === 'failed' || s.kind === 'unsent' || now - Date.parse(s.asked_at) < patience));
}

export const keep = (conversation, snapshots) => write(pendingKey(conversation), snapshots.slice(-maxPending));
