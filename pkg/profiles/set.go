package profiles

import (
	"cmp"
	"encoding/json"
	"maps"
	"math"
	"slices"

	"parley/pkg/chat"
	"parley/pkg/pipeline"
)

// Knowledge is where a profile's answers are looked up. Its zero value is where
// the deployment looks.
type Knowledge struct {
	Base        string          // id of a knowledge base on Bedrock
	Filter      json.RawMessage // restricts the search, in the service's own JSON
	Rerank      string          // ARN of a reranking model
	CitationURL string          // makes links of documents in S3
	Docs        string          // folder of documents on one machine
	Off         bool            // nowhere
}

// Over is k with what it leaves open as own has it. Filter, reranker and links
// belong to one knowledge base: another has none but its own.
func (k Knowledge) Over(own Knowledge) Knowledge {
	if k.Off || k.Docs != "" || k.Base != "" && k.Base != own.Base {
		return k
	}
	k.Base = own.Base
	if k.Filter == nil {
		k.Filter = own.Filter
	}
	k.Rerank, k.CitationURL = cmp.Or(k.Rerank, own.Rerank), cmp.Or(k.CitationURL, own.CitationURL)
	return k
}

// Deployment is what a file is checked against and used in.
type Deployment struct {
	// Open returns what looks up in k, nil for nothing; an error of it is a mistake
	// in the file. A nil Open is for a check alone.
	Open func(k Knowledge) (pipeline.Retriever, error)
	// Money says that budgets are in money instead of tokens. Price then knows what
	// models cost: one without a price would cost nothing.
	Money bool
	Price func(model string, u chat.Usage) (cost float64, ok bool)
	// Try is a profile that the local page has, whatever it matches; "" is none.
	Try string
}

// Set is a file that has been read and found right. It is immutable, and a
// pipeline.Profiles.
type Set struct {
	standard profile // of places without a profile
	profiles []*profile
	places   map[place]*profile
	try      *profile // of the local page
}

// place is what a profile can be mapped to.
type place struct {
	platform chat.Platform
	kind     placeKind
	id       string
}

// placeKind is how narrow a place is.
type placeKind string

const (
	inChannel   placeKind = "channel"
	inWorkspace placeKind = "workspace"
)

// profile is an entry that has been found right, with its knowledge opened.
type profile struct {
	name string
	settings
	knowledge *Knowledge         // nil: as deployed
	retriever pipeline.Retriever // of knowledge
}

// Load reads a file. Its error is of type Mistakes.
func Load(name string, data []byte, d Deployment) (*Set, error) {
	f, err := read(name, data)
	if err != nil {
		return nil, err
	}
	c := checker{file: name, deployment: d, set: &Set{places: map[place]*profile{}}}
	c.all(f)
	if len(c.mistakes) > 0 {
		return nil, c.mistakes.sorted()
	}
	return c.set, nil
}

// Profile implements pipeline.Profiles: the channel's or group's profile, else the
// workspace's or organisation's, else none.
func (s *Set) Profile(base pipeline.Profile, m chat.Message) pipeline.Profile {
	p := s.standard.over(base)
	if own := s.find(m); own != nil {
		return own.over(p)
	}
	return p
}

func (s *Set) find(m chat.Message) *profile {
	at := m.Conversation
	if at.Platform == chat.Web {
		return s.try
	}
	if p := s.places[place{at.Platform, inChannel, at.Channel}]; p != nil {
		return p
	}
	return s.places[place{at.Platform, inWorkspace, m.Workspace}]
}

// over is base with what p has of its own.
func (p *profile) over(base pipeline.Profile) pipeline.Profile {
	out := base
	out.Name = cmp.Or(p.name, base.Name)
	put(&out.System, p.System)
	put(&out.Model, p.Model)
	put(&out.Language, p.Language)
	put(&out.FollowUps, p.FollowUps)
	put(&out.AskWhom, p.AskWhom)
	if p.External.set() {
		out.External = p.External.v == externalAllow
	}
	if p.Models != nil {
		out.Models = make([]pipeline.Choice, len(p.Models))
		for i, c := range p.Models {
			out.Models[i] = pipeline.Choice{Name: c.Name.v, ID: c.ID.v}
		}
	}
	if p.Approvers != nil {
		out.Approvers = values(p.Approvers)
	}
	if p.Budget != nil {
		out.Budget = p.Budget.limits(p.name, base.Budget.Money)
	}
	if p.knowledge != nil {
		out.Retriever, out.Audience = p.retriever, values(p.Knowledge.Audience)
	}
	return out
}

func put(dst *string, t text) {
	if t.set() {
		*dst = t.v
	}
}

func values(all []text) []string {
	out := make([]string, len(all))
	for i, t := range all {
		out[i] = t.v
	}
	return out
}

// limits are b as it is counted. A profile's are counted by themselves.
func (b *budget) limits(account string, money bool) pipeline.Budget {
	factor := 1.0
	if money {
		factor = 1e6
	}
	count := func(a amount) int64 { return int64(math.Round(a.v * factor)) }
	return pipeline.Budget{User: count(b.User), Channel: count(b.Channel), Workspace: count(b.Workspace), Money: money, Account: account}
}

// Names are the names of the profiles, in the order of the file.
func (s *Set) Names() []string {
	var all []string
	for _, p := range s.profiles {
		all = append(all, p.name)
	}
	return all
}

// Named is an id that profiles name.
type Named struct {
	ID string
	By []string // the profiles' names, in the order of the file
}

// Models are the models that the file names, by id.
func (s *Set) Models() []Named {
	return s.named(func(p *profile) []string {
		ids := []string{p.Model.v}
		for _, c := range p.Models {
			ids = append(ids, c.ID.v)
		}
		return ids
	})
}

// Bases are the knowledge bases on Bedrock that the file names, by id.
func (s *Set) Bases() []Named {
	return s.named(func(p *profile) []string {
		if p.knowledge == nil {
			return nil
		}
		return []string{p.knowledge.Base}
	})
}

func (s *Set) named(of func(*profile) []string) []Named {
	all := map[string][]string{}
	for _, p := range append([]*profile{&s.standard}, s.profiles...) {
		for _, id := range of(p) {
			if who := cmp.Or(p.name, "default"); id != "" && !slices.Contains(all[id], who) {
				all[id] = append(all[id], who)
			}
		}
	}
	var named []Named
	for _, id := range slices.Sorted(maps.Keys(all)) {
		named = append(named, Named{id, all[id]})
	}
	return named
}
