package pipeline

import (
	"slices"

	"parley/pkg/chat"
)

// confine keeps what p's knowledge holds from people it is not for. It returns p as
// it is for m's author, and whether nobody else may see the answer.
func (p Profile) confine(m chat.Message) (own Profile, private bool) {
	if len(p.Audience) == 0 || p.Retriever == nil {
		return p, false
	}
	if m.Author.External || !slices.Contains(p.Audience, m.Author.ID) || !whispers(m.Conversation.Platform) {
		p.Retriever = nil
		return p, false
	}
	return p, !alone(m)
}

// whispers reports whether a platform can show a message to one person of a place.
func whispers(p chat.Platform) bool { return p == chat.Slack || p == chat.Web }

// alone reports whether m's author talks to Parley alone: only such conversations
// go on without a thread, or hang under one that does.
func alone(m chat.Message) bool {
	return m.Conversation.Platform == chat.Web || m.Conversation.Thread == "" || m.Parent != nil
}

// open are the turns that an answer to m may draw on: not the private ones of other
// people, and none where the answer becomes knowledge.
func open(turns []Turn, m chat.Message) []Turn {
	return slices.DeleteFunc(turns, func(t Turn) bool {
		return t.Private && (t.Author.ID != m.Author.ID || m.Kind == chat.KindRemember)
	})
}
