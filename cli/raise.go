package cli

import (
	"context"
	"errors"
	"fmt"
	"io"
	"os"
	"path/filepath"
	"time"
)

// Raise raises alerts from JSON lines. Running it again with the same input is
// harmless for 24 hours: what was accepted before counts as repeated.
type Raise struct {
	Server   Server        `embed:""`
	Format   string        `help:"What the lines are: tocsin (RaiseAlertInput of the API), eve (Suricata's EVE JSON), falco (Falco's JSON output)." enum:"tocsin,eve,falco" default:"tocsin"`
	RetryFor time.Duration `help:"How long to try again while the server is away or overloaded." default:"2m"`
	File     string        `arg:"" optional:"" default:"-" help:"File of JSON lines; - is standard input, which may go on for ever."`
}

// Help is the long help of the command.
func (*Raise) Help() string {
	return `Each line of <file> is one JSON object and raises at most one alert. Blank lines,
and events of Suricata that are no alerts, are skipped. A line that cannot be
raised is named on standard error with its number, and the others go on.

The token needs the scope RAISE.

Exit codes: 0 every line was taken, 1 a line was rejected or the server could
not be reached, 2 the command line is wrong, 130 interrupted.`
}

// Run raises what the input holds and prints a summary.
func (r *Raise) Run(ctx context.Context, std IO) error {
	c, err := r.Server.client("RAISE")
	if err != nil {
		return err
	}
	read, total, err := r.open(std.In)
	if err != nil {
		return err
	}
	defer c.http.CloseIdleConnections()
	s := &sender{
		client: c, retryFor: r.RetryFor, err: std.Err, tally: tally{file: r.File},
		progress: progress{out: std.Err, on: isTerminal(std.Err), total: total},
	}
	reading, stop := context.WithCancel(ctx)
	// Nothing can interrupt a read of standard input, so nobody waits for the
	// reader: it ends with its next line, or with the program.
	defer stop()
	entries := make(chan entry)
	go read.run(reading, entries)
	err = s.run(ctx, entries)
	s.progress.clear()
	_, printed := fmt.Fprintln(std.Out, s.tally.summary())
	return errors.Join(s.ended(ctx, err), printed)
}

// open opens the input; total is its length in bytes, 0 when it is not known.
func (r *Raise) open(in io.Reader) (read *reader, total int64, err error) {
	if r.File == "-" {
		return newReader(io.NopCloser(in), "-", formats[r.Format]), 0, nil
	}
	path, err := filepath.Abs(r.File)
	if err != nil {
		return nil, 0, fmt.Errorf("find %s: %w", r.File, err)
	}
	file, err := os.Open(path)
	if err != nil {
		return nil, 0, exit{codeUsage, fmt.Sprintf("FILE: %v", err)}
	}
	if info, err := file.Stat(); err == nil && info.Mode().IsRegular() {
		total = info.Size()
	}
	return newReader(file, path, formats[r.Format]), total, nil
}

// ended says how the run ended, beyond its summary.
func (s *sender) ended(ctx context.Context, err error) error {
	const harmless = "run the same again: alerts that were taken then count as repeated"
	switch {
	case ctx.Err() != nil:
		return exit{codeInterrupted, fmt.Sprintf("interrupted after %d alerts; %s", s.tally.taken(), harmless)}
	case err != nil:
		return fmt.Errorf("stopped after %d alerts: %w; then %s", s.tally.taken(), err, harmless)
	case s.tally.rejected > 0:
		return exit{1, ""}
	}
	return nil
}
