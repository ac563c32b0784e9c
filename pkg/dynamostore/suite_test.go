package dynamostore_test

import (
	"testing"
	"time"

	"parley/pkg/dynamostore"
	"parley/pkg/dynamostore/dynamotest"
	"parley/pkg/pipeline"
	"parley/pkg/pipelinetest"
)

const memoryDays = 7

func TestContractsOnFake(t *testing.T) {
	f := pipelinetest.Features{Bubble: true, LongWaits: true, MemoryDays: memoryDays}
	newStores := func(*testing.T) pipelinetest.StoresUnderTest {
		_, store := newFake()
		return pipelinetest.StoresUnderTest{Cases: store, Memory: store, Deliveries: store, People: store}
	}
	pipelinetest.TestCases(t, newStores, f)
	pipelinetest.TestMemory(t, newStores, f)
	pipelinetest.TestDeliveries(t, newStores, f)
	pipelinetest.TestPeople(t, newStores, f)
	pipelinetest.TestQuotas(t, func(*testing.T) pipeline.Quotas { _, store := newFake(); return store }, f)
}

func newFake() (*dynamotest.Server, *dynamostore.Store) {
	s := dynamotest.New()
	s.CreateTable("parley")
	return s, dynamostore.New(s.Client(), "parley", memoryDays*24*time.Hour)
}
