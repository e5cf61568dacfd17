package slack

import (
	"context"
	"errors"
	"fmt"
	"sync"
	"time"

	"golang.org/x/time/rate"
)

// lanes keep to one message a second in each channel. The zero lanes are ready.
type lanes struct {
	mu        sync.Mutex
	byChannel map[string]*lane
}

// lane is one channel: who may post now, and when those come back who may not.
type lane struct{ now, later *rate.Limiter }

// longest is how long a delivery is held here; its lease runs meanwhile.
const longest = 3 * time.Second

// enter waits until a message may be posted. When that takes too long it
// returns the time to stay away, longer for each who is sent away, so that
// they do not all come back at once.
func (l *lanes) enter(ctx context.Context, channel string) (time.Duration, error) {
	lane := l.lane(channel)
	turn := lane.now.Reserve()
	wait := turn.Delay()
	if wait > longest {
		turn.Cancel()
		wait += lane.later.Reserve().Delay()
		return wait, fmt.Errorf("the channel %s takes one message a second, and others come first", channel)
	}
	timer := time.NewTimer(wait)
	defer timer.Stop()
	select {
	case <-timer.C:
		return 0, nil
	case <-ctx.Done():
		turn.Cancel()
		return 0, errors.New("the time given ended before it was this message's turn in the channel")
	}
}

func (l *lanes) lane(channel string) *lane {
	l.mu.Lock()
	defer l.mu.Unlock()
	if l.byChannel == nil {
		l.byChannel = map[string]*lane{}
	}
	found := l.byChannel[channel]
	if found == nil {
		each := rate.Every(time.Second)
		found = &lane{now: rate.NewLimiter(each, 1), later: rate.NewLimiter(each, 1)}
		l.byChannel[channel] = found
	}
	return found
}
