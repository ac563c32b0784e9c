package main

import (
	"context"
	"errors"
	"fmt"
	"io"
	"os"
	"path/filepath"
	"strings"
	"time"

	"github.com/spf13/cobra"

	"parley/pkg/chat"
	"parley/pkg/pipeline"
	"parley/pkg/webchat"
)

func askCommand() *cobra.Command {
	f := localFlags{page: true, quiet: true}
	var conversation string
	c := &cobra.Command{
		Use:   "ask QUESTION",
		Short: "Ask one question through the whole pipeline",
		Long: `Sends one question through the whole pipeline on this machine, over a data file
like any other, and prints the answer as it is written.`,
		Example: `  parley ask "what is a dead letter?"
  parley ask --docs handbook "how many days of leave do I have?"
  parley ask --model bedrock "summarise RFC 9110 in three sentences"
  parley ask --data notes.db --conversation trip "and how long does that take?"`,
		Args: func(_ *cobra.Command, args []string) error {
			if len(args) == 0 || strings.TrimSpace(strings.Join(args, " ")) == "" {
				return usagef("ask takes a question, such as: parley ask \"what is SQS?\"")
			}
			return nil
		},
		RunE: func(c *cobra.Command, args []string) error {
			return ask(c.Context(), c.OutOrStdout(), f, conversation, strings.Join(args, " "))
		},
	}
	c.Flags().StringVar(&f.data, "data", "", "data file, to be remembered over several calls (default: none is kept)")
	c.Flags().StringVar(&f.model, "model", "demo", "model that answers: demo or bedrock")
	docsFlag(c, &f)
	profilesFlag(c, &f)
	profileFlag(c, &f)
	c.Flags().StringVar(&conversation, "conversation", "terminal", "conversation the question belongs to")
	return c
}

// ask runs the pipeline for as long as one answer takes.
func ask(ctx context.Context, w io.Writer, f localFlags, conversation, question string) error {
	if f.data == "" {
		dir, remove, err := scratch()
		if err != nil {
			return err
		}
		defer remove()
		f.data = filepath.Join(dir, defaultData)
	}
	l, err := openLocal(ctx, f)
	if err != nil {
		return err
	}
	running, stop := context.WithCancel(ctx)
	ended := make(chan error, 1)
	go func() { ended <- l.system.Run(running) }()
	err = l.askOne(ctx, w, conversation, question)
	stop()
	return errors.Join(err, <-ended, l.close())
}

// askOne puts the question where the page's would go and prints what comes.
func (l *local) askOne(ctx context.Context, w io.Writer, conversation, question string) error {
	m, err := l.hub.Message(webchat.Gesture{Conversation: conversation, Text: question}, time.Now())
	if err != nil {
		return usageError{err}
	}
	snapshots := l.hub.Subscribe(ctx, conversation)
	if err := l.system.Ingress().Accept(ctx, pipeline.Parsed{Messages: []chat.Message{m}}); err != nil {
		return err
	}
	return printAnswer(ctx, w, snapshots, m.ID)
}

// printAnswer prints the answer to one message as it grows.
func printAnswer(ctx context.Context, w io.Writer, snapshots func(func(webchat.Snapshot) bool), id string) error {
	shown := ""
	for s := range snapshots {
		if s.ID != id || s.Kind == chat.Working {
			continue
		}
		if rest, grown := strings.CutPrefix(s.Markdown, shown); grown {
			fmt.Fprint(w, rest)
		} else { // it was begun anew
			fmt.Fprint(w, "\n\n", s.Markdown)
		}
		shown = s.Markdown
		switch {
		case s.Kind == chat.Failed:
			fmt.Fprintln(w)
			return errors.New("the question was not answered; the reason is above")
		case s.Kind.Terminal():
			fmt.Fprintln(w)
			for _, c := range s.Citations {
				fmt.Fprint(w, source(c))
			}
			return nil
		}
	}
	return context.Cause(ctx)
}

// scratch is a directory for a data file that is not kept.
func scratch() (dir string, remove func(), err error) {
	dir, err = os.MkdirTemp("", "parley-ask-")
	if err != nil {
		return "", nil, fmt.Errorf("make a place for the data file: %w", err)
	}
	return dir, func() { _ = os.RemoveAll(dir) }, nil
}
