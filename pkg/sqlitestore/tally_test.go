package sqlitestore

import (
	"bytes"
	"os"
	"path/filepath"
	"testing"
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
