package main

import (
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"log/slog"
	"os"
	"path/filepath"
	"slices"
	"strings"
	"text/tabwriter"
	"time"

	"github.com/spf13/cobra"
	"gopkg.in/yaml.v3"

	"parley/pkg/bedrock"
	"parley/pkg/chat"
	"parley/pkg/config"
	"parley/pkg/demo"
	"parley/pkg/docindex"
	"parley/pkg/pipeline"
)

// evalCase is a question whose answer is known.
type evalCase struct {
	Question string   `yaml:"question" json:"question"`
	Sources  []string `yaml:"sources" json:"sources"` // ends of the addresses of right documents; of a rated answer there may be none
	Verdict  string   `yaml:"verdict" json:"verdict"` // of people on the answer it had, where it was exported
	Passage  string   `yaml:"passage" json:"passage"` // text of the right passage; "" takes any of the sources
	Facts    []string `yaml:"facts" json:"facts"`     // what a right answer says
}

// evalScore is what one configuration reached.
type evalScore struct {
	Docs       string     `json:"docs"`
	Model      string     `json:"model"`
	K          int        `json:"k"`
	Questions  int        `json:"questions"`
	Located    int        `json:"located"`            // questions whose right documents are known
	Recall     float64    `json:"recall"`             // right passage among the first k
	MRR        float64    `json:"mrr"`                // mean of 1/rank of the first right passage
	Precision  float64    `json:"citation_precision"` // right citations of all
	Facts      float64    `json:"facts"`              // expected facts that answers hold
	Latency    float64    `json:"latency_ms"`         // mean, search and answer
	Usage      chat.Usage `json:"usage"`
	Cost       *float64   `json:"cost,omitempty"` // with --prices
	Missed     []string   `json:"missed,omitempty"`
	citations  int
	right      int
	factsAsked int
	factsHeld  int
}

type evalFlags struct {
	docs, models []string
	ks           []int
	json         bool
	prices       string
}

func evalCommand() *cobra.Command {
	var f evalFlags
	c := &cobra.Command{
		Use:   "eval FILE",
		Short: "Measure how well questions are answered from documents",
		Long: `Asks the questions in FILE, a YAML list or JSON lines, of a folder of documents and
reports how often the right passage was found and cited, and whether the answers say
what they should. Flags that are given several times are compared side by side.`,
		Example: `  parley eval docs/eval/parley.yaml --docs docs
  parley eval questions.jsonl --docs handbook --k 3 --k 5 --model demo --model bedrock`,
		Args: cobra.MatchAll(func(_ *cobra.Command, args []string) error {
			if len(args) != 1 {
				return usagef("eval takes one file of questions")
			}
			return nil
		}),
		RunE: func(c *cobra.Command, args []string) error { return eval(c.Context(), c.OutOrStdout(), f, args[0]) },
	}
	c.AddCommand(exportCommand())
	c.Flags().StringArrayVar(&f.docs, "docs", []string{"docs"}, "folder of documents")
	c.Flags().StringArrayVar(&f.models, "model", []string{"demo"}, "model that answers: demo or bedrock")
	c.Flags().IntSliceVar(&f.ks, "k", []int{5}, "passages given to the model")
	c.Flags().BoolVar(&f.json, "json", false, "print JSON instead of a table")
	c.Flags().StringVar(&f.prices, "prices", "", "file of prices by model, for the cost")
	return c
}

func eval(ctx context.Context, w io.Writer, f evalFlags, file string) error {
	cases, err := readCases(file)
	if err != nil {
		return err
	}
	var prices bedrock.Prices
	if f.prices != "" {
		data, err := os.ReadFile(f.prices)
		if err == nil {
			prices, err = bedrock.ParsePrices(data)
		}
		if err != nil {
			return fmt.Errorf("--prices: %w", err)
		}
	}
	var scores []evalScore
	for _, docs := range f.docs {
		for _, model := range f.models {
			for _, k := range f.ks {
				s, err := evalOne(ctx, cases, docs, model, k, prices)
				if err != nil {
					return err
				}
				scores = append(scores, s)
			}
		}
	}
	if f.json {
		e := json.NewEncoder(w)
		e.SetIndent("", "  ")
		return e.Encode(scores)
	}
	return printScores(w, scores)
}

// readCases reads a YAML list, or JSON lines.
func readCases(file string) ([]evalCase, error) {
	data, err := os.ReadFile(file)
	if err != nil {
		return nil, err
	}
	var cases []evalCase
	if strings.HasSuffix(file, ".jsonl") {
		for d := json.NewDecoder(strings.NewReader(string(data))); d.More() && err == nil; {
			var c evalCase
			err = d.Decode(&c)
			cases = append(cases, c)
		}
	} else {
		err = yaml.Unmarshal(data, &cases)
	}
	if err != nil {
		return nil, fmt.Errorf("%s: %w", file, err)
	}
	for i, c := range cases {
		switch {
		case c.Question == "" && c.Verdict != "":
			return nil, fmt.Errorf("%s: line %d was exported without its text; export with --with-text", file, i+1)
		case c.Question == "" || len(c.Sources) == 0 && c.Verdict == "":
			return nil, fmt.Errorf("%s: question %d needs a question and its sources", file, i+1)
		}
	}
	if len(cases) == 0 {
		return nil, fmt.Errorf("%s holds no questions", file)
	}
	return cases, nil
}

// evalOne asks all questions of one configuration.
func evalOne(ctx context.Context, cases []evalCase, docs, model string, k int, prices bedrock.Prices) (s evalScore, err error) {
	if k < 1 || k > 50 {
		return s, usagef("--k is %d; it must be between 1 and 50", k)
	}
	m, err := evalModel(ctx, model)
	if err != nil {
		return s, err
	}
	dir, remove, err := scratch()
	if err != nil {
		return s, err
	}
	defer remove()
	index, err := openDocs(ctx, docs, filepath.Join(dir, "index.db"), docindex.Config{Log: slog.Default()})
	if err != nil {
		return s, err
	}
	defer func() { err = errors.Join(err, index.Close()) }()
	s = evalScore{Docs: docs, Model: model, K: k, Questions: len(cases)}
	for _, c := range cases {
		if err := s.ask(ctx, c, index, m, prices); err != nil {
			return s, fmt.Errorf("%q: %w", c.Question, err)
		}
	}
	s.Latency /= float64(len(cases))
	if located := float64(s.Located); located > 0 {
		s.Recall, s.MRR = s.Recall/located, s.MRR/located
	}
	s.Precision, s.Facts = share(s.right, s.citations), share(s.factsHeld, s.factsAsked)
	return s, nil
}

func share(part, whole int) float64 {
	if whole == 0 {
		return 1
	}
	return float64(part) / float64(whole)
}

func evalModel(ctx context.Context, name string) (pipeline.Model, error) {
	switch name {
	case "demo":
		return &demo.Model{}, nil
	case "bedrock":
		var m config.Model
		if err := config.Load(&m); err != nil {
			return nil, err
		}
		return bedrockModel(ctx, m, slog.Default())
	}
	return nil, usagef("--model is %q; it must be demo or bedrock", name)
}

// ask puts one question and adds what came of it.
func (s *evalScore) ask(ctx context.Context, c evalCase, r pipeline.Retriever, m pipeline.Model, prices bedrock.Prices) error {
	began := time.Now()
	passages, err := r.Retrieve(ctx, c.Question, s.K)
	if err != nil {
		return err
	}
	s.locate(c, passages)
	var answer strings.Builder
	for d, err := range m.Stream(ctx, pipeline.Prompt{MessageID: c.Question, System: defaultSystem, Passages: passages, Question: c.Question}) {
		if err != nil {
			return err
		}
		answer.WriteString(d.Text)
		s.Usage = s.Usage.Add(d.Usage)
		if price, ok := prices.Cost(d.Model, d.Usage); ok && d.Stop != "" {
			if s.Cost == nil {
				s.Cost = new(float64)
			}
			*s.Cost += price
		}
	}
	s.Latency += float64(time.Since(began).Microseconds()) / 1000
	for i, p := range passages {
		if len(c.Sources) > 0 && strings.Contains(answer.String(), fmt.Sprintf("[%d]", i+1)) {
			s.citations++
			if c.from(p) {
				s.right++
			}
		}
	}
	for _, fact := range c.Facts {
		s.factsAsked++
		if contains(answer.String(), fact) {
			s.factsHeld++
		}
	}
	return nil
}

// locate adds whether the right passage is among those found. Nobody knows for a
// question whose right documents nobody has named.
func (s *evalScore) locate(c evalCase, passages []pipeline.Passage) {
	if len(c.Sources) == 0 {
		return
	}
	s.Located++
	rank := slices.IndexFunc(passages, c.right) + 1
	if rank == 0 {
		s.Missed = append(s.Missed, c.Question)
		return
	}
	s.Recall, s.MRR = s.Recall+1, s.MRR+1/float64(rank)
}

// from reports whether a passage is from one of the right documents, and right
// whether it is the right passage of it.
func (c evalCase) from(p pipeline.Passage) bool {
	for _, source := range c.Sources {
		if p.Citation.URL == source || strings.HasSuffix(p.Citation.URL, "/"+source) {
			return true
		}
	}
	return false
}

func (c evalCase) right(p pipeline.Passage) bool { return c.from(p) && contains(p.Text, c.Passage) }

// contains compares without regard to case and line breaks.
func contains(text, part string) bool {
	plain := func(s string) string { return strings.ToLower(strings.Join(strings.Fields(s), " ")) }
	return strings.Contains(plain(text), plain(part))
}

func printScores(w io.Writer, scores []evalScore) error {
	t := tabwriter.NewWriter(w, 0, 0, 2, ' ', 0)
	fmt.Fprintln(t, "docs\tmodel\tk\tquestions\trecall@k\tMRR\tcitations right\tfacts\tms\ttokens\tcost")
	for _, s := range scores {
		cost, recall, mrr := "-", "-", "-"
		if s.Located > 0 {
			recall, mrr = fmt.Sprintf("%.2f", s.Recall), fmt.Sprintf("%.2f", s.MRR)
		}
		if s.Cost != nil {
			cost = fmt.Sprintf("%.4f", *s.Cost)
		}
		fmt.Fprintf(t, "%s\t%s\t%d\t%d\t%s\t%s\t%.2f\t%.2f\t%.1f\t%d\t%s\n",
			s.Docs, s.Model, s.K, s.Questions, recall, mrr, s.Precision, s.Facts, s.Latency, s.Usage.Total(), cost)
	}
	if err := t.Flush(); err != nil {
		return err
	}
	for _, s := range scores {
		for _, q := range s.Missed {
			fmt.Fprintf(w, "\nnot among the first %d in %s: %s", s.K, s.Docs, q)
		}
	}
	fmt.Fprintln(w)
	return nil
}
