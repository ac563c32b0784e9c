package pipeline

import (
	"slices"

	"parley/pkg/chat"
)

// Profile is how Parley behaves in one place: a channel, a group, a workspace. An
// attempt at a question keeps the profile it began with, whatever is changed
// meanwhile; memory is the conversation's, whatever its profile.
type Profile struct {
	// Name is from a bounded set, fit for a metric label; "" is the deployment's own.
	Name   string
	System string // the system prompt
	// Model is the id of the model that answers; "" is the Model's own. Models are
	// what people may choose instead, in the order they are offered.
	Model  string
	Models []Choice
	// Retriever finds what answers rely on; nil: nothing is looked up, and links
	// are left alone.
	Retriever Retriever
	// Audience are ids of the people who may learn what Retriever finds; nil is
	// everybody in the place. Answers to them are for their eyes alone; for others
	// nothing is looked up.
	Audience  []string
	Language  string // of Parley's own words when the person's is unknown
	FollowUps string // FollowAsker (default), FollowAnyone, FollowNever
	External  bool   // people of other organisations are answered in Slack, too
	Budget    Budget
	Approvers []string // ids of the people who may have threads remembered and forgotten
	AskWhom   string   // named where nothing is found; "" is nobody
}

// Choice is a model that people may ask for by name.
type Choice struct{ Name, ID string }

// Who may follow up in a thread without mentioning Parley.
const (
	FollowAsker  = "asker"
	FollowAnyone = "anyone"
	FollowNever  = "never"
)

// Profiles say which profile a message is handled with. base is the deployment's
// own: a profile has its values for what it leaves open, and a place without a
// profile has base. Implementations are safe for concurrent use and do no input or
// output that a question would have to wait for.
type Profiles interface {
	Profile(base Profile, m chat.Message) Profile
}

// profileOf is the profile that m is handled with, its defaults in place.
func profileOf(all Profiles, base Profile, m chat.Message) Profile {
	p := base
	if all != nil {
		p = all.Profile(base, m)
	}
	if p.FollowUps == "" {
		p.FollowUps = FollowAsker
	}
	return p
}

// profile is the profile that m is handled with.
func (w *Worker) profile(m chat.Message) Profile { return profileOf(w.Profiles, w.Config.Profile, m) }

// Label is p's name as a metric label.
func (p Profile) Label() string { return or(p.Name, "default") }

// model is the id of the model that people know as name. A name that p does not
// offer is answered by p's own model, whatever a button says.
func (p Profile) model(name string) string {
	if i := slices.IndexFunc(p.Models, func(c Choice) bool { return c.Name == name }); i >= 0 && name != "" {
		return p.Models[i].ID
	}
	return p.Model
}

// choices are the names of the models that p offers.
func (p Profile) choices() []string {
	var names []string
	for _, c := range p.Models {
		names = append(names, c.Name)
	}
	return names
}

// approves reports whether who may have threads remembered and forgotten.
func (p Profile) approves(who chat.Author) bool {
	return !who.External && slices.Contains(p.Approvers, who.ID)
}
