package main

import (
	"bufio"
	"bytes"
	"encoding/json"
	"os"
	"path/filepath"
	"slices"
	"strings"
	"testing"
	"time"

	"parley/pkg/chat"
	"parley/pkg/pipeline"
	"parley/pkg/sqlitestore"
)

// ratedData is a data file with answers that people rated.
func ratedData(t *testing.T) (file string) {
	t.Helper()
	file = filepath.Join(t.TempDir(), "parley.db")
	store, err := sqlitestore.Open(t.Context(), file, sqlitestore.Options{})
	if err != nil {
		t.Fatal(err)
	}
	defer store.Close()
	now := time.Now().UTC().Truncate(time.Second)
	put := func(n int, question, profile string, votes ...pipeline.Vote) {
		id := "slack:A:C:" + string(rune('0'+n))
		turn := pipeline.Turn{
			TurnKey: pipeline.TurnKey{Conversation: "slack/A/C/", SentAt: now.Add(-time.Duration(10-n) * time.Hour), MessageID: id},
			Author:  chat.Author{ID: "UANN"}, Question: question, Profile: profile, Votes: votes, AnsweredAt: now,
			Answer:    "It says <so> [1]. Mail ann@example.com.",
			Citations: []chat.Citation{{Number: 1, URL: "handbook/leave.md"}, {Number: 2, URL: "handbook/leave.md"}, {Number: 3}},
		}
		k := pipeline.Case{MessageID: id, Rev: 1, Nonce: id, State: pipeline.CaseAnswered, Turn: turn.TurnKey}
		if err := store.SwapCase(t.Context(), k, pipeline.Effects{Put: &turn}); err != nil {
			t.Fatal(err)
		}
	}
	vote := func(by, verdict, complaint, comment string, ago time.Duration) pipeline.Vote {
		return pipeline.Vote{By: by, Verdict: verdict, Complaint: complaint, Comment: comment, At: now.Add(-ago)}
	}
	put(1, "How many days of leave?", "", vote("UBOB", chat.Down, "wrong", "", time.Hour), vote("UANN", chat.Up, "", "", time.Hour))
	put(2, "What is my password=hunter22?", "hr", vote("UBOB", chat.Down, chat.ComplaintOther, "call +44 20 7946 0958", time.Hour))
	put(3, "Nobody voted on this", "")
	put(4, "Long ago", "", vote("UANN", chat.Up, "", "", 50*24*time.Hour))
	return file
}

func exported(t *testing.T, args ...string) (lines []ratedCase, text string) {
	t.Helper()
	c := root()
	var out bytes.Buffer
	c.SetOut(&out)
	c.SetArgs(append([]string{"eval", "export"}, args...))
	if err := c.Execute(); err != nil {
		t.Fatal(err)
	}
	for s := bufio.NewScanner(bytes.NewReader(out.Bytes())); s.Scan(); {
		var line ratedCase
		if err := json.Unmarshal(s.Bytes(), &line); err != nil {
			t.Fatal(err)
		}
		lines = append(lines, line)
	}
	return lines, out.String()
}

// Without --with-text nothing that anybody wrote is in the file.
func TestExportWithoutText(t *testing.T) {
	file := ratedData(t)
	lines, text := exported(t, "--data", file)
	if len(lines) != 3 {
		t.Fatalf("%d lines:\n%s", len(lines), text)
	}
	for _, secret := range []string{"question", "answer", "leave?", "password", "hunter22", "It says", "7946", "UANN", "UBOB"} {
		if strings.Contains(text, secret) {
			t.Errorf("the file holds %q:\n%s", secret, text)
		}
	}
	first := lines[0] // the asker's word counts for more than another's
	if first.Verdict != chat.Up || first.Up != 1 || first.Down != 1 || !slices.Equal(first.Sources, []string{"handbook/leave.md"}) ||
		!slices.Equal(first.Complaints, []string{"wrong"}) || first.Profile != "default" || first.Ref != chat.Ref("slack:A:C:1") {
		t.Errorf("the first line is %+v", first)
	}
	if bad := lines[1]; bad.Verdict != chat.Down || bad.Sources != nil || !slices.Equal(bad.Cited, []string{"handbook/leave.md"}) {
		t.Errorf("the second line is %+v", bad)
	}
	if _, err := readCases(saved(t, text)); err == nil || !strings.Contains(err.Error(), "--with-text") {
		t.Errorf("eval reads it: %v", err)
	}
}

func TestExportFilters(t *testing.T) {
	file := ratedData(t)
	for _, c := range []struct {
		args []string
		want int
	}{
		{[]string{"--since", "24h"}, 2}, {[]string{"--verdict", "up"}, 2}, {[]string{"--verdict", "down"}, 1},
		{[]string{"--profile", "hr"}, 1}, {[]string{"--profile", "default", "--since", "24h"}, 1}, {[]string{"--profile", "none"}, 0},
	} {
		if lines, text := exported(t, append(c.args, "--data", file)...); len(lines) != c.want {
			t.Errorf("%v: %d lines, want %d:\n%s", c.args, len(lines), c.want, text)
		}
	}
}

// With its text the file is one that eval reads, without secrets.
func TestExportIsAnEvalSet(t *testing.T) {
	_, text := exported(t, "--data", ratedData(t), "--with-text")
	for _, secret := range []string{"hunter22", "ann@example.com", "7946"} {
		if strings.Contains(text, secret) {
			t.Errorf("the file holds %q:\n%s", secret, text)
		}
	}
	if !strings.Contains(text, "It says <so> [1]") || !strings.Contains(text, "[phone]") {
		t.Errorf("the text is not in it:\n%s", text)
	}
	docs := t.TempDir()
	if err := os.MkdirAll(filepath.Join(docs, "handbook"), 0o755); err != nil {
		t.Fatal(err)
	}
	if err := os.WriteFile(filepath.Join(docs, "handbook", "leave.md"), []byte("# Leave\n\nThere are 25 days of leave a year.\n"), 0o644); err != nil {
		t.Fatal(err)
	}
	var out bytes.Buffer
	if err := eval(t.Context(), &out, evalFlags{docs: []string{docs}, models: []string{"demo"}, ks: []int{5}, json: true}, saved(t, text)); err != nil {
		t.Fatal(err)
	}
	var scores []evalScore
	if err := json.Unmarshal(out.Bytes(), &scores); err != nil || len(scores) != 1 {
		t.Fatalf("%d scores, %v", len(scores), err)
	}
	if s := scores[0]; s.Questions != 3 || s.Located != 2 || s.Recall != 0.5 {
		t.Errorf("%d questions, %d with known sources, recall %.2f", s.Questions, s.Located, s.Recall)
	}
}

func saved(t *testing.T, text string) string {
	t.Helper()
	file := filepath.Join(t.TempDir(), "set.jsonl")
	if err := os.WriteFile(file, []byte(text), 0o600); err != nil {
		t.Fatal(err)
	}
	return file
}
