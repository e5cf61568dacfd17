package graph

import (
	"context"
	"sync"

	"tocsin/dispatch"
	"tocsin/graph/internal/page"
)

// stream is what a transport and the resolver of its subscription share.
type stream struct {
	resume string      // where to go on, from Last-Event-ID; over the argument `after`
	places chan string // the cursor of each answer, in order

	pumps sync.WaitGroup
	mu    sync.Mutex
	err   error
}

type streamKey struct{}

// failed is why the stream ended, once it has; nil when its context did.
func (s *stream) failed() error {
	s.pumps.Wait()
	s.mu.Lock()
	defer s.mu.Unlock()
	return s.err
}

func (s *stream) from(after *string) string {
	if s.resume != "" {
		return s.resume
	}
	return orZero(after)
}

// begin is the stream of a context, with where it begins.
func begin(ctx context.Context, after *string) (*stream, string) {
	s, _ := ctx.Value(streamKey{}).(*stream)
	return s, s.from(after)
}

// follow hands what a watch gives on to the generated code; show makes the
// answer of it, and says no to leave it out. It ends with the context or with
// the watch; the transport waits for it in failed.
func follow[T, A any](ctx context.Context, s *stream, w *dispatch.Watch[T], place func(T) string, show func(T) (A, bool)) <-chan A {
	out := make(chan A)
	s.pumps.Go(func() {
		defer close(out)
		for event := range w.C { // closed soon after ctx ends
			answer, ok := show(event)
			if !ok || !s.mark(ctx, place(event)) {
				continue
			}
			select {
			case out <- answer:
			case <-ctx.Done():
			}
		}
		s.mu.Lock()
		defer s.mu.Unlock()
		s.err = w.Err()
	})
	return out
}

// mark leaves the place of the next answer for the transport.
func (s *stream) mark(ctx context.Context, place string) bool {
	select {
	case s.places <- place:
		return true
	case <-ctx.Done():
		return false
	}
}

func itself[T any](event T) (T, bool) { return event, true }

func (r subscriptions) TicketStatusChanged(ctx context.Context, after *string, filter *dispatch.TicketFilter) (<-chan dispatch.TicketEvent, error) {
	return r.TicketEvents(ctx, after, filter, []dispatch.TicketEventKind{dispatch.EventOpened, dispatch.EventStatusChanged})
}

func (r subscriptions) TicketEvents(ctx context.Context, after *string, filter *dispatch.TicketFilter, kinds []dispatch.TicketEventKind) (<-chan dispatch.TicketEvent, error) {
	if err := tooWide(filter); err != nil {
		return nil, err
	}
	s, from := begin(ctx, after)
	w, err := r.desk.WatchTickets(ctx, from, filter, kinds)
	if err != nil {
		return nil, err
	}
	return follow(ctx, s, w, dispatch.TicketEvent.Cursor, itself), nil
}

func (r subscriptions) ConfigurationChanged(ctx context.Context, after *string, types []dispatch.ConfigurationType) (<-chan dispatch.ConfigurationEvent, error) {
	s, from := begin(ctx, after)
	w, err := r.desk.WatchConfiguration(ctx, from, types)
	if err != nil {
		return nil, err
	}
	return follow(ctx, s, w, dispatch.ConfigurationEvent.Cursor, itself), nil
}

func (r subscriptions) DeliveryChanged(ctx context.Context, after *string, filter *dispatch.DeliveryFilter) (<-chan dispatch.DeliveryEvent, error) {
	s, from := begin(ctx, after)
	w, err := r.desk.WatchDeliveries(ctx, from, filter)
	if err != nil {
		return nil, err
	}
	return follow(ctx, s, w, dispatch.DeliveryEvent.Cursor, itself), nil
}

func (r subscriptions) NotificationAdded(ctx context.Context, after *string) (<-chan page.NotificationEdge, error) {
	s, from := begin(ctx, after)
	w, err := r.desk.WatchNotifications(ctx, from)
	if err != nil {
		return nil, err
	}
	place := func(n dispatch.Notification) string { return dispatch.LedgerCursor(n.Seq) }
	return follow(ctx, s, w, place, func(n dispatch.Notification) (page.NotificationEdge, bool) {
		return page.NotificationEdge{Cursor: place(n), Node: n}, true
	}), nil
}

func (r subscriptions) ActorHealthChanged(ctx context.Context, actorID *string) (<-chan dispatch.Actor, error) {
	s, _ := begin(ctx, nil)
	w, err := r.desk.WatchHealth(ctx, actorID)
	if err != nil {
		return nil, err
	}
	nowhere := func(string) string { return "" } // health is a state, not a line of the ledger
	return follow(ctx, s, w, nowhere, func(id string) (dispatch.Actor, bool) {
		cfg, err := r.desk.Configuration(ctx)
		actor := find(orZero(cfg).Actors, &id)
		return orZero(actor), actor != nil && err == nil
	}), nil
}
