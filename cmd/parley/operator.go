package main

import (
	"context"
	"fmt"
	"os"

	"parley/pkg/config"
	"parley/pkg/pipeline"
	"parley/pkg/sqlitestore"
)

// withOperator opens the queues that f names, calls do, and closes them: the data
// file if there is one, else those of a deployment.
func withOperator(ctx context.Context, f *letterFlags, do func(*pipeline.Operator) error) error {
	if err := f.check(); err != nil {
		return err
	}
	if f.stack != "" && f.data != "" {
		return usagef("--stack and --data cannot be combined")
	}
	var q config.Queues
	if err := config.Load(&q); err != nil {
		return err
	}
	path := f.data
	if path == "" {
		path = defaultData
	}
	_, missing := os.Stat(path)
	if f.stack != "" || f.data == "" && missing != nil && q.RequestsDead != "" {
		o, err := stackOperator(ctx, f.stack)
		if err != nil {
			return err
		}
		return do(o)
	}
	store, err := openData(ctx, path)
	if err != nil {
		return err
	}
	err = do(localOperator(store))
	if closeErr := store.Close(); err == nil {
		err = closeErr
	}
	return err
}

// localQueues are the queues of a data file.
var localQueues = []string{sqlitestore.Requests, sqlitestore.Control, sqlitestore.Replies}

// localOperator works on the dead letters of a data file.
func localOperator(store *sqlitestore.Store) *pipeline.Operator {
	o := &pipeline.Operator{Cases: store, Memory: store, Deliveries: store}
	for _, name := range localQueues {
		o.Queues = append(o.Queues, pipeline.DeadQueue{Name: name, Dead: store.DeadLetters(name), Source: store.Queue(name)})
	}
	return o
}

// localWatched are the queues of a data file, to be counted.
func localWatched(store *sqlitestore.Store) []pipeline.Watched {
	var all []pipeline.Watched
	for _, name := range localQueues {
		all = append(all, pipeline.Watched{Name: name, Queue: store.Queue(name), Dead: store.DeadLetters(name)})
	}
	return all
}

// openData opens a data file that exists, beside whatever process serves it.
func openData(ctx context.Context, path string) (*sqlitestore.Store, error) {
	if _, err := os.Stat(path); err != nil {
		return nil, fmt.Errorf("there is no data file %s; name it with --data, or a deployment with --stack", path)
	}
	return sqlitestore.Open(ctx, path, sqlitestore.Options{})
}
