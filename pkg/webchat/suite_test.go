package webchat

import (
	"context"
	"encoding/json"
	"fmt"
	"testing"

	"parley/pkg/chat"
	"parley/pkg/pipeline"
	"parley/pkg/pipelinetest"
)

// screen is a page that stays open while processes come and go behind it. It keeps
// what it was last shown of each answer, and turns to the Hub of the running process.
type screen struct {
	t      *testing.T
	asked  int
	faults *pipelinetest.Faults // of the process that hub belongs to
	hub    *Hub
	watch  *watcher
	shown  map[string]Snapshot
	breach []string
}

// poster is the Hub of the process that f is, a new one after each death.
func (s *screen) poster(f *pipelinetest.Faults) pipeline.Poster {
	if s.faults != f {
		s.faults, s.hub = f, newHub(s.t, Config{})
		s.watch = s.hub.watch("c", 0)
	}
	return shaky{s, f}
}

// read takes in what the Hub has to show.
func (s *screen) read() {
	for got, ok := s.watch.next(); ok; got, ok = s.watch.next() {
		if got.Kind == chat.Withdrawn {
			delete(s.shown, got.ID)
			continue
		}
		if got.Question != "why?" {
			s.breach = append(s.breach, fmt.Sprintf("a snapshot came with the question %q", got.Question))
		}
		s.shown[got.ID] = got
	}
}

// shaky is a Hub whose posts may fail or be the last thing its process does.
type shaky struct {
	*screen
	f *pipelinetest.Faults
}

func (p shaky) Capabilities() pipeline.Capabilities { return p.hub.Capabilities() }

func (p shaky) Post(ctx context.Context, r pipeline.PostRequest, j pipeline.Journal) (at pipeline.Placement, err error) {
	at = r.At
	err = p.f.Call(ctx, "post", func(ctx context.Context) (err error) {
		at, err = p.hub.Post(ctx, r, j)
		p.read()
		return err
	})
	return at, err
}

func (s *screen) ask() chat.Reply {
	s.asked++
	r := replied(fmt.Sprint(s.asked), 0, 0, "", "")
	r.Asker = chat.Author{ID: Tenant}
	r.Route = json.RawMessage(`{"question":"why?"}`)
	return r
}

func TestPosterContract(t *testing.T) {
	newChat := func(t *testing.T) pipelinetest.ChatUnderTest {
		s := &screen{t: t, shown: map[string]Snapshot{}}
		return pipelinetest.ChatUnderTest{
			NewPoster: s.poster,
			Ask:       s.ask,
			Seen: func(ask chat.Reply) []string {
				if got, ok := s.shown[ask.MessageID]; ok {
					return []string{got.Markdown}
				}
				return nil
			},
			Unfinished: func(ask chat.Reply) bool {
				got, ok := s.shown[ask.MessageID]
				return ok && !got.Kind.Terminal()
			},
			Breaches: func() []string { return s.breach },
		}
	}
	pipelinetest.TestPoster(t, newChat, pipelinetest.PosterFeatures{Features: pipelinetest.Features{Bubble: true, LongWaits: true}})
}
