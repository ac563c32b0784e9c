package coldstart

import (
	"cmp"
	"flag"
	"fmt"
	"os"
	"slices"
	"strings"
	"testing"
	"text/tabwriter"
	"time"

	"parley/test/runtimeapi"
)

var (
	measuring = flag.Bool("measure", false, "measure; the machine should have nothing else to do")
	starts    = flag.Int("starts", 40, "fresh processes of each function")
	warm      = flag.Int("warm", 200, "events for a warm process")
)

// maxColdRatio is the budget in time of the ingress, the function that somebody
// waits for: beside an empty function on the same machine.
const maxColdRatio = 2.0

// subject is a function to measure.
type subject struct {
	name   string
	binary string
	env    map[string]string
	event  func() []byte

	cold, init, warm []time.Duration
	memory           []int64
}

func TestColdStart(t *testing.T) {
	if !*measuring {
		t.Skip("measuring takes a quiet machine; run it with -measure, or make coldstart")
	}
	empty := &subject{name: "empty", binary: build(t, "./test/coldstart/testdata/empty"), event: func() []byte { return []byte("{}") }}
	ingress := ingress(t)
	all := []*subject{empty, ingress, stage(t, "worker"), stage(t, "responder")}
	for range *starts { // interleaved: what disturbs one disturbs the other
		for _, s := range all {
			s.start(t)
		}
	}
	for _, s := range all {
		s.keepWarm(t, *warm)
	}
	report(t, all...)
	if cold := float64(p(ingress.cold, 50)) / float64(p(empty.cold, 50)); cold > maxColdRatio {
		t.Errorf("a cold start takes %.2f times an empty function's; the budget is %.1f", cold, maxColdRatio)
	} else {
		t.Logf("a cold start takes %.2f times an empty function's", cold)
	}
}

// start measures one fresh process: from nothing to its first answer.
func (s *subject) start(t *testing.T) {
	f := runtimeapi.New(runtimeapi.Config{Binary: s.binary, Name: s.name, Timeout: 5 * time.Second, Env: s.env})
	defer f.Close()
	began := time.Now()
	s.accept(t, f)
	s.cold = append(s.cold, time.Since(began))
}

// keepWarm measures one process that is used again and again.
func (s *subject) keepWarm(t *testing.T, events int) {
	f := runtimeapi.New(runtimeapi.Config{Binary: s.binary, Name: s.name, Timeout: 5 * time.Second, Env: s.env})
	defer f.Close()
	for range 20 {
		s.accept(t, f)
	}
	s.init = s.init[:len(s.init)-1] // that of this process counts no more than others'
	for range events {
		s.warm = append(s.warm, s.accept(t, f).Duration)
	}
	memory, err := f.Environments()[0].PeakMemory()
	if err != nil {
		t.Fatal(err)
	}
	s.memory = append(s.memory, memory)
}

func (s *subject) accept(t *testing.T, f *runtimeapi.Function) runtimeapi.Result {
	r, err := f.Invoke(t.Context(), s.event())
	if err != nil {
		t.Fatalf("%s: %v", s.name, err)
	}
	if s.name == "ingress" && !strings.Contains(string(r.Payload), `"statusCode":200`) {
		t.Fatalf("%s answered %s", s.name, r.Payload)
	}
	if r.Cold {
		s.init = append(s.init, r.Init)
	}
	return r
}

// size is the binary's, in bytes.
func (s *subject) size(t *testing.T) int64 {
	info, err := os.Stat(s.binary)
	if err != nil {
		t.Fatal(err)
	}
	return info.Size()
}

// p returns the percentile n of values.
func p[T cmp.Ordered](values []T, n int) T {
	sorted := slices.Clone(values)
	slices.Sort(sorted)
	return sorted[min(len(sorted)-1, len(sorted)*n/100)]
}

func report(t *testing.T, subjects ...*subject) {
	var b strings.Builder
	w := tabwriter.NewWriter(&b, 0, 0, 2, ' ', tabwriter.AlignRight)
	fmt.Fprintln(w, "function\tcold p50\tcold p99\tinit p50\twarm p50\twarm p99\tpeak memory\tbinary\t")
	for _, s := range subjects {
		fmt.Fprintf(w, "%s\t%.1f ms\t%.1f ms\t%.1f ms\t%.2f ms\t%.2f ms\t%.1f MiB\t%.2f MB\t\n", s.name,
			millis(p(s.cold, 50)), millis(p(s.cold, 99)), millis(p(s.init, 50)), millis(p(s.warm, 50)), millis(p(s.warm, 99)),
			float64(p(s.memory, 50))/(1<<20), float64(s.size(t))/1e6)
	}
	_ = w.Flush() // into memory
	t.Log("\n" + b.String())
}

func millis(d time.Duration) float64 { return float64(d) / float64(time.Millisecond) }
