package dingapi

import (
	"context"
	"fmt"
	"log/slog"
	"net/http"
	"testing"

	"parley/pkg/chat"
	"parley/pkg/dingtalk"
	"parley/pkg/dingtalk/dingtest"
	"parley/pkg/phrase"
	"parley/pkg/pipeline"
	"parley/pkg/pipelinetest"
)

func TestPosterContract(t *testing.T) {
	for _, c := range []struct {
		name     string
		template string
		options  dingtest.Options
		inbound  dingtest.Inbound
	}{
		{name: "webhook", inbound: dingtest.Inbound{Group: group}},
		{name: "OpenAPI in a group", inbound: dingtest.Inbound{Group: group, Fields: map[string]any{"sessionWebhook": nil}}},
		{name: "OpenAPI to a person", inbound: dingtest.Inbound{Fields: map[string]any{"sessionWebhook": nil}}},
		{name: "card in a group", template: template, inbound: dingtest.Inbound{Group: group}},
		{name: "card to a person", template: template},
	} {
		t.Run(c.name, func(t *testing.T) {
			pipelinetest.TestPoster(t, func(t *testing.T) pipelinetest.ChatUnderTest {
				return chatUnderTest(t, c.template, c.options, c.inbound)
			}, pipelinetest.PosterFeatures{Features: pipelinetest.Features{Bubble: true, LongWaits: true}, Long: 5_000})
		})
	}
}

func chatUnderTest(t *testing.T, template string, o dingtest.Options, in dingtest.Inbound) pipelinetest.ChatUnderTest {
	dt := dingtest.New(o)
	where := in.Group
	if where == "" {
		where = staff
	}
	asked := 0
	return pipelinetest.ChatUnderTest{
		NewPoster: func(f *pipelinetest.Faults) pipeline.Poster {
			c, err := New(Config{
				ClientID: dt.ClientID, Secret: func(context.Context) (string, error) { return dt.Secret, nil },
				CardTemplateID: template, HTTPClient: &http.Client{Transport: f.Transport(dt.Transport())},
				Log: slog.New(slog.DiscardHandler),
			})
			if err != nil {
				t.Fatal(err)
			}
			return NewPoster(c)
		},
		Ask: func() chat.Reply {
			asked++
			in.MsgID = fmt.Sprint("m", asked)
			parsed, err := dingtalk.NewParser(dingtalk.Config{}).Message(dt.Said(in), dt.Now())
			if err != nil {
				t.Fatal(err)
			}
			m := parsed.Messages[0]
			return chat.Reply{MessageID: m.ID, Conversation: m.Conversation, Asker: m.Author, AskedAt: m.SentAt, Route: m.Route, Language: "en"}
		},
		Seen: func(chat.Reply) []string {
			var seen []string
			for _, p := range dt.Posts(where) {
				if p.Text != phrase.In("en").Say("withdrawn") { // a card that could not be recalled
					seen = append(seen, p.Text)
				}
			}
			return seen
		},
		Unfinished: func(ask chat.Reply) bool {
			for _, p := range dt.Posts(where) {
				if p.State == dingtest.CardOpen {
					return true
				}
			}
			return len(dt.Reactions("m1")) > 0
		},
		Breaches: dt.Violations,
	}
}
