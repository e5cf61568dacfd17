package main

import (
	"bytes"
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"os"
	"path/filepath"
	"time"
)

// growthBench does the same on few rows and on many: the limit of the one is the
// other.
type growthBench struct {
	rounds
	Few    int    `help:"Alerts of the small books." default:"10000"`
	Rows   int    `help:"Alerts of the large books." default:"100000"`
	Seeded string `help:"Directory in which books are kept for the next run; else in the user's cache." type:"path" placeholder:"PATH"`
}

// Run prints a row for each path.
func (b *growthBench) Run(ctx context.Context) error {
	return printed(ctx, b.measure)
}

func (b *growthBench) measure(ctx context.Context, t *table) error {
	keep, err := keepIn(b.Seeded)
	if err != nil {
		return err
	}
	return inFolder(func(dir string) error {
		var sides [2]*grown
		for i, rows := range []int{b.Rows, b.Few} {
			began := time.Now()
			if sides[i], err = grow(ctx, filepath.Join(dir, fmt.Sprint(rows)), keep, rows); err != nil {
				return err
			}
			fmt.Fprintf(os.Stderr, "        books of %s alerts: %.1f s\n", number(float64(rows)), time.Since(began).Seconds())
		}
		if err := b.weigh(ctx, t, sides); err != nil {
			return err
		}
		return errors.Join(sides[0].stop(), sides[1].stop())
	})
}

// keepIn is where books are kept.
func keepIn(asked string) (string, error) {
	if asked != "" {
		return asked, nil
	}
	cache, err := os.UserCacheDir()
	return filepath.Join(cache, "tocsin-bench"), err
}

// grown is a server on seeded books.
type grown struct {
	*house
	reads
	resume string // a subscription after a place shortly before the head
}

// resumed is how many events one resumption reads.
const resumed = 100

func grow(ctx context.Context, dir, keep string, rows int) (*grown, error) {
	s, err := seed(ctx, dir, keep, rows)
	if err != nil {
		return nil, err
	}
	h, err := open(ctx, s.dir)
	if err != nil {
		return nil, err
	}
	h.token = s.token
	g := &grown{house: h}
	if g.reads, err = h.reads(ctx); err != nil {
		return nil, err
	}
	var data struct {
		Tickets struct{ LedgerCursor string }
	}
	if err := h.ask(ctx, `{ tickets(first: 1) { ledgerCursor } }`, nil, &data); err != nil {
		return nil, err
	}
	answer, err := json.Marshal(map[string]string{"cursor": data.Tickets.LedgerCursor})
	if err != nil {
		return nil, err
	}
	head, err := placeOf(answer)
	g.resume = fmt.Sprintf(`subscription { ticketStatusChanged(after: %q) { cursor kind at status statusBefore ticketVersion } }`, cursorAt(head-(resumed+10)*s.span))
	return g, err
}

func (b *growthBench) weigh(ctx context.Context, t *table, sides [2]*grown) error {
	within := goal{"within 1.25 × of the few", 1 / 1.25, false, func(r *row) float64 { return r.Ratio.Median }}
	for _, way := range []struct {
		name    string
		clients int
		do      func(g *grown) func(c *caller, n int) error
	}{
		{"resume, 100 events", 1, func(g *grown) func(c *caller, n int) error { return g.resumeOnce(ctx) }},
		{"50 tickets, 1 client", 1, func(g *grown) func(c *caller, n int) error { return g.page }},
		{"ticket by id, 16 clients", 16, func(g *grown) func(c *caller, n int) error { return g.ticket }},
		{"raise, 16 clients", 16, nil},
	} {
		turn := 0
		side := func(g *grown) func() (figures, error) {
			return func() (figures, error) {
				turn++
				do := sending(formOf(body(raiseMutation, map[string]any{"in": alert(fmt.Sprint("grown", turn), placeNumber)})), `"deliveryCount":2`)
				if way.do != nil {
					do = way.do(g)
				}
				return load(ctx, way.clients, b.Duration, target{g.process, "/graphql", g.token}, do)
			}
		}
		r, err := b.compare(fmt.Sprintf("on %s alerts: %s", number(float64(b.Rows)), way.name), side(sides[0]), side(sides[1]))
		if err != nil {
			return err
		}
		r.Note = fmt.Sprintf("the limit is the same on %s alerts", number(float64(b.Few)))
		t.add(r.judge(within))
	}
	return nil
}

// resumeOnce subscribes after a place and reads what came since.
func (g *grown) resumeOnce(ctx context.Context) func(*caller, int) error {
	return func(*caller, int) error {
		e, err := hearEvents(ctx, g.addr, "/graphql", g.token, g.resume)
		if err != nil {
			return err
		}
		defer e.Close()
		var last int64
		for range resumed {
			answer, err := e.next()
			if err != nil {
				return err
			}
			place, err := placeOf(answer)
			if err != nil || place <= last || !bytes.Contains(answer, []byte(`"OPENED"`)) {
				return fmt.Errorf("event %d came after %d: %s, %w", place, last, answer, err)
			}
			last = place
		}
		return nil
	}
}
