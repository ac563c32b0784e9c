// Package config turns environment variables into typed structs. It is the only
// package that reads the environment. One variable has one meaning everywhere; a
// process asks for the structs it needs and no others. A missing or senseless
// value is one sentence that names the variable and says what to do.
//
// The names are set out in docs/design.md, section "Names the outside sees".
package config

import (
	"encoding/json"
	"errors"
	"fmt"
	"log/slog"
	"net/url"
	"os"
	"reflect"
	"slices"
	"strings"

	"github.com/caarlos0/env/v11"
)

// Chat is how Parley behaves in conversations.
type Chat struct {
	System       string `env:"SYSTEM_PROMPT"`
	MemoryTurns  int    `env:"MEMORY_TURNS" envDefault:"20"`
	MemoryTokens int    `env:"MEMORY_TOKENS" envDefault:"8000"`
	MemoryDays   int    `env:"MEMORY_DAYS" envDefault:"30"`
	GroupMemory  string `env:"GROUP_MEMORY" envDefault:"person"`
	FollowUps    string `env:"FOLLOW_UPS" envDefault:"asker"`
	External     string `env:"EXTERNAL" envDefault:"refuse"`
	Language     string `env:"LANGUAGE" envDefault:"en"`
}

// AllowExternal reports whether people of other organisations are answered.
func (c Chat) AllowExternal() bool { return c.External == "allow" }

// Model is which model answers.
type Model struct {
	ID               string `env:"MODEL_ID" envDefault:"global.anthropic.claude-haiku-4-5-20251001-v1:0"`
	Fallback         string `env:"FALLBACK_MODEL_ID"`
	Choices          string `env:"MODEL_CHOICES"`
	MaxTokens        int    `env:"MAX_TOKENS" envDefault:"4096"`
	KnowledgeBase    string `env:"KNOWLEDGE_BASE_ID"`
	CitationBaseURL  string `env:"CITATION_BASE_URL"`
	Filter           string `env:"KNOWLEDGE_BASE_FILTER"`
	RerankModelARN   string `env:"RERANK_MODEL_ARN"`
	AskWhom          string `env:"ASK_WHOM"`
	GuardrailID      string `env:"GUARDRAIL_ID"`
	GuardrailVersion string `env:"GUARDRAIL_VERSION"`
}

// Slack is the Slack app. It is off while it has no credentials.
type Slack struct {
	SigningSecret string `env:"SLACK_SIGNING_SECRET"`
	BotToken      string `env:"SLACK_BOT_TOKEN"`
	AppToken      string `env:"SLACK_APP_TOKEN"`
	SecretARN     string `env:"SLACK_SECRET_ARN"`
	APIURL        string `env:"SLACK_API_URL" envDefault:"https://slack.com/api/"`
}

// DingTalk is the DingTalk app. It is off while it has no credentials.
type DingTalk struct {
	ClientID       string `env:"DINGTALK_CLIENT_ID"`
	ClientSecret   string `env:"DINGTALK_CLIENT_SECRET"`
	SecretARN      string `env:"DINGTALK_SECRET_ARN"`
	RobotCode      string `env:"DINGTALK_ROBOT_CODE"`
	CorpID         string `env:"DINGTALK_CORP_ID"`
	CardTemplateID string `env:"DINGTALK_CARD_TEMPLATE_ID"`
	// CardCallbackURL is where presses on cards are sent, instead of over Stream.
	CardCallbackURL string `env:"DINGTALK_CARD_CALLBACK_URL"`
	APIURL          string `env:"DINGTALK_API_URL" envDefault:"https://api.dingtalk.com"`
	OAPIURL         string `env:"DINGTALK_OAPI_URL" envDefault:"https://oapi.dingtalk.com"`
}

// Queues are the SQS queues and the table of a deployment.
type Queues struct {
	Requests     string `env:"REQUESTS_QUEUE_URL"`
	Control      string `env:"CONTROL_QUEUE_URL"`
	Replies      string `env:"REPLIES_QUEUE_URL"`
	RequestsDead string `env:"REQUESTS_DLQ_URL"`
	RepliesDead  string `env:"REPLIES_DLQ_URL"`
	Table        string `env:"TABLE_NAME"`
}

// Log is what a process writes to its log.
type Log struct {
	Level slog.Level `env:"LOG_LEVEL" envDefault:"INFO"`
}

// Load fills the struct that dst points to from the environment and checks it.
func Load(dst any) error { return LoadFrom(dst, env.ToMap(os.Environ())) }

// LoadFrom is Load with the environment given.
func LoadFrom(dst any, environ map[string]string) error {
	set := map[string]string{}
	for name, value := range environ {
		if strings.TrimSpace(value) != "" { // an empty variable is an unset one
			set[name] = strings.TrimSpace(value)
		}
	}
	if err := env.ParseWithOptions(dst, env.Options{Environment: set}); err != nil {
		return sentence(dst, err)
	}
	if c, ok := dst.(interface{ check() error }); ok {
		return c.check()
	}
	return nil
}

// sentence names the variables in a parse error; the library names the fields.
func sentence(dst any, err error) error {
	var all env.AggregateError
	if !errors.As(err, &all) {
		return err
	}
	var out []error
	for _, e := range all.Errors {
		var parse env.ParseError
		if !errors.As(e, &parse) {
			out = append(out, e)
			continue
		}
		name := parse.Name
		if f, ok := reflect.TypeOf(dst).Elem().FieldByName(parse.Name); ok {
			name, _, _ = strings.Cut(f.Tag.Get("env"), ",")
		}
		out = append(out, fmt.Errorf("%s must be %s", name, kindOf(parse.Type)))
	}
	return errors.Join(out...)
}

func kindOf(t reflect.Type) string {
	switch {
	case t == reflect.TypeFor[slog.Level]():
		return "DEBUG, INFO, WARN or ERROR"
	case t.Kind() == reflect.Int:
		return "a whole number"
	case t.Kind() == reflect.Float64:
		return "a number"
	}
	return "a " + t.String()
}

func (c *Chat) check() error {
	return errors.Join(
		within("MEMORY_TURNS", c.MemoryTurns, 1, 200),
		within("MEMORY_TOKENS", c.MemoryTokens, 100, 500_000),
		within("MEMORY_DAYS", c.MemoryDays, 1, 3650),
		oneOf("GROUP_MEMORY", c.GroupMemory, "person", "group"),
		oneOf("FOLLOW_UPS", c.FollowUps, "asker", "anyone", "never"),
		oneOf("EXTERNAL", c.External, "refuse", "allow"),
	)
}

func (m *Model) check() error {
	return errors.Join(
		within("MAX_TOKENS", m.MaxTokens, 1, 128_000), checkChoices(m.Choices),
		address("CITATION_BASE_URL", m.CitationBaseURL),
		jsonObject("KNOWLEDGE_BASE_FILTER", m.Filter),
		together("GUARDRAIL_ID", m.GuardrailID, "GUARDRAIL_VERSION", m.GuardrailVersion),
	)
}

func (s *Slack) check() error {
	if !strings.HasSuffix(s.APIURL, "/") {
		s.APIURL += "/"
	}
	var pair error
	if s.AppToken == "" { // Socket Mode has no signatures
		pair = together("SLACK_SIGNING_SECRET", s.SigningSecret, "SLACK_BOT_TOKEN", s.BotToken)
	}
	return errors.Join(
		address("SLACK_API_URL", s.APIURL), pair,
		notKind("SLACK_BOT_TOKEN", s.BotToken, "a bot token (xoxb-...)", "xapp-", "xoxp-"),
		notKind("SLACK_APP_TOKEN", s.AppToken, "an app-level token (xapp-...)", "xoxb-", "xoxp-"),
	)
}

// On reports whether Slack has credentials.
func (s Slack) On() bool { return s.BotToken != "" || s.SecretARN != "" }

func (d *DingTalk) check() error {
	d.APIURL, d.OAPIURL = strings.TrimRight(d.APIURL, "/"), strings.TrimRight(d.OAPIURL, "/")
	return errors.Join(
		address("DINGTALK_API_URL", d.APIURL),
		address("DINGTALK_OAPI_URL", d.OAPIURL),
		address("DINGTALK_CARD_CALLBACK_URL", d.CardCallbackURL),
		together("DINGTALK_CLIENT_ID", d.ClientID, "DINGTALK_CLIENT_SECRET", d.ClientSecret),
	)
}

// On reports whether DingTalk has credentials.
func (d DingTalk) On() bool { return d.ClientSecret != "" || d.SecretARN != "" }

func within(name string, v, lowest, highest int) error {
	if v < lowest || v > highest {
		return fmt.Errorf("%s is %d; it must be between %d and %d", name, v, lowest, highest)
	}
	return nil
}

func oneOf(name, v string, allowed ...string) error {
	if !slices.Contains(allowed, v) {
		return fmt.Errorf("%s is %q; it must be one of %s", name, v, strings.Join(allowed, ", "))
	}
	return nil
}

func address(name, v string) error {
	if v == "" {
		return nil
	}
	u, err := url.Parse(v)
	if err != nil || u.Host == "" || (u.Scheme != "https" && u.Scheme != "http") {
		return fmt.Errorf("%s must be an http or https URL", name)
	}
	return nil
}

func jsonObject(name, v string) error {
	var object map[string]any
	if v == "" || json.Unmarshal([]byte(v), &object) == nil {
		return nil
	}
	return fmt.Errorf("%s must be a JSON object, such as {\"equals\":{\"key\":\"team\",\"value\":\"support\"}}", name)
}

func together(a, va, b, vb string) error {
	if (va == "") == (vb == "") {
		return nil
	}
	set, missing := a, b
	if va == "" {
		set, missing = b, a
	}
	return fmt.Errorf("%s is set but %s is not; set both or neither", set, missing)
}

// notKind refuses a credential of another kind, without ever repeating it.
func notKind(name, v, want string, others ...string) error {
	for _, p := range others {
		if strings.HasPrefix(v, p) {
			return fmt.Errorf("%s must be %s; the value begins with %s", name, want, p)
		}
	}
	return nil
}
