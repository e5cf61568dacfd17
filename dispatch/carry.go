package dispatch

import (
	"context"
	"errors"
	"sync"
	"sync/atomic"
	"time"
)

// The couriers' times. A call ends well before its lease does, so that no two
// couriers ever carry one delivery.
const (
	callTimeout   = 20 * time.Second
	leaseLength   = 60 * time.Second
	drainLimit    = 10 * time.Second
	idlePoll      = 30 * time.Second
	pauseFallback = 5 * time.Minute
	claimAgain    = time.Second // after a claim that failed
	gatherLimit   = 5 * time.Millisecond
)

// maxOpen bounds the deliveries of a line that are claimed and not settled, as a
// multiple of its calls at once: a crash may repeat them. Where a repeat is
// harmless all of them may be claimed before a hand is free, so that no call waits
// for the books.
const maxOpen = 4

// Carry carries what was promised until ctx ends: one line of couriers for each
// actor, so that a slow one delays no other. It then lets what is under way
// end, for at most ten seconds, and returns when all have.
func (d *Desk) Carry(ctx context.Context) error {
	rings, stop := d.bell.Listen(ringConfiguration)
	defer stop()
	work, cancel := context.WithCancel(context.WithoutCancel(ctx))
	defer cancel()
	var lines sync.WaitGroup
	running := map[string]bool{}
	poll := time.NewTicker(idlePoll)
	defer poll.Stop()
	for ctx.Err() == nil {
		ids, err := d.linesNeeded(ctx)
		if err != nil && ctx.Err() == nil {
			d.log.Error("couriers cannot read what waits", "error", err)
		}
		for id := range ids {
			if !running[id] {
				running[id] = true
				l := newLine(work, d, id)
				lines.Go(func() { l.run(ctx) })
				if kind, _ := l.kind(); kind.keeps() {
					lines.Go(func() { keeper{d, id}.run(ctx) })
				}
			}
		}
		select {
		case <-ctx.Done():
		case <-rings:
		case <-poll.C:
			d.keepTokens(work)
		}
	}
	limit := time.AfterFunc(drainLimit, cancel)
	defer limit.Stop()
	lines.Wait()
	d.keepTokens(work)
	return nil
}

func (d *Desk) keepTokens(ctx context.Context) {
	if err := d.touchTokens(ctx); err != nil {
		d.log.Warn("the last use of tokens was not kept", "error", err)
	}
}

// linesNeeded are the actors that are configured, and those that are gone but
// still have deliveries.
func (d *Desk) linesNeeded(ctx context.Context) (map[string]bool, error) {
	ids := map[string]bool{}
	for id := range d.snapshot.Load().Actors {
		ids[id] = true
	}
	waiting, err := d.store.WaitingActors(ctx)
	for _, id := range waiting {
		ids[id] = true
	}
	return ids, err
}

// line is the line of couriers of one actor.
type line struct {
	desk    *Desk
	id      string
	hands   chan struct{} // holds a token for each call under way
	done    chan struct{} // holds a token when a call or a settlement has ended
	taken   atomic.Int64  // deliveries that are claimed and whose calls have not ended
	open    atomic.Int64  // deliveries that are claimed and not settled
	behind  atomic.Bool   // more was due at the last claim than there was room for
	breaker breaker
	calls   sync.WaitGroup
	work    context.Context //nolint:containedctx // of all calls; what a raise begins has none of its own

	mu          sync.Mutex
	ended       bool      // takes no more
	pausedSince time.Time // zero unless paused
	pausing     int       // settlements under way that pause the actor
	health      HealthStatus
}

func newLine(work context.Context, d *Desk, id string) *line {
	l := &line{desk: d, id: id, work: work, done: make(chan struct{}, 1)}
	l.behind.Store(true) // until it has looked
	kind, _ := l.kind()
	l.hands = make(chan struct{}, kind.atOnce())
	return l
}

// run claims and carries until ctx ends, then waits for what is under way; the
// context of its work ends those calls when they take too long.
func (l *line) run(ctx context.Context) {
	rings, stop := l.desk.bell.Listen(ringActor(l.id))
	defer stop()
	defer l.end()
	l.readPause(ctx)
	l.recover(ctx, l.desk.options.Alone)
	l.desk.lines.add(l)
	defer l.desk.lines.remove(l)
	timer := time.NewTimer(idlePoll)
	defer timer.Stop()
	looked := time.Now()
	for ctx.Err() == nil {
		if time.Since(looked) >= idlePoll { // however busy the line is
			looked = time.Now()
			l.readPause(ctx)
			l.recover(ctx, false)
		}
		claimed, inVain, more, err := l.claim(ctx)
		for _, c := range claimed {
			l.start(c, inVain)
		}
		if more {
			l.gather(ctx)
			continue
		}
		l.wait(ctx, rings, timer, err)
	}
}

// gather waits for a moment until there is room for a good part of what the line
// can carry, where more is due: a claim of many costs little more than one of one.
func (l *line) gather(ctx context.Context) {
	limit := time.NewTimer(gatherLimit)
	defer limit.Stop()
	for l.room() < max(1, cap(l.hands)/2) {
		select {
		case <-ctx.Done():
			return
		case <-limit.C:
			return
		case <-l.done:
		}
	}
}

// wait returns when something may be due.
func (l *line) wait(ctx context.Context, rings <-chan struct{}, timer *time.Timer, failed error) {
	least := time.Millisecond // what is due and was not claimed is locked by another process
	poll := time.Now().Add(idlePoll)
	for {
		nap := min(l.nap(ctx, failed, least), time.Until(poll))
		if nap <= 0 {
			return
		}
		timer.Reset(nap)
		select {
		case <-ctx.Done():
			return
		case <-rings:
			if !l.paused().IsZero() {
				l.readPause(ctx)
			}
			return
		case <-timer.C:
			return
		case <-l.done: // what it held back may be due now
			least = 0
		}
	}
}

// room is how many deliveries may be claimed.
func (l *line) room() int {
	room := maxOpen*cap(l.hands) - int(l.open.Load())
	if kind, _ := l.kind(); !kind.Idempotent {
		room = min(room, cap(l.hands)-int(l.taken.Load()))
	}
	return max(0, room)
}

// claim leases what is due, as much as there is room for. Calls that end while it
// runs make room for the next claim together. What is
// claimed in vain is for its fallback; more tells that the hands did not suffice.
func (l *line) claim(ctx context.Context) (claimed []Claimed, inVain, more bool, err error) {
	now := moment()
	free, _ := l.breaker.most(l.room(), int(l.taken.Load()), now)
	if free == 0 {
		return nil, false, false, nil
	}
	want := Claim{ActorID: l.id, Now: now, Until: now.Add(leaseLength), Max: free}
	inVain, want.APIConfigIDs = l.held(now)
	_, exists := l.desk.snapshot.Load().Actors[l.id]
	want.Paused = inVain || !exists
	if inVain {
		l.behind.Store(true)
	}
	if inVain && len(want.APIConfigIDs) == 0 {
		return nil, true, false, nil
	}
	claimed, err = l.desk.store.Claim(ctx, want)
	if errors.Is(err, ErrPaused) { // meanwhile, or by another process
		l.readPause(ctx)
		return nil, false, false, nil
	}
	if err != nil && ctx.Err() == nil {
		l.desk.log.Error("deliveries were not claimed", "actor", l.id, "error", err)
	}
	l.take(len(claimed))
	l.behind.Store(inVain || err != nil || len(claimed) == free)
	return claimed, inVain, len(claimed) == free, err
}

// held tells whether the actor may not be called now. When it has been paused
// for long, the API configs that have a fallback are let through to it.
func (l *line) held(now time.Time) (held bool, configs []string) {
	cfg := l.desk.snapshot.Load()
	actor, exists := cfg.Actors[l.id]
	if exists && !actor.Enabled {
		return true, nil
	}
	since := l.paused()
	if !exists || since.IsZero() {
		return false, nil
	}
	if now.Before(since.Add(pauseFallback)) {
		return true, nil
	}
	for _, config := range cfg.APIConfigsOf(l.id) {
		if config.FallbackID != nil {
			configs = append(configs, config.ID)
		}
	}
	return true, configs
}

// nap is how long nothing can be due: until the next delivery, which counts as
// due in no less than the least, the end of a pause's patience, or the next poll.
// After a claim that failed it is the time that the books are given to recover.
func (l *line) nap(ctx context.Context, failed error, least time.Duration) time.Duration {
	if failed != nil {
		return claimAgain
	}
	now := moment()
	if held, _ := l.held(now); held {
		if since := l.paused(); !since.IsZero() {
			if left := since.Add(pauseFallback).Sub(now); left > 0 {
				return min(left, idlePoll)
			}
		}
		return idlePoll
	}
	room := l.room()
	if room == 0 {
		return idlePoll // a call that ends wakes the line
	}
	if _, wait := l.breaker.most(room, int(l.taken.Load()), now); wait > 0 {
		return wait
	}
	next, err := l.desk.store.NextDue(ctx, l.id)
	if err != nil || next == nil {
		return idlePoll
	}
	return min(max(next.Sub(now), least), idlePoll)
}

// recover ends the attempts that nobody carries any more. At the start of a
// server that is alone, every lease is a dead one, whatever the clock was when
// it was given.
func (l *line) recover(ctx context.Context, all bool) {
	now := moment()
	before := now
	if all {
		before = now.AddDate(100, 0, 0)
	}
	to := Uncertain
	if kind, ok := l.kind(); ok && kind.Idempotent {
		to = Pending
	}
	n, err := l.desk.store.Recover(ctx, l.id, before, now, to)
	if err != nil && ctx.Err() == nil {
		l.desk.log.Error("lost attempts were not recovered", "actor", l.id, "error", err)
	}
	if n > 0 {
		l.desk.log.Warn("attempts were lost with their process and are settled again", "actor", l.id, "attempts", n)
		l.desk.ringLedger()
	}
}

func (l *line) kind() (Kind, bool) {
	return l.desk.Kind(l.desk.snapshot.Load().Actors[l.id].Kind)
}

func (l *line) paused() time.Time {
	l.mu.Lock()
	defer l.mu.Unlock()
	return l.pausedSince
}

// pause stops the claiming at once, before the books know of it. Call settled
// when they do.
func (l *line) pause(at time.Time) (settled func()) {
	l.mu.Lock()
	defer l.mu.Unlock()
	l.pausing++
	if l.pausedSince.IsZero() {
		l.pausedSince = at
	}
	return func() {
		l.mu.Lock()
		defer l.mu.Unlock()
		l.pausing--
	}
}

// readPause learns of a pause that a person ended, or another process began.
func (l *line) readPause(ctx context.Context) {
	l.mu.Lock()
	defer l.mu.Unlock()
	if l.pausing > 0 {
		return // the books do not know yet
	}
	found, err := l.desk.store.Healths(ctx, []string{l.id})
	if err != nil {
		return
	}
	h := found[l.id]
	l.health, l.pausedSince = h.Status, time.Time{}
	if (h.Status == HealthPaused || h.Status == HealthDisabled) && h.Since != nil {
		l.pausedSince = *h.Since
	}
}
