package webchat

import (
	"context"
	"encoding/json"
	"fmt"

	"parley/pkg/chat"
	"parley/pkg/pipeline"
)

var _ pipeline.Poster = (*Hub)(nil)

// mode is the one way the page shows answers.
const mode = "page"

// Capabilities implements pipeline.Poster.
func (h *Hub) Capabilities() pipeline.Capabilities {
	return pipeline.Capabilities{Edit: true, Lookup: true, Stream: true}
}

// Post implements pipeline.Poster. Its calls may be repeated blindly, because the
// message names the post; so it needs no journal, and fails only for a reply that
// is not for the page.
func (h *Hub) Post(_ context.Context, r pipeline.PostRequest, _ pipeline.Journal) (pipeline.Placement, error) {
	c := r.Reply.Conversation
	if c.Platform != chat.Web || !validID.MatchString(c.Channel) {
		return r.At, pipeline.Permanent(pipeline.ReasonChat,
			fmt.Errorf("post: a conversation on %q is not one of the page", c.Platform))
	}
	h.put(c.Channel, r.Reply.Order(), snapshotOf(r.Reply))
	return h.placement(c.Channel, r.Reply.MessageID), nil
}

// placement is where the answer to a message stands now: nowhere, once it has been
// withdrawn.
func (h *Hub) placement(channel, messageID string) pipeline.Placement {
	h.mu.Lock()
	defer h.mu.Unlock()
	at := pipeline.Placement{Mode: mode}
	it, ok := h.talk(channel).items[messageID]
	if !ok || it.snapshot.Kind == chat.Withdrawn {
		return at
	}
	shown, err := json.Marshal(it.snapshot)
	if err != nil {
		panic(err) // nothing in a Snapshot can fail to marshal
	}
	at.Posts = []pipeline.Post{{ID: "web/" + channel + "/" + messageID, Hash: chat.Hash(string(shown))}}
	return at
}
