package pipeline

import (
	"errors"
	"fmt"
	"time"
)

// Sentinels that implementations return and stages test with errors.Is.
var (
	// ErrConflict: a record is not in the revision the write was made for.
	ErrConflict = errors.New("record changed meanwhile")
	// ErrStopped: a stop marker is newer than the question being committed.
	ErrStopped = errors.New("stopped by the person")
	// ErrClaimed: a platform post belongs to the answer to another message.
	ErrClaimed = errors.New("post belongs to another answer")
	// ErrOutcomeUnknown: a call may or may not have taken effect.
	ErrOutcomeUnknown = errors.New("outcome unknown")
)

// Reason is the class of a failure: a bounded set, fit for metric labels, letter
// attributes and filters. The people who asked are told one sentence per Reason.
type Reason string

// The classes of failure.
const (
	ReasonUnreadable  Reason = "unreadable"  // the envelope cannot be decoded
	ReasonRefused     Reason = "refused"     // the model or a guardrail will not answer
	ReasonConfig      Reason = "config"      // access, model id, missing scope: an operator must act
	ReasonTooLong     Reason = "too_long"    // the question does not fit the model
	ReasonBudget      Reason = "budget"      // the person's or workspace's budget is used up
	ReasonThrottled   Reason = "throttled"   // the model was busy for too long
	ReasonModel       Reason = "model"       // the model failed, stalled or broke off
	ReasonCrash       Reason = "crash"       // the process died each time it tried
	ReasonStore       Reason = "store"       // a database or queue failed
	ReasonChat        Reason = "chat"        // the chat platform refuses the post for good
	ReasonUnavailable Reason = "unavailable" // anything else that did not pass in time
	ReasonMoved       Reason = "moved"       // the queue itself gave up; the person was not told
)

// Reasons are all classes of failure.
var Reasons = []Reason{
	ReasonUnreadable, ReasonRefused, ReasonConfig, ReasonTooLong, ReasonBudget, ReasonThrottled,
	ReasonModel, ReasonCrash, ReasonStore, ReasonChat, ReasonUnavailable, ReasonMoved,
}

// Error carries what settlement needs to know about a failure.
type Error struct {
	Reason    Reason
	Permanent bool          // retrying cannot help
	Throttled bool          // busy, not broken: does not count as a try
	After     time.Duration // the service's own hint; 0 if it gave none
	Unknown   bool          // the call may have taken effect
	Err       error
}

func (e *Error) Error() string {
	if e.Err == nil {
		return string(e.Reason)
	}
	return fmt.Sprintf("%s: %v", e.Reason, e.Err)
}

func (e *Error) Unwrap() []error {
	if e.Unknown {
		return []error{e.Err, ErrOutcomeUnknown}
	}
	return []error{e.Err}
}

// Permanent marks err as one that no retry can cure.
func Permanent(reason Reason, err error) error {
	return &Error{Reason: reason, Permanent: true, Err: err}
}

// Transient marks err as one worth another try.
func Transient(reason Reason, err error) error { return &Error{Reason: reason, Err: err} }

// Throttled marks err as a service's request to come back after d (0: it gave
// no hint).
func Throttled(reason Reason, d time.Duration, err error) error {
	return &Error{Reason: reason, Throttled: true, After: d, Err: err}
}

// OutcomeUnknown marks err as one after which the call may have taken effect.
func OutcomeUnknown(reason Reason, err error) error {
	return &Error{Reason: reason, Unknown: true, Err: err}
}

// Classify returns the innermost classified error in err's chain, or a transient
// one of class ReasonUnavailable.
func Classify(err error) *Error {
	var e *Error
	if errors.As(err, &e) {
		return e
	}
	return &Error{Reason: ReasonUnavailable, Err: err}
}
