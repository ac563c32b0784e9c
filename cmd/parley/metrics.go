package main

import (
	"context"
	"log/slog"
)

// logMetrics writes measurements to the log at debug: on one machine there is no
// other place for them.
type logMetrics struct{ log *slog.Logger }

// Measure implements pipeline.Metrics.
func (m logMetrics) Measure(name string, value float64, labels ...string) {
	if !m.log.Enabled(context.Background(), slog.LevelDebug) {
		return
	}
	args := []any{"metric", name, "value", value}
	for i := 0; i+1 < len(labels); i += 2 {
		args = append(args, labels[i], labels[i+1])
	}
	m.log.Debug("measured", args...)
}
