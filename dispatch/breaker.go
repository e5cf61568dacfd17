package dispatch

import (
	"sync"
	"time"
)

// breaker holds an actor's line back while its system is down, so that not
// every delivery has to find out by itself. It opens after some failures in a
// row, and then lets one call through now and again. Waiting for it is not time
// spent trying. The zero breaker is closed.
type breaker struct {
	mu    sync.Mutex
	fails int // in a row, none long after the other
	last  time.Time
	until time.Time
}

const (
	breakAfter = 10
	breakFirst = time.Second
	breakMost  = time.Minute
)

// note takes in how a call ended.
func (b *breaker) note(o Outcome, now time.Time) {
	b.mu.Lock()
	defer b.mu.Unlock()
	if k := o.Kind(); k != OutcomeDeferred && k != OutcomeUncertain {
		b.fails, b.until = 0, time.Time{}
		return
	}
	if now.Sub(b.last) > 2*breakMost {
		b.fails = 0
	}
	b.last = now
	if b.fails++; b.fails < breakAfter {
		return
	}
	wait := breakMost
	if doubled := b.fails - breakAfter; doubled < 6 {
		wait = breakFirst << doubled
	}
	b.until = now.Add(min(wait, breakMost))
}

// most is how many calls may begin now, where there is room for some and others
// are under way; when none may, wait is how long not.
func (b *breaker) most(room, underWay int, now time.Time) (most int, wait time.Duration) {
	b.mu.Lock()
	defer b.mu.Unlock()
	switch {
	case b.fails < breakAfter:
		return room, 0
	case now.Before(b.until):
		return 0, b.until.Sub(now)
	case underWay > 0: // the one that was let through is on its way
		return 0, breakFirst
	default:
		return min(1, room), 0
	}
}
