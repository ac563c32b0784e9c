// Package mutate tests the tests: it breaks the guards of the protocol, one at a
// time, and has the harness look for it. A harness that finds nothing where something
// is broken proves nothing by finding nothing.
//
//	make mutate                                            every guard, and the table
//	go test ./test/mutate -mutate -v -run 'Guards/lease'   one
//
// Nothing is written to the tree: a broken file is laid over the real one with the go
// command's own -overlay. That each break still fits the code is checked with the
// ordinary tests, so whoever changes a guard changes its break, too.
package mutate
