package dingstream

import "sync"

// Bounds on what is under way at once.
const (
	maxRunning = 32
	maxQueued  = 1000
)

// lanes run work: of one lane in order and one at a time, of all lanes at most
// maxRunning at once. The zero value is ready.
type lanes struct {
	mu     sync.Mutex
	slots  chan struct{}
	queued map[string][]func()
	total  int
}

// submit queues work and returns at once. It reports false, and does nothing, if
// too much is queued.
func (l *lanes) submit(lane string, work func()) bool {
	l.mu.Lock()
	defer l.mu.Unlock()
	if l.total >= maxQueued {
		return false
	}
	if l.queued == nil {
		l.queued, l.slots = map[string][]func(){}, make(chan struct{}, maxRunning)
	}
	l.total++
	waiting, running := l.queued[lane]
	l.queued[lane] = append(waiting, work)
	if !running {
		go l.run(lane) // ends with the lane's work, which every link waits for
	}
	return true
}

// run does a lane's work until none is left.
func (l *lanes) run(lane string) {
	for {
		work, ok := l.next(lane)
		if !ok {
			return
		}
		l.slots <- struct{}{}
		work()
		<-l.slots
	}
}

// next takes the lane's first work, or removes the lane.
func (l *lanes) next(lane string) (func(), bool) {
	l.mu.Lock()
	defer l.mu.Unlock()
	waiting := l.queued[lane]
	if len(waiting) == 0 {
		delete(l.queued, lane)
		return nil, false
	}
	l.total--
	l.queued[lane] = waiting[1:]
	return waiting[0], true
}
