package main

import (
	"bytes"
	"context"
	"fmt"
	"io"
	"net/http"
	"os"
	"slices"
	"sync"
	"sync/atomic"
	"time"
)

// dispatchBench carries a heap of deliveries, then few at a steady rate.
type dispatchBench struct {
	rounds
	Deliveries int `help:"Deliveries of a turn." default:"20000"`
	Rate       int `help:"Raises a second, to measure the way from the raise to the receiver." default:"200"`
}

// Run compares with a plain client that posts to the same receiver.
func (b *dispatchBench) Run(ctx context.Context) error {
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
		actor, err := h.configure(ctx, sink.url, 1)
		if err != nil {
			return err
		}
		self := &process{pid: os.Getpid()}
		turn := 0
		err = b.turns("deliveries, settled", func() (figures, error) {
			turn++
			return b.carry(ctx, h, actor, fmt.Sprint("turn", turn))
		}, func() (figures, error) { return b.plain(ctx, self, sink.url) })
		if err != nil {
			return err
		}
		if err := b.steady(ctx, h, sink); err != nil {
			return err
		}
		return h.stop()
	})
}

func (h *house) enable(ctx context.Context, actor string, yes bool) error {
	return h.ask(ctx, `mutation($id: ID!, $yes: Boolean!) { updateActor(input: {id: $id, enabled: $yes}) { userErrors { message } } }`,
		map[string]any{"id": actor, "yes": yes}, nil)
}

// carry heaps up deliveries while the actor is disabled, and measures from its
// enabling until all are settled.
func (b *dispatchBench) carry(ctx context.Context, h *house, actor, series string) (figures, error) {
	if err := h.enable(ctx, actor, false); err != nil {
		return figures{}, err
	}
	if err := h.fill(ctx, series, b.Deliveries); err != nil {
		return figures{}, err
	}
	began, before := time.Now(), h.cpu()
	if err := h.enable(ctx, actor, true); err != nil {
		return figures{}, err
	}
	if err := h.delivered(ctx); err != nil {
		return figures{}, err
	}
	return figures{done: b.Deliveries, took: time.Since(began), cpu: h.cpu() - before}, nil
}

// plain posts as many messages of that size with 32 connections.
func (b *dispatchBench) plain(ctx context.Context, self *process, url string) (figures, error) {
	message := bytes.Repeat([]byte("x"), 1200)
	var next atomic.Int64
	var failed atomic.Pointer[error]
	var all sync.WaitGroup
	began, before := time.Now(), self.cpu()
	for range 32 {
		all.Go(func() {
			for next.Add(1) <= int64(b.Deliveries) && failed.Load() == nil {
				if err := send(ctx, url, message); err != nil {
					failed.Store(&err)
				}
			}
		})
	}
	all.Wait()
	f := figures{done: b.Deliveries, took: time.Since(began), cpu: self.cpu() - before}
	if err := failed.Load(); err != nil {
		return f, *err
	}
	return f, nil
}

func send(ctx context.Context, url string, message []byte) error {
	r, err := http.NewRequestWithContext(ctx, http.MethodPost, url, bytes.NewReader(message))
	if err != nil {
		return err
	}
	answer, err := client.Do(r)
	if err != nil {
		return err
	}
	defer answer.Body.Close()
	_, err = io.Copy(io.Discard, answer.Body)
	return err
}

// steady raises at a rate and measures from the moment that a raise was due to
// its message at the receiver.
func (b *dispatchBench) steady(ctx context.Context, h *house, sink *receiver) error {
	var mu sync.Mutex
	due, arrived := map[string]time.Time{}, map[string]time.Time{}
	sink.seen = func(id string) {
		mu.Lock()
		defer mu.Unlock()
		if _, again := arrived[id]; !again {
			arrived[id] = time.Now()
		}
	}
	tick := time.NewTicker(time.Second / time.Duration(b.Rate))
	defer tick.Stop()
	var all sync.WaitGroup
	var failed atomic.Pointer[error]
	for n := range b.Rate * int(b.Duration.Seconds()) {
		at := <-tick.C
		all.Go(func() {
			var data struct {
				RaiseAlert struct{ Deliveries []struct{ ID string } }
			}
			err := h.ask(ctx, `mutation($in: RaiseAlertInput!) { raiseAlert(input: $in) { deliveries { id } userErrors { message } } }`, map[string]any{"in": alert("steady", n)}, &data)
			if err != nil || len(data.RaiseAlert.Deliveries) != 1 {
				err = fmt.Errorf("raise: %w", err)
				failed.Store(&err)
				return
			}
			mu.Lock()
			defer mu.Unlock()
			due[data.RaiseAlert.Deliveries[0].ID] = at
		})
	}
	all.Wait()
	if err := failed.Load(); err != nil {
		return *err
	}
	if err := h.delivered(ctx); err != nil {
		return err
	}
	var times []time.Duration
	for id, at := range due {
		times = append(times, arrived[id].Sub(at))
	}
	slices.Sort(times)
	f := figures{times: times}
	fmt.Fprintf(os.Stdout, "raise to receiver at %d raises a second: p50 %.1f ms, p99 %.1f ms\n", b.Rate, ms(f.at(0.5)), ms(f.at(0.99)))
	return nil
}
