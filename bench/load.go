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

// client keeps as many connections as the load needs.
var client = &http.Client{Transport: &http.Transport{MaxIdleConnsPerHost: 2048, DisableCompression: true}}

// figures are what one turn measured.
type figures struct {
	done  int
	took  time.Duration
	cpu   time.Duration // of the thing that is measured
	times []time.Duration
}

func (f figures) perSecond() float64 { return float64(f.done) / f.took.Seconds() }

// cpuPerThousand is in seconds.
func (f figures) cpuPerThousand() float64 { return f.cpu.Seconds() / float64(max(f.done, 1)) * 1000 }

// at is the time within which that share of the operations ended.
func (f figures) at(share float64) time.Duration {
	if len(f.times) == 0 {
		return 0
	}
	return f.times[min(int(share*float64(len(f.times))), len(f.times)-1)]
}

// load runs an operation from some clients, each as soon as its last one
// ended, for a time. An operation is told its number.
func load(ctx context.Context, clients int, length time.Duration, p *process, do func(ctx context.Context, n int) error) (figures, error) {
	ctx, cancel := context.WithCancelCause(ctx)
	defer cancel(nil)
	began, before := time.Now(), p.cpu()
	end := began.Add(length)
	all := make([][]time.Duration, clients)
	var running sync.WaitGroup
	for c := range clients {
		running.Go(func() {
			for n := c; ctx.Err() == nil; n += clients {
				start := time.Now()
				if start.After(end) {
					return
				}
				if err := do(ctx, n); err != nil {
					cancel(err)
					return
				}
				all[c] = append(all[c], time.Since(start))
			}
		})
	}
	running.Wait()
	f := figures{took: time.Since(began), cpu: p.cpu() - before, times: slices.Concat(all...)}
	slices.Sort(f.times)
	f.done = len(f.times)
	return f, context.Cause(ctx)
}

// post sends a body and wants to see a text in the answer.
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
