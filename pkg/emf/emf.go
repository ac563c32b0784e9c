// Package emf is pipeline.Metrics for CloudWatch, in its embedded metric format:
// one line of JSON on stdout for each measurement, which CloudWatch Logs turns
// into a metric without a call of its own.
//
// Each measurement counts twice: for the service alone, which alarms watch, and
// for the service with all labels, which people compare. CloudWatch bills each
// distinct combination, so labels are bounded here whatever a caller passes:
// values are short plain ASCII, and a label with very many values gets "other".
// Nothing is buffered; a process that dies loses no line.
//
// Format: "Embedded metric format specification" in CloudWatch's user guide.
package emf

import (
	"io"
	"math"
	"strconv"
	"strings"
	"sync"
	"time"

	"parley/pkg/pipeline"
)

// Bounds of what callers can make CloudWatch keep.
const (
	maxLabels = 8  // CloudWatch takes 30 dimensions
	maxValues = 50 // distinct values of one label in the life of a process
	maxLength = 64 // bytes of a value
)

// Metrics writes measurements to a stream. It is safe for concurrent use.
type Metrics struct {
	namespace, service string

	mu     sync.Mutex
	out    io.Writer
	line   []byte
	values map[string]map[string]bool // seen, by label
}

var _ pipeline.Metrics = (*Metrics)(nil)

// New returns metrics of one service, such as "worker", in a CloudWatch
// namespace, written to out.
func New(out io.Writer, namespace, service string) *Metrics {
	return &Metrics{namespace: plain(namespace), service: plain(service), out: out, values: map[string]map[string]bool{}}
}

// Measure implements pipeline.Metrics. A value that is not a number is dropped,
// and so is a name that the format needs itself, or a label without a value. A write that fails is lost: metrics
// never fail the work they count.
func (m *Metrics) Measure(name string, value float64, labels ...string) {
	name = plain(name)
	if math.IsNaN(value) || math.IsInf(value, 0) || name == "service" || name == "_aws" {
		return
	}
	labels = labels[:min(len(labels)/2*2, 2*maxLabels)]
	m.mu.Lock()
	defer m.mu.Unlock()
	b := append(m.line[:0], `{"_aws":{"Timestamp":`...)
	b = strconv.AppendInt(b, time.Now().UnixMilli(), 10)
	b = append(b, `,"CloudWatchMetrics":[{"Namespace":"`...)
	b = append(b, m.namespace...)
	b = append(b, `","Dimensions":[["service"]`...)
	b = appendDimensions(b, name, labels)
	b = append(b, `],"Metrics":[{"Name":"`...)
	b = append(b, name...)
	b = append(b, `","Unit":"`...)
	b = append(b, unit(name)...)
	b = append(b, `"}]}]},"service":"`...)
	b = append(b, m.service...)
	b = append(b, '"')
	for i := 0; i < len(labels); i += 2 {
		if !usable(labels, i, name) {
			continue
		}
		b = append(append(append(b, `,"`...), plain(labels[i])...), `":"`...)
		b = append(append(b, m.bounded(labels[i], labels[i+1])...), '"')
	}
	b = append(append(append(b, `,"`...), name...), `":`...)
	b = strconv.AppendFloat(b, value, 'g', -1, 64)
	b = append(b, "}\n"...)
	m.line = b
	_, _ = m.out.Write(b)
}

// appendDimensions adds the set of the service with all labels.
func appendDimensions(b []byte, name string, labels []string) []byte {
	n := len(b)
	for i := 0; i < len(labels); i += 2 {
		if usable(labels, i, name) {
			b = append(append(append(b, `,"`...), plain(labels[i])...), '"')
		}
	}
	if len(b) == n {
		return b
	}
	labelled := string(b[n:])
	b = append(b[:n], `,["service"`...)
	return append(append(b, labelled...), ']')
}

// usable reports whether the label at i is one: named, and named once in the line.
func usable(labels []string, i int, name string) bool {
	label := plain(labels[i])
	if labels[i] == "" || label == "service" || label == "_aws" || label == name {
		return false
	}
	for j := 0; j < i; j += 2 {
		if plain(labels[j]) == label {
			return false
		}
	}
	return true
}

// bounded returns value, or "other" where its label has had too many.
func (m *Metrics) bounded(label, value string) string {
	value = plain(value)
	seen := m.values[label]
	switch {
	case seen[value]:
		return value
	case seen == nil:
		seen = map[string]bool{}
		m.values[label] = seen
	case len(seen) >= maxValues:
		return "other"
	}
	seen[value] = true
	return value
}

// plain returns s as a name or value that CloudWatch accepts and that JSON takes
// without escapes: printable ASCII, not empty, not long.
func plain(s string) string {
	s = strings.TrimSpace(s[:min(len(s), maxLength)])
	if s == "" {
		return "none"
	}
	if strings.IndexFunc(s, odd) < 0 {
		return s
	}
	return strings.Map(func(r rune) rune {
		if odd(r) {
			return '_'
		}
		return r
	}, s)
}

func odd(r rune) bool { return r < ' ' || r > '~' || r == '"' || r == '\\' }

// unit is CloudWatch's unit of a metric. Durations are milliseconds by
// pipeline's contract.
func unit(name string) string {
	switch name {
	case pipeline.MetricAck, pipeline.MetricQueueWait, pipeline.MetricFirstToken, pipeline.MetricFirstVisible, pipeline.MetricAnswer:
		return "Milliseconds"
	case pipeline.MetricCost:
		return "None"
	}
	return "Count"
}
