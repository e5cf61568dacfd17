package sentinelone

import (
	"context"
	"errors"
	"fmt"
	"strings"
	"time"

	"golang.org/x/time/rate"
)

// lanes keep to the API's limits of calls by their path.
type lanes struct {
	list []lane
	rest *rate.Limiter
}

type lane struct {
	prefix string
	turns  *rate.Limiter
}

// longest is how long a call is held here; its lease runs meanwhile.
const longest = 3 * time.Second

// newLanes are the limits, the longest prefix first. Source: ratelimit.go of the
// s1buildpartners SDK, which has them from the vendor's table.
func newLanes() *lanes {
	return &lanes{
		list: []lane{
			{"/threats/", rate.NewLimiter(100, 1000)},
			{"/threats", rate.NewLimiter(10, 50)},
			{"/agents", rate.NewLimiter(25, 1)},
			{"/users", rate.NewLimiter(40, 80)},
		},
		rest: rate.NewLimiter(25, 25),
	}
}

// enter waits for a turn. When that takes too long it returns the time to stay away.
func (l *lanes) enter(ctx context.Context, path string) (time.Duration, error) {
	turn := l.of(path).Reserve()
	wait := turn.Delay()
	if wait > longest {
		turn.Cancel()
		return wait, fmt.Errorf("the console takes no more calls of %s now: others come first", path)
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

func (l *lanes) of(path string) *rate.Limiter {
	for _, lane := range l.list {
		if strings.HasPrefix(path, lane.prefix) {
			return lane.turns
		}
	}
	return l.rest
}
