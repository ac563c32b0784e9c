package profiles

import (
	"errors"
	"fmt"
	"reflect"
	"regexp"
	"slices"
	"strconv"
	"strings"

	"gopkg.in/yaml.v3"
)

// Mistake is one thing that is wrong with a file, and what to do about it.
type Mistake struct {
	File string
	Line int // from 1; 0 where it is about the whole file
	Text string
}

// Error implements error: "profiles.yaml:12: ...".
func (m Mistake) Error() string {
	if m.Line == 0 {
		return m.File + ": " + m.Text
	}
	return fmt.Sprintf("%s:%d: %s", m.File, m.Line, m.Text)
}

// Mistakes are all that is wrong with a file, in its order.
type Mistakes []Mistake

// Error implements error: one mistake a line.
func (m Mistakes) Error() string {
	lines := make([]string, len(m))
	for i, one := range m {
		lines[i] = one.Error()
	}
	return strings.Join(lines, "\n")
}

// sorted puts the mistakes in the order of the file.
func (m Mistakes) sorted() Mistakes {
	slices.SortStableFunc(m, func(a, b Mistake) int { return a.Line - b.Line })
	return m
}

var (
	atLine   = regexp.MustCompile(`^(?:yaml: )?line (\d+): `)
	unknown  = regexp.MustCompile(`^field (.*) not found in type profiles\.(\w+)$`)
	mistyped = regexp.MustCompile("^cannot unmarshal !!(\\w+)(?: `.*`)? into (.+)$")
)

// spelled puts the library's findings into words for people who know no Go.
func spelled(name string, err error) Mistakes {
	all := []string{strings.TrimPrefix(err.Error(), "yaml: ")}
	var mistyped *yaml.TypeError
	if errors.As(err, &mistyped) {
		all = mistyped.Errors
	}
	var out Mistakes
	for _, text := range all {
		m := Mistake{File: name}
		if at := atLine.FindStringSubmatch(text); at != nil {
			m.Line, _ = strconv.Atoi(at[1])
			text = text[len(at[0]):]
		}
		m.Text = plain(text)
		out = append(out, m)
	}
	return out.sorted()
}

func plain(text string) string {
	if m := unknown.FindStringSubmatch(text); m != nil {
		return fmt.Sprintf("there is no setting %q here; there are %s", m[1], fields[m[2]])
	}
	if m := mistyped.FindStringSubmatch(text); m != nil {
		return fmt.Sprintf("here is %s where %s belongs", found[m[1]], wanted(m[2]))
	}
	return text
}

// found are YAML's types in words.
var found = map[string]string{
	"seq": "a list", "map": "a group of settings", "str": "text", "int": "a number", "float": "a number", "bool": "true or false",
	"null": "nothing", "timestamp": "a date", "binary": "binary data",
}

// wanted is a Go type in words.
func wanted(goType string) string {
	switch {
	case goType == "string":
		return "text"
	case goType == "float64":
		return "a number"
	case goType == "bool":
		return "true or false"
	case strings.HasPrefix(goType, "[]"):
		return "a list"
	}
	return "a group of settings"
}

// fields are the settings that each group takes, for who mistyped one.
var fields = map[string]string{
	"file": names(file{}), "entry": names(entry{}), "match": names(match{}), "settings": names(settings{}),
	"slackPlaces": names(slackPlaces{}), "dingtalkPlaces": names(dingtalkPlaces{}),
	"choice": names(choice{}), "knowledge": names(knowledge{}), "budget": names(budget{}),
}

func names(group any) string {
	var all []string
	for _, f := range reflect.VisibleFields(reflect.TypeOf(group)) {
		if name, _, _ := strings.Cut(f.Tag.Get("yaml"), ","); name != "" {
			all = append(all, name)
		}
	}
	return strings.Join(all, ", ")
}
