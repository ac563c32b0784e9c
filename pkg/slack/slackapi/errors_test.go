package slackapi_test

import (
	"context"
	"errors"
	"log/slog"
	"net/http"
	"strings"
	"testing"
	"testing/synctest"
	"time"

	"parley/pkg/chat"
	"parley/pkg/pipeline"
	"parley/pkg/slack/slackapi"
	"parley/pkg/slack/slacktest"
)

func TestErrorsOfAPostAreClassified(t *testing.T) {
	for _, tc := range []struct {
		fault slacktest.Fault
		want  pipeline.Error
	}{
		{slacktest.Refused("channel_not_found"), pipeline.Error{Reason: pipeline.ReasonChat, Permanent: true}},
		{slacktest.Refused("is_archived"), pipeline.Error{Reason: pipeline.ReasonChat, Permanent: true}},
		{slacktest.Refused("not_in_channel"), pipeline.Error{Reason: pipeline.ReasonChat, Permanent: true}},
		{slacktest.Refused("restricted_action"), pipeline.Error{Reason: pipeline.ReasonChat, Permanent: true}},
		{slacktest.Refused("missing_scope"), pipeline.Error{Reason: pipeline.ReasonConfig, Permanent: true}},
		{slacktest.Refused("invalid_auth"), pipeline.Error{Reason: pipeline.ReasonConfig, Permanent: true}},
		{slacktest.Refused("account_inactive"), pipeline.Error{Reason: pipeline.ReasonConfig, Permanent: true}},
		{slacktest.Refused("service_unavailable"), pipeline.Error{Reason: pipeline.ReasonUnavailable}},
		{slacktest.Refused("internal_error"), pipeline.Error{Reason: pipeline.ReasonUnavailable, Unknown: true, After: 10 * time.Second}},
		{slacktest.FailBefore(), pipeline.Error{Reason: pipeline.ReasonUnavailable, Unknown: true, After: 10 * time.Second}},
		{slacktest.CutBefore(), pipeline.Error{Reason: pipeline.ReasonUnavailable, Unknown: true, After: 10 * time.Second}},
		{slacktest.RateLimited(7 * time.Second), pipeline.Error{Reason: pipeline.ReasonChat, Throttled: true, After: 7 * time.Second}},
		{slacktest.Fault{Before: true, Status: http.StatusTooManyRequests}, pipeline.Error{Reason: pipeline.ReasonChat, Throttled: true, After: 30 * time.Second}},
	} {
		synctest.Test(t, func(t *testing.T) {
			w := newWorld(t, slacktest.Options{})
			w.s.Inject("chat.postMessage", 1, tc.fault)
			err := w.post(w.reply(chat.Final, "A secret answer."), false)
			got := *pipeline.Classify(err)
			got.Err = nil
			if err == nil || got != tc.want {
				t.Errorf("%+v: got %+v, want %+v", tc.fault, got, tc.want)
			}
			if s := err.Error(); !strings.Contains(s, "chat.postMessage") || strings.Contains(s, "secret") || strings.Contains(s, slacktest.DefaultToken) {
				t.Errorf("the error says %q", s)
			}
			if (w.at.Intent != nil) != tc.want.Unknown {
				t.Errorf("%+v: intent %+v", tc.fault, w.at.Intent)
			}
		})
	}
}

func TestRotatedTokenIsReadOnce(t *testing.T) {
	s := slacktest.New(slacktest.Options{})
	q := s.Say(room, "", ann, "hello")
	token, refreshed := slacktest.DefaultToken, 0
	c, err := slackapi.New(slackapi.Config{
		Token: func() string { return token }, BaseURL: s.APIURL(), HTTPClient: &http.Client{Transport: s.Transport()},
		Refused: func(context.Context) error { refreshed++; token = "xoxb-rotated"; return nil },
		Log:     slog.New(slog.DiscardHandler),
	})
	if err != nil {
		t.Fatal(err)
	}
	s.SetToken("xoxb-rotated")
	w := &world{T: t, s: s, poster: c.Poster(), fence: 1, ask: asked(q), j: &journal{owners: map[string]string{}, until: map[string]time.Time{}}}
	if err := w.post(w.reply(chat.Final, "An answer."), false); err != nil {
		t.Fatal(err)
	}
	w.wantOne("An answer.")
	s.SetToken("xoxb-rotated-again")
	w.fence++
	err = w.post(w.reply(chat.Final, "Another."), false)
	if e := pipeline.Classify(err); !e.Permanent || e.Reason != pipeline.ReasonConfig || refreshed != 2 {
		t.Errorf("got %v after %d readings", err, refreshed)
	}
}

func TestNothingListens(t *testing.T) {
	c, err := slackapi.New(slackapi.Config{Token: func() string { return "x" }, BaseURL: "http://127.0.0.1:1/api", Log: slog.New(slog.DiscardHandler)})
	if err != nil {
		t.Fatal(err)
	}
	s := slacktest.New(slacktest.Options{})
	w := &world{T: t, s: s, poster: c.Poster(), fence: 1, ask: asked(s.Say(room, "", ann, "?")), j: &journal{until: map[string]time.Time{}}}
	err = w.post(w.reply(chat.Final, "x"), false)
	if errors.Is(err, pipeline.ErrOutcomeUnknown) || pipeline.Classify(err).Permanent || w.at.Intent != nil {
		t.Errorf("a connection that was never made: %v, intent %v", err, w.at.Intent)
	}
}

func TestSenselessConfiguration(t *testing.T) {
	for _, cfg := range []slackapi.Config{{}, {Token: func() string { return "" }, BaseURL: "://"}, {Token: func() string { return "" }, BaseURL: "/api/"}} {
		if _, err := slackapi.New(cfg); err == nil {
			t.Errorf("New(%+v) is content", cfg.BaseURL)
		}
	}
}
