package main

import (
	"context"
	"fmt"
	"path/filepath"
)

// batchBench raises alerts in batches. What they promise is held back: it is
// more than can be carried meanwhile.
type batchBench struct {
	rounds
	Concurrency int `help:"Clients at once." default:"4"`
	Size        int `help:"Alerts of a batch." default:"100"`
}

const batchMutation = `mutation($in: RaiseAlertsInput!) { raiseAlerts(input: $in) { accepted rejected userErrors { message } } }`

// Run compares the batches with a program that commits the same rows.
func (b *batchBench) Run(ctx context.Context) error {
	return printed(ctx, b.measure)
}

func (b *batchBench) measure(ctx context.Context, t *table) error {
	return inFolder(func(dir string) error {
		h, err := openHeld(ctx, filepath.Join(dir, "server"), 2)
		if err != nil {
			return err
		}
		limit, err := openLimitRaise(ctx, filepath.Join(dir, "limit"))
		if err != nil {
			return err
		}
		turn := 0
		side := func(p *process, series func() string) func() (figures, error) {
			return func() (figures, error) {
				return b.turn(ctx, target{p, "/graphql", h.token}, series())
			}
		}
		r, err := b.compare(fmt.Sprintf("raiseAlerts, batches of %d, %s, alerts", b.Size, counted(b.Concurrency, "client")),
			side(h.process, func() string { turn++; return fmt.Sprint("batch", turn) }), side(limit, func() string { return "limit" }))
		if err != nil {
			return err
		}
		r.Note = "the times are those of a batch"
		t.add(r.judge(perSecond(10_000)))
		if err := limit.stop(); err != nil {
			return err
		}
		return h.stop()
	})
}

// turn counts alerts; the times are those of batches.
func (b *batchBench) turn(ctx context.Context, to target, series string) (figures, error) {
	batch := make([]map[string]any, b.Size)
	for i := range batch {
		batch[i] = alert(fmt.Sprint(series, "-", i), placeNumber)
	}
	f := formOf(body(batchMutation, map[string]any{"in": map[string]any{"alerts": batch}}))
	got, err := load(ctx, b.Concurrency, b.Duration, to, sending(f, fmt.Sprintf(`"accepted":%d`, b.Size)))
	got.done *= b.Size
	return got, err
}
