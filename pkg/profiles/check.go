package profiles

import (
	"cmp"
	"encoding/json"
	"fmt"
	"math"
	"net/url"
	"regexp"
	"slices"
	"strings"

	"parley/pkg/chat"
	"parley/pkg/pipeline"
)

const (
	externalRefuse = "refuse"
	externalAllow  = "allow"
)

// Bounds. A model is a button below every answer; a name is a metric label.
const (
	maxChoices    = 4
	maxChoiceName = 30 // characters
	maxProfiles   = 45 // metrics keep 50 values of a label apart
	maxAmount     = 1e12
)

var (
	profileName  = regexp.MustCompile(`^[a-z0-9][a-z0-9-]{0,31}$`)
	language     = regexp.MustCompile(`^(en|zh)(-[A-Za-z0-9]+)*$`)
	modelID      = regexp.MustCompile(`^(arn:[^\s]+|[a-z0-9-]+\.[^\s=]+)$`)
	baseID       = regexp.MustCompile(`^[0-9A-Z]{10}$`)
	slackChannel = regexp.MustCompile(`^[CGD][0-9A-Z]+$`)
	slackTeam    = regexp.MustCompile(`^[TE][0-9A-Z]+$`)
	dingGroup    = regexp.MustCompile(`^cid\S+$`)
	anyID        = regexp.MustCompile(`^\S+$`)
)

// checker turns a file into a set and notes what is wrong with it.
type checker struct {
	file       string
	deployment Deployment
	set        *Set
	mistakes   Mistakes
}

func (c *checker) wrong(line int, format string, args ...any) {
	c.mistakes = append(c.mistakes, Mistake{c.file, line, fmt.Sprintf(format, args...)})
}

func (c *checker) all(f file) {
	c.set.standard.settings = f.Default
	c.settings(&c.set.standard)
	if len(f.Profiles) > maxProfiles {
		c.wrong(0, "it has %d profiles; there is room for %d", len(f.Profiles), maxProfiles)
	}
	lines := map[string]int{}
	for i, e := range f.Profiles {
		p := &profile{name: e.Name.v, settings: e.settings}
		switch first := lines[p.name]; {
		case p.name == "":
			c.wrong(e.Name.line, "profile %d has no name", i+1)
		case p.name == "default" || !profileName.MatchString(p.name):
			c.wrong(e.Name.line, "%q cannot be a profile's name; it takes up to 32 small letters, digits and hyphens, and is not default", p.name)
		case first > 0:
			c.wrong(e.Name.line, "there is another profile %q in line %d", p.name, first)
		}
		lines[p.name] = e.Name.line
		c.set.profiles = append(c.set.profiles, p)
		c.match(p, e)
		c.settings(p)
		if p.name == c.deployment.Try {
			c.set.try = p
		}
	}
	if name := c.deployment.Try; name != "" && c.set.try == nil {
		c.wrong(0, "there is no profile %q; there are %s", name, strings.Join(c.set.Names(), ", "))
	}
}

// match maps p's places to it.
func (c *checker) match(p *profile, e entry) {
	before := len(c.set.places) + len(c.mistakes)
	slack, ding := e.Match.Slack, e.Match.DingTalk
	c.places(p, chat.Slack, inChannel, slack.Channels, slackChannel, "a channel's id, such as C0123ABCD: the end of the channel's link")
	c.places(p, chat.Slack, inWorkspace, slack.Workspaces, slackTeam, "a workspace's id, such as T0123ABCD")
	c.places(p, chat.DingTalk, inChannel, ding.Groups, dingGroup, "a group's openConversationId, such as cidAbC123==")
	c.places(p, chat.DingTalk, inWorkspace, ding.Corps, anyID, "an organisation's corpId")
	if len(c.set.places)+len(c.mistakes) == before {
		c.wrong(e.Name.line, "profile %q is in force nowhere; give it channels, workspaces, groups or corps under match", p.name)
	}
}

func (c *checker) places(p *profile, on chat.Platform, kind placeKind, ids []text, shape *regexp.Regexp, what string) {
	for _, id := range ids {
		at := place{on, kind, id.v}
		other := c.set.places[at]
		switch {
		case !shape.MatchString(id.v):
			c.wrong(id.line, "%q is not %s", id.v, what)
		case other == p:
			c.wrong(id.line, "%s is named twice", id.v)
		case other != nil:
			c.wrong(id.line, "%s has two profiles, %q and %q; take it out of one", id.v, other.name, p.name)
		default:
			c.set.places[at] = p
		}
	}
}

func (c *checker) settings(p *profile) {
	c.text(p.System, "system", "a system prompt", func(s string) bool { return strings.TrimSpace(s) != "" })
	c.text(p.Language, "language", "en or zh, such as zh-CN", language.MatchString)
	c.oneOf(p.FollowUps, "follow_ups", pipeline.FollowAsker, pipeline.FollowAnyone, pipeline.FollowNever)
	c.oneOf(p.External, "external", externalRefuse, externalAllow)
	c.model(p.Model, "model")
	c.choices(p.Models)
	for _, who := range p.Approvers {
		c.text(who, "approvers", "a person's id, such as U0123ABCD", anyID.MatchString)
	}
	if p.Budget != nil {
		c.amount("user", p.Budget.User)
		c.amount("channel", p.Budget.Channel)
		c.amount("workspace", p.Budget.Workspace)
	}
	if p.Knowledge != nil {
		c.knowledge(p)
	}
}

func (c *checker) text(t text, name, what string, good func(string) bool) {
	if t.set() && !good(t.v) {
		c.wrong(t.line, "%s is %q; it must be %s", name, t.v, what)
	}
}

func (c *checker) oneOf(t text, name string, allowed ...string) {
	c.text(t, name, "one of "+strings.Join(allowed, ", "), func(s string) bool { return slices.Contains(allowed, s) })
}

func (c *checker) model(id text, name string) {
	c.text(id, name, "a model's id, such as anthropic.claude-haiku-4-5-20251001-v1:0, or the ARN of an inference profile", modelID.MatchString)
	if d := c.deployment; id.set() && d.Money && d.Price != nil {
		if _, known := d.Price(id.v, chat.Usage{}); !known {
			c.wrong(id.line, "%s has no price, and budgets are in money; add it to PRICES", id.v)
		}
	}
}

func (c *checker) choices(all []choice) {
	seen := map[string]bool{}
	for i, one := range all {
		if line := max(one.Name.line, one.ID.line); one.Name.v == "" || one.ID.v == "" {
			c.wrong(line, "a model to choose takes a name and an id")
			continue
		}
		c.text(one.Name, "name", fmt.Sprintf("at most %d characters", maxChoiceName), func(s string) bool { return len([]rune(s)) <= maxChoiceName })
		c.model(one.ID, "id")
		if seen[one.Name.v] {
			c.wrong(one.Name.line, "there are two models %q to choose", one.Name.v)
		}
		seen[one.Name.v] = true
		if i == maxChoices {
			c.wrong(one.Name.line, "there are %d models to choose; there is room for %d", len(all), maxChoices)
		}
	}
}

func (c *checker) amount(name string, a amount) {
	switch {
	case a.v < 0 || a.v > maxAmount || math.IsNaN(a.v):
		c.wrong(a.line, "%s must be between 0, for no limit, and a million million", name)
	case !c.deployment.Money && a.v != math.Trunc(a.v):
		c.wrong(a.line, "%s is %v; budgets are in tokens, a whole number (or set BUDGET_UNIT to money)", name, a.v)
	}
}

// knowledge checks and opens what p is looked up in.
func (c *checker) knowledge(p *profile) {
	k := p.Knowledge
	c.text(k.Base, "base", "a knowledge base's id, such as ABCDE12345", baseID.MatchString)
	c.text(k.CitationURL, "citation_base_url", "an http or https URL", webAddress)
	for _, who := range k.Audience {
		c.text(who, "audience", "a person's id, such as U0123ABCD", anyID.MatchString)
	}
	filter, err := json.Marshal(k.Filter.v)
	if err != nil {
		c.wrong(p.line(), "the filter of %q is no JSON: %v", p.name, err)
	}
	if !k.Filter.set() {
		filter = nil
	}
	p.knowledge = &Knowledge{
		Base: k.Base.v, Filter: filter, Rerank: k.Rerank.v, CitationURL: k.CitationURL.v, Docs: k.Docs.v, Off: k.Off.v,
	}
	others := *p.knowledge
	if others.Off = false; k.Off.v && (others.Base+others.Rerank+others.CitationURL+others.Docs != "" || filter != nil || k.Audience != nil) {
		c.wrong(p.line(), "the knowledge of %q is off; take out what else it has", p.name)
	}
	if k.Docs.set() && (k.Base.set() || filter != nil) {
		c.wrong(k.Docs.line, "knowledge is either docs or a base; take out one")
	}
	if c.deployment.Open == nil || k.Off.v || len(c.mistakes) > 0 {
		return
	}
	if p.retriever, err = c.deployment.Open(*p.knowledge); err != nil {
		c.wrong(p.line(), "knowledge: %v", err)
	}
}

// line is where p's knowledge stands, as far as that is known.
func (p *profile) line() int {
	k := p.Knowledge
	return cmp.Or(k.Base.line, k.Docs.line, k.Filter.line, k.Rerank.line, k.CitationURL.line, k.Off.line)
}

func webAddress(s string) bool {
	u, err := url.Parse(s)
	return err == nil && u.Host != "" && (u.Scheme == "http" || u.Scheme == "https")
}
