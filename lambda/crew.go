package lambda

import (
	"context"
	"errors"
	"fmt"
	"log/slog"
	"runtime"
	"sync"
	"time"

	"tocsin/lambda/internal/wire"
)

// Options are a crew's measures. What is zero has the value that is named.
type Options struct {
	Size     int           // workers at most; 2, and never more than GOMAXPROCS
	Deadline time.Duration // of one call; 250 ms
	Memory   int64         // of one call, in bytes; 64 MiB
	Output   int           // of the alert that a lambda returns, in bytes; 256 KiB
	Wait     time.Duration // how long a call waits for a free worker; 10 s
	Log      *slog.Logger  // none
}

const (
	minMemory = 16 << 20              // below, the engine has no room to say so
	grace     = 50 * time.Millisecond // between the limit inside and the kill
)

func (o Options) filled() Options {
	o.Size = min(or(o.Size, 2), runtime.GOMAXPROCS(0))
	o.Deadline = or(o.Deadline, 250*time.Millisecond)
	o.Memory = max(or(o.Memory, 64<<20), minMemory)
	o.Output = or(o.Output, 256<<10)
	o.Wait = or(o.Wait, 10*time.Second)
	if o.Log == nil {
		o.Log = slog.New(slog.DiscardHandler)
	}
	return o
}

func or[T int | int64 | time.Duration](given, otherwise T) T {
	if given > 0 {
		return given
	}
	return otherwise
}

// Crew runs lambdas and templates in worker processes, and implements
// dispatch.Sandbox. It is safe for many goroutines.
//
// A worker is this program started again, see Inside, with no environment and no
// files; on Linux the kernel holds it to that, and it dies with the program. It
// does one job at a time and is killed when that takes longer than the deadline
// and a grace of 50 ms. Workers start when they are first needed and stay; one
// that was killed is replaced at once. Starting one does not count towards the
// deadline.
type Crew struct {
	o      Options
	places chan *worker  // one for each place in the crew; nil where nobody works yet
	ending chan struct{} // closed by Close
	close  sync.Once
	hires  sync.WaitGroup
}

// NewCrew makes a crew. Nothing is started before the first call; Close ends it.
func NewCrew(o Options) *Crew {
	o = o.filled()
	c := &Crew{o: o, places: make(chan *worker, o.Size), ending: make(chan struct{})}
	for range o.Size {
		c.places <- nil
	}
	return c
}

// Close ends the workers and waits until they are gone. Calls that are under way
// end as they would; later ones fail.
func (c *Crew) Close() {
	c.close.Do(func() {
		close(c.ending)
		for range c.o.Size {
			if w := <-c.places; w != nil {
				w.end()
			}
		}
		c.hires.Wait()
	})
}

var errClosed = errors.New("the program is ending")

// do has a job done; the error says why there is no answer, in plain words.
func (c *Crew) do(ctx context.Context, job wire.Job) (wire.Answer, error) {
	w, err := c.free(ctx)
	if err != nil {
		return wire.Answer{}, err
	}
	if w == nil || w.isGone() {
		if w, err = hire(ctx, c.o); err != nil {
			c.places <- nil
			if ctx.Err() != nil {
				return wire.Answer{}, context.Cause(ctx)
			}
			c.o.Log.ErrorContext(ctx, "a sandbox worker does not start", "error", err)
			return wire.Answer{}, fmt.Errorf("start a worker: %w", err)
		}
	}
	answer, err := w.do(ctx, job)
	if err == nil && !answer.Retire {
		c.places <- w
		return answer, nil
	}
	c.hires.Go(func() { c.replace(w) }) // Close takes every place before it waits, so this comes before
	return answer, err
}

// free waits for a place in the crew.
func (c *Crew) free(ctx context.Context) (*worker, error) {
	select {
	case <-c.ending:
		return nil, errClosed
	default:
	}
	patience := time.NewTimer(c.o.Wait)
	defer patience.Stop()
	select {
	case w := <-c.places:
		return w, nil
	case <-c.ending:
		return nil, errClosed
	case <-ctx.Done():
		return nil, context.Cause(ctx)
	case <-patience.C:
		return nil, fmt.Errorf("no worker was free within %v; too many lambdas and templates run, or run too long", c.o.Wait)
	}
}

// replace puts a new worker in the place of one that is no more, so that the
// next call finds it warm.
func (c *Crew) replace(w *worker) {
	w.end()
	select {
	case <-c.ending:
		c.places <- nil
		return
	default:
	}
	next, err := hire(context.Background(), c.o)
	if err != nil {
		c.o.Log.Error("a sandbox worker does not start", "error", err)
	}
	c.places <- next // nil where it did not start: the next call tries again
}
