package pipeline

import (
	"regexp"
	"sync"
)

// pattern is a regular expression that is compiled when it is first used. All
// functions link this package, and the ingress, which uses none, must start fast.
func pattern(expr string) func() *regexp.Regexp {
	return sync.OnceValue(func() *regexp.Regexp { return regexp.MustCompile(expr) })
}
