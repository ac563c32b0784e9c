// Package dingtalk is DingTalk's inbound half: it verifies what arrives, says
// what a person did, and names every gesture and conversation.
//
// One decoder serves both ways in. The body of an HTTP callback and the data of
// a Stream-mode frame are the same JSON; the two differ in how they are
// authenticated and acknowledged, and only Parse authenticates.
//
// It does no input or output, calls no DingTalk API and knows nothing of how
// answers are posted; what the posting half needs travels in Route. It promises
// that every delivery of one gesture yields the same chat.Message ID, that a
// message it returns always fits the queue, and that nothing DingTalk adds to
// its payloads loses a message: fields of an unexpected type read as absent.
package dingtalk
