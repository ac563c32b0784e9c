package slackapi_test

import (
	"log/slog"
	"net/http"
	"testing"
	"testing/synctest"

	"parley/pkg/chat"
	"parley/pkg/markdown"
	"parley/pkg/pipeline"
	"parley/pkg/pipelinetest"
	slackin "parley/pkg/slack"
	"parley/pkg/slack/slackapi"
	"parley/pkg/slack/slacktest"
)

const (
	room = "C0ROOM0001"
	ann  = "U0ANN00001"
)

func newClient(t *testing.T, s *slacktest.Server, rt http.RoundTripper) *slackapi.Client {
	t.Helper()
	c, err := slackapi.New(slackapi.Config{
		Token: func() string { return slacktest.DefaultToken }, BaseURL: s.APIURL(),
		HTTPClient: &http.Client{Transport: rt}, Log: slog.New(slog.DiscardHandler),
	})
	if err != nil {
		t.Fatal(err)
	}
	return c
}

// decoy is a message of the app's own that belongs to no answer.
const decoy = "I am nobody's answer."

// asked is the beginning of a reply to m.
func asked(m slacktest.Message) chat.Reply {
	root := m.ThreadTS
	if root == "" {
		root = m.TS
	}
	return chat.Reply{
		MessageID:    slackin.MessageID(slacktest.DefaultAppID, m.Channel, m.TS),
		Conversation: chat.Conversation{Platform: chat.Slack, Tenant: slacktest.DefaultAppID, Channel: m.Channel, Thread: root},
		Asker:        chat.Author{ID: m.User, Team: slacktest.DefaultTeam},
		AskedAt:      slackin.TimeOf(m.TS), Language: "en",
		Route: slackin.Route{
			AppID: slacktest.DefaultAppID, Team: slacktest.DefaultTeam, Channel: m.Channel, ThreadTS: root, TS: m.TS,
			User: m.User, UserTeam: slacktest.DefaultTeam, BotUser: slacktest.DefaultBotUser,
		}.JSON(),
	}
}

func underTest(t *testing.T, opt slacktest.Options) pipelinetest.ChatUnderTest {
	s := slacktest.New(opt)
	return pipelinetest.ChatUnderTest{
		NewPoster: func(f *pipelinetest.Faults) pipeline.Poster {
			return newClient(t, s, f.Transport(s.Transport())).Poster()
		},
		Ask: func() chat.Reply {
			q := s.Say(room, "", ann, "<@"+slacktest.DefaultBotUser+"> what is new?")
			s.SayAsBot(room, q.TS, "I am another bot.", true)
			s.SayAsParley(room, q.TS, decoy, nil)
			return asked(q)
		},
		Seen: func(ask chat.Reply) (seen []string) {
			for _, m := range s.Answers(room, ask.Conversation.Thread) {
				if m.Text() != decoy {
					seen = append(seen, m.Text())
				}
			}
			return seen
		},
		Unfinished: func(ask chat.Reply) bool {
			return len(s.OpenStreams()) > 0 || s.Status(room, ask.Conversation.Thread) != ""
		},
		Breaches: func() []string {
			breaches := s.Violations()
			for _, m := range s.Messages(room) {
				if m.BotID == slacktest.DefaultBotID && m.Text() == decoy && m.Edits == 0 {
					return breaches
				}
			}
			return append(breaches, "a message that belongs to no answer was changed")
		},
	}
}

func TestPoster(t *testing.T) {
	defer func(l markdown.Limits) { *slackapi.PartLimits = l }(*slackapi.PartLimits)
	slackapi.PartLimits.Runes = 800
	for _, tc := range []struct {
		name string
		opt  slacktest.Options
		long int
	}{
		{"agent", slacktest.Options{}, 2000},
		{"agent without streams", slacktest.Options{NoStreams: true}, 0},
		{"plain app without streams", slacktest.Options{PlainApp: true, NoStreams: true}, 0},
	} {
		t.Run(tc.name, func(t *testing.T) {
			pipelinetest.TestPoster(t, func(t *testing.T) pipelinetest.ChatUnderTest { return underTest(t, tc.opt) },
				pipelinetest.PosterFeatures{Features: pipelinetest.Features{Bubble: true}, Long: tc.long})
		})
	}
}

// A notice to a channel, which nobody asked for, is one message there, in no thread.
func TestNoticeToAChannel(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		w := newWorld(t, slacktest.Options{})
		r := w.reply(chat.Notice, "The documents could not be read.")
		r.MessageID, r.Conversation.Thread, r.Route = "refresh:1", "", slackin.Route{Channel: room}.JSON()
		for range 2 {
			w.settle(r)
		}
		var said []string
		for _, m := range w.s.Messages(room) {
			if m.User == slacktest.DefaultBotUser || m.BotID != "" {
				said = append(said, m.ThreadTS+m.Text())
			}
		}
		if len(said) != 1 || said[0] != "The documents could not be read." {
			t.Errorf("the channel shows %q", said)
		}
		w.wantRules()
	})
}
