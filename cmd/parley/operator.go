package main

import (
	"context"
	"fmt"
	"os"

	"parley/pkg/pipeline"
	"parley/pkg/sqlitestore"
)

// withOperator opens the queues that f names, calls do, and closes them.
func withOperator(ctx context.Context, f *letterFlags, do func(*pipeline.Operator) error) error {
	path := f.data
	if path == "" {
		path = defaultData
	}
	store, err := openData(ctx, path)
	if err != nil {
		return err
	}
	o := &pipeline.Operator{Cases: store, Memory: store, Deliveries: store}
	for _, name := range []string{sqlitestore.Requests, sqlitestore.Control, sqlitestore.Replies} {
		o.Queues = append(o.Queues, pipeline.DeadQueue{Name: name, Dead: store.DeadLetters(name), Source: store.Queue(name)})
	}
	err = do(o)
	if closeErr := store.Close(); err == nil {
		err = closeErr
	}
	return err
}

// openData opens a data file that exists, beside whatever process serves it.
func openData(ctx context.Context, path string) (*sqlitestore.Store, error) {
	if _, err := os.Stat(path); err != nil {
		return nil, fmt.Errorf("there is no data file %s; name it with --data", path)
	}
	return sqlitestore.Open(ctx, path, sqlitestore.Options{})
}
