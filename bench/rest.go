package main

import (
	"context"
	"fmt"
	"os"
	"os/exec"
	"path/filepath"
	"slices"
	"time"
)

// restBench looks at the program as it is shipped, on many rows.
type restBench struct {
	Rows   int    `help:"Alerts in the books." default:"100000"`
	Starts int    `help:"Starts; the median counts." default:"7"`
	Seeded string `help:"Directory in which books are kept for the next run; else in the user's cache." type:"path" placeholder:"PATH"`
}

// settleAfterStart is how long the program is left alone before its memory is read.
const settleAfterStart = 3 * time.Second

// Run prints the three rows.
func (b *restBench) Run(ctx context.Context) error {
	return printed(ctx, b.measure)
}

func (b *restBench) measure(ctx context.Context, t *table) error {
	keep, err := keepIn(b.Seeded)
	if err != nil {
		return err
	}
	return inFolder(func(dir string) error {
		program := filepath.Join(dir, "tocsin")
		build := exec.CommandContext(ctx, "go", "build", "-trimpath", "-ldflags=-s -w", "-o", program, "tocsin") //nolint:gosec // our own
		if out, err := build.CombinedOutput(); err != nil {
			return fmt.Errorf("go build: %w: %s", err, out)
		}
		file, err := os.Stat(program)
		if err != nil {
			return err
		}
		data := filepath.Join(dir, "data")
		if _, err := seed(ctx, data, keep, b.Rows); err != nil {
			return err
		}
		began, memory, err := b.start(ctx, program, data)
		if err != nil {
			return err
		}
		at := counted(b.Rows, "alert")
		t.add(row{Path: "start to ready at " + at, Unit: " ms", Ours: reading{Value: began}}.judge(most(100, "ms")))
		t.add(row{Path: "memory at rest at " + at, Unit: " MiB", Ours: reading{Value: memory}}.judge(most(40, "MiB")))
		t.add(row{Path: "binary", Unit: " MB", Ours: reading{Value: float64(file.Size()) / 1e6}}.judge(most(60, "MB")))
		return nil
	})
}

// start gives the median time to the first ready answer, and the memory when the
// last one has been left alone for a while.
func (b *restBench) start(ctx context.Context, program, data string) (began, memory float64, err error) {
	times := make([]float64, b.Starts)
	for i := range times {
		p, err := startProgram(ctx, program, "/readyz", func(addr string) []string { return []string{"serve", "--data", data, "--listen", addr} })
		if err != nil {
			return 0, 0, err
		}
		times[i] = ms(p.ready)
		if i == len(times)-1 {
			select {
			case <-time.After(settleAfterStart):
			case <-ctx.Done():
			}
			memory = p.resident()
		}
		if err := p.stop(); err != nil {
			return 0, 0, err
		}
	}
	slices.Sort(times)
	return middle(times), memory, nil
}
