// Package slack is Slack's inbound half: it verifies what arrives, says what a
// person did, and names every gesture and conversation.
//
// It does no input or output, talks to no Slack API and knows nothing of how
// answers are posted; what the posting half needs travels in Route. It promises
// that every delivery of one gesture (a redelivery, the app_mention and message
// twins of one mention, the same post seen through two workspaces of a shared
// channel) yields the same chat.Message ID, and that nothing Slack adds to its
// payloads loses an event: only the few fields read here must have the expected
// type.
package slack
