package db

import (
	"context"
	"errors"
	"fmt"
	"slices"
	"sync"
	"sync/atomic"
	"time"

	"tocsin/dispatch"
	"tocsin/dispatch/crash"
)

// writer runs all that is written, one transaction after the other. Calls that
// meet share a transaction and its fsync: the first one commits for itself, a
// goroutine goes on for those who came meanwhile, and nobody waits for a group
// to fill. A job that fails takes nobody with it.
type writer struct {
	engine  *engine
	keyring *Keyring
	begin   func(context.Context) (session, error)
	// settled asks whether a transaction whose COMMIT was not answered is in
	// the books: nil when it is.
	settled func(ctx context.Context, id string) error
	patient func() (context.Context, context.CancelFunc) // of one transaction
	ailing  atomic.Bool                                  // a write has failed for the database's sake, see Ready

	mu      sync.Mutex
	waiting []*job
	busy    bool
	closed  bool
	running sync.WaitGroup
}

// job is something to write. Its run may be called again after a rollback, and
// may outlive the caller, so it must begin with fresh results.
type job struct {
	raises  []*raise
	settles []*settling
	run     func(context.Context, *tx) error
	names   []string // locked before anything is read
	err     error
	done    chan struct{}
}

const (
	maxGroup   = 256 // jobs, alerts and settlements in one transaction
	maxRepeats = 4   // of a group that lost a conflict
)

func (j *job) size() int { return max(1, len(j.raises)+len(j.settles)) }

// do runs a job and waits until it is durable or refused. A caller that gives
// up stops waiting and does not know the outcome.
func (w *writer) do(ctx context.Context, j *job) error {
	if err := ctx.Err(); err != nil {
		return err
	}
	j.done = make(chan struct{})
	leads, err := w.join(j)
	if err != nil {
		return err
	}
	if leads {
		w.commitNext()
		w.handOver()
	}
	select {
	case <-j.done:
		return j.err
	case <-ctx.Done():
		return fmt.Errorf("%w: %w", dispatch.ErrOutcomeUnknown, ctx.Err())
	}
}

// write runs one function as a job of its own.
func (w *writer) write(ctx context.Context, names []string, run func(context.Context, *tx) error) error {
	return w.do(ctx, &job{run: run, names: names})
}

func (w *writer) join(j *job) (leads bool, err error) {
	w.mu.Lock()
	defer w.mu.Unlock()
	if w.closed {
		return false, fmt.Errorf("%w: it is closed", dispatch.ErrUnavailable)
	}
	w.waiting = append(w.waiting, j)
	leads = !w.busy
	if leads {
		w.busy = true
		w.running.Add(1)
	}
	return leads, nil
}

// handOver leaves the lead to a goroutine as long as others wait.
func (w *writer) handOver() {
	if w.resign() {
		return
	}
	go func() {
		for !w.resign() {
			w.commitNext()
		}
	}()
}

// resign gives up the lead if nobody waits.
func (w *writer) resign() bool {
	w.mu.Lock()
	defer w.mu.Unlock()
	if len(w.waiting) > 0 {
		return false
	}
	w.busy = false
	w.running.Done()
	return true
}

// close refuses further jobs and waits for the running ones.
func (w *writer) close() {
	w.mu.Lock()
	w.closed = true
	w.mu.Unlock()
	w.running.Wait()
}

func (w *writer) next() []*job {
	w.mu.Lock()
	defer w.mu.Unlock()
	n, size := 0, 0
	for n < len(w.waiting) && (n == 0 || size+w.waiting[n].size() <= maxGroup) {
		size += w.waiting[n].size()
		n++
	}
	group := slices.Clone(w.waiting[:n])
	w.waiting = slices.Delete(w.waiting, 0, n)
	return group
}

func (w *writer) commitNext() {
	group := w.next()
	err := w.insist(group)
	if errors.Is(err, dispatch.ErrUnavailable) {
		w.ailing.Store(true)
	}
	switch {
	case err == nil:
	case len(group) == 1 && group[0].size() == 1, errors.Is(err, dispatch.ErrOutcomeUnknown), errors.Is(err, errNotBegun):
		fail(group, err)
	default:
		w.oneByOne(group)
	}
	for _, j := range group {
		close(j.done)
	}
}

func fail(group []*job, err error) {
	for _, j := range group {
		j.err = err
	}
}

// insist repeats a group that lost a conflict.
func (w *writer) insist(group []*job) error {
	err := w.attempt(group)
	for i := 1; i < maxRepeats && w.engine.isConflict(err); i++ {
		err = w.attempt(group)
	}
	return err
}

// oneByOne gives each job, alert and settlement a transaction of its own, so
// that the one that cannot be written is alone with its error. Once no transaction
// can begin, nobody waits for a further one.
func (w *writer) oneByOne(group []*job) {
	var hopeless error
	write := func(j *job) error {
		if hopeless != nil {
			return hopeless
		}
		err := w.insist([]*job{j})
		if errors.Is(err, errNotBegun) {
			hopeless = err
		}
		return err
	}
	for _, j := range group {
		if j.run != nil {
			j.err = write(j)
		}
		for _, r := range j.raises {
			if err := write(&job{raises: []*raise{r}, names: lockNames(*r.member)}); err != nil {
				r.result = dispatch.Raised{Err: err}
			}
		}
		for _, s := range j.settles {
			if err := write(&job{settles: []*settling{s}, names: j.names}); err != nil {
				s.err = err
			}
		}
	}
}

// errNotBegun tells that the database did not even let a transaction begin.
var errNotBegun = errors.New("no transaction can begin")

// attempt runs a group as one transaction: all of it is durable when it
// returns nil, else nothing is.
func (w *writer) attempt(group []*job) error {
	ctx, cancel := w.patient()
	defer cancel()
	t, err := w.start(ctx, group)
	if err != nil {
		return w.unwell(err)
	}
	if err := w.runAll(ctx, t, group); err != nil {
		return w.unwell(errors.Join(err, t.session.Rollback()))
	}
	if len(group[0].raises) > 0 {
		crash.Point(crash.BeforeCommit)
	}
	crash.During(crash.GroupCommit, len(group) >= crash.Crowd)
	if err := t.session.Commit(); err != nil {
		return w.lost(t, err)
	}
	return nil
}

func (w *writer) start(ctx context.Context, group []*job) (*tx, error) {
	s, err := w.begin(ctx)
	if err != nil {
		return nil, fmt.Errorf("%w: %w", errNotBegun, err)
	}
	t := newTx(w.engine, w.keyring, s)
	var names []string
	for _, j := range group {
		names = append(names, j.names...)
	}
	slices.Sort(names)
	if names = slices.Compact(names); len(names) > 0 && w.engine.lock != nil {
		if err := w.engine.lock(ctx, s, names); err != nil {
			return nil, errors.Join(err, s.Rollback())
		}
	}
	return t, nil
}

// runAll runs the alerts of all jobs together, so the settlements, then the
// other jobs. A panic of
// a callback is its job's error: it must not leave the books without a leader.
func (w *writer) runAll(ctx context.Context, t *tx, group []*job) (err error) {
	defer func() {
		if p := recover(); p != nil {
			err = fmt.Errorf("panic inside a transaction: %v", p)
		}
	}()
	var raises []*raise
	var settles []*settling
	for _, j := range group {
		raises = append(raises, j.raises...)
		settles = append(settles, j.settles...)
	}
	if err := t.raise(ctx, raises); err != nil {
		return err
	}
	if err := t.settleAll(ctx, settles); err != nil {
		return err
	}
	for _, j := range group {
		if j.run == nil {
			continue
		}
		if err := t.runOne(ctx, j, len(group) == 1); err != nil {
			return err
		}
	}
	return t.flush(ctx)
}

// unwell marks the errors that mean that the database cannot be written.
func (w *writer) unwell(err error) error {
	if w.engine.isUnavailable(err) && !errors.Is(err, dispatch.ErrUnavailable) {
		return fmt.Errorf("%w: %w", dispatch.ErrUnavailable, err)
	}
	return err
}

// lost finds out what became of a COMMIT that gave an error.
func (w *writer) lost(t *tx, err error) error {
	ctx, cancel := w.patient()
	defer cancel()
	if verdict := w.settled(ctx, t.id); verdict != nil {
		return fmt.Errorf("%w: %w", verdict, errors.Join(err, t.session.Rollback()))
	}
	return nil
}

// patience is how long a transaction may take on a server that may not answer.
const patience = 30 * time.Second
