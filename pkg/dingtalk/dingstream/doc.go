// Package dingstream receives DingTalk's messages and card presses over a Stream
// connection, which needs no public address: outbound HTTPS and WebSocket only.
//
// A frame is acknowledged once what it says is durable, and not before. What
// cannot be made durable is tried again for a while, then left unacknowledged for
// DingTalk to send again. Messages of one conversation are handed on in the order
// they came, also across connections.
//
// It does not answer anything, and it does not remember what it has seen: a
// redelivered frame has a new id and the same message, and the queue it goes to
// recognises the message. DingTalk promises no redelivery; what is sent while
// nobody is connected may be lost, so a connection that is told to end is replaced
// first, and several processes may run side by side.
package dingstream
