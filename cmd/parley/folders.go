package main

import (
	"context"
	"errors"
	"log/slog"
	"path/filepath"
	"sync"
	"time"

	"parley/pkg/chat"
	"parley/pkg/docindex"
)

// docsEvery is how often a folder of documents is looked at for changes.
const docsEvery = 5 * time.Second

// folders are the folders of documents that answers are looked up in. A folder is
// opened once, whoever names it, and stays open to the end.
type folders struct {
	data string // the data file, beside which the indexes are
	docs string // the folder of --docs, "" for none
	log  *slog.Logger

	mu      sync.Mutex
	indexes map[string]*docindex.Index            // by absolute path and links; guarded by mu
	watch   func(watch func(ctx context.Context)) // nil: nobody looks for changes yet; guarded by mu
}

// index opens the index of dir.
func (f *folders) index(ctx context.Context, dir, citationURL string) (*docindex.Index, error) {
	abs, err := filepath.Abs(dir)
	if err != nil {
		return nil, err
	}
	f.mu.Lock()
	defer f.mu.Unlock()
	key := abs + " " + citationURL
	if x := f.indexes[key]; x != nil {
		return x, nil
	}
	file := f.data + "-docs"
	if dir != f.docs {
		file += "-" + chat.Hash(key)[:8]
	}
	x, err := openDocs(ctx, dir, file, docindex.Config{BaseURL: citationURL, Log: f.log})
	if err != nil {
		return nil, err
	}
	if f.indexes == nil {
		f.indexes = map[string]*docindex.Index{}
	}
	f.indexes[key] = x
	if f.watch != nil {
		f.watch(func(ctx context.Context) { x.Watch(ctx, docsEvery) })
	}
	return x, nil
}

// follow has all folders looked at for changes until ctx ends, also those that are
// opened later. all waits for it.
func (f *folders) follow(ctx context.Context, all *sync.WaitGroup) {
	f.mu.Lock()
	defer f.mu.Unlock()
	f.watch = func(watch func(context.Context)) { all.Go(func() { watch(ctx) }) }
	for _, x := range f.indexes {
		f.watch(func(ctx context.Context) { x.Watch(ctx, docsEvery) })
	}
}

// close closes all. Nothing may be looked up any more.
func (f *folders) close() error {
	var errs []error
	for _, x := range f.indexes {
		errs = append(errs, x.Close())
	}
	return errors.Join(errs...)
}
