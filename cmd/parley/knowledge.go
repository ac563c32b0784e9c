package main

import (
	"context"
	"fmt"
	"io"
	"os"
	"strings"
	"time"

	"github.com/spf13/cobra"
	"golang.org/x/term"

	"parley/pkg/chat"
	"parley/pkg/docindex"
	"parley/pkg/pipeline"
)

func docsFlag(c *cobra.Command, f *localFlags) {
	c.Flags().StringVar(&f.docs, "docs", "", "folder of Markdown, text, HTML and PDF files to answer from")
}

// knowledge opens what answers are looked up in.
func (l *local) knowledge(ctx context.Context) error {
	if l.flags.model == "bedrock" {
		l.system.Rewriter = pipeline.ModelRewriter{Model: l.system.Model}
	}
	switch {
	case l.flags.docs == "" && (l.models.KnowledgeBase == "" || l.flags.model != "bedrock"):
		return nil
	case l.flags.docs == "":
		retriever, err := bedrockRetriever(ctx, deployedKnowledge(l.models))
		if err == nil {
			l.system.Config.Profile.Retriever = retriever
		}
		return err
	}
	index, err := l.folders.index(ctx, l.flags.docs, l.models.CitationBaseURL)
	if err != nil {
		return err
	}
	l.system.Config.Profile.Retriever = index
	return nil
}

// openDocs opens the index of a folder, brings it up to date and shows how far it
// has got.
func openDocs(ctx context.Context, dir, file string, c docindex.Config) (*docindex.Index, error) {
	c.Dir, c.File = dir, file
	shown := bar{out: os.Stderr, label: "reading " + dir}
	if term.IsTerminal(int(os.Stderr.Fd())) {
		c.Progress = shown.show
	}
	index, err := docindex.Open(ctx, c)
	if err != nil {
		return nil, err
	}
	report, err := index.Refresh(ctx)
	shown.end()
	if err != nil {
		_ = index.Close()
		return nil, err
	}
	if report.Files == len(report.Problems) {
		_ = index.Close()
		return nil, fmt.Errorf("folder %s: there is no Markdown, text, HTML or PDF file that can be read", dir)
	}
	return index, nil
}

// bar shows progress on a terminal. Short work shows none.
type bar struct {
	out   io.Writer
	label string
	began time.Time
	last  time.Time
	shown bool
}

func (p *bar) show(done, total int) {
	now := time.Now()
	if p.began.IsZero() {
		p.began = now
	}
	if now.Sub(p.began) < 500*time.Millisecond || now.Sub(p.last) < 100*time.Millisecond && done < total {
		return
	}
	const width = 30
	filled := width * done / total
	fmt.Fprintf(p.out, "\r%s [%s%s] %d/%d", p.label, strings.Repeat("█", filled), strings.Repeat("░", width-filled), done, total)
	p.last, p.shown = now, true
}

// end takes the bar away.
func (p *bar) end() {
	if p.shown {
		fmt.Fprint(p.out, "\r\x1b[K")
	}
}

// source is one source of an answer, with the passage it is cited for.
func source(c chat.Citation) string {
	var b strings.Builder
	fmt.Fprintf(&b, "\n[%d] %s", c.Number, c.Title)
	if c.Heading != "" {
		fmt.Fprintf(&b, " › %s", c.Heading)
	}
	if c.Page > 0 {
		fmt.Fprintf(&b, ", p. %d", c.Page)
	}
	if c.URL != "" {
		fmt.Fprintf(&b, "  %s", c.URL)
	}
	if c.Quote != "" {
		fmt.Fprintf(&b, "\n    “%s”", c.Quote)
	}
	b.WriteByte('\n')
	return b.String()
}
