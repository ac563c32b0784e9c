package main

import (
	"regexp"
	"slices"
	"strings"
)

// deployedStack is what a stack says of itself.
type deployedStack struct {
	id         string // its ARN
	outputs    map[string]string
	parameters map[string]string
}

func (s deployedStack) part(i int) string {
	parts := append(strings.SplitN(s.id, ":", 6), "", "", "", "", "", "")
	return parts[i]
}

func (s deployedStack) partition() string { return s.part(1) }
func (s deployedStack) region() string    { return s.part(3) }

// arn is that of something on Bedrock in the stack's account and region.
func (s deployedStack) arn(resource string) string {
	return strings.Join([]string{"arn", s.partition(), "bedrock", s.region(), s.part(4), resource}, ":")
}

// models are those that the worker may call by the stack's own parameters.
func (s deployedStack) models() []string {
	prefix := s.parameters["ModelProfile"] + "."
	if prefix == "none." || prefix == "." {
		prefix = ""
	}
	all := []string{s.parameters["ApplicationInferenceProfileArn"]}
	for _, name := range []string{"FoundationModelId", "FallbackFoundationModelId", "OtherFoundationModelId"} {
		if id := s.parameters[name]; id != "" {
			all = append(all, prefix+id)
		}
	}
	return all
}

// lacking are those of arns that the list in a parameter does not cover. In the list
// * stands for anything, as in IAM.
func (s deployedStack) lacking(parameter string, arns []string) []string {
	var granted []*regexp.Regexp
	for one := range strings.SplitSeq(s.parameters[parameter], ",") {
		granted = append(granted, regexp.MustCompile("^"+strings.ReplaceAll(regexp.QuoteMeta(one), `\*`, ".*")+"$"))
	}
	return slices.DeleteFunc(slices.Clone(arns), func(arn string) bool {
		return slices.ContainsFunc(granted, func(g *regexp.Regexp) bool { return g.MatchString(arn) })
	})
}
