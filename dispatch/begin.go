package dispatch

import (
	"sync"
	"time"

	"tocsin/dispatch/crash"
)

// beginner lets deliveries begin as they are promised: where a hand is free, the
// raise leases the delivery itself, as a claim would a moment later, and one
// transaction does for two. It is for deliveries that open their ticket, which
// nothing can hold back, and for kinds where a repeat is harmless.
type beginner struct {
	desk *Desk
	now  time.Time

	mu       sync.Mutex
	reserved map[string]*line // by delivery
	ended    bool
}

func (d *Desk) beginner(now time.Time) *beginner {
	return &beginner{desk: d, now: now, reserved: map[string]*line{}}
}

// begin is Raising.Begin.
func (b *beginner) begin(d Delivery) *time.Time {
	b.mu.Lock()
	defer b.mu.Unlock()
	if b.ended {
		return nil
	}
	if b.reserved[d.ID] == nil {
		l := b.desk.lines.of(d.ActorID)
		if l == nil || !l.reserve(b.now) {
			return nil
		}
		b.reserved[d.ID] = l
	}
	until := b.now.Add(leaseLength)
	return &until
}

// end carries what has begun and gives back the other hands.
func (b *beginner) end(raised []Raised) {
	b.mu.Lock()
	defer b.mu.Unlock()
	b.ended = true
	for _, r := range raised {
		for _, c := range r.Begun {
			b.reserved[c.Delivery.ID].start(c, false)
			delete(b.reserved, c.Delivery.ID)
		}
	}
	for _, l := range b.reserved {
		l.release()
	}
}

// lines are the lines of couriers that run, by actor.
type lines struct {
	mu  sync.RWMutex
	all map[string]*line
}

func (s *lines) of(actorID string) *line {
	s.mu.RLock()
	defer s.mu.RUnlock()
	return s.all[actorID]
}

func (s *lines) add(l *line) {
	s.mu.Lock()
	defer s.mu.Unlock()
	if s.all == nil {
		s.all = map[string]*line{}
	}
	s.all[l.id] = l
}

func (s *lines) remove(l *line) {
	s.mu.Lock()
	defer s.mu.Unlock()
	delete(s.all, l.id)
}

// reserve takes room for a delivery that is not claimed. It does not overtake
// what waits.
func (l *line) reserve(now time.Time) bool {
	kind, ok := l.kind()
	if held, _ := l.held(now); !ok || held || !kind.Idempotent || l.behind.Load() {
		return false
	}
	if most, _ := l.breaker.most(1, int(l.taken.Load()), now); most == 0 {
		return false
	}
	l.mu.Lock()
	defer l.mu.Unlock()
	if l.ended || l.room() == 0 {
		return false
	}
	l.take(1)
	return true
}

func (l *line) take(n int) {
	l.taken.Add(int64(n))
	l.open.Add(int64(n))
}

// release gives back the room of a delivery that was not claimed.
func (l *line) release() {
	l.take(-1)
	l.wake()
}

// start carries a claimed delivery, for which room was taken. One that comes after
// the line has ended is a lost attempt; its lease runs out.
func (l *line) start(c Claimed, inVain bool) {
	l.mu.Lock()
	defer l.mu.Unlock()
	crash.Point(crash.AfterClaim)
	if !l.ended {
		l.calls.Go(func() { l.carry(l.work, c, inVain) })
	}
}

// end waits for what is under way, and takes no more.
func (l *line) end() {
	l.mu.Lock()
	l.ended = true
	l.mu.Unlock()
	l.calls.Wait()
}
