package main

import (
	"context"
	"errors"
	"fmt"
	"io"
	"text/tabwriter"
	"time"

	"github.com/aws/aws-sdk-go-v2/service/bedrockagent"
	"github.com/spf13/cobra"

	"parley/pkg/bedrock"
	"parley/pkg/config"
)

// knowledgeFlags name a knowledge base.
type knowledgeFlags struct{ stack, id string }

func kbCommand() *cobra.Command {
	c := &cobra.Command{
		Use:   "kb",
		Short: "Look after the knowledge base that answers come from",
		Long: `Looks after a Bedrock knowledge base: when its data sources were read, and reading
them anew. A deployment reads them by itself, weekly unless KnowledgeSyncSchedule says
otherwise. Remembered threads need no reading; they can be found at once.`,
		Example: `  parley kb status --stack parley-prod
  parley kb sync --stack parley-prod
  parley kb sync --knowledge-base ABCDE12345`,
		Args: noArgs,
		RunE: func(c *cobra.Command, _ []string) error { return c.Help() },
	}
	f := &knowledgeFlags{}
	p := c.PersistentFlags()
	p.StringVar(&f.stack, "stack", "", "CloudFormation stack of a deployment")
	p.StringVar(&f.id, "knowledge-base", "", "id of a knowledge base (default: that of --stack, or KNOWLEDGE_BASE_ID)")
	c.AddCommand(kbStatusCommand(f), kbSyncCommand(f))
	return c
}

func kbStatusCommand(f *knowledgeFlags) *cobra.Command {
	return &cobra.Command{
		Use:     "status",
		Short:   "Tell when each data source was read, and how that went",
		Example: `  parley kb status --stack parley-prod`,
		Args:    noArgs,
		RunE: func(c *cobra.Command, _ []string) error {
			k, err := f.open(c.Context())
			if err != nil {
				return err
			}
			s, err := k.Status(c.Context())
			if err != nil {
				return err
			}
			fmt.Fprintf(c.OutOrStdout(), "%s is %s, of type %s.\n\n", s.Name, s.Status, s.Type)
			return printSources(c.OutOrStdout(), s.Sources)
		},
	}
}

func kbSyncCommand(f *knowledgeFlags) *cobra.Command {
	return &cobra.Command{
		Use:   "sync",
		Short: "Read every data source anew",
		Long: `Reads every data source anew, one after the other as the service demands, and waits
for the end. A reading that is under way already is followed first, because it may have
passed what changed since it began. Interrupting the command does not interrupt a reading.

Ends with 1 if a source could not be read.`,
		Example: `  parley kb sync --stack parley-prod
  parley kb sync --knowledge-base ABCDE12345`,
		Args: noArgs,
		RunE: func(c *cobra.Command, _ []string) error {
			k, err := f.open(c.Context())
			if err != nil {
				return err
			}
			return syncSources(c.Context(), c.OutOrStdout(), c.ErrOrStderr(), k)
		},
	}
}

// open finds the knowledge base that the flags or the environment name.
func (f *knowledgeFlags) open(ctx context.Context) (*bedrock.Knowledge, error) {
	var m config.Model
	var r config.Remember
	switch err := errors.Join(config.Load(&m), config.Load(&r)); {
	case err != nil:
		return nil, configMistake(err)
	case f.stack != "" && f.id != "":
		return nil, usagef("--stack and --knowledge-base name one thing twice; give one of them")
	case f.stack == "" && f.id == "" && m.KnowledgeBase == "":
		return nil, usagef("name the knowledge base with --stack or --knowledge-base, or set KNOWLEDGE_BASE_ID")
	}
	cfg, err := loadAWS(ctx)
	if err != nil {
		return nil, err
	}
	id, source := m.KnowledgeBase, r.Source
	if f.id != "" && f.id != id {
		id, source = f.id, ""
	}
	if f.stack != "" {
		outputs, err := stackOutputs(ctx, cfg, f.stack)
		if err != nil {
			return nil, err
		}
		if id, source = outputs["KnowledgeBaseId"], outputs["RememberedSourceId"]; id == "" {
			return nil, fmt.Errorf("stack %s has no knowledge base; deploy it with CreateKnowledgeBase or KnowledgeBaseId", f.stack)
		}
	}
	return bedrock.NewKnowledge(bedrockagent.NewFromConfig(cfg), id, source)
}

// syncSources reads all sources anew and shows how it goes.
func syncSources(ctx context.Context, out, progress io.Writer, k *bedrock.Knowledge) error {
	said := ""
	read, err := k.SyncAll(ctx, func(s bedrock.SourceStatus) {
		if line := syncStep(s); line != said {
			fmt.Fprintln(progress, line)
			said = line
		}
	})
	if ctx.Err() != nil {
		return fmt.Errorf("interrupted; what is being read goes on: %w", err)
	}
	if len(read) == 0 && err == nil {
		fmt.Fprintln(out, "There is no data source to read.")
		return nil
	}
	if len(read) > 0 {
		fmt.Fprintln(progress)
		if err := printSources(out, read); err != nil {
			return err
		}
	}
	return err
}

// syncStep is one line about a sync under way.
func syncStep(s bedrock.SourceStatus) string {
	switch j := s.Last; {
	case j.Status == bedrock.StatusQueued:
		return s.Name + ": another source is being read; waiting for it"
	case j.Joined && j.Running():
		return s.Name + ": is being read already; following that first"
	case j.Running():
		return fmt.Sprintf("%s: reading, %d documents so far", s.Name, j.Scanned)
	default:
		return fmt.Sprintf("%s: %s, %d documents", s.Name, j.Status, j.Scanned)
	}
}

func printSources(w io.Writer, sources []bedrock.SourceStatus) error {
	t := tabwriter.NewWriter(w, 0, 4, 2, ' ', 0)
	fmt.Fprintln(t, "SOURCE\tRESULT\tSEEN\tNEW OR CHANGED\tREMOVED\tUNREADABLE\tBEGAN\tTOOK")
	for _, s := range sources {
		j := s.Last
		switch {
		case j.ID == "" && j.Status == "":
			fmt.Fprintf(t, "%s\t-\t\t\t\t\t\t\n", s.Name)
		default:
			fmt.Fprintf(t, "%s\t%s\t%d\t%d\t%d\t%d\t%s\t%v\n", s.Name, j.Status, j.Scanned, j.Indexed, j.Deleted, j.Failed,
				j.StartedAt.Local().Format(time.DateTime), j.UpdatedAt.Sub(j.StartedAt).Round(time.Second))
		}
	}
	return t.Flush()
}
