package pipeline

import "context"

// Quotas counts what a scope (a person, a workspace, a chat method) uses in one
// day, against a limit that the caller knows. Counters live 40 days.
//
// A counter errs on the side of the limit: a call whose outcome is unknown may
// have been counted, never the reverse. A Reserve that failed may have counted
// its amount; a Settle that failed may not have given anything back. Both are
// safe for concurrent use.
type Quotas interface {
	// Reserve adds amount (positive) to the counter of scope on day (YYYYMMDD) if
	// the sum stays within limit, in one atomic step. used is the counter after
	// it; when ok is false nothing was added, and used is what stands there.
	Reserve(ctx context.Context, scope, day string, amount, limit int64) (used int64, ok bool, err error)
	// Settle corrects an estimate by delta, which may be negative, once the true
	// amount is known. It does not ask for the limit: what was used was used.
	Settle(ctx context.Context, scope, day string, delta int64) error
}
