package dispatch

import (
	"context"
	"errors"
	"fmt"
	"math/rand/v2"
	"runtime/debug"
	"sync"
	"time"
)

// The times of asking. A round's lease is longer than its calls together; what
// is closed is asked about for a day, since a close may cross another change.
const (
	pollEvery   = time.Minute
	askEvery    = 5 * time.Minute
	roundLease  = 10 * time.Minute
	askClosed   = 24 * time.Hour
	askTogether = 100
	listenAgain = time.Second
	listenMost  = time.Minute
)

// keeper brings in what an actor's system says when nobody tells: it polls, it
// asks how copies stand, and it listens.
type keeper struct {
	desk *Desk
	id   string
}

// keeps tells whether there is anything to bring in from a kind.
func (k Kind) keeps() bool { return k.can(CanPoll) || k.can(CanListen) }

// run works until ctx ends, and returns when all of it has ended.
func (k keeper) run(ctx context.Context) {
	var works sync.WaitGroup
	kind, _ := k.desk.Kind(k.desk.snapshot.Load().Actors[k.id].Kind)
	if kind.can(CanPoll) {
		every := kind.PollEvery
		if every == 0 {
			every = pollEvery
		}
		works.Go(func() { k.rounds(ctx, "poll", every, k.poll) })
		works.Go(func() { k.rounds(ctx, "ask", askEvery, k.askAll) })
	}
	if kind.can(CanListen) {
		works.Go(func() { k.listen(ctx) })
	}
	works.Wait()
}

// rounds does something again and again, a fifth sooner or later, as long as
// the messenger can; one process at a time.
func (k keeper) rounds(ctx context.Context, name string, every time.Duration, work func(ctx context.Context, m Messenger, last string) (string, Outcome)) {
	timer := time.NewTimer(jitter(every))
	defer timer.Stop()
	for {
		select {
		case <-ctx.Done():
			return
		case <-timer.C:
		}
		k.round(ctx, name, every, work)
		timer.Reset(jitter(every))
	}
}

func jitter(d time.Duration) time.Duration {
	return d*4/5 + time.Duration(rand.Int64N(int64(d)*2/5)) //nolint:gosec // jitter needs no secrecy
}

func (k keeper) round(ctx context.Context, name string, every time.Duration, work func(ctx context.Context, m Messenger, last string) (string, Outcome)) {
	actor, m, err := k.desk.messengerOf(k.id)
	if err != nil || !can(m, name) || k.isHeld(ctx) {
		return
	}
	now := moment()
	r := Round{ActorID: k.id, Name: name, Now: now, Until: now.Add(roundLease), Next: now.Add(every / 2)}
	last, begun, err := k.desk.store.BeginRound(ctx, r)
	if err != nil || !begun {
		k.warn(ctx, name+" did not begin", err)
		return
	}
	next, out := k.guarded(func() (string, Outcome) { return work(ctx, m, last) })
	if out.Wait() > 0 {
		r.Next = moment().Add(out.Wait())
	}
	if ctx.Err() == nil {
		k.observe(ctx, actor, out)
	}
	k.warn(ctx, name+" was not ended", k.desk.store.EndRound(lasting(ctx), r, next))
}

func can(m Messenger, round string) bool {
	var ok bool
	if round == "poll" {
		_, ok = m.(Poller)
	} else {
		_, ok = m.(Asker)
	}
	return ok
}

// isHeld tells that nothing may be sent to the actor now.
func (k keeper) isHeld(ctx context.Context) bool {
	healths, err := k.desk.Healths(ctx, []string{k.id})
	s := healths[k.id].Status
	return err != nil || s == HealthPaused || s == HealthDisabled
}

func (k keeper) warn(ctx context.Context, what string, err error) {
	if err != nil && ctx.Err() == nil {
		k.desk.log.Warn("an actor was not heard", "what", what, "actor", k.id, "error", err)
	}
}

// guarded makes a failure of a panic.
func (k keeper) guarded(work func() (string, Outcome)) (last string, out Outcome) {
	defer func() {
		if fell := recover(); fell != nil {
			k.desk.log.Error("an actor fell", "actor", k.id, "panic", fmt.Sprint(fell), "stack", string(debug.Stack()))
			out = Deferred(errors.New("the actor failed inside this server; the log tells more"))
		}
	}()
	return work()
}

// poll takes in all that has changed. What is taken in before it fails stays,
// and the cursor with it.
func (k keeper) poll(ctx context.Context, m Messenger, last string) (string, Outcome) {
	poller, ok := m.(Poller)
	if !ok {
		return last, Outcome{}
	}
	for {
		calling, cancel := context.WithTimeout(ctx, callTimeout)
		polled, out := poller.Poll(calling, last)
		cancel()
		if out.Kind() != OutcomeDelivered {
			return last, out
		}
		actor, ok := k.desk.snapshot.Load().Actors[k.id]
		if !ok {
			return last, out
		}
		if err := k.desk.take(ctx, actor, polled.Changes, false); err != nil {
			return last, Deferred(err)
		}
		if last = polled.Cursor; !polled.More {
			return last, out
		}
	}
}

// askAll asks how all copies stand whose tickets are worked on.
func (k keeper) askAll(ctx context.Context, _ Messenger, _ string) (string, Outcome) {
	after := ""
	for {
		links, err := k.desk.store.LinksToAsk(ctx, k.id, moment().Add(-askClosed), after, askTogether)
		if err != nil {
			return "", Deferred(err)
		}
		if len(links) == 0 {
			return "", Delivered(Ref{})
		}
		calling, cancel := context.WithTimeout(ctx, callTimeout)
		out, err := k.desk.ask(calling, k.id, links, false)
		cancel()
		if err != nil {
			return "", Deferred(err)
		}
		if out.Kind() != OutcomeDelivered || len(links) < askTogether {
			return "", out
		}
		after = links[len(links)-1].ID
	}
}

// observe keeps how the actor does. Bad credentials pause it, as they do when a
// delivery finds them.
func (k keeper) observe(ctx context.Context, actor Actor, out Outcome) {
	o := Observation{ActorID: k.id, Health: HealthFailing, At: moment()}
	if err := out.Err(); err != nil {
		reason := Cut(err.Error(), maxErrorKept)
		o.Reason = &reason
	}
	switch out.Kind() {
	case OutcomeDelivered:
		o.Health = HealthHealthy
	case OutcomeMisconfigured:
		o.Health = HealthPaused
		sub := "paused"
		o.PauseNotice = &Notification{
			ID: NewID(PrefixNotification), Title: "Actor " + actor.Name + " is paused", Severity: Critical, Category: "Delivery", SubCategory: &sub,
			Message: "Nothing is sent to it and nothing asked until it is mended: update it, or test it. " + value(o.Reason),
			Source:  actor.Name, CreatedAt: o.At,
		}
	default:
	}
	if err := k.desk.store.Observe(lasting(ctx), o); err != nil {
		k.warn(ctx, "an actor's health was not kept", err)
		return
	}
	if o.PauseNotice != nil {
		k.desk.ringLedger()
		k.desk.bell.Ring(ringHealth)
	}
}

// listen keeps a connection of the actor's own open, a new one for each version
// of the actor.
func (k keeper) listen(ctx context.Context) {
	rings, stop := k.desk.bell.Listen(ringConfiguration)
	defer stop()
	wait := listenAgain
	for ctx.Err() == nil {
		began := time.Now()
		out, listened := k.hear(ctx, rings)
		if time.Since(began) > listenMost {
			wait = listenAgain
		}
		pause := time.NewTimer(wait)
		if !listened { // until the configuration changes, or a pause may have ended
			pause.Reset(idlePoll)
		} else if wait = min(2*wait, listenMost); out.Err() != nil {
			k.warn(ctx, "the actor's connection was lost", out.Err())
		}
		select {
		case <-ctx.Done():
		case <-rings:
		case <-pause.C:
		}
		pause.Stop()
	}
}

// hear listens once, until the connection is lost or the actor has changed.
func (k keeper) hear(ctx context.Context, rings <-chan struct{}) (Outcome, bool) {
	actor, m, err := k.desk.messengerOf(k.id)
	listener, ok := m.(Listener)
	if err != nil || !ok || !listener.Listens() || k.isHeld(ctx) {
		return Outcome{}, false
	}
	ctx, cancel := context.WithCancel(ctx)
	defer cancel()
	ended := make(chan Outcome, 1)
	go func() {
		_, out := k.guarded(func() (string, Outcome) {
			return "", listener.Listen(ctx, func(ctx context.Context, changes []StatusChange) error {
				return k.desk.take(ctx, actor, changes, false)
			})
		})
		ended <- out
	}()
	for {
		select {
		case out := <-ended:
			if out.Kind() == OutcomeMisconfigured && ctx.Err() == nil {
				k.observe(ctx, actor, out)
			}
			return out, true
		case <-rings:
			if k.desk.snapshot.Load().Actors[k.id].Version != actor.Version {
				cancel()
			}
		}
	}
}
