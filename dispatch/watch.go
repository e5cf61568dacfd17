package dispatch

import (
	"context"
	"fmt"
	"slices"
	"sort"
	"sync"
	"sync/atomic"
)

// Watch is a stream that its reader must follow until C is closed: when ctx
// ends, or when the watch fails.
type Watch[T any] struct {
	C   <-chan T
	err atomic.Pointer[error]
}

// Err is why C was closed; nil when ctx ended. Read it after the close.
func (w *Watch[T]) Err() error {
	if err := w.err.Load(); err != nil {
		return *err
	}
	return nil
}

// WatchTickets follows the ticket events after a cursor, from now on when it is
// "". With a filter it gives lines of tickets that match after or before them.
func (d *Desk) WatchTickets(ctx context.Context, after string, f *TicketFilter, kinds []TicketEventKind) (*Watch[TicketEvent], error) {
	return follow(ctx, d, &d.tails.tickets, after, func(e *TicketEvent) bool {
		if !among(kinds, e.Kind) {
			return false
		}
		e.MatchesNow = f == nil || f.Matches(*e, false)
		return e.MatchesNow || f.Matches(*e, true)
	})
}

// WatchConfiguration follows the changes of what is configured.
func (d *Desk) WatchConfiguration(ctx context.Context, after string, types []ConfigurationType) (*Watch[ConfigurationEvent], error) {
	return follow(ctx, d, &d.tails.configuration, after, func(e *ConfigurationEvent) bool { return among(types, e.Type) })
}

// WatchDeliveries follows the changes of deliveries. With a filter it gives
// those that match it after or before the change.
func (d *Desk) WatchDeliveries(ctx context.Context, after string, f *DeliveryFilter) (*Watch[DeliveryEvent], error) {
	return follow(ctx, d, &d.tails.deliveries, after, func(e *DeliveryEvent) bool {
		return f == nil || f.Matches(e.Delivery, e.Status) || (e.StatusBefore != nil && f.Matches(e.Delivery, *e.StatusBefore))
	})
}

// WatchNotifications follows the notifications page.
func (d *Desk) WatchNotifications(ctx context.Context, after string) (*Watch[Notification], error) {
	return follow(ctx, d, &d.tails.notifications, after, func(*Notification) bool { return true })
}

// WatchHealth gives the id of an actor, of that one or of any, each time its
// health has another status.
func (d *Desk) WatchHealth(ctx context.Context, actorID *string) (*Watch[string], error) {
	rings, stop := d.bell.Listen(ringHealth)
	last, err := d.healthStatuses(ctx, actorID)
	if err != nil {
		stop()
		return nil, err
	}
	out := make(chan string)
	w := &Watch[string]{C: out}
	go func() { // ends with ctx; its reader waits for the close of C
		defer close(out)
		defer stop()
		for {
			select {
			case <-ctx.Done():
				return
			case <-rings:
			}
			now, err := d.healthStatuses(ctx, actorID)
			if err != nil {
				w.fail(ctx, err)
				return
			}
			for _, id := range changedKeys(last, now) {
				select {
				case out <- id:
				case <-ctx.Done():
					return
				}
			}
			last = now
		}
	}()
	return w, nil
}

func (w *Watch[T]) fail(ctx context.Context, err error) {
	if ctx.Err() == nil {
		w.err.Store(&err)
	}
}

func (d *Desk) healthStatuses(ctx context.Context, actorID *string) (map[string]HealthStatus, error) {
	var ids []string
	for id := range d.snapshot.Load().Actors {
		if is(actorID, &id) {
			ids = append(ids, id)
		}
	}
	healths, err := d.Healths(ctx, ids)
	out := make(map[string]HealthStatus, len(healths))
	for id, h := range healths {
		out[id] = h.Status
	}
	return out, err
}

func changedKeys(before, after map[string]HealthStatus) []string {
	var out []string
	for id, status := range after {
		if before[id] != status {
			out = append(out, id)
		}
	}
	slices.Sort(out)
	return out
}

// tails are the newest lines of the ledger, by topic.
type tails struct {
	rung          atomic.Int64 // how often the ledger's bell rang
	tickets       tail[TicketEvent]
	deliveries    tail[DeliveryEvent]
	configuration tail[ConfigurationEvent]
	notifications tail[Notification]
}

func (t *tails) start(d *Desk) {
	t.tickets = tail[TicketEvent]{read: d.TicketEventsAfter, seq: func(e *TicketEvent) int64 { return e.Seq }}
	t.deliveries = tail[DeliveryEvent]{read: d.bareDeliveryEvents, seq: func(e *DeliveryEvent) int64 { return e.Seq }}
	t.configuration = tail[ConfigurationEvent]{read: d.ConfigurationEventsAfter, seq: func(e *ConfigurationEvent) int64 { return e.Seq }}
	t.notifications = tail[Notification]{read: d.NotificationsAfter, seq: func(n *Notification) int64 { return n.Seq }}
}

// bareDeliveryEvents leaves out what was rendered: it may be large, and no
// watcher reads it.
func (d *Desk) bareDeliveryEvents(ctx context.Context, seq int64, limit int) ([]DeliveryEvent, error) {
	lines, err := d.DeliveryEventsAfter(ctx, seq, limit)
	for i := range lines {
		lines[i].Delivery.Rendered = nil
	}
	return lines, err
}

// ringLedger tells that the ledger has grown.
func (d *Desk) ringLedger() {
	d.tails.rung.Add(1)
	d.bell.Ring(ringLedger)
}

const (
	tailKept  = 4096 // lines of a topic that are kept in memory
	tailBatch = 500  // lines of one read
)

// tail keeps the newest lines of one topic in memory, so that watchers at the
// head share one read of the books. Lines holds every line after from.
type tail[T any] struct {
	read func(ctx context.Context, seq int64, limit int) ([]T, error)
	seq  func(*T) int64

	mu      sync.Mutex
	lines   []T
	from    int64
	to      int64 // the last line read, or where the reading began
	rung    int64 // the ring that has been read
	started bool
}

// after gives lines after a number: from memory for who is near the head, else
// from the books. None means that there are no more for now.
func (t *tail[T]) after(ctx context.Context, d *Desk, seq int64) ([]T, error) {
	t.mu.Lock()
	if err := t.refresh(ctx, d); err != nil {
		t.mu.Unlock()
		return nil, err
	}
	if seq >= t.from {
		i := sort.Search(len(t.lines), func(i int) bool { return t.seq(&t.lines[i]) > seq })
		lines := t.lines[i:len(t.lines):len(t.lines)]
		t.mu.Unlock()
		return lines, nil
	}
	t.mu.Unlock()
	return t.read(ctx, seq, tailBatch)
}

func (t *tail[T]) refresh(ctx context.Context, d *Desk) error {
	rung := d.tails.rung.Load()
	if t.started && t.rung == rung {
		return nil
	}
	// When nobody has watched for long, the tail begins again at the head:
	// reading all that came meanwhile would take long, and no memory holds it.
	if !t.started || rung-t.rung > tailKept {
		head, err := d.LedgerHead(ctx)
		if err != nil {
			return err
		}
		t.lines, t.from, t.to, t.started = nil, head, head, true
	}
	for {
		lines, err := t.read(ctx, t.to, tailBatch)
		if err != nil {
			return err
		}
		t.lines = append(t.lines, lines...)
		if len(lines) > 0 {
			t.to = t.seq(&lines[len(lines)-1])
		}
		if len(lines) < tailBatch {
			break
		}
	}
	if over := len(t.lines) - tailKept; over > 0 {
		t.from = t.seq(&t.lines[over-1])
		t.lines = slices.Clone(t.lines[over:]) // a new array: readers may hold the old one
	}
	t.rung = rung
	return nil
}

// follow streams the lines after a cursor that pick takes; pick may change its copy.
func follow[T any](ctx context.Context, d *Desk, t *tail[T], after string, pick func(*T) bool) (*Watch[T], error) {
	rings, stop := d.bell.Listen(ringLedger)
	at, err := d.position(ctx, after)
	if err != nil {
		stop()
		return nil, err
	}
	out := make(chan T)
	w := &Watch[T]{C: out}
	go func() { // ends with ctx; its reader waits for the close of C
		defer close(out)
		defer stop()
		for {
			lines, err := t.after(ctx, d, at)
			if err != nil {
				w.fail(ctx, err)
				return
			}
			for _, line := range lines {
				at = t.seq(&line)
				if !pick(&line) {
					continue
				}
				select {
				case out <- line:
				case <-ctx.Done():
					return
				}
			}
			if len(lines) > 0 {
				continue
			}
			select {
			case <-rings:
			case <-ctx.Done():
				return
			}
		}
	}()
	return w, nil
}

// position is the place in the ledger that a cursor names; the head for "".
func (d *Desk) position(ctx context.Context, after string) (int64, error) {
	head, err := d.LedgerHead(ctx)
	if err != nil || after == "" {
		return head, err
	}
	seq, err := LedgerSeq(after)
	if err != nil {
		return 0, err
	}
	if seq > head {
		return 0, fmt.Errorf("position %d is ahead of the ledger's head: %w", seq, ErrCursorExpired)
	}
	return seq, nil
}
