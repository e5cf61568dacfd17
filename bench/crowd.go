package main

import (
	"context"
	"errors"
	"fmt"
	"slices"
	"sync"
	"sync/atomic"
	"time"
)

// crowd are subscribers. Each checks for itself that what it hears comes in the
// order of the ledger and never twice; together with the number of messages this
// shows that each heard every event once.
type crowd struct {
	listeners []*listener
	reading   sync.WaitGroup
	left      atomic.Int64  // messages that are waited for
	full      chan struct{} // holds one when they are there
	failed    chan error
	published []atomic.Int64 // when the events were published, in nanoseconds; none when nobody asks
}

// listener is one subscriber.
type listener struct {
	ear   ear
	place atomic.Int64 // of the last event
	heard atomic.Int64 // events since the crowd settled
	times []time.Duration
}

const (
	dialers    = 16
	settleTime = 20 * time.Second // how long subscriptions may take to begin
	hearTime   = 60 * time.Second // how long events may take to arrive
)

// gather subscribes many times; the places of the events tell when all have begun.
func gather(ctx context.Context, by transport, to target, subscribers int) (*crowd, error) {
	c := &crowd{listeners: make([]*listener, subscribers), full: make(chan struct{}, 1), failed: make(chan error, subscribers)}
	var next atomic.Int64
	var dialing sync.WaitGroup
	for range dialers {
		dialing.Go(func() {
			for i := next.Add(1) - 1; i < int64(subscribers); i = next.Add(1) - 1 {
				e, err := by.hear(ctx, to.addr, to.path, to.token, fanoutSubscription)
				if err != nil {
					c.failed <- fmt.Errorf("subscriber %d: %w", i, err)
					return
				}
				l := &listener{ear: e}
				c.listeners[i] = l
				c.reading.Go(func() { c.listen(l) })
			}
		})
	}
	dialing.Wait()
	select {
	case err := <-c.failed:
		c.leave()
		return nil, err
	default:
		return c, nil
	}
}

func (c *crowd) listen(l *listener) {
	for {
		answer, err := l.ear.next()
		if err != nil {
			c.failed <- err
			return
		}
		place, err := placeOf(answer)
		if err == nil && place <= l.place.Load() {
			err = fmt.Errorf("event %d came after event %d", place, l.place.Load())
		}
		if err != nil {
			c.failed <- err
			return
		}
		l.place.Store(place)
		n := l.heard.Add(1) - 1
		if n >= 0 && n < int64(len(c.published)) {
			if at := c.published[n].Load(); at > 0 {
				l.times = append(l.times, time.Duration(time.Now().UnixNano()-at))
			}
		}
		if c.left.Add(-1) == 0 {
			c.full <- struct{}{}
		}
	}
}

// settle publishes until every subscriber has heard the same new event.
func (c *crowd) settle(publish func() error) error {
	for end := time.Now().Add(settleTime); time.Now().Before(end); {
		known := c.newest()
		if err := publish(); err != nil {
			return err
		}
		look := time.NewTicker(10 * time.Millisecond)
		for round := 0; round < 200 && !c.agrees(known); round++ {
			select {
			case err := <-c.failed:
				look.Stop()
				return err
			case <-look.C:
			}
		}
		look.Stop()
		if c.agrees(known) {
			c.begin()
			return nil
		}
	}
	return errors.New("not all subscribers hear")
}

func (c *crowd) newest() int64 {
	var place int64
	for _, l := range c.listeners {
		place = max(place, l.place.Load())
	}
	return place
}

// agrees tells whether all have heard one event that is newer.
func (c *crowd) agrees(than int64) bool {
	first := c.listeners[0].place.Load()
	return first > than && !slices.ContainsFunc(c.listeners, func(l *listener) bool { return l.place.Load() != first })
}

// begin counts from here on; nothing is on its way.
func (c *crowd) begin() {
	for _, l := range c.listeners {
		l.heard.Store(0)
	}
}

// expect says how many events are to come; before they are published.
func (c *crowd) expect(events int) { c.left.Store(int64(events * len(c.listeners))) }

// stamp notes that the n-th event is published now.
func (c *crowd) stamp(n int) { c.published[n].Store(time.Now().UnixNano()) }

// await returns when all have heard what is expected.
func (c *crowd) await() error {
	late := time.NewTimer(hearTime)
	defer late.Stop()
	select {
	case <-c.full:
		return nil
	case err := <-c.failed:
		return err
	case <-late.C:
		return fmt.Errorf("%d messages have not arrived within %v", c.left.Load(), hearTime)
	}
}

// whole is an error unless each subscriber heard just so many events, all the
// same ones by the last.
func (c *crowd) whole(events int) error {
	last := c.listeners[0].place.Load()
	for i, l := range c.listeners {
		if heard, place := l.heard.Load(), l.place.Load(); heard != int64(events) || place != last {
			return fmt.Errorf("subscriber %d heard %d of %d events, the last being %d instead of %d", i, heard, events, place, last)
		}
	}
	return nil
}

// times are the ways of all messages.
func (c *crowd) times() []time.Duration {
	var all []time.Duration
	for _, l := range c.listeners {
		all = append(all, l.times...)
	}
	slices.Sort(all)
	return all
}

func (c *crowd) leave() {
	for _, l := range c.listeners {
		if l != nil {
			_ = l.ear.Close() // ends its reader
		}
	}
	c.reading.Wait()
}
