package main

import (
	"context"
	"encoding/json"
	"fmt"
	"io"
	"time"

	"github.com/spf13/cobra"

	"parley/pkg/pipeline"
)

// letterFlags are what all dlq commands share: where the queues are, and which
// letters are meant.
type letterFlags struct {
	data   string
	stack  string
	filter pipeline.Filter
}

func dlqCommand() *cobra.Command {
	c := &cobra.Command{
		Use:   "dlq",
		Short: "List, explain, replay and drop dead letters",
		Long: `A dead letter is a question that could not be answered, or an answer that could
not be shown: a person is waiting. These commands work on a data file, also while
the server is running on it, and on the queues of a deployment.`,
		Example: `  parley dlq list --data parley.db
  parley dlq show 3f9c2a1b --data parley.db
  parley dlq replay --all --yes --data parley.db
  parley dlq list --stack parley-prod`,
		Args: noArgs,
		RunE: func(c *cobra.Command, _ []string) error { return c.Help() },
	}
	f := &letterFlags{}
	p := c.PersistentFlags()
	p.StringVar(&f.data, "data", "", "data file of parley dev or serve (default "+defaultData+" if it exists)")
	p.StringVar(&f.stack, "stack", "", "CloudFormation stack of a deployment (default: the queues named in the environment)")
	c.AddCommand(listCommand(f), showCommand(f), replayCommand(f), dropCommand(f))
	return c
}

// filters adds the flags that select letters.
func (f *letterFlags) filters(c *cobra.Command) {
	c.Flags().StringVar(&f.filter.Queue, "queue", "", "only letters of this queue: requests, control or replies")
	c.Flags().StringVar(&f.filter.Reason, "reason", "", "only letters with this reason, such as throttled or crash")
	c.Flags().StringVar(&f.filter.Platform, "platform", "", "only letters from slack, dingtalk or web")
	c.Flags().StringVar(&f.filter.Conversation, "conversation", "", "only letters whose conversation begins with this")
	c.Flags().DurationVar(&f.filter.OlderThan, "older-than", 0, "only letters at least this old, such as 30m")
	c.Flags().DurationVar(&f.filter.NewerThan, "newer-than", 0, "only letters at most this old, such as 48h")
}

func listCommand(f *letterFlags) *cobra.Command {
	var asJSON, watch bool
	c := &cobra.Command{
		Use:   "list",
		Short: "List dead letters, oldest first",
		Example: `  parley dlq list --data parley.db
  parley dlq list --reason throttled --newer-than 24h
  parley dlq list --json | jq -r '.[].ref'
  parley dlq list --watch`,
		Args: noArgs,
		RunE: func(c *cobra.Command, _ []string) error {
			if asJSON && watch {
				return usagef("--json and --watch cannot be combined")
			}
			return withOperator(c.Context(), f, func(o *pipeline.Operator) error {
				if watch {
					return watchLetters(c.Context(), c.OutOrStdout(), o, f.filter)
				}
				letters, complete, err := o.List(c.Context(), f.filter)
				if err != nil {
					return err
				}
				if asJSON {
					return printJSON(c.OutOrStdout(), letters)
				}
				return printLetters(c.OutOrStdout(), letters, complete)
			})
		},
	}
	f.filters(c)
	c.Flags().BoolVar(&asJSON, "json", false, "print a JSON array")
	c.Flags().BoolVarP(&watch, "watch", "w", false, "keep running and print new letters as they come")
	return c
}

func printJSON(w io.Writer, v any) error {
	if letters, ok := v.([]pipeline.Letter); ok && letters == nil {
		v = []pipeline.Letter{}
	}
	enc := json.NewEncoder(w)
	enc.SetIndent("", "  ")
	enc.SetEscapeHTML(false)
	return enc.Encode(v)
}

func printLetters(w io.Writer, letters []pipeline.Letter, complete bool) error {
	if len(letters) == 0 {
		_, err := fmt.Fprintln(w, "No dead letters.")
		return err
	}
	printHead(w)
	for _, l := range letters {
		printLetter(w, l)
	}
	least := ""
	if !complete {
		least = "at least "
	}
	_, err := fmt.Fprintf(w, "\n%s%d waiting. \"parley dlq show REF\" tells what happened.\n", least, len(letters))
	return err
}

// row is a line of the table, as wide while letters are watched as in a list.
const row = "%-8s  %-8s  %-10s  %8v  %-16s  %-4s  %s\n"

func printHead(w io.Writer) {
	fmt.Fprintf(w, row, "REF", "QUEUE", "REASON", "ATTEMPTS", "FIRST SEEN", "TOLD", "CONVERSATION")
}

func printLetter(w io.Writer, l pipeline.Letter) {
	ref, told := l.Ref, "no"
	if ref == "" {
		ref = l.ID // it cannot be read; "show" and "drop" take this, too
	}
	if l.Told {
		told = "yes"
	}
	fmt.Fprintf(w, row, ref, l.Queue, l.Reason, l.Attempts, l.FirstSeen.Local().Format("2006-01-02 15:04"), told, l.Conversation)
}

// watchLetters prints letters as they appear, until interrupted.
func watchLetters(ctx context.Context, w io.Writer, o *pipeline.Operator, filter pipeline.Filter) error {
	seen := map[string]bool{}
	every := time.NewTicker(2 * time.Second)
	defer every.Stop()
	fmt.Fprintln(w, "Watching for dead letters; Ctrl-C ends.")
	printHead(w)
	for {
		letters, _, err := o.List(ctx, filter)
		if ctx.Err() != nil {
			return nil
		}
		if err != nil {
			return err
		}
		for _, l := range letters {
			if !seen[l.ID] {
				seen[l.ID] = true
				printLetter(w, l)
			}
		}
		select {
		case <-ctx.Done():
			return nil
		case <-every.C:
		}
	}
}

func showCommand(f *letterFlags) *cobra.Command {
	var reveal, asJSON bool
	c := &cobra.Command{
		Use:   "show REF",
		Short: "Tell the whole story of a message",
		Example: `  parley dlq show 3f9c2a1b
  parley dlq show 3f9c2a1b --reveal   # with what the person wrote`,
		Args: func(_ *cobra.Command, args []string) error {
			if len(args) != 1 {
				return usagef("dlq show takes one reference, as \"parley dlq list\" prints it")
			}
			return nil
		},
		RunE: func(c *cobra.Command, args []string) error {
			return withOperator(c.Context(), f, func(o *pipeline.Operator) error {
				letters, err := named(c.Context(), o, args)
				if err != nil {
					return err
				}
				for _, l := range letters {
					if err := show(c.Context(), c.OutOrStdout(), o, l, reveal, asJSON); err != nil {
						return err
					}
				}
				return nil
			})
		},
	}
	c.Flags().BoolVar(&reveal, "reveal", false, "also print what the person wrote")
	c.Flags().BoolVar(&asJSON, "json", false, "print JSON")
	return c
}

func show(ctx context.Context, w io.Writer, o *pipeline.Operator, l pipeline.Letter, reveal, asJSON bool) error {
	story, err := o.Story(ctx, l)
	if err != nil {
		return err
	}
	text := ""
	if reveal {
		text = l.Text()
	}
	if asJSON {
		return printJSON(w, struct {
			pipeline.Letter
			Story []pipeline.Event `json:"story"`
			Text  string           `json:"text,omitempty"`
		}{l, story, text})
	}
	fmt.Fprintf(w, "%s  %s  %s\n%s\n", l.Ref, l.Queue, l.Reason, l.Conversation)
	if !l.Told {
		fmt.Fprintln(w, "person not told")
	}
	fmt.Fprintln(w)
	for _, e := range story {
		fmt.Fprintf(w, "  %s  %s\n", e.At.Local().Format("2006-01-02 15:04:05"), e.What)
	}
	switch {
	case reveal:
		fmt.Fprintf(w, "\n%s\n", text)
	default:
		fmt.Fprintln(w, "\nThe text is hidden; --reveal prints it.")
	}
	return nil
}

// named returns the letters that refs name; each must name at least one.
func named(ctx context.Context, o *pipeline.Operator, refs []string) ([]pipeline.Letter, error) {
	var all []pipeline.Letter
	for _, ref := range refs {
		letters, complete, err := o.List(ctx, pipeline.Filter{IDs: []string{ref}})
		if err != nil {
			return nil, err
		}
		if len(letters) == 0 && !complete {
			return nil, fmt.Errorf("no dead letter %q is visible now; the queue hides letters behind others of their conversation", ref)
		}
		if len(letters) == 0 {
			return nil, fmt.Errorf("there is no dead letter %q", ref)
		}
		all = append(all, letters...)
	}
	return all, nil
}
