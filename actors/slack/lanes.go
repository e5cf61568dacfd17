package slack

import (
	"context"
	"errors"
	"fmt"
	"strings"
	"sync"
	"time"

	"golang.org/x/time/rate"
)

// lanes keep to one message a second in each channel. The zero lanes are ready.
// Source: docs.slack.dev, rate limits, posting messages.
type lanes struct {
	mu        sync.Mutex
	byChannel map[string]*lane
}

// lane is one queue: who may go now, and when those come back who may not.
type lane struct{ now, later *rate.Limiter }

// longest is how long a delivery is held here; its lease runs meanwhile.
const longest = 3 * time.Second

func newLane(each time.Duration, burst int) *lane {
	return &lane{now: rate.NewLimiter(rate.Every(each), burst), later: rate.NewLimiter(rate.Every(each), 1)}
}

// enter waits until a message may be posted in a channel. When that takes too
// long it returns the time to stay away.
func (l *lanes) enter(ctx context.Context, channel string) (time.Duration, error) {
	wait, err := l.lane(strings.TrimPrefix(channel, "#")).enter(ctx)
	if err != nil {
		return wait, fmt.Errorf("the channel %s takes one message a second: %w", channel, err)
	}
	return 0, nil
}

func (l *lanes) lane(channel string) *lane {
	l.mu.Lock()
	defer l.mu.Unlock()
	if l.byChannel == nil {
		l.byChannel = map[string]*lane{}
	}
	found := l.byChannel[channel]
	if found == nil {
		found = newLane(time.Second, 1)
		l.byChannel[channel] = found
	}
	return found
}

// enter waits for a turn. When that takes too long it returns the time to stay
// away, longer for each who is sent away, so that they do not all come back at
// once.
func (l *lane) enter(ctx context.Context) (time.Duration, error) {
	turn := l.now.Reserve()
	wait := turn.Delay()
	if wait > longest {
		turn.Cancel()
		wait += l.later.Reserve().Delay()
		return wait, errors.New("others come first")
	}
	timer := time.NewTimer(wait)
	defer timer.Stop()
	select {
	case <-timer.C:
		return 0, nil
	case <-ctx.Done():
		turn.Cancel()
		return 0, errors.New("the time given ended before the turn came")
	}
}
