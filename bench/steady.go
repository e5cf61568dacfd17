package main

import (
	"bytes"
	"context"
	"errors"
	"fmt"
	"slices"
	"strings"
	"sync"
	"time"
)

// steadyBench raises at a rate and measures the way to the receiver.
type steadyBench struct {
	Rate     int           `help:"Raises a second." default:"200"`
	Duration time.Duration `help:"How long." default:"10s"`
}

// Run prints the one row.
func (b *steadyBench) Run(ctx context.Context) error {
	return printed(ctx, b.measure)
}

func (b *steadyBench) measure(ctx context.Context, t *table) error {
	return inFolder(func(dir string) error {
		sink, err := newReceiver(ctx)
		if err != nil {
			return err
		}
		defer sink.close()
		h, err := open(ctx, dir)
		if err != nil {
			return err
		}
		if _, err := h.configure(ctx, sink.url, 1); err != nil {
			return err
		}
		f, err := b.raise(ctx, h, sink)
		if err != nil {
			return err
		}
		r := row{Path: fmt.Sprintf("raise to first byte at the receiver, %d raises a second", b.Rate), Ours: read([]figures{f})}
		r.Note = "counted from the moment at which the raise was due"
		t.add(r.judge(p50(5), p99(50)))
		return h.stop()
	})
}

const deliveryMutation = `mutation($in: RaiseAlertInput!) { raiseAlert(input: $in) { deliveries { id } userErrors { message } } }`

// raise measures from the moment at which each raise was due until the head of
// its message was at the receiver. All must come.
func (b *steadyBench) raise(ctx context.Context, h *house, sink *receiver) (figures, error) {
	one := formOf(body(deliveryMutation, map[string]any{"in": alert("steady", placeNumber)}))
	d := drumBeat{every: time.Second / time.Duration(b.Rate), beats: b.Rate * int(b.Duration.Seconds())}
	var mu sync.Mutex
	due := map[string]time.Time{}
	sink.keepMoments()
	began, before := time.Now(), h.cpu()
	err := d.play(ctx, 32, target{h.process, "/graphql", h.token}, func(c *caller, n int, at time.Time) error {
		text, err := c.post(one.with(n), `"deliveries":[{"id":"`)
		if err != nil {
			return err
		}
		_, rest, _ := bytes.Cut(text, []byte(`"deliveries":[{"id":"`))
		id, _, _ := strings.Cut(string(rest), `"`)
		mu.Lock()
		defer mu.Unlock()
		due[id] = at
		return nil
	})
	if err != nil {
		return figures{}, err
	}
	if err := h.delivered(ctx); err != nil {
		return figures{}, err
	}
	f := figures{done: len(due), took: time.Since(began), cpu: h.cpu() - before}
	came := sink.moments()
	for id, at := range due {
		if came[id].IsZero() {
			return f, fmt.Errorf("delivery %s is settled and never came to the receiver", id)
		}
		f.times = append(f.times, came[id].Sub(at))
	}
	slices.Sort(f.times)
	return f, nil
}

// drumBeat does something at a rate, whether or not the last one has ended.
type drumBeat struct {
	every time.Duration
	beats int
}

// play calls do for each beat, from one of some connections. It is late where
// all of them are busy; what it measures begins when the beat was due.
func (d drumBeat) play(ctx context.Context, hands int, to target, do func(c *caller, n int, at time.Time) error) error {
	ctx, cancel := context.WithCancelCause(ctx)
	defer cancel(nil)
	type beat struct {
		n  int
		at time.Time
	}
	beats := make(chan beat, d.beats)
	var all sync.WaitGroup
	for range hands {
		c, err := dial(ctx, to.addr, to.path, to.token)
		if err != nil {
			return errors.Join(err, context.Cause(ctx))
		}
		defer c.close()
		all.Go(func() {
			for b := range beats {
				if err := do(c, b.n, b.at); err != nil {
					cancel(err)
					return
				}
			}
		})
	}
	began := time.Now()
	timer := time.NewTimer(0)
	defer timer.Stop()
	for n := 0; n < d.beats && ctx.Err() == nil; n++ {
		at := began.Add(time.Duration(n) * d.every)
		timer.Reset(time.Until(at))
		select {
		case <-timer.C:
			beats <- beat{n, at}
		case <-ctx.Done():
		}
	}
	close(beats)
	all.Wait()
	return context.Cause(ctx)
}
