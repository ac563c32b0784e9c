// Package pipeline is Parley's core: three stages joined by two queues, and the
// records that make every step of them safe to repeat. It names no vendor; the
// packages that do implement the interfaces declared here, where they are called.
//
// # The walk of one mention
//
// [Ingress] receives a platform's request, has its [Parser] verify and read it,
// puts the [chat.Message] into the requests queue and only then answers 200: an
// acknowledged event is durable. What cannot be queued is answered 503, so that
// the platform sends it again. Gestures that must not wait behind a question
// (stop, edits, deletions, retry) go to the control queue and are handled by
// [Control].
//
// [Worker] takes one message at a time per conversation, because the queue is
// FIFO per group and the group is the conversation. It claims the message's
// [Case], reads a window of [Memory], streams the [Model], commits the answer and
// publishes snapshots ([chat.Reply]) to the replies queue along the way.
//
// [Responder] takes the newest snapshot of each answer and has the platform's
// [Poster] make what people see equal to it. The delivery record ([Placed]) says
// where the answer stands.
//
// # Why nothing is lost
//
// Every stage acknowledges its input only after its output is durable. A crash
// anywhere leads to a redelivery, and every step recognises its own repetition.
//
// # Why nothing is doubled
//
// A message's identity is that of the gesture, so redeliveries and twin events
// meet the same case. A claim raises the case's fence; an attempt that lost its
// claim can no longer commit. A committed answer is found by later deliveries and
// only shown again. Snapshots are ordered by (fence, terminal, seq), so a late
// one changes nothing. Before a post that cannot be repeated blindly the Poster
// writes an [Intent]; an intent without a post is looked up on the platform
// before it is repeated.
//
// # Three numbers
//
// Fence, sequence and tries are different things. The fence orders attempts, the
// sequence orders snapshots within one, the tries bound retries: waiting for a
// lease and being throttled are not tries.
//
// # The life of a case
//
//	           claim                       commit
//	(none) ------------> working(fence) -------------> answered
//	   ^                  |   |  ^  lease over, or same owner: claim at a higher fence
//	   | stop or delete   |   |  |
//	   v                  |   |  +-- token matches fence ---- dead(reason) [buried?]
//	cancelled <-----------+   +------ out of tries, permanent ----^
//
// The transitions are pure functions (case.go); stores only compare and swap, and
// ledger reads back whenever a write's outcome is in doubt.
//
// # When it goes wrong
//
// Errors are classified ([Error]) and [Settle], a pure function, decides between
// retry and burial; the local [Pump] and the batch adapter on Lambda both act on
// its decisions. Burial has an order: the case is dead, the person is told, the
// letter is in the dead-letter queue, the case says so, the delivery is
// acknowledged. A delivery that finds a burial interrupted finishes it.
package pipeline
