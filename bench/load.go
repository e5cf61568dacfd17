package main

import (
	"bytes"
	"context"
	"fmt"
	"io"
	"net/http"
	"slices"
	"sync"
	"time"
)

// client asks what is not measured.
var client = &http.Client{Transport: &http.Transport{MaxIdleConnsPerHost: 4, DisableCompression: true}}

// figures are what one turn measured.
type figures struct {
	done  int
	took  time.Duration
	cpu   time.Duration // of the thing that is measured
	times []time.Duration
}

func (f figures) perSecond() float64 {
	if f.took == 0 {
		return 0
	}
	return float64(f.done) / f.took.Seconds()
}

// cpuPerThousand is in seconds.
func (f figures) cpuPerThousand() float64 { return f.cpu.Seconds() / float64(max(f.done, 1)) * 1000 }

// at is the time within which that share of the operations ended.
func (f figures) at(share float64) time.Duration {
	if len(f.times) == 0 {
		return 0
	}
	return f.times[min(int(share*float64(len(f.times))), len(f.times)-1)]
}

// target is where a load goes.
type target struct {
	*process
	path, token string
}

// load runs an operation from some clients, each on a connection of its own and
// as soon as its last one ended, for a time. An operation is told its number.
func load(ctx context.Context, clients int, length time.Duration, t target, do func(c *caller, n int) error) (figures, error) {
	ctx, cancel := context.WithCancelCause(ctx)
	defer cancel(nil)
	callers := make([]*caller, clients)
	for i := range callers {
		var err error
		if callers[i], err = dial(ctx, t.addr, t.path, t.token); err != nil {
			return figures{}, err
		}
		defer callers[i].close()
	}
	began, before := time.Now(), t.cpu()
	end := began.Add(length)
	all := make([][]time.Duration, clients)
	var running sync.WaitGroup
	for i, c := range callers {
		running.Go(func() {
			for n := i; ctx.Err() == nil; n += clients {
				start := time.Now()
				if start.After(end) {
					return
				}
				if err := do(c, n); err != nil {
					cancel(err)
					return
				}
				all[i] = append(all[i], time.Since(start))
			}
		})
	}
	running.Wait()
	f := figures{took: time.Since(began), cpu: t.cpu() - before, times: slices.Concat(all...)}
	slices.Sort(f.times)
	f.done = len(f.times)
	return f, context.Cause(ctx)
}

// post sends a body outside of any measurement and wants to see a text in the answer.
func post(ctx context.Context, url, token string, body []byte, want string) ([]byte, error) {
	r, err := http.NewRequestWithContext(ctx, http.MethodPost, url, bytes.NewReader(body))
	if err != nil {
		return nil, err
	}
	r.Header.Set("Content-Type", "application/json")
	r.Header.Set("Authorization", "Bearer "+token)
	answer, err := client.Do(r)
	if err != nil {
		return nil, err
	}
	defer answer.Body.Close()
	text, err := io.ReadAll(answer.Body)
	if err != nil {
		return nil, err
	}
	if !bytes.Contains(text, []byte(want)) {
		return nil, fmt.Errorf("the answer has no %s: %d %.500s", want, answer.StatusCode, text)
	}
	return text, nil
}
