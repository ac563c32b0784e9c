package stack

import (
	"encoding/json"
	"slices"
)

// Reference is a Ref or GetAtt that is left to CloudFormation.
type Reference struct{ Resource, Attribute string }

// Keep is a Physical that leaves every reference to CloudFormation.
func Keep(resource, attribute string) (any, error) { return Reference{resource, attribute}, nil }

// MarshalJSON implements json.Marshaler: the reference in its long form.
func (r Reference) MarshalJSON() ([]byte, error) {
	if r.Attribute == "" {
		return json.Marshal(map[string]any{"Ref": r.Resource})
	}
	return json.Marshal(map[string]any{"Fn::GetAtt": []string{r.Resource, r.Attribute}})
}

func (r Reference) variable() string {
	if r.Attribute == "" {
		return "${" + r.Resource + "}"
	}
	return "${" + r.Resource + "." + r.Attribute + "}"
}

// Reduce returns, as JSON, a template of those resources of s that have one of
// types and need no others, with the outputs that need no others. s was resolved
// with Keep. It is for emulators, which know few types.
func (s *Stack) Reduce(types ...string) ([]byte, error) {
	kept := map[string]Resource{}
	for name, r := range s.Resources {
		if slices.Contains(types, r.Type) {
			kept[name] = r
		}
	}
	for again := true; again; {
		again = false
		for name, r := range kept {
			if !within(kept, r.Properties) {
				delete(kept, name)
				again = true
			}
		}
	}
	resources, outputs := map[string]any{}, map[string]any{}
	for name, r := range kept {
		resources[name] = map[string]any{"Type": r.Type, "Properties": r.Properties}
	}
	for name, v := range s.Outputs {
		if within(kept, v) {
			outputs[name] = map[string]any{"Value": v}
		}
	}
	return json.Marshal(map[string]any{"AWSTemplateFormatVersion": "2010-09-09", "Resources": resources, "Outputs": outputs})
}

// within reports whether v refers to kept resources only.
func within(kept map[string]Resource, v any) bool {
	switch v := v.(type) {
	case Reference:
		_, ok := kept[v.Resource]
		return ok
	case []any:
		return !slices.ContainsFunc(v, func(e any) bool { return !within(kept, e) })
	case map[string]any:
		if text, ok := v["Fn::Sub"].(string); ok {
			for _, m := range variable.FindAllStringSubmatch(text, -1) {
				if !within(kept, reference(m[1])) {
					return false
				}
			}
			return true
		}
		for _, e := range v {
			if !within(kept, e) {
				return false
			}
		}
	}
	return true
}

func reference(name string) Reference {
	for i := range name {
		if name[i] == '.' {
			return Reference{name[:i], name[i+1:]}
		}
	}
	return Reference{Resource: name}
}
