// Package stack reads template.yaml as CloudFormation would: parameters with their
// patterns, conditions, intrinsic functions. Tests ask it what a deployment with
// given parameters consists of; the rehearsal builds one from its answer.
//
// It knows the functions and resource types that Parley's template uses and fails
// on others. It does not know AWS: what a Ref becomes is the caller's to say.
package stack

import (
	"bytes"
	"encoding/json"
	"fmt"
	"os"
	"regexp"
	"slices"
	"strconv"
	"strings"

	"gopkg.in/yaml.v3"
)

// Template is a template as written, its intrinsic functions in their long form.
type Template struct {
	Parameters map[string]Parameter
	Mappings   map[string]map[string]map[string]any
	Conditions map[string]any
	Globals    map[string]any
	Resources  map[string]Resource
	Outputs    map[string]any
}

// Parameter is one of the template's parameters.
type Parameter struct {
	Type                  string
	Default               any
	AllowedValues         []any
	AllowedPattern        string
	ConstraintDescription string
	Description           string
	MinValue, MaxValue    *float64
	MinLength, MaxLength  *int
	NoEcho                bool
}

// Resource is one resource. Properties hold maps, lists, strings, numbers and
// booleans; in a Template also intrinsic functions.
type Resource struct {
	Type           string
	Condition      string
	DeletionPolicy string
	DependsOn      any
	Metadata       map[string]any
	Properties     map[string]any
}

// Read reads the template in file.
func Read(file string) (*Template, error) {
	data, err := os.ReadFile(file)
	if err != nil {
		return nil, err
	}
	var document yaml.Node
	if err := yaml.Unmarshal(data, &document); err != nil {
		return nil, fmt.Errorf("read template: %w", err)
	}
	long, err := longForm(document.Content[0])
	if err != nil {
		return nil, fmt.Errorf("read template: %w", err)
	}
	if data, err = json.Marshal(long); err != nil {
		return nil, fmt.Errorf("read template: %w", err)
	}
	var t Template
	d := json.NewDecoder(bytes.NewReader(data))
	d.UseNumber() // as written, not as 1.2096e+06
	if err := d.Decode(&t); err != nil {
		return nil, fmt.Errorf("read template: %w", err)
	}
	return &t, nil
}

// longForm turns !Name value into {"Fn::Name": value}.
func longForm(n *yaml.Node) (any, error) {
	name, tagged := strings.CutPrefix(n.Tag, "!")
	tagged = tagged && !strings.HasPrefix(n.Tag, "!!")
	plain := *n
	if tagged {
		plain.Tag = ""
	}
	value, err := plainValue(&plain)
	if err != nil || !tagged {
		return value, err
	}
	switch name {
	case "Ref", "Condition":
		return map[string]any{name: value}, nil
	case "GetAtt":
		if s, ok := value.(string); ok {
			resource, attribute, _ := strings.Cut(s, ".")
			value = []any{resource, attribute}
		}
	}
	return map[string]any{"Fn::" + name: value}, nil
}

func plainValue(n *yaml.Node) (any, error) {
	switch n.Kind {
	case yaml.SequenceNode:
		list := make([]any, len(n.Content))
		for i, c := range n.Content {
			var err error
			if list[i], err = longForm(c); err != nil {
				return nil, err
			}
		}
		return list, nil
	case yaml.MappingNode:
		m := make(map[string]any, len(n.Content)/2)
		for i := 0; i < len(n.Content); i += 2 {
			v, err := longForm(n.Content[i+1])
			if err != nil {
				return nil, err
			}
			m[n.Content[i].Value] = v
		}
		return m, nil
	case yaml.AliasNode:
		return nil, fmt.Errorf("line %d: CloudFormation knows no aliases", n.Line)
	}
	var v any
	if err := n.Decode(&v); err != nil {
		return nil, fmt.Errorf("line %d: %w", n.Line, err)
	}
	return v, nil
}

// Check says what CloudFormation would say of value for parameter p.
func (p Parameter) Check(value string) error {
	complain := func(otherwise string, args ...any) error {
		if p.ConstraintDescription != "" {
			return fmt.Errorf("%s", p.ConstraintDescription)
		}
		return fmt.Errorf(otherwise, args...)
	}
	if p.AllowedPattern != "" {
		ok, err := matches(p.AllowedPattern, value)
		if err != nil {
			return err
		}
		if !ok {
			return complain("must match %s", p.AllowedPattern)
		}
	}
	if p.AllowedValues != nil && !slices.ContainsFunc(p.AllowedValues, func(a any) bool { return fmt.Sprint(a) == value }) {
		return complain("must be one of %v", p.AllowedValues)
	}
	if p.MinLength != nil && len(value) < *p.MinLength || p.MaxLength != nil && len(value) > *p.MaxLength {
		return complain("must have a length within bounds")
	}
	if p.Type != "Number" {
		return nil
	}
	n, err := strconv.ParseFloat(value, 64)
	if err != nil {
		return complain("must be a number")
	}
	if p.MinValue != nil && n < *p.MinValue || p.MaxValue != nil && n > *p.MaxValue {
		return complain("must be within bounds")
	}
	return nil
}

// matches reports whether pattern, a Java expression, matches the whole of value.
// Go has no negative lookahead, so the one form the template uses is taken apart.
func matches(pattern, value string) (bool, error) {
	lookahead := regexp.MustCompile(`\(\?!(\((?:[a-z-]+\|?)+\)\\\.)\)`)
	if m := lookahead.FindStringSubmatch(pattern); m != nil {
		if refused := regexp.MustCompile("^" + m[1]); refused.MatchString(value) {
			return false, nil
		}
		pattern = strings.Replace(pattern, m[0], "", 1)
	}
	re, err := regexp.Compile("^(?:" + pattern + ")$")
	if err != nil {
		return false, fmt.Errorf("pattern %s: %w", pattern, err)
	}
	return re.MatchString(value), nil
}
