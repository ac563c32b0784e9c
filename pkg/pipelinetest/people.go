package pipelinetest

import (
	"slices"
	"testing"
	"time"

	"github.com/google/go-cmp/cmp"
	"github.com/google/go-cmp/cmp/cmpopts"

	"parley/pkg/chat"
	"parley/pkg/pipeline"
)

// TestPeople holds a store to the contract of pipeline.People. Turns are written
// through its Cases.
func TestPeople(t *testing.T, newStores func(t *testing.T) StoresUnderTest, f Features) {
	runStore(t, newStores, f, []storeTest{
		{"settings are empty at first", testSettingsEmpty},
		{"settings are read as they were saved last", testSettingsSaved},
		{"people do not share settings", testSettingsApart},
		{"what a person asked comes newest first", testAskedOrder},
		{"what others asked is not theirs", testAskedApart},
		{"a turn that is written again is there once", testAskedOnce},
		{"a turn that was dropped does not hide others", testAskedDropped},
		{"what has expired was not asked", testAskedExpires},
	})
}

// Ann asked the turns of storeCase.turn.
var (
	annKey = pipeline.PersonKey(chat.Slack, "A012", "U1")
	bobKey = pipeline.PersonKey(chat.Slack, "A012", "U2")
)

func (c *storeCase) settings(person string, want pipeline.Settings) {
	c.Helper()
	got, err := c.People.Settings(deadline(c.T), person)
	if err != nil || got != want {
		c.Errorf("Settings(%s) = %+v, %v; want %+v", person, got, err, want)
	}
}

func (c *storeCase) save(person string, s pipeline.Settings) {
	c.Helper()
	if err := c.People.SaveSettings(deadline(c.T), person, s); err != nil {
		c.Fatalf("SaveSettings(%s): %v", person, err)
	}
}

func testSettingsEmpty(c *storeCase) { c.settings(annKey, pipeline.Settings{}) }

func testSettingsSaved(c *storeCase) {
	for _, s := range []pipeline.Settings{{Language: "zh", Model: "更细致"}, {Language: "en"}, {}, {Model: "Fast"}, {Model: "Fast"}} {
		c.save(annKey, s)
		c.settings(annKey, s)
	}
}

func testSettingsApart(c *storeCase) {
	other := pipeline.PersonKey(chat.Slack, "A099", "U1") // the same id in another installation
	c.save(annKey, pipeline.Settings{Language: "zh"})
	c.save(bobKey, pipeline.Settings{Language: "en"})
	c.settings(annKey, pipeline.Settings{Language: "zh"})
	c.settings(bobKey, pipeline.Settings{Language: "en"})
	c.settings(other, pipeline.Settings{})
}

// wantAsked checks what a person asked, by conversation and message.
func (c *storeCase) wantAsked(person string, max int, want ...pipeline.Turn) {
	c.Helper()
	got, err := c.People.Asked(deadline(c.T), person, max)
	if err != nil {
		c.Fatalf("Asked: %v", err)
	}
	var keys []pipeline.TurnKey
	for _, t := range want {
		keys = append(keys, t.TurnKey)
	}
	if diff := cmp.Diff(keys, got, cmpopts.EquateEmpty()); diff != "" {
		c.Errorf("Asked(%s, %d) (-want +got):\n%s", person, max, diff)
	}
}

const elsewhere = "slack/A012/D678/"

func testAskedOrder(c *storeCase) {
	var turns []pipeline.Turn
	for i := range 6 {
		at := conversation
		if i%2 == 1 {
			at = elsewhere
		}
		turns = append(turns, c.turn(at, i))
	}
	c.put(turns[3], turns[0], turns[5], turns[1], turns[4], turns[2])
	slices.Reverse(turns)
	c.wantAsked(annKey, 10, turns...)
	c.wantAsked(annKey, 2, turns[:2]...)
	c.wantAsked(annKey, 0)
}

func testAskedApart(c *storeCase) {
	mine, theirs, nobodys, strange := c.turn(conversation, 1), c.turn(conversation, 2), c.turn(conversation, 3), c.turn("no key", 4)
	theirs.Author.ID, nobodys.Author.ID = "U2", ""
	c.put(mine, theirs, nobodys, strange)
	c.wantAsked(annKey, 10, mine)
	c.wantAsked(bobKey, 10, theirs)
}

func testAskedOnce(c *storeCase) {
	t := c.turn(conversation, 1)
	c.put(t)
	t.Answer = "another answer"
	c.put(t)
	c.wantAsked(annKey, 10, t)
}

func testAskedDropped(c *storeCase) {
	kept, gone := c.turn(conversation, 1), c.turn(elsewhere, 2)
	c.put(kept, gone)
	k := c.loadCase(gone.MessageID)
	k.Rev++
	c.swap(k, pipeline.Effects{Drop: &gone.TurnKey})
	got, err := c.People.Asked(deadline(c.T), annKey, 10)
	if err != nil || !slices.Contains(got, kept.TurnKey) {
		c.Errorf("Asked = %v, %v", got, err)
	}
}

func testAskedExpires(c *storeCase) {
	if !c.f.LongWaits || c.f.MemoryDays == 0 {
		c.Skip("the backend forgets too slowly to be waited for")
	}
	t := c.turn(conversation, 0)
	c.put(t)
	c.save(annKey, pipeline.Settings{Language: "zh"})
	life := time.Duration(c.f.MemoryDays) * 24 * time.Hour
	c.Clock.advance(life - time.Hour)
	c.wantAsked(annKey, 10, t)
	c.Clock.advance(2 * time.Hour)
	c.wantAsked(annKey, 10)
	c.Clock.advance(10 * life)
	c.settings(annKey, pipeline.Settings{Language: "zh"})
}
