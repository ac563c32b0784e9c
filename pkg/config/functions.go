package config

import (
	"errors"
	"fmt"
	"strings"
)

// Ingress is what functions/ingress needs besides Slack, DingTalk and AWS.
type Ingress struct {
	Requests    string `env:"REQUESTS_QUEUE_URL,required"`
	Control     string `env:"CONTROL_QUEUE_URL,required"`
	GroupMemory string `env:"GROUP_MEMORY" envDefault:"person"`
	FollowUps   string `env:"FOLLOW_UPS" envDefault:"asker"`
	Profiles    string `env:"PROFILES_PARAMETER"` // not read here; see Forwards
	Language    string `env:"LANGUAGE" envDefault:"en"`
}

// Forwards reports whether replies in threads are passed on although they mention
// nobody. Where there are profiles, the worker alone knows whose are wanted.
func (i Ingress) Forwards() bool { return i.FollowUps != "never" || i.Profiles != "" }

func (i *Ingress) check() error {
	return errors.Join(
		oneOf("GROUP_MEMORY", i.GroupMemory, "person", "group"),
		oneOf("FOLLOW_UPS", i.FollowUps, "asker", "anyone", "never"),
	)
}

// Worker is what functions/worker needs to answer questions, besides Chat, Model,
// Slack and DingTalk.
type Worker struct {
	Requests     string `env:"REQUESTS_QUEUE_URL,required"`
	Replies      string `env:"REPLIES_QUEUE_URL,required"`
	RequestsDead string `env:"REQUESTS_DLQ_URL,required"`
	Table        string `env:"TABLE_NAME,required"`
	// PromptParameter is the name of the SSM parameter that holds the system
	// prompt: a Lambda environment is 4 KB in all.
	PromptParameter string `env:"SYSTEM_PROMPT_PARAMETER,required"`
	// ProfilesParameter is the name of the SSM parameter that holds the profiles.
	ProfilesParameter string `env:"PROFILES_PARAMETER"`
}

// Control is what functions/worker needs to handle the control queue.
type Control struct {
	Requests     string `env:"REQUESTS_QUEUE_URL,required"`
	Control      string `env:"CONTROL_QUEUE_URL,required"`
	Replies      string `env:"REPLIES_QUEUE_URL,required"`
	RequestsDead string `env:"REQUESTS_DLQ_URL,required"`
	Table        string `env:"TABLE_NAME,required"`
	MemoryDays   int    `env:"MEMORY_DAYS" envDefault:"30"`
	Language     string `env:"LANGUAGE" envDefault:"en"`
	Profiles     string `env:"PROFILES_PARAMETER"`
}

func (c *Control) check() error { return within("MEMORY_DAYS", c.MemoryDays, 1, 3650) }

// Home is what the control queue's function needs for people's own pages.
type Home struct {
	Budget
	Admins
	External     string `env:"EXTERNAL" envDefault:"refuse"`
	Choices      string `env:"MODEL_CHOICES"` // their names are offered
	MemoryTurns  int    `env:"MEMORY_TURNS" envDefault:"20"`
	MemoryTokens int    `env:"MEMORY_TOKENS" envDefault:"8000"`
	RepliesDead  string `env:"REPLIES_DLQ_URL,required"`
}

// AllowExternal reports whether people of other organisations have a page.
func (h *Home) AllowExternal() bool { return h.External == "allow" }

func (h *Home) check() error {
	return errors.Join(h.Budget.check(), h.Admins.check(), checkChoices(h.Choices),
		within("MEMORY_TURNS", h.MemoryTurns, 1, 200), within("MEMORY_TOKENS", h.MemoryTokens, 100, 500_000), oneOf("EXTERNAL", h.External, "refuse", "allow"))
}

// Sync is what functions/worker needs to keep the knowledge base fresh.
type Sync struct {
	Sync          string `env:"SYNC_QUEUE_URL,required"`
	Replies       string `env:"REPLIES_QUEUE_URL,required"`
	KnowledgeBase string `env:"KNOWLEDGE_BASE_ID,required"`
	Remembered    string `env:"REMEMBERED_SOURCE_ID"`
	RememberDays  int    `env:"REMEMBER_DAYS" envDefault:"0"`
	// Notices is the channel that is told of failures, as "slack:C012ABCDEF" or
	// "dingtalk:cidXXXX=="; "" is none.
	Notices  string `env:"NOTICE_CHANNEL"`
	Language string `env:"LANGUAGE" envDefault:"en"`
}

func (s *Sync) check() error {
	platform, channel, _ := strings.Cut(s.Notices, ":")
	if s.Notices != "" && (channel == "" || platform != "slack" && platform != "dingtalk") {
		return fmt.Errorf("NOTICE_CHANNEL is %q; it must be like slack:C012ABCDEF or dingtalk:cidXXXX", s.Notices)
	}
	return within("REMEMBER_DAYS", s.RememberDays, 0, 3650)
}

// Responder is what functions/responder needs besides Slack and DingTalk.
type Responder struct {
	Replies     string `env:"REPLIES_QUEUE_URL,required"`
	RepliesDead string `env:"REPLIES_DLQ_URL,required"`
	Table       string `env:"TABLE_NAME,required"`
}

// Function says which of a binary's functions Lambda runs: the template's
// Handler, which Lambda hands to every process it starts.
type Function struct {
	Handler string `env:"_HANDLER"`
	Name    string `env:"AWS_LAMBDA_FUNCTION_NAME"`
}

// AWS is what Lambda tells every process about itself. It is for the ingress,
// which makes its own AWS configuration: the SDK's loader looks for credentials
// in more places than a cold start has time for.
type AWS struct {
	Region          string `env:"AWS_REGION,required"`
	AccessKeyID     string `env:"AWS_ACCESS_KEY_ID,required"`
	SecretAccessKey string `env:"AWS_SECRET_ACCESS_KEY,required"`
	SessionToken    string `env:"AWS_SESSION_TOKEN"`
	Endpoint        string `env:"AWS_ENDPOINT_URL"`
	SQSEndpoint     string `env:"AWS_ENDPOINT_URL_SQS"`
	SecretsEndpoint string `env:"AWS_ENDPOINT_URL_SECRETS_MANAGER"`
}

func (a *AWS) check() error {
	return errors.Join(
		address("AWS_ENDPOINT_URL", a.Endpoint),
		address("AWS_ENDPOINT_URL_SQS", a.SQSEndpoint),
		address("AWS_ENDPOINT_URL_SECRETS_MANAGER", a.SecretsEndpoint),
	)
}
