package sqlitestore

import (
	"encoding/binary"
	"errors"
	"hash/crc32"
	"io"
	"os"
	"sync"
)

// tallied is how often a message was received, and first when.
type tallied struct {
	id        int64
	receives  int
	firstSeen int64
}

// tally remembers receives that no transaction has recorded yet, in a small file
// beside the store. A receive is worth no transaction: with one, every message
// would cost three instead of two. But it must be on record before the caller
// acts on the message, or a crash loop would look like a first receive each time,
// and what half happened would be taken for untouched. Writing a few bytes to a
// file is enough for that: they outlive the process. They need not outlive a loss
// of power by themselves, because every transaction takes along what is pending:
// nothing that the store promises comes after a receive it has forgotten.
//
// Most messages are deleted before any other write, and their receive never
// reaches the database.
type tally struct {
	file *os.File

	mu      sync.Mutex
	pending map[int64]tallied
	records int64 // in the file, since nothing was pending
}

// recordSize is that of id, receives, first seen and a checksum, big endian.
const recordSize = 8 + 4 + 8 + 4

func openTally(path string) (*tally, error) {
	f, err := os.OpenFile(path+"-tally", os.O_RDWR|os.O_CREATE, 0o600)
	if err != nil {
		return nil, err
	}
	return &tally{file: f, pending: make(map[int64]tallied)}, nil
}

func (y *tally) close() error { return y.file.Close() }

// add records receives. It has survived the process when add returns.
func (y *tally) add(seen []tallied) error {
	if len(seen) == 0 {
		return nil
	}
	data := make([]byte, 0, recordSize*len(seen))
	for _, s := range seen {
		data = s.append(data)
	}
	y.mu.Lock()
	defer y.mu.Unlock()
	if len(y.pending) == 0 {
		// What is overwritten is in the database, or its message is gone. What is
		// left behind it does no harm: counts only rise.
		y.records = 0
	}
	if _, err := y.file.WriteAt(data, y.records*recordSize); err != nil {
		return err
	}
	y.records += int64(len(seen))
	for _, s := range seen {
		y.pending[s.id] = s
	}
	return nil
}

// takeAlong writes what is pending into the transaction, but for messages that it
// deletes anyway.
func (y *tally) takeAlong(t *tx, deleted map[int64]bool) ([]tallied, error) {
	y.mu.Lock()
	var taken []tallied
	for id, s := range y.pending {
		if !deleted[id] {
			taken = append(taken, s)
		}
	}
	y.mu.Unlock()
	for _, s := range taken {
		if err := t.record(s); err != nil {
			return nil, err
		}
	}
	return taken, nil
}

func (t *tx) record(s tallied) error {
	_, err := t.exec("UPDATE messages SET receives = ?1, first_seen = ?2 WHERE id = ?3 AND receives < ?1", s.receives, s.firstSeen, s.id)
	return err
}

// settle forgets what a committed transaction recorded or deleted.
func (y *tally) settle(taken []tallied, deleted map[int64]bool) {
	y.mu.Lock()
	defer y.mu.Unlock()
	for _, s := range taken {
		if y.pending[s.id] == s { // not received again meanwhile
			delete(y.pending, s.id)
		}
	}
	for id := range deleted {
		delete(y.pending, id)
	}
}

// only reports whether nothing is pending but receives of one message.
func (y *tally) only(id int64) bool {
	y.mu.Lock()
	defer y.mu.Unlock()
	if _, ok := y.pending[id]; ok {
		return len(y.pending) == 1
	}
	return len(y.pending) == 0
}

// recover makes pending what the file holds: receives of a process that died.
// Records that are damaged, as after a loss of power, are left out.
func (y *tally) recover() error {
	data, err := io.ReadAll(y.file)
	if err != nil {
		return err
	}
	y.mu.Lock()
	defer y.mu.Unlock()
	for ; len(data) >= recordSize; data = data[recordSize:] {
		s, err := parseTallied(data[:recordSize])
		if err == nil && s.receives > y.pending[s.id].receives {
			y.pending[s.id] = s
		}
		y.records++
	}
	return nil
}

// clear empties the file once nothing is pending.
func (y *tally) clear() error {
	y.mu.Lock()
	defer y.mu.Unlock()
	y.records = 0
	return y.file.Truncate(0)
}

func (s tallied) append(b []byte) []byte {
	start := len(b)
	b = binary.BigEndian.AppendUint64(b, uint64(s.id))
	b = binary.BigEndian.AppendUint32(b, uint32(s.receives))
	b = binary.BigEndian.AppendUint64(b, uint64(s.firstSeen))
	return binary.BigEndian.AppendUint32(b, crc32.ChecksumIEEE(b[start:]))
}

func parseTallied(b []byte) (tallied, error) {
	body, sum := b[:recordSize-4], binary.BigEndian.Uint32(b[recordSize-4:])
	if crc32.ChecksumIEEE(body) != sum {
		return tallied{}, errors.New("damaged record")
	}
	return tallied{
		id:        int64(binary.BigEndian.Uint64(body)),
		receives:  int(binary.BigEndian.Uint32(body[8:])),
		firstSeen: int64(binary.BigEndian.Uint64(body[12:])),
	}, nil
}
