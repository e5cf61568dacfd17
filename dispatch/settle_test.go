package dispatch

import (
	"errors"
	"strings"
	"testing"
	"time"
)

// TestSettle goes through the rows of a delivery's life.
func TestSettle(t *testing.T) {
	lost, no := errors.New("connection reset"), errors.New("no")
	tried, day := 3500*time.Millisecond, 25*time.Hour // after three of the least waits
	tests := map[string]struct {
		from       DeliveryStatus
		outcome    Outcome
		idempotent bool
		asked      bool
		policy     UncertainPolicy
		trying     time.Duration
		want       DeliveryStatus
		move       DeliveryMove
		health     HealthStatus
		wait       time.Duration // until the next attempt, with the least jitter
		notices    int
	}{
		"delivered":                        {Pending, Delivered(Ref{ID: "x"}), true, false, Resend, 0, Sent, MoveDelivered, HealthHealthy, 0, 0},
		"the zero outcome":                 {Pending, Outcome{}, true, false, Resend, tried, Pending, MoveDeferred, HealthFailing, 4 * time.Second, 0},
		"deferred":                         {Pending, Deferred(no), true, false, Resend, tried, Pending, MoveDeferred, HealthFailing, 4 * time.Second, 0},
		"deferred, asked to wait":          {Pending, Deferred(no).After(90 * time.Second), true, false, Resend, 0, Pending, MoveDeferred, HealthFailing, 90 * time.Second, 0},
		"deferred for a day":               {Pending, Deferred(no), true, false, Resend, day, Failed, MoveGivenUp, HealthFailing, 0, 1},
		"refused":                          {Pending, Refused(no), true, false, Resend, 0, Failed, MoveRefused, HealthFailing, 0, 1},
		"misconfigured":                    {Pending, Misconfigured(no), true, false, Resend, 0, Pending, MoveMisconfigured, HealthPaused, 0, 0},
		"uncertain, a repeat is harmless":  {Pending, Unsure(lost), true, false, Resend, tried, Pending, MoveUncertain, HealthFailing, 4 * time.Second, 0},
		"uncertain":                        {Pending, Unsure(lost), false, false, Resend, tried, Uncertain, MoveUncertain, HealthFailing, 4 * time.Second, 0},
		"asked: it arrived":                {Uncertain, Delivered(Ref{}), false, true, Resend, 0, Sent, MoveDelivered, HealthHealthy, 0, 0},
		"asked: it did not":                {Uncertain, Refused(no), false, true, Resend, 0, Pending, MoveResend, "", 0, 0},
		"asked: no answer":                 {Uncertain, Deferred(no), false, true, Resend, tried, Uncertain, MoveDeferred, HealthFailing, 4 * time.Second, 0},
		"nobody to ask, resend":            {Uncertain, Unsure(lost), false, false, Resend, 0, Pending, MoveResend, HealthFailing, 0, 0},
		"nobody to ask, park":              {Uncertain, Unsure(lost), false, false, Park, 0, Failed, MovePark, HealthFailing, 0, 1},
		"uncertain for a day, resend":      {Uncertain, Unsure(lost), false, false, Resend, day, Failed, MoveGivenUp, HealthFailing, 0, 1},
		"uncertain for a day, repeatable":  {Pending, Unsure(lost), true, false, Resend, day, Failed, MoveRefused, HealthFailing, 0, 1},
		"unsure, and the actor is gone":    {Uncertain, Refused(no), false, false, Resend, 0, Failed, MoveRefused, HealthFailing, 0, 1},
		"misconfigured while it is unsure": {Uncertain, Misconfigured(no), false, true, Resend, 0, Uncertain, MoveMisconfigured, HealthPaused, 0, 0},
	}
	cfg := NewConfiguration(1, Nouns{})
	for name, tt := range tests {
		t.Run(name, func(t *testing.T) {
			ticket := "tkt_1"
			d := Delivery{ID: "dlv_1", Status: tt.from, Attempt: 4, Trying: tt.trying, TicketID: &ticket, APIConfigID: "cfg_1"}
			s := settle(cfg, Kind{Idempotent: tt.idempotent}, ended{
				claimed: Claimed{Delivery: d}, outcome: tt.outcome, asked: tt.asked, policy: tt.policy, started: noon, now: noon,
			})
			if s.Status != tt.want || s.Move != tt.move || s.Health != tt.health || len(s.Notices) != tt.notices || (s.PauseNotice != nil) != (tt.health == HealthPaused) {
				t.Fatalf("got %s by %q, health %q, %d notices; want %s by %q, %q, %d", s.Status, s.Move, s.Health, len(s.Notices), tt.want, tt.move, tt.health, tt.notices)
			}
			if !among(DeliveryMoves[tt.from][tt.move], s.Status) {
				t.Errorf("the table of a delivery's life has no %s → %s by %q", tt.from, s.Status, tt.move)
			}
			if s.Status == Pending || s.Status == Uncertain {
				if s.NextAt == nil || !s.NextAt.Equal(noon.Add(tt.wait)) {
					t.Errorf("next attempt at %v, want %v later than %v", s.NextAt, tt.wait, noon)
				}
			}
			if s.Status == Failed && s.Reason == nil {
				t.Error("a failed delivery says no reason")
			}
		})
	}
}

// TestAskedWaitsDoNotCount: a rate limit that lasts for days fails nothing.
func TestAskedWaitsDoNotCount(t *testing.T) {
	d := Delivery{ID: "dlv_1", Status: Pending}
	for attempt := range 100 {
		d.Attempt = attempt + 1
		s := settle(NewConfiguration(1, Nouns{}), Kind{}, ended{
			claimed: Claimed{Delivery: d}, outcome: Deferred(errors.New("429")).After(time.Hour), started: noon, now: noon,
		})
		if s.Status != Pending {
			t.Fatalf("after %d asked waits of an hour the delivery is %s", attempt+1, s.Status)
		}
		d.Trying = s.Trying
	}
}

func TestFallback(t *testing.T) {
	next := "cfg_2"
	cfg := NewConfiguration(1, Nouns{
		APIConfigs: []APIConfig{{ID: "cfg_1", Name: "First", FallbackID: &next}, {ID: "cfg_2", Name: "Second", Kind: "k", Version: 5}},
		Actors:     []Actor{{ID: BuiltInActorID("k"), Name: "K"}},
	})
	d := Delivery{ID: "dlv_1", Status: Pending, Attempt: 1, APIConfigID: "cfg_1", AlertID: "alr_1"}
	s := settle(cfg, Kind{}, ended{claimed: Claimed{Delivery: d}, outcome: Refused(errors.New("gone")), started: noon, now: noon})
	if s.Fallback == nil || s.Fallback.APIConfigID != "cfg_2" || s.Fallback.APIConfigVersion != 5 || *s.Fallback.FallbackOf != "dlv_1" {
		t.Fatalf("fallback %+v, want one through cfg_2 at version 5", s.Fallback)
	}
	if !strings.Contains(*s.Reason, "the fallback Second takes over") {
		t.Errorf("reason %q does not name the fallback", *s.Reason)
	}
}

// TestPatience: each wait is up to twice as long as the one before, whatever
// the jitter was, and none is longer than an hour.
func TestPatience(t *testing.T) {
	p := DefaultPatience
	for _, chance := range []float64{0, 0.3, 1} {
		trying, longest := time.Duration(0), time.Second
		for attempt := range 100 {
			wait := p.wait(trying, chance)
			if wait < longest/2 || wait > longest {
				t.Errorf("attempt %d after %v waits %v, want %v to %v", attempt, trying, wait, longest/2, longest)
			}
			trying, longest = trying+wait, min(2*longest, time.Hour)
		}
	}
}

// TestRecordIsCut: what an attempt keeps is bounded, and says that it is cut.
func TestRecordIsCut(t *testing.T) {
	huge := strings.Repeat("ü", 1<<20)
	s := settle(NewConfiguration(1, Nouns{}), Kind{}, ended{
		claimed: Claimed{Delivery: Delivery{Status: Pending, Attempt: 1}}, started: noon, now: noon,
		outcome: Refused(errors.New(huge)).Over(Exchange{HTTPStatus: 400, Response: huge}),
	})
	for _, text := range []string{*s.Reason, *s.Record.Error, *s.Record.Response} {
		if len(text) > maxResponseKept || !strings.HasSuffix(text, "… [cut]") {
			t.Errorf("a text of %d bytes was kept, ending in %q", len(text), text[len(text)-12:])
		}
	}
}
