// Package slackapi is Slack's outbound half: it shows answers and reads threads
// and files, through slack-go.
//
// A Poster makes what a person sees equal to the newest snapshot of an answer.
// It promises one visible answer whatever is interrupted: before each call that
// must not be repeated blindly it records an intent, and an intent without an
// end is resolved before anything else happens, by looking the message up in its
// thread. How an answer is shown depends on what Slack allows there:
//
//	stream  a message that grows while the model writes (chat.startStream)
//	edit    a message that is edited every few seconds
//	post    nothing but the terminal snapshot, while Slack is busy
//	hook    a slash command's response_url: an ephemeral answer, no progress
//
// An answer only ever moves down this list. A stream is left as soon as there is
// doubt about what it holds: it is closed, and the message becomes the answer by
// an edit.
//
// Slack cannot look up ephemeral messages, so in hook mode the parts after the
// first of a very long answer are delivered at least once. Nothing a model wrote
// can notify anyone, and no link unfurls.
//
// The package decodes Slack's answers itself: slack-go rejects a whole answer
// over one block it does not know, also when the call has taken effect.
package slackapi
