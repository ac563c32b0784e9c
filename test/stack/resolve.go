package stack

import (
	"encoding/json"
	"fmt"
	"maps"
	"regexp"
	"slices"
	"strings"
)

// Stack is what a template becomes with parameters: the resources whose condition
// holds, with every intrinsic function evaluated.
type Stack struct {
	Resources map[string]Resource
	Outputs   map[string]any
}

// Physical says what Ref (attribute "") and GetAtt of a resource are. It is asked
// only for resources that exist.
type Physical func(resource, attribute string) (any, error)

// Pseudo are the values of CloudFormation's own parameters, such as
// "AWS::Region".
type Pseudo map[string]string

// resolver evaluates a template's intrinsic functions.
type resolver struct {
	t          *Template
	parameters map[string]string
	pseudo     Pseudo
	physical   Physical
}

// missing is the value of AWS::NoValue: what holds it is left out.
type missing struct{}

// Resolve evaluates t. Parameters that are not given take their default.
func (t *Template) Resolve(parameters map[string]string, pseudo Pseudo, physical Physical) (s *Stack, err error) {
	defer func() {
		if p := recover(); p != nil {
			e, ok := p.(resolveError)
			if !ok {
				panic(p)
			}
			s, err = nil, fmt.Errorf("resolve template: %s", string(e))
		}
	}()
	r := &resolver{t: t, parameters: map[string]string{}, pseudo: pseudo, physical: physical}
	for name, p := range t.Parameters {
		v, given := parameters[name]
		if !given {
			v = fmt.Sprint(p.Default)
		}
		if err := p.Check(v); err != nil {
			fail("parameter %s: %v", name, err)
		}
		r.parameters[name] = v
	}
	for name := range parameters {
		if _, ok := t.Parameters[name]; !ok {
			fail("no parameter %s", name)
		}
	}
	return r.stack(), nil
}

func (r *resolver) stack() *Stack {
	s := &Stack{Resources: map[string]Resource{}, Outputs: map[string]any{}}
	for _, name := range slices.Sorted(maps.Keys(r.t.Resources)) {
		res := r.t.Resources[name]
		if res.Condition != "" && !r.condition(res.Condition) {
			continue
		}
		properties, _ := r.value(res.Properties).(map[string]any)
		if res.Type == "AWS::Serverless::Function" {
			globals, _ := r.value(r.t.Globals["Function"]).(map[string]any)
			properties = merged(globals, properties)
		}
		res.Properties = properties
		s.Resources[name] = res
	}
	for name, o := range r.t.Outputs {
		m := o.(map[string]any)
		if c, ok := m["Condition"].(string); ok && !r.condition(c) {
			continue
		}
		s.Outputs[name] = r.value(m["Value"])
	}
	return s
}

// merged lays over on top of under, as SAM does with Globals.
func merged(under, over map[string]any) map[string]any {
	out := maps.Clone(under)
	if out == nil {
		out = map[string]any{}
	}
	for k, v := range over {
		a, isMap := out[k].(map[string]any)
		b, alsoMap := v.(map[string]any)
		if isMap && alsoMap {
			v = merged(a, b)
		}
		out[k] = v
	}
	return out
}

type resolveError string

func fail(format string, args ...any) { panic(resolveError(fmt.Sprintf(format, args...))) }

func (r *resolver) value(v any) any {
	switch v := v.(type) {
	case []any:
		out := []any{}
		for _, e := range v {
			if e = r.value(e); e != (missing{}) {
				out = append(out, e)
			}
		}
		return out
	case map[string]any:
		if len(v) == 1 {
			for name, argument := range v {
				if name == "Ref" || name == "Condition" && isName(argument) || strings.HasPrefix(name, "Fn::") {
					return r.call(name, argument)
				}
			}
		}
		out := map[string]any{}
		for k, e := range v {
			if e = r.value(e); e != (missing{}) {
				out[k] = e
			}
		}
		return out
	}
	return v
}

// isName tells {"Condition": "Name"} from a policy statement's Condition.
func isName(v any) bool { _, ok := v.(string); return ok }

func (r *resolver) call(name string, argument any) any {
	list, _ := argument.([]any)
	switch name {
	case "Ref":
		return r.ref(argument.(string))
	case "Condition":
		return r.condition(argument.(string))
	case "Fn::GetAtt":
		return r.attribute(list[0].(string), list[1].(string))
	case "Fn::Sub":
		return r.sub(argument)
	case "Fn::If":
		if r.condition(list[0].(string)) {
			return r.value(list[1])
		}
		return r.value(list[2])
	case "Fn::Equals":
		return fmt.Sprint(r.value(list[0])) == fmt.Sprint(r.value(list[1]))
	case "Fn::Not":
		return !r.value(list[0]).(bool)
	case "Fn::And":
		return !slices.ContainsFunc(list, func(c any) bool { return !r.value(c).(bool) })
	case "Fn::Or":
		return slices.ContainsFunc(list, func(c any) bool { return r.value(c).(bool) })
	case "Fn::FindInMap":
		return r.t.Mappings[list[0].(string)][fmt.Sprint(r.value(list[1]))][fmt.Sprint(r.value(list[2]))]
	case "Fn::GetAZs":
		return []any{r.pseudo["AWS::Region"] + "a", r.pseudo["AWS::Region"] + "b"}
	case "Fn::Split":
		var parts []any
		for part := range strings.SplitSeq(fmt.Sprint(r.value(list[1])), list[0].(string)) {
			parts = append(parts, part)
		}
		return parts
	case "Fn::Select":
		i, err := r.value(list[0]).(json.Number).Int64()
		if err != nil {
			fail("select: %v", err)
		}
		return r.value(list[1]).([]any)[i]
	}
	fail("no function %s", name)
	return nil
}

func (r *resolver) condition(name string) bool {
	c, ok := r.t.Conditions[name]
	if !ok {
		fail("no condition %s", name)
	}
	return r.value(c).(bool)
}

func (r *resolver) ref(name string) any {
	if name == "AWS::NoValue" {
		return missing{}
	}
	if v, ok := r.pseudo[name]; ok {
		return v
	}
	if v, ok := r.parameters[name]; ok {
		return v
	}
	return r.attribute(name, "")
}

func (r *resolver) attribute(resource, attribute string) any {
	res, ok := r.t.Resources[resource]
	if !ok {
		fail("no parameter or resource %s", resource)
	}
	if res.Condition != "" && !r.condition(res.Condition) {
		fail("%s is used, but its condition %s does not hold", resource, res.Condition)
	}
	v, err := r.physical(resource, attribute)
	if err != nil {
		fail("%s.%s: %v", resource, attribute, err)
	}
	return v
}

var variable = regexp.MustCompile(`\$\{([^}]+)\}`)

// sub interpolates. What Keep left to CloudFormation stays a variable, and the
// whole a Fn::Sub.
func (r *resolver) sub(argument any) any {
	text, values, kept := "", map[string]any{}, false
	switch a := argument.(type) {
	case string:
		text = a
	case []any:
		text, values = a[0].(string), r.value(a[1]).(map[string]any)
	}
	text = variable.ReplaceAllStringFunc(text, func(m string) string {
		name := m[2 : len(m)-1]
		v, given := values[name]
		if !given {
			resource, attribute, isAttribute := strings.Cut(name, ".")
			if isAttribute {
				v = r.attribute(resource, attribute)
			} else {
				v = r.ref(name)
			}
		}
		if reference, ok := v.(Reference); ok {
			kept = true
			return reference.variable()
		}
		return fmt.Sprint(v)
	})
	if kept {
		return map[string]any{"Fn::Sub": text}
	}
	return text
}
