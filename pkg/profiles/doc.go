// Package profiles reads the file that says which places have a profile of their
// own, and is pipeline.Profiles over it.
//
// The file is YAML, kept in a company's own repository, and is replaced while
// questions are answered: what is wrong with a new version is said all at once,
// with lines, and the last good one stays in use. Nothing that is mistyped is
// ignored: an unknown setting, a place with two profiles or a number that makes no
// sense refuses the whole file, because half a policy is another policy.
//
// It does not fetch the file from anywhere but a disk, calls no model and opens no
// knowledge base: what opens one is handed in.
package profiles
