// Package webchat is the chat of Parley's own local page: a third platform beside
// Slack and DingTalk, for a person at the machine that Parley runs on.
//
// A [Hub] is the platform's two halves in one value. It reads what the page posts
// (pipeline.Parser), shows snapshots to whoever watches a conversation
// (pipeline.Poster), and serves the page itself. Messages take the same way through
// the queues as those of any other platform; nothing is answered here.
//
// # What it promises
//
// Showing is idempotent: an answer is keyed by its message, and the newest snapshot
// by chat.Order stands. Watchers never hold up a post: each is told that something
// changed and takes what stands when it is ready, so a slow one skips snapshots and
// never misses the last. A Hub forgets everything with its process; committed turns
// come back from memory, and an answer under way comes back with its next snapshot,
// question included, because the question travels in the message's route.
//
// # Who may use it
//
// There are no accounts. The page is for requests whose Host is this machine or the
// address it was told to listen on, which keeps out sites that point a name of
// theirs at it, and posts must come from the page's own origin. Model output is
// Markdown without raw HTML; links lead to http, https or mail and say where,
// pictures are links, and the page's policy loads nothing from elsewhere.
//
// It is not a way to publish Parley on a network.
package webchat
