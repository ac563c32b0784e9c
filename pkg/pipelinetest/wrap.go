package pipelinetest

import (
	"context"
	"time"

	"parley/pkg/pipeline"
)

// Outbox returns o as the process sees it. Its method is name.Send.
func (f *Faults) Outbox(name string, o pipeline.Outbox) pipeline.Outbox {
	return faultyOutbox{f, name, o}
}

// Queue returns q as the process sees it. Its methods are name.Send, name.Receive,
// name.Extend and name.Delete.
func (f *Faults) Queue(name string, q pipeline.Queue) pipeline.Queue {
	return faultyQueue{faultyOutbox{f, name, q}, q}
}

// Cases returns c as the process sees it. Its methods are cases.LoadCase and
// cases.SwapCase.
func (f *Faults) Cases(c pipeline.Cases) pipeline.Cases { return faultyCases{f, c} }

// Memory returns m as the process sees it. Its methods are memory.Recent,
// memory.Turn, memory.Markers and memory.Mark.
func (f *Faults) Memory(m pipeline.Memory) pipeline.Memory { return faultyMemory{f, m} }

// Deliveries returns d as the process sees it. Its methods are
// deliveries.LoadDelivery, deliveries.SwapDelivery and deliveries.PostOwner.
func (f *Faults) Deliveries(d pipeline.Deliveries) pipeline.Deliveries {
	return faultyDeliveries{f, d}
}

// Quotas returns q as the process sees it. Its methods are quotas.Reserve and
// quotas.Settle.
func (f *Faults) Quotas(q pipeline.Quotas) pipeline.Quotas { return faultyQuotas{f, q} }

// People returns p as the process sees it. Its methods are people.Settings,
// people.SaveSettings and people.Asked.
func (f *Faults) People(p pipeline.People) pipeline.People { return faultyPeople{f, p} }

// result runs a call that returns a value, which a failed call does not return.
func result[T any](ctx context.Context, f *Faults, method string, do func(context.Context) (T, error)) (T, error) {
	var v T
	err := f.Call(ctx, method, func(ctx context.Context) (err error) {
		v, err = do(ctx)
		return err
	})
	if err != nil {
		var none T
		return none, err
	}
	return v, nil
}

type faultyOutbox struct {
	f    *Faults
	name string
	o    pipeline.Outbox
}

func (w faultyOutbox) Send(ctx context.Context, e pipeline.Envelope) error {
	return w.f.Call(ctx, w.name+".Send", func(ctx context.Context) error { return w.o.Send(ctx, e) })
}

type faultyQueue struct {
	faultyOutbox
	q pipeline.Queue
}

func (w faultyQueue) Receive(ctx context.Context, max int, wait, hidden time.Duration) ([]pipeline.Delivery, error) {
	return result(ctx, w.f, w.name+".Receive", func(ctx context.Context) ([]pipeline.Delivery, error) {
		return w.q.Receive(ctx, max, wait, hidden)
	})
}

func (w faultyQueue) Extend(ctx context.Context, d pipeline.Delivery, hidden time.Duration) error {
	return w.f.Call(ctx, w.name+".Extend", func(ctx context.Context) error { return w.q.Extend(ctx, d, hidden) })
}

func (w faultyQueue) Delete(ctx context.Context, d pipeline.Delivery) error {
	return w.f.Call(ctx, w.name+".Delete", func(ctx context.Context) error { return w.q.Delete(ctx, d) })
}

type faultyCases struct {
	f *Faults
	c pipeline.Cases
}

func (w faultyCases) LoadCase(ctx context.Context, messageID string) (pipeline.Case, error) {
	return result(ctx, w.f, "cases.LoadCase", func(ctx context.Context) (pipeline.Case, error) {
		return w.c.LoadCase(ctx, messageID)
	})
}

func (w faultyCases) SwapCase(ctx context.Context, next pipeline.Case, with pipeline.Effects) error {
	return w.f.Call(ctx, "cases.SwapCase", func(ctx context.Context) error { return w.c.SwapCase(ctx, next, with) })
}

type faultyMemory struct {
	f *Faults
	m pipeline.Memory
}

func (w faultyMemory) Recent(ctx context.Context, conversation string, win pipeline.Window) ([]pipeline.Turn, error) {
	return result(ctx, w.f, "memory.Recent", func(ctx context.Context) ([]pipeline.Turn, error) {
		return w.m.Recent(ctx, conversation, win)
	})
}

func (w faultyMemory) Turn(ctx context.Context, key pipeline.TurnKey) (pipeline.Turn, bool, error) {
	var ok bool
	t, err := result(ctx, w.f, "memory.Turn", func(ctx context.Context) (t pipeline.Turn, err error) {
		t, ok, err = w.m.Turn(ctx, key)
		return t, err
	})
	return t, ok && err == nil, err
}

func (w faultyMemory) Markers(ctx context.Context, conversation string) (pipeline.Markers, error) {
	return result(ctx, w.f, "memory.Markers", func(ctx context.Context) (pipeline.Markers, error) {
		return w.m.Markers(ctx, conversation)
	})
}

func (w faultyMemory) Mark(ctx context.Context, conversation string, m pipeline.Markers) error {
	return w.f.Call(ctx, "memory.Mark", func(ctx context.Context) error { return w.m.Mark(ctx, conversation, m) })
}

type faultyDeliveries struct {
	f *Faults
	d pipeline.Deliveries
}

func (w faultyDeliveries) LoadDelivery(ctx context.Context, messageID string) (pipeline.Placed, error) {
	return result(ctx, w.f, "deliveries.LoadDelivery", func(ctx context.Context) (pipeline.Placed, error) {
		return w.d.LoadDelivery(ctx, messageID)
	})
}

func (w faultyDeliveries) SwapDelivery(ctx context.Context, next pipeline.Placed) error {
	return w.f.Call(ctx, "deliveries.SwapDelivery", func(ctx context.Context) error { return w.d.SwapDelivery(ctx, next) })
}

func (w faultyDeliveries) PostOwner(ctx context.Context, postID string) (string, error) {
	return result(ctx, w.f, "deliveries.PostOwner", func(ctx context.Context) (string, error) {
		return w.d.PostOwner(ctx, postID)
	})
}

type faultyQuotas struct {
	f *Faults
	q pipeline.Quotas
}

func (w faultyQuotas) Reserve(ctx context.Context, scope, day string, amount, limit int64) (used int64, ok bool, err error) {
	err = w.f.Call(ctx, "quotas.Reserve", func(ctx context.Context) error {
		used, ok, err = w.q.Reserve(ctx, scope, day, amount, limit)
		return err
	})
	if err != nil {
		return 0, false, err
	}
	return used, ok, nil
}

func (w faultyQuotas) Settle(ctx context.Context, scope, day string, delta int64) error {
	return w.f.Call(ctx, "quotas.Settle", func(ctx context.Context) error { return w.q.Settle(ctx, scope, day, delta) })
}

type faultyPeople struct {
	f *Faults
	p pipeline.People
}

func (w faultyPeople) Settings(ctx context.Context, person string) (pipeline.Settings, error) {
	return result(ctx, w.f, "people.Settings", func(ctx context.Context) (pipeline.Settings, error) {
		return w.p.Settings(ctx, person)
	})
}

func (w faultyPeople) SaveSettings(ctx context.Context, person string, s pipeline.Settings) error {
	return w.f.Call(ctx, "people.SaveSettings", func(ctx context.Context) error { return w.p.SaveSettings(ctx, person, s) })
}

func (w faultyPeople) Asked(ctx context.Context, person string, max int) ([]pipeline.TurnKey, error) {
	return result(ctx, w.f, "people.Asked", func(ctx context.Context) ([]pipeline.TurnKey, error) {
		return w.p.Asked(ctx, person, max)
	})
}
