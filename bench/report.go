package main

import (
	"cmp"
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"os"
	"runtime"
	"slices"
	"strings"
	"text/tabwriter"
	"time"
)

// reading is the median of each figure over the turns of one side.
type reading struct {
	Value float64 // per second, unless the row has another unit
	P50   float64 // milliseconds
	P99   float64
	CPU   float64 // seconds for 1,000 operations
}

// ratio is that of the two sides of a turn, over the turns.
type ratio struct{ Median, Lowest, Highest float64 }

// row is a line of the table.
type row struct {
	Path        string
	Unit        string // of the values; "/s" when it is empty
	Ours, Limit reading
	Ratio       ratio
	Goal        string `json:",omitempty"`
	Verdict     string `json:",omitempty"`
	Note        string `json:",omitempty"`
}

// judge puts the row beside its goals, one verdict for each.
func (r row) judge(goals ...goal) row {
	var texts, verdicts []string
	for _, g := range goals {
		texts, verdicts = append(texts, g.text), append(verdicts, g.verdict(&r))
	}
	r.Goal, r.Verdict = strings.Join(texts, "; "), strings.Join(verdicts, "; ")
	return r
}

// table gathers the rows of a run; a path that could not be measured is a row, too.
type table struct {
	rows  []row
	fails []error
	began time.Time
	work  workload
}

func newTable() *table { return &table{began: time.Now(), work: measureWork()} }

// add takes a row and shows it, so that a long run is seen to go on.
func (t *table) add(r row) {
	t.rows = append(t.rows, r)
	fmt.Fprintf(os.Stderr, "%4.0f s  %s: %s%s", time.Since(t.began).Seconds(), r.Path, number(r.Ours.Value), cmp.Or(r.Unit, "/s"))
	if r.Ratio.Median > 0 {
		fmt.Fprintf(os.Stderr, ", %.2f of the limit (%.2f to %.2f)", r.Ratio.Median, r.Ratio.Lowest, r.Ratio.Highest)
	}
	fmt.Fprintln(os.Stderr)
}

// fail notes a path that was not measured.
func (t *table) fail(path string, err error) {
	t.rows = append(t.rows, row{Path: path, Verdict: "not measured"})
	t.fails = append(t.fails, fmt.Errorf("%s: %w", path, err))
}

// print writes the table; its error is what was not measured.
func (t *table) print(out io.Writer) error {
	fmt.Fprintf(out, "%d cores, shared by load, server and receivers; %s; %.0f s; other programs took %.0f %% of the machine\n\n",
		runtime.NumCPU(), runtime.Version(), time.Since(t.began).Seconds(), 100*t.work.foreign())
	w := tabwriter.NewWriter(out, 0, 0, 2, ' ', 0)
	fmt.Fprintln(w, "path\tours\tlimit\tratio\tp50 ms\tp99 ms\tlimit p50\tlimit p99\tCPU s/1,000\tgoal\tverdict")
	for _, r := range t.rows {
		unit := cmp.Or(r.Unit, "/s")
		fmt.Fprintf(w, "%s\t%s\t%s\t%s\t%s\t%s\t%s\t%s\t%s\t%s\t%s\n", r.Path, valued(r.Ours.Value, unit), valued(r.Limit.Value, unit),
			decimals(r.Ratio.Median, 2), decimals(r.Ours.P50, 2), decimals(r.Ours.P99, 2), decimals(r.Limit.P50, 2), decimals(r.Limit.P99, 2), decimals(r.Ours.CPU, 3), r.Goal, r.Verdict)
	}
	if err := w.Flush(); err != nil {
		return err
	}
	for _, r := range t.rows {
		if r.Note != "" {
			fmt.Fprintf(out, "\n%s: %s", r.Path, r.Note)
		}
	}
	fmt.Fprintln(out)
	return errors.Join(t.fails...)
}

func valued(v float64, unit string) string {
	if v == 0 {
		return "–"
	}
	return number(v) + unit
}

func decimals(v float64, digits int) string {
	if v == 0 {
		return "–"
	}
	return fmt.Sprintf("%.*f", digits, v)
}

// save leaves the rows in a file for another program.
func (t *table) save(path string) error {
	text, err := json.MarshalIndent(t.rows, "", "  ")
	if err != nil {
		return err
	}
	return os.WriteFile(path, append(text, '\n'), 0o600)
}

func ms(d time.Duration) float64 { return float64(d) / float64(time.Millisecond) }

// compare runs server and limit in turn, each first in every other round, and
// gives the row of their medians. There may be no limit.
func (b rounds) compare(path string, ours, limit func() (figures, error)) (row, error) {
	var mine, bare []figures
	var ratios []float64
	for n := range b.Rounds {
		var m, l figures
		sides := []func() error{
			func() (err error) { m, err = ours(); return of("ours", err) },
			func() (err error) { l, err = limit(); return of("the limit", err) },
		}
		if limit == nil {
			sides = sides[:1]
		} else if n%2 == 1 {
			slices.Reverse(sides)
		}
		for _, side := range sides {
			if err := side(); err != nil {
				return row{}, fmt.Errorf("%s: %w", path, err)
			}
		}
		mine = append(mine, m)
		if limit != nil && l.perSecond() > 0 {
			bare, ratios = append(bare, l), append(ratios, m.perSecond()/l.perSecond())
		}
	}
	r := row{Path: path, Ours: read(mine), Limit: read(bare)}
	if len(ratios) > 0 {
		slices.Sort(ratios)
		r.Ratio = ratio{middle(ratios), ratios[0], ratios[len(ratios)-1]}
	}
	return r, nil
}

// of says whose error it is.
func of(side string, err error) error {
	if err == nil {
		return nil
	}
	return fmt.Errorf("%s: %w", side, err)
}

// read takes the median of each figure.
func read(turns []figures) reading {
	if len(turns) == 0 {
		return reading{}
	}
	over := func(figure func(figures) float64) float64 {
		all := make([]float64, len(turns))
		for i, f := range turns {
			all[i] = figure(f)
		}
		slices.Sort(all)
		return middle(all)
	}
	return reading{
		Value: over(figures.perSecond), CPU: over(figures.cpuPerThousand),
		P50: over(func(f figures) float64 { return ms(f.at(0.5)) }), P99: over(func(f figures) float64 { return ms(f.at(0.99)) }),
	}
}

// middle of what is sorted.
func middle(sorted []float64) float64 { return sorted[len(sorted)/2] }

// printed measures one path and prints its rows.
func printed(ctx context.Context, measure func(ctx context.Context, t *table) error) error {
	t := newTable()
	ctx, end := withFleet(ctx)
	defer end()
	if err := measure(ctx, t); err != nil {
		return err
	}
	end()
	return t.print(os.Stdout)
}
