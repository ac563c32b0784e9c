package chat

// Home is what a person's own page of Parley shows, where a platform has such a
// page. It is made anew each time the person opens it or presses something on it.
type Home struct {
	Note  string // what became of the last press
	Usage string // what the person has used today, in Markdown
	// Unread are the parts of the page that could not be read: their fields are
	// empty for that reason.
	Unread []HomePart
}

// HomePart is a part of a Home that is read by itself.
type HomePart string

// The parts of a Home.
const (
	HomeUsage HomePart = "usage"
)

// homeV1 is Home on the wire.
type homeV1 struct {
	Note   string     `json:"note,omitempty"`
	Usage  string     `json:"usage,omitempty"`
	Unread []HomePart `json:"unread,omitempty"`
}

func homeToV1(h *Home) *homeV1 { return (*homeV1)(h) }

func (v *homeV1) home() *Home { return (*Home)(v) }
