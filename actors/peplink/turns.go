package peplink

import (
	"context"
	"errors"
	"sync"
	"time"

	"golang.org/x/time/rate"
)

// turns keep to InControl's limit of twenty calls a second for an organization.
// They are handed out one by one and not in bursts, so that no second has more.
// Source: forum.peplink.com/t/incontrol-2-restful-api-and-rate-limit/20563.
type turns struct{ calls *rate.Limiter }

func newTurns() *turns { return &turns{rate.NewLimiter(19, 1)} }

// longest is how long a call is held here; its lease runs meanwhile.
const longest = 3 * time.Second

// wait waits for a turn. When that takes too long it returns the time to stay away.
func (t *turns) wait(ctx context.Context) (time.Duration, error) {
	turn := t.calls.Reserve()
	wait := turn.Delay()
	if wait > longest {
		turn.Cancel()
		return wait, errors.New("an organization takes twenty calls a second: others come first")
	}
	timer := time.NewTimer(wait)
	defer timer.Stop()
	select {
	case <-timer.C:
	case <-ctx.Done():
	}
	if ctx.Err() != nil {
		turn.Cancel()
		return 0, errors.New("the time given ended before the turn came")
	}
	return 0, nil
}

// writers let one writer at a time at each access list, for a write replaces
// the whole list. The zero writers are ready.
type writers struct {
	mu   sync.Mutex
	desk map[string]chan struct{}
}

// enter waits until nobody else is at a list; leave ends that.
func (w *writers) enter(ctx context.Context, list string) (leave func(), err error) {
	w.mu.Lock()
	if w.desk == nil {
		w.desk = map[string]chan struct{}{}
	}
	if w.desk[list] == nil {
		w.desk[list] = make(chan struct{}, 1)
	}
	seat := w.desk[list]
	w.mu.Unlock()
	select {
	case seat <- struct{}{}:
		return func() { <-seat }, nil
	case <-ctx.Done():
		return nil, errors.New("the time given ended while others wrote to the access list")
	}
}
