package main

import (
	"cmp"
	"context"
	"encoding/json"
	"fmt"
	"io"
	"slices"
	"time"

	"github.com/spf13/cobra"

	"parley/pkg/chat"
	"parley/pkg/pipeline"
	"parley/pkg/scrub"
)

// ratedCase is an answer that people voted on, as a line of an eval set. The fields
// it shares with evalCase are what "parley eval" asks; the rest is for people.
type ratedCase struct {
	Ref     string    `json:"ref"` // as shown to people and in logs
	AskedAt time.Time `json:"asked_at"`
	Profile string    `json:"profile"`
	// Verdict is the asker's, else that of most people, else down.
	Verdict    string   `json:"verdict"`
	Up         int      `json:"up"`
	Down       int      `json:"down"`
	Complaints []string `json:"complaints,omitempty"`
	Sources    []string `json:"sources,omitempty"` // what a good answer cites
	Cited      []string `json:"cited,omitempty"`   // what a bad answer cited
	// Text of people, with --with-text only.
	Question string   `json:"question,omitempty"`
	Answer   string   `json:"answer,omitempty"`
	Comments []string `json:"comments,omitempty"`
}

type exportFlags struct {
	where            letterFlags
	since            time.Duration
	profile, verdict string
	text             bool
}

func exportCommand() *cobra.Command {
	var f exportFlags
	c := &cobra.Command{
		Use:   "export",
		Short: "Write the answers that people rated as a set of questions for eval",
		Long: `Writes one line of JSON for each answer that people voted on: the verdict, what they
found wrong, and the sources. What people wrote is left out unless --with-text is given;
then question, answer and comments are in it, without secrets and personal data as far
as patterns find them, and "parley eval" reads the file. Look at it before you pass it on.

The sources of good answers are right ones, by their verdict; name those of bad answers
by hand to have them measured, too.`,
		Example: `  parley eval export --data parley.db
  parley eval export --stack parley-prod --since 720h --verdict down --with-text > bad.jsonl
  parley eval bad.jsonl --docs handbook`,
		Args: noArgs,
		RunE: func(c *cobra.Command, _ []string) error { return export(c.Context(), c.OutOrStdout(), f) },
	}
	c.Flags().StringVar(&f.where.data, "data", "", "data file of parley dev or serve (default "+defaultData+" if it exists)")
	c.Flags().StringVar(&f.where.stack, "stack", "", "CloudFormation stack of a deployment (default: the table named in the environment)")
	c.Flags().DurationVar(&f.since, "since", 90*24*time.Hour, "only answers voted on in this time, such as 720h")
	c.Flags().StringVar(&f.profile, "profile", "", "only answers of this profile, such as default")
	c.Flags().StringVar(&f.verdict, "verdict", "", "only good (up) or bad (down) answers")
	c.Flags().BoolVar(&f.text, "with-text", false, "write what people asked, were answered and commented")
	return c
}

func export(ctx context.Context, w io.Writer, f exportFlags) error {
	if err := choice("--verdict", f.verdict, chat.Up, chat.Down); err != nil {
		return err
	}
	if f.since <= 0 {
		return usagef("--since is %v; it must be more than nothing, such as 720h", f.since)
	}
	return withOperator(ctx, &f.where, func(o *pipeline.Operator) error {
		store, ok := o.Memory.(pipeline.Ratings)
		if !ok {
			return fmt.Errorf("%T keeps no votes", o.Memory)
		}
		cases, err := ratedCases(ctx, store, f)
		if err != nil {
			return err
		}
		lines := json.NewEncoder(w)
		lines.SetEscapeHTML(false)
		for _, c := range cases {
			if err := lines.Encode(c); err != nil {
				return err
			}
		}
		return nil
	})
}

// ratedCases are the answers that f selects, oldest first.
func ratedCases(ctx context.Context, store pipeline.Ratings, f exportFlags) ([]ratedCase, error) {
	var cases []ratedCase
	for t, err := range store.Rated(ctx, time.Now().Add(-f.since)) {
		if err != nil {
			return nil, err
		}
		c := caseOf(t, f.text)
		if (f.profile == "" || c.Profile == f.profile) && (f.verdict == "" || c.Verdict == f.verdict) {
			cases = append(cases, c)
		}
	}
	slices.SortFunc(cases, func(a, b ratedCase) int {
		return cmp.Or(a.AskedAt.Compare(b.AskedAt), cmp.Compare(a.Ref, b.Ref))
	})
	return cases, nil
}

// caseOf is t as a line, with what people wrote if text is set.
func caseOf(t pipeline.Turn, text bool) ratedCase {
	c := ratedCase{
		Ref: chat.Ref(t.MessageID), AskedAt: t.SentAt.UTC(),
		Profile: pipeline.Profile{Name: t.Profile}.Label(), Verdict: chat.Down,
	}
	asker := ""
	for _, v := range t.Votes {
		if v.Verdict == chat.Up {
			c.Up++
		} else {
			c.Down++
		}
		if v.By == t.Author.ID {
			asker = v.Verdict
		}
		if v.Complaint != "" && !slices.Contains(c.Complaints, v.Complaint) {
			c.Complaints = append(c.Complaints, v.Complaint)
		}
		if text && v.Comment != "" {
			c.Comments = append(c.Comments, scrubbed(v.Comment))
		}
	}
	if c.Up > c.Down {
		c.Verdict = chat.Up
	}
	c.Verdict = cmp.Or(asker, c.Verdict)
	c.cite(t.Citations)
	if text {
		c.Question, c.Answer = scrubbed(t.Question), scrubbed(t.Answer)
	}
	return c
}

// cite keeps the addresses that an answer cites, each once.
func (c *ratedCase) cite(citations []chat.Citation) {
	var cited []string
	for _, s := range citations {
		if s.URL != "" && !slices.Contains(cited, s.URL) {
			cited = append(cited, s.URL)
		}
	}
	if c.Verdict == chat.Up {
		c.Sources = cited
	} else {
		c.Cited = cited
	}
}

func scrubbed(s string) string {
	clean, _ := scrub.Text(s)
	return clean
}
