package slackapi_test

import (
	"bytes"
	"encoding/json"
	"os"
	"path/filepath"
	"strings"
	"testing"
	"testing/synctest"
	"time"

	"github.com/google/go-cmp/cmp"

	"parley/pkg/chat"
	"parley/pkg/phrase"
	"parley/pkg/pipeline"
	"parley/pkg/slack"
	"parley/pkg/slack/slacktest"
)

// homeReply is a snapshot of a person's page.
func homeReply(language string, h *chat.Home) chat.Reply {
	return chat.Reply{
		MessageID: "home:slack/A0PARLEY01/U1/home", Kind: chat.AtHome, Fence: 1, Seq: 1, Language: language, Home: h,
		Conversation: chat.Conversation{Platform: chat.Slack, Tenant: slacktest.DefaultAppID, Channel: "U1", Thread: "home"},
		Asker:        chat.Author{ID: "U1"},
		Route:        slack.Route{AppID: slacktest.DefaultAppID, Team: slacktest.DefaultTeam, Channel: "U1", User: "U1"}.JSON(),
	}
}

func plainHome(now time.Time, language string) *chat.Home {
	words := phrase.In(language)
	at := func(channel, thread string) chat.Conversation {
		return chat.Conversation{Platform: chat.Slack, Tenant: slacktest.DefaultAppID, Channel: channel, Thread: thread}
	}
	return &chat.Home{
		Note:  words.Say("home.saved"),
		Usage: words.Say("usage") + "\n- " + words.Say("usage.user", words.Say("usage.of", "1,200", "50,000", 2)),
		Model: "Thorough", Models: []string{"Fast", "Thorough"},
		Recent: []chat.Recalled{
			{Conversation: at("C0ROOM0001", "946684700.000100"), Title: "Who <!channel> & | *what*?", SentAt: now.Add(-5 * time.Minute), Turns: 3},
			{Conversation: at("D0ANN00001", ""), Title: "Plan my day", SentAt: now.Add(-26 * time.Hour), Turns: 12},
			{Conversation: at("C0ROOM0001", "slash:U1"), Title: "quietly", SentAt: now.Add(-80 * time.Hour), Turns: 1},
		},
	}
}

func adminHome(now time.Time, language string) *chat.Home {
	h := plainHome(now, language)
	h.Note, h.Recent, h.Unread = "", nil, []chat.HomePart{chat.HomeRecent}
	h.Admin = &chat.Admin{
		Version: "1.2.3", More: true, Trouble: "throttled", TroubleAt: now.Add(-90 * time.Second), PausedUntil: now.Add(20 * time.Second),
		Queues: []chat.HomeQueue{{Name: "requests", Waiting: 4, InFlight: 2, Dead: 11}, {Name: "control"}, {Name: "replies", Dead: 1}},
		Letters: []chat.HomeLetter{
			{ID: "17", Ref: "1a2b3c4d", Queue: "requests", Reason: "model", AskedAt: now.Add(-3 * time.Hour), Told: true},
			{ID: "18", Ref: "5e6f7a8b", Queue: "replies", Reason: "chat", AskedAt: now.Add(-72 * time.Hour)},
		},
	}
	return h
}

// drawnHome is an administrator's page on a day with little trouble, for the
// documentation.
func drawnHome(now time.Time, language string) *chat.Home {
	h := adminHome(now, language)
	h.Unread, h.Recent = nil, plainHome(now, language).Recent
	h.Recent[0].Title = "Which rivers flow through Basel?"
	h.Recent[2].Title = "Draft a reply to the landlord"
	h.Admin.Queues = []chat.HomeQueue{{Name: "requests", Waiting: 4, InFlight: 2, Dead: 1}, {Name: "control"}, {Name: "replies", Dead: 1}}
	h.Admin.More, h.Admin.Trouble, h.Admin.TroubleAt, h.Admin.PausedUntil = false, "", time.Time{}, time.Time{}
	return h
}

// The home tab's blocks, as Slack gets them: paste one of the files into Block Kit
// Builder to see it.
func TestHomeBlocks(t *testing.T) {
	for name, c := range map[string]struct {
		language string
		home     func(now time.Time, language string) *chat.Home
	}{
		"home": {"en", drawnHome}, "home_plain": {"en", plainHome}, "home_plain_zh": {"zh-CN", plainHome},
		"home_admin": {"en", adminHome}, "home_admin_zh": {"zh", adminHome},
		"home_refused": {"en", func(time.Time, string) *chat.Home { return &chat.Home{Note: "Sorry."} }},
	} {
		t.Run(name, func(t *testing.T) {
			synctest.Test(t, func(t *testing.T) {
				w := newWorld(t, slacktest.Options{})
				if err := w.post(homeReply(c.language, c.home(time.Now(), c.language)), false); err != nil {
					t.Fatal(err)
				}
				w.wantRules()
				goldenView(t, name, w.s)
			})
		})
	}
}

func goldenView(t *testing.T, name string, s *slacktest.Server) {
	t.Helper()
	calls := s.Calls("views.publish")
	var got bytes.Buffer
	if err := json.Indent(&got, []byte(calls[len(calls)-1].Args["view"]), "", "  "); err != nil {
		t.Fatal(err)
	}
	got.WriteByte('\n')
	file := filepath.Join("testdata", "blocks", name+".json")
	if *update {
		if err := os.WriteFile(file, got.Bytes(), 0o644); err != nil {
			t.Fatal(err)
		}
	}
	want, err := os.ReadFile(file)
	if err != nil {
		t.Fatal(err)
	}
	if diff := cmp.Diff(string(want), got.String()); diff != "" {
		t.Errorf("(-want +got)\n%s", diff)
	}
}

// The largest page there can be is inside Slack's limits.
func TestHomeLimits(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		w := newWorld(t, slacktest.Options{})
		h := adminHome(time.Now(), "en")
		h.Unread = nil
		h.Usage = strings.Repeat("用量 & <", 2000)
		for range 8 {
			h.Recent = append(h.Recent, chat.Recalled{
				Conversation: chat.Conversation{Platform: chat.Slack, Tenant: slacktest.DefaultAppID, Channel: strings.Repeat("C", 64), Thread: "946684700.000100"},
				Title:        strings.Repeat("<&>", 200), SentAt: time.Now(), Turns: 200,
			})
		}
		for range 10 {
			h.Admin.Letters = append(h.Admin.Letters, chat.HomeLetter{ID: strings.Repeat("i", 100), Reason: "unavailable", Queue: "requests", AskedAt: time.Now()})
		}
		h.Models = []string{strings.Repeat("模", 30), strings.Repeat("m", 30), "c", "d"}
		if err := w.post(homeReply("en", h), false); err != nil {
			t.Fatal(err)
		}
		w.wantRules()
	})
}

// A tab that something else has changed is published over, once the record was
// looked at again; after a call of unknown outcome the hash is not believed.
func TestHomeHash(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		w := newWorld(t, slacktest.Options{})
		r := homeReply("en", plainHome(time.Now(), "en"))
		if err := w.post(r, false); err != nil || w.at.Key == "" {
			t.Fatalf("%v, hash %q", err, w.at.Key)
		}
		w.s.PublishAsAnother("U1")
		err := w.post(r, false)
		if e := pipeline.Classify(err); err == nil || e.Permanent || w.at.Key != "" {
			t.Errorf("over another's tab: %v, hash %q", err, w.at.Key)
		}
		if err := w.post(r, true); err != nil {
			t.Error(err)
		}
		w.s.Inject("views.publish", 1, slacktest.FailAfter())
		if err := w.post(r, false); err == nil || w.at.Key != "" {
			t.Errorf("after a call of unknown outcome: %v, hash %q", err, w.at.Key)
		}
		if err := w.post(r, true); err != nil {
			t.Error(err)
		}
		if v, _ := w.s.Home("U1"); !strings.Contains(v.Text(), "Saved.") {
			t.Errorf("shown %q", v.Text())
		}
		w.wantRules()
	})
}

// Links are worth less than the page: without the workspace's address it has none.
func TestHomeWithoutTheWorkspace(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		w := newWorld(t, slacktest.Options{})
		w.s.Inject("auth.test", 1, slacktest.FailBefore())
		if err := w.post(homeReply("en", plainHome(time.Now(), "en")), false); err != nil {
			t.Fatal(err)
		}
		if v, _ := w.s.Home("U1"); !strings.Contains(v.Text(), "Plan my day") || strings.Contains(v.Text(), "archives") {
			t.Errorf("shown %q", v.Text())
		}
	})
}
