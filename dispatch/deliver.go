package dispatch

import (
	"context"
	"errors"
	"fmt"
	"math/rand/v2"
	"runtime/debug"
	"time"

	"tocsin/dispatch/crash"
)

// carry carries one claimed delivery: call, settle, ring. In vain it only hands
// it over to its fallback, since the actor has been paused for long. The next
// call may begin before this one is settled.
func (l *line) carry(ctx context.Context, c Claimed, inVain bool) {
	kind, ok := l.desk.Kind(c.Delivery.ActorKind)
	if !ok {
		kind = Kind{Name: c.Delivery.ActorKind}
	}
	e := ended{claimed: c, started: moment(), chance: rand.Float64(), policy: Resend} //nolint:gosec // jitter needs no secrecy
	if inVain {
		e.outcome = Refused(errors.New("the actor has been paused for long"))
	} else {
		l.byHand(ctx, &e, kind)
	}
	e.now = moment()
	if !inVain {
		l.breaker.note(e.outcome, e.now)
	}
	s := settle(l.desk.snapshot.Load(), kind, e)
	s.Follow = l.desk.follower().follow
	if s.Health == HealthPaused {
		defer l.pause(s.At)()
	}
	crash.Point(crash.AfterSend)
	l.taken.Add(-1)
	l.wake()
	l.told(s, l.write(ctx, s, c.Delivery.LeasedUntil))
	l.open.Add(-1)
	l.wake()
}

// byHand makes the call as soon as a hand is free. One that would outlive its
// lease is not made: another courier may have the delivery by then.
func (l *line) byHand(ctx context.Context, e *ended, kind Kind) {
	select {
	case l.hands <- struct{}{}:
	case <-ctx.Done():
		e.outcome = Deferred(errors.New("the server was stopped before it was sent"))
		return
	}
	defer func() { <-l.hands }()
	e.started = moment()
	if until := e.claimed.Delivery.LeasedUntil; until != nil && until.Sub(e.started) < callTimeout {
		e.outcome = Deferred(errors.New("its receiver is slow, and no call was free in time"))
		return
	}
	e.outcome = l.guarded(func() Outcome { return l.call(ctx, kind, e) })
}

// wake lets the line look whether something is due.
func (l *line) wake() {
	select {
	case l.done <- struct{}{}:
	default:
	}
}

// settleAgain is the wait after a settlement that the books did not take.
const settleAgain = time.Second

// write settles. Books that are unwell are asked again while the lease lasts:
// what was sent and not settled is sent twice.
func (l *line) write(ctx context.Context, s Settlement, until *time.Time) error {
	for {
		err := l.desk.store.Settle(context.WithoutCancel(ctx), []Settlement{s})[0]
		if err == nil || errors.Is(err, ErrFenced) || until == nil || moment().Add(settleAgain).After(*until) {
			return err
		}
		l.desk.log.Warn("an attempt was not settled yet", "delivery", s.DeliveryID, "attempt", s.Attempt, "error", err)
		again := time.NewTimer(settleAgain)
		select {
		case <-again.C:
		case <-ctx.Done():
			again.Stop()
			return err
		}
	}
}

// call makes the attempt. The timeout is shorter than the lease.
func (l *line) call(ctx context.Context, kind Kind, e *ended) Outcome {
	ctx, cancel := context.WithTimeout(ctx, callTimeout)
	defer cancel()
	actor, ok := l.desk.snapshot.Load().Actors[l.id]
	if !ok {
		return Refused(errGone)
	}
	e.version = actor.Version
	messenger, err := l.desk.messengers.open(l.desk, kind, actor)
	if err != nil {
		return Misconfigured(fmt.Errorf("the actor cannot be used: %w", err))
	}
	if l := e.claimed.Link; e.claimed.Delivery.Kind == Update && (l == nil || l.State == LinkDetached) {
		return Refused(errors.New("the copy is not there any more")).Gone()
	}
	parcel, err := l.pack(ctx, kind, e)
	switch {
	case errors.Is(err, errNotRead):
		return Deferred(err)
	case err != nil:
		return Refused(err)
	}
	if doubter, ok := parcel.Settings.(Doubter); ok && doubter.OnUncertain() != "" {
		e.policy = doubter.OnUncertain()
	}
	if e.claimed.Delivery.Kind == Update {
		return l.update(ctx, messenger, parcel)
	}
	if e.claimed.Delivery.Status != Uncertain {
		return messenger.Deliver(ctx, parcel)
	}
	if resolver, ok := messenger.(Resolver); ok {
		e.asked = true
		return resolver.Resolve(ctx, parcel)
	}
	return Unsure(errors.New("the answer was lost, and there is nobody to ask whether it arrived"))
}

// update carries a ticket's status to a copy.
func (l *line) update(ctx context.Context, m Messenger, p Parcel) Outcome {
	updater, ok := m.(Updater)
	if !ok {
		return Refused(errors.New("actors of this type take no status of a ticket"))
	}
	return updater.Update(ctx, StatusUpdate{
		DeliveryID: p.DeliveryID, Attempt: p.Attempt, Ticket: *p.Ticket, TicketURL: p.TicketURL,
		Alert: p.Alert, Link: *p.Link, Settings: p.Settings,
	})
}

// errNotRead: the books could not be asked, which may go well later.
var errNotRead = errors.New("the database could not be read")

// errGone: the actor was deleted with deliveries still to carry.
var errGone = errors.New("the actor has been deleted")

// pack makes the parcel: the settings are rendered once, at the first attempt,
// in the version that was promised, and kept.
func (l *line) pack(ctx context.Context, kind Kind, e *ended) (Parcel, error) {
	d := e.claimed.Delivery
	p := Parcel{DeliveryID: d.ID, Attempt: d.Attempt, Alert: e.claimed.Alert, Ticket: e.claimed.Ticket, Link: e.claimed.Link}
	var err error
	if p.Alert, err = p.Alert.With(d.AlertChange); err != nil {
		e.problems = append(e.problems, "the alert goes out as it was raised: "+err.Error())
	}
	if p.Ticket != nil {
		p.TicketURL = l.desk.TicketURL(p.Ticket.ID)
	}
	rendered := d.Rendered
	if rendered == nil {
		config, err := l.promised(ctx, d)
		if err != nil {
			return p, err
		}
		rendered, e.problems = l.desk.render(ctx, kind, config.Settings, p.Alert, p.Ticket, p.TicketURL)
		e.rendered = rendered
	}
	settings, err := Unpack(kind.ConfigSettings, rendered)
	p.Settings = settings
	return p, err
}

// promised is the API config in the version that the delivery was promised with.
func (l *line) promised(ctx context.Context, d Delivery) (APIConfig, error) {
	if config, ok := l.desk.snapshot.Load().APIConfigs[d.APIConfigID]; ok && config.Version == d.APIConfigVersion {
		return config, nil
	}
	config, err := l.desk.store.APIConfigAt(ctx, d.APIConfigID, d.APIConfigVersion)
	if err != nil && !errors.Is(err, ErrNotFound) {
		err = fmt.Errorf("%w: %w", errNotRead, err)
	}
	if err != nil {
		return config, fmt.Errorf("read version %d of the API config %s: %w", d.APIConfigVersion, d.APIConfigName, err)
	}
	return config, nil
}

// guarded turns a panic of a messenger, or of its making, into an uncertain
// outcome: it may have written before it fell.
func (l *line) guarded(call func() Outcome) (o Outcome) {
	defer func() {
		if fell := recover(); fell != nil {
			l.desk.log.Error("an actor fell", "actor", l.id, "panic", fmt.Sprint(fell), "stack", string(debug.Stack()))
			o = Unsure(errors.New("the actor failed inside this server; the log tells more"))
		}
	}()
	return call()
}

// told rings for a settlement that has been written.
func (l *line) told(s Settlement, err error) {
	desk := l.desk
	if err != nil {
		desk.log.Error("an attempt was not settled; its lease will run out and it will be tried again",
			"delivery", s.DeliveryID, "attempt", s.Attempt, "error", err)
		return
	}
	crash.Point(crash.AfterSettle)
	desk.log.Info("delivery settled", "delivery", s.DeliveryID, "actor", l.id, "attempt", s.Attempt,
		"outcome", string(*s.Record.Outcome), "status", string(s.Status), "reason", value(s.Reason))
	desk.ringLedger()
	if s.Fallback != nil {
		desk.bell.Ring(ringActor(s.Fallback.ActorID))
	}
	l.mu.Lock()
	changed := s.Health != "" && s.Health != l.health
	if changed {
		l.health = s.Health
	}
	l.mu.Unlock()
	if changed {
		desk.bell.Ring(ringHealth)
	}
}
