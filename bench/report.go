package main

import (
	"fmt"
	"io"
	"os"
	"runtime"
	"slices"
	"text/tabwriter"
	"time"
)

// report prints the rows of a benchmark as they are measured.
type report struct{ table *tabwriter.Writer }

func newReport(out io.Writer) *report {
	fmt.Fprintf(out, "%d cores, shared by load, server and receivers; %s\n", runtime.NumCPU(), runtime.Version())
	t := tabwriter.NewWriter(out, 0, 0, 2, ' ', tabwriter.AlignRight)
	fmt.Fprintln(t, "\t/s\tp50 ms\tp99 ms\tCPU s/1,000\t")
	return &report{t}
}

func (r *report) row(name string, f figures) {
	fmt.Fprintf(r.table, "%s\t%.0f\t%.2f\t%.2f\t%.3f\t\n", name, f.perSecond(), ms(f.at(0.5)), ms(f.at(0.99)), f.cpuPerThousand())
}

// end prints the rows, and a note below them.
func (r *report) endf(format string, args ...any) {
	_ = r.table.Flush() // to a terminal
	fmt.Fprintf(os.Stdout, format+"\n", args...)
}

func ms(d time.Duration) float64 { return float64(d) / float64(time.Millisecond) }

// turns runs server and limit in turn and prints each row of the median turn,
// with the median of the turns' ratios.
func (b rounds) turns(name string, ours, limit func() (figures, error)) error {
	var mine, bare []figures
	var ratios []float64
	for range b.Rounds {
		m, err := ours()
		if err != nil {
			return fmt.Errorf("%s: %w", name, err)
		}
		l, err := limit()
		if err != nil {
			return fmt.Errorf("%s, the limit: %w", name, err)
		}
		mine, bare, ratios = append(mine, m), append(bare, l), append(ratios, m.perSecond()/l.perSecond())
	}
	slices.Sort(ratios)
	r := newReport(os.Stdout)
	r.row(name, median(mine))
	r.row("limit", median(bare))
	r.endf("ratio to the limit: %.2f (median of %d turns, %.2f to %.2f)\n", ratios[len(ratios)/2], len(ratios), ratios[0], ratios[len(ratios)-1])
	return nil
}

// median is the turn in the middle by throughput.
func median(all []figures) figures {
	all = slices.Clone(all)
	slices.SortFunc(all, func(a, b figures) int { return int(a.perSecond() - b.perSecond()) })
	return all[len(all)/2]
}
