package coldstart

import (
	"bufio"
	"os/exec"
	"runtime"
	"strconv"
	"strings"
	"testing"
)

// The budget of the ingress that needs no quiet machine.
const (
	maxSize     = 8_500_000 // bytes, stripped
	maxMemory   = 16 << 20  // bytes resident at most
	maxPrepared = 96 << 10  // bytes allocated before main, in all packages
	maxOurs     = 16 << 10  // of them in Parley's
)

func TestBudget(t *testing.T) {
	if testing.Short() || runtime.GOOS != "linux" {
		t.Skip("builds a binary, and reads /proc")
	}
	s := ingress(t)
	if size := s.size(t); size > maxSize {
		t.Errorf("the binary has %d bytes; the budget is %d", size, maxSize)
	}
	s.start(t)
	s.keepWarm(t, 50)
	if memory := p(s.memory, 50); memory > maxMemory {
		t.Errorf("%.1f MiB resident; the budget is %d", float64(memory)/(1<<20), maxMemory>>20)
	}
	all, ours := prepared(t, s.binary)
	if all > maxPrepared || ours > maxOurs {
		t.Errorf("%d bytes are allocated before main, %d by Parley's packages; the budget is %d and %d. GODEBUG=inittrace=1 says by whom",
			all, ours, maxPrepared, maxOurs)
	}
}

// prepared is how many bytes the packages of a binary allocate before main, as the
// runtime itself tells: "init PACKAGE @4.5 ms, 0.1 ms clock, 312 bytes, 7 allocs".
// What takes long at that point allocates, too, and allocations can be counted.
func prepared(t *testing.T, binary string) (all, ours int) {
	t.Helper()
	cmd := exec.Command(binary)
	cmd.Env = []string{"GODEBUG=inittrace=1"} // main refuses to start without its own
	out, _ := cmd.CombinedOutput()
	for lines := bufio.NewScanner(strings.NewReader(string(out))); lines.Scan(); {
		f := strings.Fields(lines.Text())
		if len(f) < 9 || f[0] != "init" || f[8] != "bytes," {
			continue
		}
		n, err := strconv.Atoi(f[7])
		if err != nil {
			t.Fatalf("%s: %v", lines.Text(), err)
		}
		all += n
		if strings.HasPrefix(f[1], "parley/") {
			ours += n
		}
	}
	if all == 0 {
		t.Fatalf("the runtime told nothing: %s", out)
	}
	t.Logf("%d bytes are allocated before main, %d by Parley's packages", all, ours)
	return all, ours
}
