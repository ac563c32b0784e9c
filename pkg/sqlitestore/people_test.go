package sqlitestore_test

import (
	"database/sql"
	"fmt"
	"os"
	"testing"
	"time"

	"parley/pkg/pipeline"
	"parley/pkg/sqlitestore"
)

// A file that was written before people had records of their own keeps its turns,
// and takes new ones that are listed.
func TestOpenOfAFileBeforePeople(t *testing.T) {
	path := fresh(t)
	first, err := os.ReadFile("migrations/0001_first.sql")
	if err != nil {
		t.Fatal(err)
	}
	db, err := sql.Open("sqlite", path)
	if err != nil {
		t.Fatal(err)
	}
	sent := time.UnixMicro(1_780_000_000_000_100).UTC()
	for _, q := range []string{
		string(first), "PRAGMA application_id = 0x50726c79", "PRAGMA user_version = 1",
		fmt.Sprintf(`INSERT INTO turns VALUES ('slack/A1/C1/1', %d, 'm1', 3, '{"author":{"id":"U1"},"question":"q"}', %d)`, sent.UnixMicro(), time.Now().UnixMicro()),
	} {
		if _, err := db.Exec(q); err != nil {
			t.Fatal(err)
		}
	}
	if err := db.Close(); err != nil {
		t.Fatal(err)
	}
	s := open(t, path, sqlitestore.Options{})
	key := pipeline.TurnKey{Conversation: "slack/A1/C1/1", SentAt: sent, MessageID: "m1"}
	old, ok, err := s.Turn(t.Context(), key)
	if err != nil || !ok || old.Question != "q" {
		t.Errorf("the old turn is %+v, %v, %v", old, ok, err)
	}
	if err := s.SwapCase(t.Context(), pipeline.Case{MessageID: "m1", Rev: 1, Nonce: "n"}, pipeline.Effects{Put: &old}); err != nil {
		t.Fatal(err)
	}
	if keys, err := s.Asked(t.Context(), old.Person(), 5); err != nil || len(keys) != 1 || keys[0] != key {
		t.Errorf("asked %v, %v", keys, err)
	}
}
