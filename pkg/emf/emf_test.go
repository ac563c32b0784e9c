package emf_test

import (
	"bytes"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"math"
	"strings"
	"sync"
	"testing"
	"testing/synctest"
	"time"

	"parley/pkg/emf"
	"parley/pkg/pipeline"
)

func TestLine(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		var out bytes.Buffer
		m := emf.New(&out, "Parley", "worker")
		m.Measure(pipeline.MetricQueueWait, 12.5, "platform", "slack", "model", "global.anthropic.claude-haiku-4-5")
		m.Measure(pipeline.MetricDeadLetters, 1)
		at := time.Now().UnixMilli()
		want := fmt.Sprintf(`{"_aws":{"Timestamp":%d,"CloudWatchMetrics":[{"Namespace":"Parley","Dimensions":[["service"],["service","platform","model"]],"Metrics":[{"Name":"QueueWait","Unit":"Milliseconds"}]}]},"service":"worker","platform":"slack","model":"global.anthropic.claude-haiku-4-5","QueueWait":12.5}
{"_aws":{"Timestamp":%d,"CloudWatchMetrics":[{"Namespace":"Parley","Dimensions":[["service"]],"Metrics":[{"Name":"DeadLetters","Unit":"Count"}]}]},"service":"worker","DeadLetters":1}
`, at, at)
		if out.String() != want {
			t.Errorf("wrote\n%s\nwant\n%s", out.String(), want)
		}
	})
}

// declaration is what CloudWatch reads of a line first.
type declaration struct {
	Timestamp         int64
	CloudWatchMetrics []struct {
		Namespace  string
		Dimensions [][]string
		Metrics    []struct{ Name, Unit string }
	}
}

// valid checks a line against the specification: every name it declares is there,
// dimensions are strings and metrics numbers, and no set is too long.
func valid(text string) error {
	var members map[string]any
	var raw map[string]json.RawMessage
	var l declaration
	if err := errors.Join(json.Unmarshal([]byte(text), &members), json.Unmarshal([]byte(text), &raw), json.Unmarshal(raw["_aws"], &l)); err != nil {
		return err
	}
	d := l.CloudWatchMetrics[0]
	if d.Namespace == "" || l.Timestamp == 0 {
		return errors.New("no namespace or timestamp")
	}
	for _, set := range d.Dimensions {
		if len(set) == 0 || len(set) > 30 {
			return fmt.Errorf("a set of %d dimensions", len(set))
		}
		for _, name := range set {
			if v, ok := members[name].(string); !ok || v == "" {
				return fmt.Errorf("dimension %q is %v", name, members[name])
			}
		}
	}
	if _, ok := members[d.Metrics[0].Name].(float64); !ok {
		return fmt.Errorf("metric %q is %v", d.Metrics[0].Name, members[d.Metrics[0].Name])
	}
	return nil
}

func TestMeaninglessIsDropped(t *testing.T) {
	var out bytes.Buffer
	m := emf.New(&out, "Parley", "worker")
	m.Measure("Throttled", math.NaN())
	m.Measure("Throttled", math.Inf(-1))
	m.Measure("_aws", 1)
	m.Measure("service", 1)
	if out.Len() > 0 {
		t.Errorf("wrote %s", out.String())
	}
}

func FuzzMeasure(f *testing.F) {
	f.Add("QueueWait", 1.0, "platform", "slack", "model", "m")
	f.Add("", math.MaxFloat64, "", "", "service", "x")
	f.Add("m\"\\", -0.1, "a\n", "\xff", "a\n", "天气")
	f.Add("_aws", math.SmallestNonzeroFloat64, "_aws", " ", "x", strings.Repeat("x", 100))
	f.Fuzz(func(t *testing.T, name string, value float64, l1, v1, l2, v2 string) {
		var out bytes.Buffer
		emf.New(&out, "Parley", "worker").Measure(name, value, l1, v1, l2, v2)
		if out.Len() == 0 {
			return // dropped
		}
		if strings.Count(out.String(), "\n") != 1 {
			t.Fatalf("not one line: %q", out.String())
		}
		if err := valid(out.String()); err != nil {
			t.Errorf("%v in %s", err, out.String())
		}
	})
}

// However many values a label takes, CloudWatch is asked to keep a bounded number
// of metrics.
func TestLabelsAreBounded(t *testing.T) {
	var out bytes.Buffer
	m := emf.New(&out, "Parley", "worker")
	for i := range 200 {
		m.Measure("Throttled", 1, "user", fmt.Sprint("U", i))
	}
	m.Measure("Throttled", 1, "user", "U0")
	lines := strings.Split(strings.TrimSpace(out.String()), "\n")
	seen := map[string]bool{}
	for _, l := range lines {
		var v struct{ User string }
		if err := json.Unmarshal([]byte(l), &v); err != nil {
			t.Fatal(err)
		}
		seen[v.User] = true
	}
	if len(seen) != 51 || !seen["other"] || !strings.Contains(lines[200], `"user":"U0"`) {
		t.Errorf("%d values were written", len(seen))
	}
	out.Reset()
	many := make([]string, 41)
	for i := range many {
		many[i] = fmt.Sprint("l", i)
	}
	m.Measure("Throttled", 1, many...)
	if err := valid(out.String()); err != nil {
		t.Error(err)
	}
}

// lines counts writes and whether each was a whole line.
type lines struct {
	mu         sync.Mutex
	n, partial int
}

func (l *lines) Write(b []byte) (int, error) {
	l.mu.Lock()
	defer l.mu.Unlock()
	l.n++
	if bytes.Count(b, []byte("\n")) != 1 || b[len(b)-1] != '\n' {
		l.partial++
	}
	return len(b), nil
}

func TestConcurrentLinesStayWhole(t *testing.T) {
	var out lines
	m := emf.New(&out, "Parley", "worker")
	var wg sync.WaitGroup
	for range 8 {
		wg.Go(func() {
			for range 100 {
				m.Measure(pipeline.MetricAck, 3, "platform", "slack")
			}
		})
	}
	wg.Wait()
	if out.n != 800 || out.partial != 0 {
		t.Errorf("%d writes, %d of them not whole lines", out.n, out.partial)
	}
}

func TestMeasureAllocatesLittle(t *testing.T) {
	m := emf.New(io.Discard, "Parley", "ingress")
	m.Measure(pipeline.MetricAck, 3.25, "platform", "slack")
	n := testing.AllocsPerRun(100, func() { m.Measure(pipeline.MetricAck, 3.25, "platform", "slack") })
	if n > 3 {
		t.Errorf("%v allocations for one measurement, want at most 3", n)
	}
}

func BenchmarkMeasure(b *testing.B) {
	m := emf.New(io.Discard, "Parley", "ingress")
	for b.Loop() {
		m.Measure(pipeline.MetricAck, 3.25, "platform", "slack")
	}
}
