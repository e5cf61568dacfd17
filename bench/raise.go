package main

import (
	"context"
	"errors"
	"fmt"
	"net"
	"net/http"
	"os"
	"path/filepath"
	"sync/atomic"
	"time"
)

// raiseBench raises alerts that each open a ticket and promise two deliveries.
type raiseBench struct {
	rounds
	Concurrency int `help:"Clients at once." default:"64"`
}

// Run compares the raise with a program that commits the same rows.
func (b *raiseBench) Run(ctx context.Context) error {
	return inFolder(func(dir string) error {
		sink, err := newReceiver(ctx)
		if err != nil {
			return err
		}
		defer sink.close()
		h, err := open(ctx, filepath.Join(dir, "server"))
		if err != nil {
			return err
		}
		if _, err := h.configure(ctx, sink.url, 2); err != nil {
			return err
		}
		limit, err := openLimitRaise(ctx, filepath.Join(dir, "limit"))
		if err != nil {
			return err
		}
		turn := 0
		err = b.turns(fmt.Sprintf("raiseAlert, concurrency %d", b.Concurrency), func() (figures, error) {
			turn++
			return b.raise(ctx, h, fmt.Sprint("turn", turn))
		}, func() (figures, error) {
			return load(ctx, b.Concurrency, b.Duration, limit, func(ctx context.Context, n int) error {
				_, err := post(ctx, "http://"+limit.addr+"/graphql", h.token, body(raiseMutation, map[string]any{"in": alert("limit", n)}), `"alertId"`)
				return err
			})
		})
		if err != nil {
			return err
		}
		fmt.Fprintf(os.Stdout, "%d deliveries arrived; the time on the processor is that of raise and deliveries together\nresident memory at the end: %.0f MiB\n",
			sink.taken.Load(), h.resident())
		if err := limit.stop(); err != nil {
			return err
		}
		return h.stop()
	})
}

// raise loads the server; what is still to be delivered then is waited for, and
// counts as time on the processor.
func (b *raiseBench) raise(ctx context.Context, h *house, series string) (figures, error) {
	before := h.cpu()
	f, err := load(ctx, b.Concurrency, b.Duration, h.process, func(ctx context.Context, n int) error {
		_, err := post(ctx, h.url(), h.token, body(raiseMutation, map[string]any{"in": alert(series, n)}), `"deliveryCount":2`)
		return err
	})
	if err != nil {
		return f, err
	}
	ended := time.Now()
	if err := h.delivered(ctx); err != nil {
		return f, err
	}
	f.cpu = h.cpu() - before
	if late := time.Since(ended); late > time.Second {
		fmt.Fprintf(os.Stdout, "the last delivery came %.1f s after the last raise\n", late.Seconds())
	}
	return f, nil
}

// inFolder works in a throw-away directory.
func inFolder(work func(dir string) error) error {
	dir, err := os.MkdirTemp("", "tocsin-bench-")
	if err != nil {
		return err
	}
	defer os.RemoveAll(dir)
	return work(dir)
}

// receiver takes webhooks and counts them.
type receiver struct {
	url   string
	taken atomic.Int64
	seen  func(id string) // of each message; may be nil
	http  *http.Server
	ended chan error
}

func newReceiver(ctx context.Context) (*receiver, error) {
	l, err := new(net.ListenConfig).Listen(ctx, "tcp", "127.0.0.1:0")
	if err != nil {
		return nil, err
	}
	r := &receiver{url: "http://" + l.Addr().String() + "/", ended: make(chan error, 1)}
	r.http = &http.Server{ReadHeaderTimeout: time.Minute, Handler: http.HandlerFunc(func(w http.ResponseWriter, q *http.Request) {
		r.taken.Add(1)
		if r.seen != nil {
			r.seen(q.Header.Get("Webhook-Id"))
		}
		w.WriteHeader(http.StatusNoContent)
	})}
	go func() { r.ended <- r.http.Serve(l) }() // close waits for it
	return r, nil
}

func (r *receiver) close() {
	_ = r.http.Close() // the run is over
	if err := <-r.ended; !errors.Is(err, http.ErrServerClosed) {
		fmt.Fprintln(os.Stderr, "the receiver ended with", err)
	}
}
