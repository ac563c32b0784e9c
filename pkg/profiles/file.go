package profiles

import (
	"bytes"
	"errors"
	"fmt"
	"io"

	"gopkg.in/yaml.v3"
)

// MaxFile is the largest file that is read, in bytes.
const MaxFile = 256 << 10

// file is the file as written.
type file struct {
	Default  settings `yaml:"default"`
	Profiles []entry  `yaml:"profiles"`
}

// entry is one profile.
type entry struct {
	Name     text  `yaml:"name"`
	Match    match `yaml:"match"`
	settings `yaml:",inline"`
}

// match says where a profile is in force.
type match struct {
	Slack    slackPlaces    `yaml:"slack"`
	DingTalk dingtalkPlaces `yaml:"dingtalk"`
}

type slackPlaces struct {
	Channels   []text `yaml:"channels"`
	Workspaces []text `yaml:"workspaces"`
}

type dingtalkPlaces struct {
	Groups []text `yaml:"groups"`
	Corps  []text `yaml:"corps"`
}

// settings are what a profile may have of its own. What is left out is as in
// default, and what default leaves out is as deployed.
type settings struct {
	System    text       `yaml:"system"`
	Model     text       `yaml:"model"`
	Models    []choice   `yaml:"models"`
	Knowledge *knowledge `yaml:"knowledge"`
	Language  text       `yaml:"language"`
	FollowUps text       `yaml:"follow_ups"`
	External  text       `yaml:"external"`
	Budget    *budget    `yaml:"budget"`
	Approvers []text     `yaml:"approvers"`
	AskWhom   text       `yaml:"ask_whom"`
}

type choice struct {
	Name text `yaml:"name"`
	ID   text `yaml:"id"`
}

type knowledge struct {
	Base        text                  `yaml:"base"`
	Filter      value[map[string]any] `yaml:"filter"`
	Rerank      text                  `yaml:"rerank"`
	CitationURL text                  `yaml:"citation_base_url"`
	Docs        text                  `yaml:"docs"`
	Off         value[bool]           `yaml:"off"`
	Audience    []text                `yaml:"audience"`
}

type budget struct {
	User      amount `yaml:"user"`
	Channel   amount `yaml:"channel"`
	Workspace amount `yaml:"workspace"`
}

// value is a value that remembers where it stands. Groups of settings are never
// one: within them the library would take unknown settings.
type value[T any] struct {
	v    T
	line int // 0: it is not in the file
}

type (
	text   = value[string]
	amount = value[float64] // in the deployment's unit
)

// UnmarshalYAML implements yaml.Unmarshaler.
func (x *value[T]) UnmarshalYAML(n *yaml.Node) error {
	x.line = n.Line
	return n.Decode(&x.v)
}

func (x value[T]) set() bool { return x.line > 0 }

// read decodes data. What is mistyped is an error that lists every mistake.
func read(name string, data []byte) (file, error) {
	var f file
	if len(data) > MaxFile {
		return f, Mistakes{{name, 0, fmt.Sprintf("it has %d bytes; there is room for %d", len(data), MaxFile)}}
	}
	decoder := yaml.NewDecoder(bytes.NewReader(data))
	decoder.KnownFields(true)
	err := decoder.Decode(&f)
	switch {
	case errors.Is(err, io.EOF):
		return f, Mistakes{{name, 0, `it is empty; a file without profiles says "profiles: []"`}}
	case err != nil:
		return f, spelled(name, err)
	}
	if err := decoder.Decode(new(yaml.Node)); !errors.Is(err, io.EOF) {
		return f, Mistakes{{name, 0, "it has more than one document; take out the line ---"}}
	}
	return f, nil
}
