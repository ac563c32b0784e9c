package runtimeapi

import (
	"errors"
	"fmt"
	"strings"
)

// highWater reads VmHWM, the peak of the resident set, from /proc/PID/status.
func highWater(status string) (int64, error) {
	_, rest, ok := strings.Cut(status, "VmHWM:")
	if !ok {
		return 0, errors.New("no VmHWM: this needs Linux")
	}
	var kilobytes int64
	if _, err := fmt.Sscan(rest, &kilobytes); err != nil {
		return 0, fmt.Errorf("read VmHWM: %w", err)
	}
	return kilobytes << 10, nil
}
