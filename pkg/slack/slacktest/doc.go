// Package slacktest is Slack as an HTTP server for tests and rehearsals: the Web
// API methods Parley calls, response urls, file downloads, and the signed
// requests Slack sends.
//
// It is as awkward as the real thing. It keeps messages, threads and streams and
// shows them as people would see them; it enforces Slack's limits, ends a stream
// after five minutes, refuses to edit an open stream, and answers 429 when a
// method is called too often. Every call that breaks one of Slack's rules is
// answered as Slack answers it and is also recorded: a test ends by asserting
// that Violations is empty. Faults make a chosen call fail before it takes
// effect, or take effect and lose its answer.
//
// It is not a simulator of Slack's clients: text is kept as sent, not rendered
// to pixels, and permissions stop at what a channel refuses. Rules that Slack
// does not document are taken from its SDKs and from reports of its users and
// are marked as such.
//
// Once started it also serves Socket Mode: what Push is given goes to a connected
// client, again if it was not acknowledged when its connection ended.
//
// A Server has no goroutines of its own but those of its sockets. Transport reaches it without sockets,
// so that it works inside a testing/synctest bubble.
package slacktest
