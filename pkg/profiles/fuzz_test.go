package profiles

import (
	"errors"
	"path/filepath"
	"slices"
	"testing"

	"golang.org/x/tools/txtar"

	"parley/pkg/chat"
	"parley/pkg/pipeline"
)

// FuzzLoad checks that a file is either refused with reasons, or maps each of its
// places to one of its profiles, whose values the pipeline can use.
func FuzzLoad(f *testing.F) {
	files, err := filepath.Glob("testdata/*.txtar")
	if err != nil {
		f.Fatal(err)
	}
	for _, file := range files {
		a, err := txtar.ParseFile(file)
		if err != nil {
			f.Fatal(err)
		}
		f.Add(a.Files[0].Data, true)
		f.Add(a.Files[0].Data, false)
	}
	f.Fuzz(func(t *testing.T, data []byte, money bool) {
		s, err := Load("p", data, deployment(money))
		if err != nil {
			var all Mistakes
			if s != nil || !errors.As(err, &all) || len(all) == 0 || err.Error() == "" {
				t.Fatalf("refused without a reason: %v, %#v", s, err)
			}
			return
		}
		names := s.Names()
		for at := range s.places {
			m := chat.Message{Conversation: chat.Conversation{Platform: at.platform, Channel: at.id}}
			if at.kind == inWorkspace {
				m.Conversation.Channel, m.Workspace = "elsewhere", at.id
			}
			p := s.Profile(pipeline.Profile{}, m)
			if !slices.Contains(names, p.Name) {
				t.Errorf("%v has the profile %q of %q", at, p.Name, names)
			}
			if b := p.Budget; b.User < 0 || b.Channel < 0 || b.Workspace < 0 {
				t.Errorf("%v has the budget %+v", at, b)
			}
			for _, c := range p.Models {
				if c.Name == "" || c.ID == "" {
					t.Errorf("%v offers %+v", at, c)
				}
			}
		}
	})
}
