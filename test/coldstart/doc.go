// Package coldstart measures the functions' binaries as Lambda runs them: stripped,
// behind the Runtime API, one fresh process after another, each beside a function
// that does nothing. It holds the ingress to its budget; what it prints is what
// docs/performance.md says.
//
// The numbers are of this machine and without TLS, so they compare; what Lambda
// adds (placement, download, a network) they do not show. "make coldstart" runs it.
package coldstart
