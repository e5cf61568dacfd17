package dispatch

import (
	"cmp"
	"fmt"
	"time"
)

// ended is an attempt that has ended: what a settlement is worked out from.
type ended struct {
	claimed  Claimed
	outcome  Outcome
	policy   UncertainPolicy // of the API config
	asked    bool            // the outcome is the answer of a Resolver
	rendered JSON
	problems []string // of the rendering, passed over
	version  int      // of the actor that was called; 0 before one was found
	started  time.Time
	now      time.Time
	chance   float64 // of the jitter, 0 to 1
}

// settle works out what is written down of an attempt, by the table of a
// delivery's life. It asks nobody.
func settle(cfg *Configuration, kind Kind, e ended) Settlement {
	d := e.claimed.Delivery
	s := Settlement{
		DeliveryID: d.ID, Attempt: d.Attempt, At: e.now, Trying: d.Trying, Rendered: e.rendered, Ref: e.outcome.Ref(),
		ActorID: d.ActorID, APIConfigID: d.APIConfigID, Record: record(e),
	}
	if d.TicketID != nil && e.outcome.Note() != "" {
		s.Note, s.TicketID = Cut(e.outcome.Note(), maxText), *d.TicketID
	}
	if err := e.outcome.Err(); err != nil {
		reason := Cut(err.Error(), maxErrorKept)
		s.Reason = &reason
	}
	switch e.outcome.Kind() {
	case OutcomeDelivered:
		s.delivered(kind, e)
	case OutcomeRefused:
		s.refused(cfg, e)
	case OutcomeMisconfigured:
		s.misconfigured(cfg, kind, e)
	case OutcomeUncertain:
		s.uncertain(cfg, kind, e)
	default:
		s.deferred(cfg, kind, e)
	}
	if s.Health == HealthFailing {
		n := notice(e, Critical, "disabled", "Actor "+d.ActorName+" is disabled",
			"Everything that was sent to it has failed for five days. Its deliveries wait until it is updated, or a test of it passes. "+value(s.Reason))
		s.DisableNotice = &n
	}
	return s
}

func record(e ended) Attempt {
	kind, spent := e.outcome.Kind(), e.now.Sub(e.started)
	a := Attempt{DeliveryID: e.claimed.Delivery.ID, Number: e.claimed.Delivery.Attempt, StartedAt: e.started, Duration: &spent, Outcome: &kind, Problems: e.problems}
	x := e.outcome.Exchange()
	if x.HTTPStatus != 0 {
		a.HTTPStatus = &x.HTTPStatus
	}
	if err := e.outcome.Err(); err != nil {
		text := Cut(err.Error(), maxErrorKept)
		a.Error = &text
	}
	if len(x.Request) > 0 && len(x.Request) <= maxRequestKept {
		a.Request = x.Request
	}
	if x.Response != "" {
		text := Cut(x.Response, maxResponseKept)
		a.Response = &text
	}
	return a
}

func (s *Settlement) delivered(kind Kind, e ended) {
	s.Move, s.Status, s.Health = MoveDelivered, Sent, HealthHealthy
	d, ref := e.claimed.Delivery, e.outcome.Ref()
	if d.TicketID == nil || ref.Loose || (ref.ID == "" && d.Kind == Notify) {
		return
	}
	shows := cmp.Or(ref.Shows, TicketOpen)
	if d.Kind == Update {
		shows = cmp.Or(ref.Shows, e.claimed.Ticket.Status)
	}
	s.Link, s.Also, s.TicketID = e.claimed.Link, ref.Also, *d.TicketID
	if d.Kind == Notify && (s.Link == nil || s.Link.ExternalID != ref.ID) {
		s.Link = &TicketLink{
			ID: NewID(PrefixTicketLink), TicketID: *d.TicketID, ActorID: d.ActorID, ActorName: d.ActorName,
			APIConfigID: d.APIConfigID, APIConfigName: d.APIConfigName, DeliveryID: d.ID, ExternalID: ref.ID,
		}
	}
	s.Touch = func(l TicketLink) TicketLink {
		if d.Kind == Notify {
			l = l.made(d, shows, ref.Shows != "", e.now, kind.tells())
		} else {
			l = l.Write(shows, e.now, kind.tells())
		}
		return l.keep(ref)
	}
}

// keep takes over what the receiver said of a copy.
func (l TicketLink) keep(ref Ref) TicketLink {
	if ref.URL != "" {
		l.ExternalURL = &ref.URL
	}
	if ref.Word != "" {
		l.ExternalStatus = &ref.Word
	}
	if ref.Data != nil {
		l.Data = ref.Data
	}
	return l
}

// deferred tries again later: after the time that was asked for, else by
// patience. Only waits of our own choosing count as time spent trying.
func (s *Settlement) deferred(cfg *Configuration, kind Kind, e ended) {
	patience := kind.Patience.withDefaults()
	wait := e.outcome.Wait()
	if wait == 0 {
		wait = patience.wait(s.Trying, e.chance)
		s.Trying += wait
	}
	s.Trying += e.now.Sub(e.started)
	s.Health = HealthFailing
	if s.Trying > patience.GiveUp {
		s.Move = MoveGivenUp
		s.giveUp(cfg, e, fmt.Sprintf("given up after trying for %s; the last answer was: %s", patience.GiveUp, value(s.Reason)))
		return
	}
	s.Move, s.Status = MoveDeferred, e.claimed.Delivery.Status
	s.again(e.now.Add(wait))
}

func (s *Settlement) again(at time.Time) {
	at = at.UTC().Truncate(time.Millisecond)
	s.NextAt = &at
}

// refused ends the delivery; refused by a Resolver means that the uncertain
// send did not arrive, so that it may be sent again.
func (s *Settlement) refused(cfg *Configuration, e ended) {
	if e.asked {
		s.Move, s.Status = MoveResend, Pending
		s.again(e.now)
		return
	}
	if e.outcome.IsGone() && e.claimed.Delivery.Kind == Update {
		s.Move, s.Status = MoveDetached, Skipped
		s.mark(e, LinkDetached)
		return
	}
	s.Move, s.Health = MoveRefused, HealthFailing
	s.giveUp(cfg, e, value(s.Reason))
}

// suspect lets the books know that a status may have been set at a copy, so that
// its echo is known for one.
func (s *Settlement) suspect(kind Kind, e ended) {
	d := e.claimed.Delivery
	if d.Kind != Update || e.claimed.Link == nil || !kind.tells() {
		return
	}
	s.Link, s.TicketID = e.claimed.Link, e.claimed.Link.TicketID
	s.Touch = func(l TicketLink) TicketLink { return l.expect(e.claimed.Ticket.Status, e.now) }
}

// mark says how the copy of an update does when it was not updated.
func (s *Settlement) mark(e ended, state LinkState) {
	if e.claimed.Link == nil {
		return
	}
	s.Link, s.TicketID = e.claimed.Link, e.claimed.Link.TicketID
	s.Touch = func(l TicketLink) TicketLink {
		l.State, l.LastError = state, s.Reason
		return l
	}
}

// misconfigured waits for a person: the actor is paused and says so once. One
// that has been changed since the call began may work by now.
func (s *Settlement) misconfigured(cfg *Configuration, kind Kind, e ended) {
	d := e.claimed.Delivery
	if cfg.Actors[d.ActorID].Version != e.version {
		s.deferred(cfg, kind, e)
		return
	}
	s.Move, s.Status, s.Health = MoveMisconfigured, d.Status, HealthPaused
	s.again(e.now)
	n := notice(e, Critical, "paused", "Actor "+d.ActorName+" is paused",
		"Its deliveries wait until it is mended: update it, or test it. "+value(s.Reason))
	s.PauseNotice = &n
}

// uncertain settles a lost answer: it is sent again where a repeat is harmless,
// as that of a status always is,
// else it is asked about, and where nobody can be asked the policy decides.
func (s *Settlement) uncertain(cfg *Configuration, kind Kind, e ended) {
	patience := kind.Patience.withDefaults()
	wait := patience.wait(s.Trying, e.chance)
	s.Trying += wait
	s.Health = HealthFailing
	s.suspect(kind, e)
	harmless := kind.Idempotent || e.claimed.Delivery.Kind == Update
	switch {
	case s.Trying > patience.GiveUp && harmless:
		s.Move = MoveRefused
		s.giveUp(cfg, e, fmt.Sprintf("given up after trying for %s; the last answer was lost: %s", patience.GiveUp, value(s.Reason)))
	case e.claimed.Delivery.Status == Pending && harmless:
		s.Move, s.Status = MoveUncertain, Pending
		s.again(e.now.Add(wait))
	case e.claimed.Delivery.Status == Pending:
		s.Move, s.Status = MoveUncertain, Uncertain
		s.again(e.now.Add(wait))
	case e.policy == Park:
		s.Move = MovePark
		s.giveUp(cfg, e, "nobody knows whether it arrived, and the API config says PARK; look there, and retry it if it did not")
	case s.Trying > patience.GiveUp:
		s.Move = MoveGivenUp
		s.giveUp(cfg, e, fmt.Sprintf("given up after trying for %s: every answer was lost, and nobody knows whether it arrived; look there, and retry it if it did not", patience.GiveUp))
	default:
		s.Move, s.Status = MoveResend, Pending
		s.again(e.now)
	}
}

// giveUp ends a delivery as failed, tells a person, and promises the fallback.
func (s *Settlement) giveUp(cfg *Configuration, e ended, reason string) {
	d := e.claimed.Delivery
	s.Status, s.NextAt = Failed, nil
	if d.Kind == Update {
		s.mark(e, LinkFailing)
	} else if config, ok := cfg.APIConfigs[d.APIConfigID]; ok && config.FallbackID != nil {
		s.fallBack(cfg, e, *config.FallbackID)
		reason += "; the fallback " + s.Fallback.APIConfigName + " takes over"
	}
	reason = Cut(reason, maxErrorKept)
	s.Reason = &reason
	title := "Delivery through " + d.APIConfigName + " failed"
	if d.Kind == Update {
		title = "The status of a ticket did not reach " + d.ActorName
	}
	s.Notices = append(s.Notices, notice(e, High, "failed", title, reason))
}

func (s *Settlement) fallBack(cfg *Configuration, e ended, id string) {
	d := e.claimed.Delivery
	next := promise(cfg, cfg.APIConfigs[id], Delivery{
		ID: NewID(PrefixDelivery), Kind: d.Kind, ActionID: d.ActionID, ActionName: d.ActionName,
		AlertID: d.AlertID, AlertChange: d.AlertChange, TicketID: d.TicketID, FallbackOf: &d.ID,
	}, e.now)
	s.Fallback = &next
}

func notice(e ended, severity Severity, sub, title, message string) Notification {
	d := e.claimed.Delivery
	return Notification{
		ID: NewID(PrefixNotification), Title: title, Message: message, Severity: severity, Category: "Delivery",
		SubCategory: &sub, Source: d.ActorName, AlertID: &d.AlertID, TicketID: d.TicketID, CreatedAt: e.now,
	}
}
