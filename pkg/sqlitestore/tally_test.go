package sqlitestore

import (
	"bytes"
	"os"
	"path/filepath"
	"testing"
	"time"

	"parley/pkg/pipeline"
)

// TestTallyDamaged: records that a loss of power cut short or garbled are left out,
// and the others count.
func TestTallyDamaged(t *testing.T) {
	path := filepath.Join(t.TempDir(), "parley.db")
	y, err := openTally(path)
	if err != nil {
		t.Fatal(err)
	}
	if err := y.add([]tallied{{1, 1, 10}, {2, 5, 20}, {3, 1, 30}}); err != nil {
		t.Fatal(err)
	}
	if err := y.add([]tallied{{1, 2, 10}, {4, 1, 40}}); err != nil {
		t.Fatal(err)
	}
	if err := y.close(); err != nil {
		t.Fatal(err)
	}
	data, err := os.ReadFile(path + "-tally")
	if err != nil {
		t.Fatal(err)
	}
	data[1*recordSize+3] ^= 1               // of message 2
	data = data[:len(data)-1]               // of message 4
	clear(data[2*recordSize:][:recordSize]) // of message 3: a block that was never written
	if err := os.WriteFile(path+"-tally", data, 0o600); err != nil {
		t.Fatal(err)
	}
	if y, err = openTally(path); err != nil {
		t.Fatal(err)
	}
	defer y.close()
	if err := y.recover(); err != nil {
		t.Fatal(err)
	}
	if len(y.pending) != 1 || y.pending[1] != (tallied{1, 2, 10}) {
		t.Errorf("recovered %v, want message 1 received twice", y.pending)
	}
}

func FuzzTallied(f *testing.F) {
	f.Add(tallied{7, 3, 1_700_000_000_000_000}.append(nil))
	f.Add(make([]byte, recordSize))
	f.Fuzz(func(t *testing.T, b []byte) {
		if len(b) != recordSize {
			return
		}
		if s, err := parseTallied(b); err == nil && !bytes.Equal(s.append(nil), b) {
			t.Errorf("%x reads as %+v, which writes otherwise", b, s)
		}
	})
}

// TestTallyTakenAlong: the next write carries what was received before it, so that
// no loss of power can keep the one without the other.
func TestTallyTakenAlong(t *testing.T) {
	s := openTest(t, Options{Serve: true})
	q := s.Queue(Requests)
	for _, id := range []string{"a", "b"} {
		if err := q.Send(t.Context(), pipeline.Envelope{Group: id, DedupID: id, Body: []byte(id)}); err != nil {
			t.Fatal(err)
		}
	}
	ds, err := q.Receive(t.Context(), 10, 0, time.Minute)
	if err != nil || len(ds) != 2 {
		t.Fatalf("received %d messages, %v", len(ds), err)
	}
	recorded := func() (n int) {
		if err := s.reads.QueryRow("SELECT count(*) FROM messages WHERE receives = 1 AND first_seen > 0").Scan(&n); err != nil {
			t.Fatal(err)
		}
		return n
	}
	if n := recorded(); n != 0 {
		t.Errorf("receiving wrote %d rows by itself", n)
	}
	if err := s.Mark(t.Context(), "c", pipeline.Markers{}); err != nil {
		t.Fatal(err)
	}
	if n := recorded(); n != 2 {
		t.Errorf("the next write took %d of 2 receives along", n)
	}
	if !s.known.tally.only(0) {
		t.Error("what was taken along is still pending")
	}
}
