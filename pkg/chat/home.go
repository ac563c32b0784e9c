package chat

import "time"

// Home is what a person's own page of Parley shows, where a platform has such a
// page. It is made anew each time the person opens it or presses something on it.
type Home struct {
	Note     string   // what became of the last press
	Usage    string   // what the person has used today, in Markdown
	Language string   // that the person has chosen, "" for none
	Model    string   // that the person has chosen, by name
	Models   []string // that the person may choose from
	// Recent are the person's latest conversations that are still remembered,
	// newest first.
	Recent []Recalled
	// Unread are the parts of the page that could not be read: their fields are
	// empty for that reason.
	Unread []HomePart
	Admin  *Admin // nil but for the people who look after the installation
}

// HomePart is a part of a Home that is read by itself.
type HomePart string

// The parts of a Home.
const (
	HomeUsage    HomePart = "usage"
	HomeSettings HomePart = "settings"
	HomeRecent   HomePart = "recent"
	HomeQueues   HomePart = "queues"
	HomeLetters  HomePart = "letters"
	HomeHealth   HomePart = "health"
)

// Recalled is a conversation that is remembered.
type Recalled struct {
	Conversation Conversation
	Title        string    // the person's newest question in it, in a few words
	SentAt       time.Time // of that question
	Turns        int       // that the next question will be read with
}

// Admin is how the installation does.
type Admin struct {
	Version string
	Queues  []HomeQueue
	Letters []HomeLetter // the oldest questions first
	More    bool         // there are more letters than these
	// Trouble is the reason of the latest failure of the model, "" for none, and
	// PausedUntil how long the model itself then asked to be left alone.
	Trouble     string
	TroubleAt   time.Time
	PausedUntil time.Time
}

// HomeQueue is how much a queue and its dead letters hold.
type HomeQueue struct {
	Name                    string
	Waiting, InFlight, Dead int
}

// HomeLetter is a dead letter: a person waiting.
type HomeLetter struct {
	ID      string // the queue's own
	Ref     string
	Queue   string
	Reason  string
	AskedAt time.Time
	Told    bool // whether the person knows
}
