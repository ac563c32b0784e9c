package sqlitestore_test

import (
	"path/filepath"
	"testing"

	"go.uber.org/goleak"

	"parley/pkg/pipeline"
	"parley/pkg/pipelinetest"
	"parley/pkg/sqlitestore"
)

var (
	_ pipeline.Cases       = (*sqlitestore.Store)(nil)
	_ pipeline.Memory      = (*sqlitestore.Store)(nil)
	_ pipeline.Deliveries  = (*sqlitestore.Store)(nil)
	_ pipeline.Quotas      = (*sqlitestore.Store)(nil)
	_ pipeline.People      = (*sqlitestore.Store)(nil)
	_ pipeline.Queue       = (*sqlitestore.Queue)(nil)
	_ pipeline.DeadLetters = (*sqlitestore.DeadLetters)(nil)
)

func TestMain(m *testing.M) {
	if child() {
		return
	}
	goleak.VerifyTestMain(m)
}

// open opens a store that is closed with the test.
func open(t testing.TB, path string, opts sqlitestore.Options) *sqlitestore.Store {
	t.Helper()
	s, err := sqlitestore.Open(t.Context(), path, opts)
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() {
		if err := s.Close(); err != nil {
			t.Errorf("Close: %v", err)
		}
	})
	return s
}

func fresh(t testing.TB) string { return filepath.Join(t.TempDir(), "parley.db") }

func features() pipelinetest.Features {
	return pipelinetest.Features{Bubble: true, LongWaits: true, MaxReceives: 4, MovesSayWhy: true, MemoryDays: 7}
}

func TestQueue(t *testing.T) {
	pipelinetest.TestQueue(t, func(t *testing.T) pipelinetest.QueueUnderTest {
		s := open(t, fresh(t), sqlitestore.Options{Serve: true, MaxReceives: map[string]int{sqlitestore.Requests: 4}})
		return pipelinetest.QueueUnderTest{Queue: s.Queue(sqlitestore.Requests), Dead: s.DeadLetters(sqlitestore.Requests)}
	}, features())
}

func TestDeadLetters(t *testing.T) {
	pipelinetest.TestDeadLetters(t, func(t *testing.T) pipelinetest.DeadLettersUnderTest {
		s := open(t, fresh(t), sqlitestore.Options{})
		return pipelinetest.DeadLettersUnderTest{
			Outbox: s.DeadLetterOutbox(sqlitestore.Replies), Letters: s.DeadLetters(sqlitestore.Replies),
		}
	}, features())
}

func stores(t *testing.T) pipelinetest.StoresUnderTest {
	s := open(t, fresh(t), sqlitestore.Options{Serve: true, MemoryDays: 7})
	return pipelinetest.StoresUnderTest{Cases: s, Memory: s, Deliveries: s, People: s}
}

func TestMemory(t *testing.T) { pipelinetest.TestMemory(t, stores, features()) }

func TestCases(t *testing.T) { pipelinetest.TestCases(t, stores, features()) }

func TestDeliveries(t *testing.T) { pipelinetest.TestDeliveries(t, stores, features()) }

func TestPeople(t *testing.T) { pipelinetest.TestPeople(t, stores, features()) }

func TestQuotas(t *testing.T) {
	pipelinetest.TestQuotas(t, func(t *testing.T) pipeline.Quotas {
		return open(t, fresh(t), sqlitestore.Options{})
	}, features())
}
