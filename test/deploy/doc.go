// Package deploy holds the promises that template.yaml makes to the code, as tests
// that read both: what each function is told, what each may do, and the numbers
// that belong together. They need nothing but Go.
package deploy
