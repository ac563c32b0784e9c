// Package raced knows whether the race detector is on. It finds races in the first
// few histories or never, and makes each ten times as slow: tests that go through
// many of a kind go through a sample of them under it. Without it they go through
// all, so nothing is left out of a run of both.
package raced

// Or is all, or under the race detector some.
func Or[T any](all, some T) T {
	if On {
		return some
	}
	return all
}
