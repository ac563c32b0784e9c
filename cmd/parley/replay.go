package main

import (
	"bufio"
	"context"
	"encoding/json"
	"fmt"
	"io"
	"os"
	"strings"
	"time"

	"github.com/spf13/cobra"
	"golang.org/x/term"

	"parley/pkg/pipeline"
)

// askAbove is how many letters are replayed without asking.
const askAbove = 20

type replayFlags struct {
	all, yes, dryRun bool
	rate             float64
	maxAge           time.Duration
}

func replayCommand(f *letterFlags) *cobra.Command {
	r := &replayFlags{}
	c := &cobra.Command{
		Use:   "replay [REF...]",
		Short: "Send dead letters back to their queue",
		Long: `Sends dead letters back to their queue, oldest first. The apology a person saw
becomes the answer, in the same place. A letter replayed twice is answered once.
Letters whose question was answered or withdrawn meanwhile are taken off the list.`,
		Example: `  parley dlq replay 3f9c2a1b
  parley dlq replay --all --dry-run
  parley dlq replay --reason throttled --newer-than 12h --rate 5
  parley dlq replay --all --yes`,
		RunE: func(c *cobra.Command, args []string) error {
			f.filter.IDs = args
			if len(args) == 0 && !r.all && filterIsEmpty(f.filter) {
				return usagef("name the letters to replay, select them with a filter, or say --all")
			}
			if r.rate <= 0 {
				return usagef("--rate must be more than 0 letters per second")
			}
			if r.maxAge < 0 {
				return usagef("--max-age must not be negative")
			}
			return withOperator(c.Context(), f, func(o *pipeline.Operator) error {
				return replay(c.Context(), c, o, f.filter, r)
			})
		},
	}
	f.filters(c)
	c.Flags().BoolVar(&r.all, "all", false, "replay every letter")
	c.Flags().BoolVarP(&r.yes, "yes", "y", false, fmt.Sprintf("do not ask before more than %d", askAbove))
	c.Flags().BoolVar(&r.dryRun, "dry-run", false, "only say what would happen")
	c.Flags().Float64Var(&r.rate, "rate", 10, "letters per second, at most")
	c.Flags().DurationVar(&r.maxAge, "max-age", 0, "skip questions asked longer ago than this, such as 48h")
	return c
}

func filterIsEmpty(f pipeline.Filter) bool {
	return f.Queue == "" && f.Reason == "" && f.Platform == "" && f.Conversation == "" && f.OlderThan == 0 && f.NewerThan == 0
}

func replay(ctx context.Context, c *cobra.Command, o *pipeline.Operator, filter pipeline.Filter, r *replayFlags) error {
	letters, complete, err := selected(ctx, o, filter)
	if err != nil {
		return err
	}
	if len(letters) > askAbove && !r.yes && !r.dryRun {
		if ok, err := confirm(c, fmt.Sprintf("Replay %d letters?", len(letters))); err != nil || !ok {
			return err
		}
	}
	var replayed, skipped int
	bar := progress{w: c.ErrOrStderr(), total: len(letters)}
	for i, l := range letters {
		if i > 0 && !r.dryRun {
			if err := pause(ctx, r.rate); err != nil {
				return fmt.Errorf("interrupted after %d of %d letters; the rest are where they were", i, len(letters))
			}
		}
		result, err := replayOne(ctx, o, l, r)
		if err != nil {
			return err
		}
		if result.Replayed {
			replayed++
		} else {
			skipped++
			bar.clear()
			fmt.Fprintf(c.OutOrStdout(), "%s  skipped: %s\n", l.Ref, result.Why)
		}
		bar.step(i + 1)
	}
	bar.clear()
	verb := "replayed"
	if r.dryRun {
		verb = "would be replayed"
	}
	fmt.Fprintf(c.OutOrStdout(), "%d %s, %d skipped.\n", replayed, verb, skipped)
	if !complete {
		fmt.Fprintln(c.OutOrStdout(), "The queue hides letters behind others of their conversation; run the command again for the rest.")
	}
	return nil
}

func selected(ctx context.Context, o *pipeline.Operator, filter pipeline.Filter) ([]pipeline.Letter, bool, error) {
	if len(filter.IDs) > 0 {
		letters, err := named(ctx, o, filter.IDs)
		return letters, true, err
	}
	return o.List(ctx, filter)
}

func replayOne(ctx context.Context, o *pipeline.Operator, l pipeline.Letter, r *replayFlags) (pipeline.ReplayResult, error) {
	if r.dryRun {
		return o.Check(ctx, l, r.maxAge)
	}
	return o.Replay(ctx, l, r.maxAge)
}

func pause(ctx context.Context, rate float64) error {
	select {
	case <-ctx.Done():
		return ctx.Err()
	case <-time.After(time.Duration(float64(time.Second) / rate)):
		return nil
	}
}

// confirm asks a question on the terminal. Without one it refuses, and says how
// to go ahead.
func confirm(c *cobra.Command, question string) (bool, error) {
	in, ok := c.InOrStdin().(*os.File)
	if ok && !term.IsTerminal(int(in.Fd())) {
		return false, usagef("%s Say --yes to go ahead without being asked", question)
	}
	fmt.Fprintf(c.ErrOrStderr(), "%s [y/N] ", question)
	line, err := bufio.NewReader(c.InOrStdin()).ReadString('\n')
	if err != nil && err != io.EOF {
		return false, err
	}
	answer := strings.ToLower(strings.TrimSpace(line))
	return answer == "y" || answer == "yes", nil
}

// progress draws a bar where a person is watching.
type progress struct {
	w     io.Writer
	total int
}

func (p progress) shown() bool {
	f, ok := p.w.(*os.File)
	return ok && p.total > 1 && term.IsTerminal(int(f.Fd()))
}

func (p progress) step(done int) {
	if !p.shown() {
		return
	}
	const width = 30
	full := width * done / p.total
	fmt.Fprintf(p.w, "\r[%s%s] %d/%d", strings.Repeat("=", full), strings.Repeat(" ", width-full), done, p.total)
}

func (p progress) clear() {
	if p.shown() {
		fmt.Fprint(p.w, "\r\x1b[K")
	}
}

func dropCommand(f *letterFlags) *cobra.Command {
	var yes bool
	var audit string
	c := &cobra.Command{
		Use:   "drop REF...",
		Short: "Remove dead letters for good",
		Long: `Removes dead letters for good, and keeps a line about each in an audit file: what
it was, when, and why it had failed, but not what the person wrote.`,
		Example: `  parley dlq drop 3f9c2a1b
  parley dlq drop 3f9c2a1b 77aa01fe --yes --audit dropped.jsonl`,
		Args: func(_ *cobra.Command, args []string) error {
			if len(args) == 0 {
				return usagef("name the letters to drop, as \"parley dlq list\" prints them")
			}
			return nil
		},
		RunE: func(c *cobra.Command, args []string) error {
			return withOperator(c.Context(), f, func(o *pipeline.Operator) error {
				letters, err := named(c.Context(), o, args)
				if err != nil {
					return err
				}
				if !yes {
					question := fmt.Sprintf("Drop %d for good? The people who asked will get no answer.", len(letters))
					if ok, err := confirm(c, question); err != nil || !ok {
						return err
					}
				}
				return drop(c.Context(), c.OutOrStdout(), o, letters, audit)
			})
		},
	}
	c.Flags().BoolVarP(&yes, "yes", "y", false, "do not ask")
	c.Flags().StringVar(&audit, "audit", "parley-dropped.jsonl", "file to append a line per letter to")
	return c
}

// drop writes the audit line first: a letter never disappears without a trace.
func drop(ctx context.Context, w io.Writer, o *pipeline.Operator, letters []pipeline.Letter, audit string) error {
	file, err := os.OpenFile(audit, os.O_CREATE|os.O_APPEND|os.O_WRONLY, 0o600)
	if err != nil {
		return fmt.Errorf("open the audit file: %w", err)
	}
	defer file.Close()
	for _, l := range letters {
		line, err := json.Marshal(struct {
			DroppedAt time.Time `json:"dropped_at"`
			pipeline.Letter
		}{time.Now().UTC(), l})
		if err != nil {
			return err
		}
		if _, err := file.Write(append(line, '\n')); err != nil {
			return fmt.Errorf("write the audit file: %w", err)
		}
		if err := file.Sync(); err != nil {
			return fmt.Errorf("write the audit file: %w", err)
		}
		if err := o.Drop(ctx, l); err != nil {
			return err
		}
		fmt.Fprintf(w, "%s  dropped\n", l.Ref)
	}
	return nil
}
