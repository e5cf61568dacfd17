package main

import (
	"context"
	"fmt"
	"os"
	"path/filepath"
	"strconv"
	"time"
)

// raiseBench raises alerts that each open a ticket and promise two deliveries.
type raiseBench struct {
	rounds
	Concurrency []int `help:"Clients at once." default:"64,1"`
	Held        bool  `help:"Also with the deliveries held back, so that nothing but the raise is at work." default:"true" negatable:""`
}

// Run compares the raise with a program that commits the same rows.
func (b *raiseBench) Run(ctx context.Context) error {
	return printed(ctx, b.measure)
}

func (b *raiseBench) measure(ctx context.Context, t *table) error {
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
		actor, err := h.configure(ctx, sink.url, 2)
		if err != nil {
			return err
		}
		limit, err := openLimitRaise(ctx, filepath.Join(dir, "limit"))
		if err != nil {
			return err
		}
		for _, clients := range b.Concurrency {
			if err := b.weigh(ctx, t, h, limit, clients, true); err != nil {
				return err
			}
		}
		if b.Held {
			if err := h.enable(ctx, actor, false); err != nil {
				return err
			}
			if err := b.weigh(ctx, t, h, limit, b.Concurrency[0], false); err != nil {
				return err
			}
		}
		if err := limit.stop(); err != nil {
			return err
		}
		return h.stop()
	})
}

func (b *raiseBench) weigh(ctx context.Context, t *table, h *house, limit *process, clients int, carried bool) error {
	path := fmt.Sprintf("raise, %s", counted(clients, "client"))
	note := "its two deliveries are carried meanwhile, and their time on the processor is in it"
	if !carried {
		path, note = path+", deliveries held back", "its two deliveries are promised and not carried"
	}
	turn := 0
	bare := formOf(body(raiseMutation, map[string]any{"in": alert("limit", placeNumber)}))
	r, err := b.compare(path, func() (figures, error) {
		turn++
		return b.raise(ctx, h, fmt.Sprintf("raise%d-%t-%d", clients, carried, turn), clients, carried)
	}, func() (figures, error) {
		return load(ctx, clients, b.Duration, target{limit, "/graphql", h.token}, sending(bare, `"alertId"`))
	})
	if err != nil {
		return err
	}
	r.Note = note
	if clients == 1 {
		r = r.judge(p50(1))
	} else {
		r = r.judge(perSecond(4000), ofLimit(0.6), p99(40))
	}
	t.add(r)
	return nil
}

// sending posts a form with a number of its own each time.
func sending(f form, want string) func(c *caller, n int) error {
	return func(c *caller, n int) error {
		_, err := c.post(f.with(n), want)
		return err
	}
}

// raise loads the server; what is still to be delivered then is waited for, and
// counts as time on the processor.
func (b *raiseBench) raise(ctx context.Context, h *house, series string, clients int, carried bool) (figures, error) {
	before := h.cpu()
	one := formOf(body(raiseMutation, map[string]any{"in": alert(series, placeNumber)}))
	f, err := load(ctx, clients, b.Duration, target{h.process, "/graphql", h.token}, sending(one, `"deliveryCount":2`))
	if err != nil || !carried {
		return f, err
	}
	ended := time.Now()
	if err := h.delivered(ctx); err != nil {
		return f, err
	}
	f.cpu = h.cpu() - before
	if late := time.Since(ended); late > time.Second {
		fmt.Fprintf(os.Stderr, "        the last delivery came %.1f s after the last raise\n", late.Seconds())
	}
	return f, nil
}

func counted(n int, thing string) string {
	if n == 1 {
		return "1 " + thing
	}
	return strconv.Itoa(n) + " " + thing + "s"
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
