// Package slacksocket receives Slack's events over Socket Mode, for machines that
// Slack cannot reach.
//
// It adds a connection to what slack.Parser does for HTTP and nothing else: every
// envelope's raw payload goes through the same Parser. It promises that an
// envelope is acknowledged only once what it says is durable, that no payload is
// lost for holding something slack-go cannot decode, and that the connection
// comes back for as long as the receiver runs. Messages of one conversation are
// handed on in the order they came; Slack redelivers what was not acknowledged,
// to any receiver that is connected, so several may run.
package slacksocket
