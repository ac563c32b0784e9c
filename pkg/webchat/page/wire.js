// The page's three endpoints.

import { say } from './words.js';

// Refused is a message that was not taken in; its text is for the person.
class Refused extends Error {}

// send posts a gesture. It may be called again with the same gesture: its id makes
// it one message.
export async function send(gesture) {
  let response;
  try {
    response = await fetch('/web/messages', {
      method: 'POST',
      headers: { 'Content-Type': 'application/json' },
      body: JSON.stringify(gesture),
    });
  } catch {
    throw new Refused(say('error.network'));
  }
  const body = await response.json().catch(() => ({}));
  if (response.ok && body.message_id) return body;
  if (response.status === 413) throw new Refused(say('error.long'));
  if (response.status === 400 && body.error) throw new Refused(body.error);
  throw new Refused(say(response.status === 401 || response.status === 403 ? 'error.refused' : 'error.busy'));
}

export async function history(conversation) {
  const response = await fetch(`/web/history?conversation=${encodeURIComponent(conversation)}`);
  if (!response.ok) throw new Error(`history: ${response.status}`);
  return response.json();
}

// listen follows a conversation until the returned function is called. The browser
// reconnects by itself after most losses; after the others (a refused connection, an
// error page) it gives up, and a new stream is opened here, ever less eagerly.
export function listen(conversation, on) {
  let source;
  let timer;
  let wait = 500;
  const open = () => {
    source = new EventSource(`/web/events?conversation=${encodeURIComponent(conversation)}`);
    source.addEventListener('hello', (e) => { wait = 500; on.hello(JSON.parse(e.data)); });
    source.addEventListener('snapshot', (e) => on.snapshot(JSON.parse(e.data)));
    source.onerror = () => {
      on.lost();
      if (source.readyState !== EventSource.CLOSED) return;
      clearTimeout(timer);
      timer = setTimeout(open, wait);
      wait = Math.min(wait * 2, 8000);
    };
  };
  open();
  return () => { clearTimeout(timer); source.close(); };
}
