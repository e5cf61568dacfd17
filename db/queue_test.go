package db

import (
	"errors"
	"fmt"
	"slices"
	"sync"
	"testing"
	"time"

	"github.com/google/go-cmp/cmp"

	"tocsin/dispatch"
)

// ids are those of claimed deliveries.
func ids(claimed []dispatch.Claimed) []string {
	all := []string{}
	for _, c := range claimed {
		all = append(all, c.Delivery.ID)
	}
	return all
}

// queue raises an alert for each key and returns the ids of its deliveries.
func (s *stage) queue(keys ...string) []string {
	s.t.Helper()
	var all []string
	for _, key := range keys {
		all = append(all, s.raise(s.member(key))[0].DeliveryIDs...)
	}
	return all
}

func TestClaim(t *testing.T) {
	eachEngine(t, func(t *testing.T, s *stage) {
		first := s.queue("a")
		s.pass(time.Second)
		rest := s.queue("b", "c")
		later := s.member("d")
		due := s.now.Add(time.Hour)
		later.Plan.Deliveries[0].NextAttemptAt = &due
		s.raise(later)

		if got := s.claim("act_other", 10); len(got) != 0 {
			t.Errorf("another actor claimed %v", ids(got))
		}
		claimed := s.claim(post, 2)
		if want := []string{first[0], rest[0]}; !slices.Equal(ids(claimed), want) {
			t.Fatalf("claimed %v, want the two earliest, %v", ids(claimed), want)
		}
		c := claimed[0]
		if c.Delivery.Attempt != 1 || !c.Delivery.LeasedUntil.Equal(s.now.Add(lease)) || c.Alert.Summary != "Sign-in of a" || c.Ticket == nil || c.Ticket.Number != 1 {
			t.Errorf("claimed %+v with the alert %q and the ticket %v", c.Delivery, c.Alert.Summary, c.Ticket)
		}
		want := []dispatch.Attempt{{DeliveryID: first[0], Number: 1, StartedAt: s.now}}
		if diff := cmp.Diff(want, s.attempts(first[0])); diff != "" {
			t.Error("attempts:", diff)
		}
		if got := s.claim(post, 10); !slices.Equal(ids(got), rest[1:]) {
			t.Errorf("the next claim got %v, want %v: no leased one, and none before its time", ids(got), rest[1:])
		}
		s.pass(time.Hour)
		if got := s.claim(post, 10); len(got) != 1 || got[0].Delivery.ID != later.Plan.Deliveries[0].ID {
			t.Errorf("in its time %v was claimed", ids(got))
		}
		s.balances()
	})
}

func TestClaimOfSomeAPIConfigs(t *testing.T) {
	eachEngine(t, func(t *testing.T, s *stage) {
		r := s.raise(s.member("a", postPage, postText, "cfg_third"))[0]
		claim := dispatch.Claim{ActorID: post, Now: s.now, Until: s.now.Add(lease), Max: 9, APIConfigIDs: []string{postText, "cfg_third"}}
		claimed, err := s.books.Claim(s.ctx, claim)
		s.must(err)
		if !slices.Equal(ids(claimed), r.DeliveryIDs[1:]) {
			t.Errorf("claimed %v, want %v", ids(claimed), r.DeliveryIDs[1:])
		}
	})
}

func TestWaiting(t *testing.T) {
	eachEngine(t, func(t *testing.T, s *stage) {
		wantWaiting := func(want ...string) {
			t.Helper()
			got, err := s.books.WaitingActors(s.ctx)
			s.must(err)
			if !slices.Equal(got, want) {
				t.Errorf("waiting actors %v, want %v", got, want)
			}
		}
		wantDue := func(want *time.Time) {
			t.Helper()
			got, err := s.books.NextDue(s.ctx, post)
			s.must(err)
			if diff := cmp.Diff(want, got); diff != "" {
				t.Error("next due:", diff)
			}
		}
		wantWaiting()
		wantDue(nil)
		m := s.member("a")
		m.Plan.Deliveries = append(m.Plan.Deliveries, s.plan(m.Alert, "cfg_other").Deliveries[0])
		m.Plan.Deliveries[1].ActorID = "act_00000000-another"
		m.Plan.Promised = 2
		s.raise(m)
		wantWaiting("act_00000000-another", post)
		wantDue(&s.now)

		c := s.claim(post, 1)[0]
		wantDue(nil)
		wantWaiting("act_00000000-another", post) // a leased one is waited for, too
		s.queue("a")                              // behind the leased one of its line
		wantDue(nil)
		e := s.settlement(c, dispatch.OutcomeDeferred, dispatch.Pending)
		later := s.now.Add(time.Minute)
		e.NextAt = &later
		s.settle(e)
		wantDue(&later)
		s.pass(time.Minute)
		for len(s.claim(post, 1)) > 0 {
			s.settle(s.settlement(dispatch.Claimed{Delivery: s.leased()}, dispatch.OutcomeDelivered, dispatch.Sent))
		}
		wantWaiting("act_00000000-another")
		wantDue(nil)
	})
}

// leased is the one delivery that is leased.
func (s *stage) leased() dispatch.Delivery {
	s.t.Helper()
	rows, err := deliveryTable.read(s.ctx, s.books.pool, "WHERE x.leased_until IS NOT NULL")
	s.must(err)
	if len(rows) != 1 {
		s.t.Fatalf("%d deliveries are leased, want one", len(rows))
	}
	d, err := deliveryOf(rows[0])
	s.must(err)
	return d
}

// TestCouriersNeverShare: couriers of two processes claim and settle as fast as
// they can; no delivery is held twice, none of one line beside another, and each
// line goes out in its order.
func TestCouriersNeverShare(t *testing.T) {
	eachEngine(t, func(t *testing.T, s *stage) {
		stores := []*books{s.books, s.open()}
		promised := map[string][]string{} // by ticket, in order
		for range 5 {
			for i := range 12 {
				r := s.raise(s.member(fmt.Sprint(i)))[0]
				promised[*r.TicketID] = append(promised[*r.TicketID], r.DeliveryIDs...)
			}
		}
		var mu sync.Mutex
		holding, sent, left := map[string]string{}, map[string][]string{}, 60
		carry := func(b *books) {
			for {
				mu.Lock()
				done := left == 0
				mu.Unlock()
				if done {
					return
				}
				claimed, err := b.Claim(s.ctx, dispatch.Claim{ActorID: post, Now: s.now, Until: s.now.Add(lease), Max: 3})
				if err != nil {
					t.Error("claim:", err)
					return
				}
				mu.Lock()
				for _, c := range claimed {
					line := *c.Delivery.TicketID
					if other := holding[line]; other != "" {
						t.Errorf("%s and %s of one line are held at once", other, c.Delivery.ID)
					}
					holding[line] = c.Delivery.ID
					sent[line] = append(sent[line], c.Delivery.ID)
				}
				mu.Unlock()
				for _, c := range claimed {
					mu.Lock()
					delete(holding, *c.Delivery.TicketID)
					left--
					mu.Unlock()
					if err := b.Settle(s.ctx, []dispatch.Settlement{s.settlement(c, dispatch.OutcomeDelivered, dispatch.Sent)})[0]; err != nil {
						t.Error("settle:", err)
					}
				}
			}
		}
		var all sync.WaitGroup
		for i := range 6 {
			all.Go(func() { carry(stores[i%2]) })
		}
		all.Wait()
		if diff := cmp.Diff(promised, sent); diff != "" {
			t.Error("sent otherwise than promised:", diff)
		}
		if a := s.balances(); a.Delivered != 60 {
			t.Errorf("accounting %+v, want 60 delivered", a)
		}
	})
}

// TestOrderWithinALine: of one ticket through one API config, one at a time.
func TestOrderWithinALine(t *testing.T) {
	eachEngine(t, func(t *testing.T, s *stage) {
		line := s.queue("a", "a", "a")
		wantClaimed := func(want ...string) dispatch.Claimed {
			t.Helper()
			claimed := s.claim(post, 10)
			if !slices.Equal(ids(claimed), want) {
				t.Fatalf("claimed %v, want %v", ids(claimed), want)
			}
			if want == nil {
				return dispatch.Claimed{}
			}
			return claimed[0]
		}
		c := wantClaimed(line[0])
		wantClaimed() // its line waits
		e := s.settlement(c, dispatch.OutcomeDeferred, dispatch.Pending)
		later := s.now.Add(time.Minute)
		e.NextAt = &later
		s.settle(e)
		wantClaimed() // also while the first one waits for its time
		s.pass(time.Minute)
		s.settle(s.settlement(wantClaimed(line[0]), dispatch.OutcomeRefused, dispatch.Failed))
		second := wantClaimed(line[1]) // a failed one no longer blocks

		retried, err := s.books.RetryDeliveries(s.ctx, dispatch.Selection{IDs: line[:1]}, nil, alice, s.now, 10)
		s.must(err)
		if len(retried) != 1 {
			t.Fatalf("retried %v", retried)
		}
		wantClaimed() // the retried one waits for the leased one behind it
		s.settle(s.settlement(second, dispatch.OutcomeDelivered, dispatch.Sent))
		s.settle(s.settlement(wantClaimed(line[0]), dispatch.OutcomeDelivered, dispatch.Sent))
		s.settle(s.settlement(wantClaimed(line[2]), dispatch.OutcomeUncertain, dispatch.Uncertain))
		c = wantClaimed(line[2])
		if c.Delivery.Status != dispatch.Uncertain || c.Delivery.Attempt != 2 {
			t.Errorf("the uncertain one was claimed as %+v", c.Delivery)
		}
		if a := s.balances(); a.Delivered != 2 || a.Uncertain != 1 {
			t.Errorf("accounting %+v", a)
		}
	})
}

func TestSettleKeepsWhatItSays(t *testing.T) {
	eachEngine(t, func(t *testing.T, s *stage) {
		s.queue("a")
		c := s.claim(post, 1)[0]
		s.pass(3 * time.Second)
		reason, status, response, spent := "the receiver said no: \x00\xff", 503, "busy \xc3\x28", 1234567*time.Microsecond
		e := s.settlement(c, dispatch.OutcomeDeferred, dispatch.Pending)
		later := s.now.Add(time.Minute)
		e.Reason, e.NextAt, e.Trying, e.Rendered = &reason, &later, 90*time.Second, dispatch.JSON(`{"text": "hello"}`)
		e.Record.HTTPStatus, e.Record.Error, e.Record.Response, e.Record.Duration = &status, &reason, &response, &spent
		e.Record.Request, e.Ref = dispatch.JSON(`{"url": "https://x.example"}`), dispatch.Ref{ID: "4711", URL: "https://x.example/4711"}
		s.settle(e)

		d := s.delivery(c.Delivery.ID)
		clean, ref, url := "the receiver said no: \uFFFD\uFFFD", "4711", "https://x.example/4711"
		want := c.Delivery
		want.Reason, want.NextAttemptAt, want.Trying, want.Rendered = &clean, &later, e.Trying, e.Rendered
		want.ExternalRef, want.ExternalURL, want.LeasedUntil = &ref, &url, nil
		if diff := cmp.Diff(want, d); diff != "" {
			t.Error("delivery:", diff)
		}
		answer, kind := "busy \uFFFD(", dispatch.OutcomeDeferred
		record := []dispatch.Attempt{{
			DeliveryID: d.ID, Number: 1, StartedAt: noon, Duration: &spent, Outcome: &kind, HTTPStatus: &status, Error: &clean,
			Request: e.Record.Request, Response: &answer,
		}}
		if diff := cmp.Diff(record, s.attempts(d.ID)); diff != "" {
			t.Error("attempts:", diff)
		}
		s.pass(time.Minute)
		s.settle(s.settlement(s.claim(post, 1)[0], dispatch.OutcomeDelivered, dispatch.Sent))
		if d := s.delivery(d.ID); d.FinishedAt == nil || !d.FinishedAt.Equal(s.now) || d.NextAttemptAt != nil || d.Reason != nil || string(d.Rendered) != string(e.Rendered) {
			t.Errorf("delivered, it is %+v", d)
		}
	})
}

// TestLeaseRunsOut: the courier died. Its attempt is lost, and who settles it
// later all the same is too late; only what the receiver calls it is kept.
func TestLeaseRunsOut(t *testing.T) {
	eachEngine(t, func(t *testing.T, s *stage) {
		id := s.queue("a")[0]
		dead := s.claim(post, 1)[0]
		lose := func(want int, to dispatch.DeliveryStatus) {
			t.Helper()
			n, err := s.books.Recover(s.ctx, post, s.now, s.now, to)
			if err != nil || n != want {
				t.Fatalf("recovered %d, %v; want %d", n, err, want)
			}
		}
		lose(0, dispatch.Pending) // it may still live
		s.pass(lease + time.Millisecond)
		if n, err := s.books.Recover(s.ctx, "act_other", s.now, s.now, dispatch.Pending); n != 0 || err != nil {
			t.Errorf("for another actor %d were recovered, %v", n, err)
		}
		lose(1, dispatch.Pending)
		if got := s.attempts(id); *got[0].Outcome != dispatch.OutcomeLost {
			t.Errorf("the attempt ended with %v, want LOST", *got[0].Outcome)
		}
		if d := s.delivery(id); d.Status != dispatch.Pending || d.LeasedUntil != nil || !d.NextAttemptAt.Equal(s.now) || d.Reason == nil {
			t.Errorf("the delivery is %+v", d)
		}

		late := s.settlement(dead, dispatch.OutcomeDelivered, dispatch.Sent)
		late.Ref = dispatch.Ref{ID: "first"}
		s.wantFenced(late)
		next := s.claim(post, 1)[0]
		late.Ref = dispatch.Ref{ID: "second", URL: "https://x.example"}
		s.wantFenced(late) // while the next attempt runs
		d := s.delivery(id)
		if d.Status != dispatch.Pending || d.LeasedUntil == nil || *d.ExternalRef != "first" || *d.ExternalURL != "https://x.example" {
			t.Errorf("after late settlements the delivery is %+v; want it leased, with the first reference", d)
		}
		if got := s.attempts(id); len(got) != 2 || *got[0].Outcome != dispatch.OutcomeLost || got[1].Outcome != nil {
			t.Errorf("after late settlements the attempts are %+v", got)
		}

		s.pass(lease + time.Millisecond)
		lose(1, dispatch.Uncertain) // such a kind can ask
		if d := s.delivery(id); d.Status != dispatch.Uncertain {
			t.Errorf("the delivery is %s, want UNCERTAIN", d.Status)
		}
		s.claim(post, 1)
		s.pass(lease + time.Millisecond)
		lose(1, dispatch.Pending)
		if d := s.delivery(id); d.Status != dispatch.Uncertain {
			t.Errorf("an attempt to ask was lost, and the delivery is %s; it is as uncertain as before", d.Status)
		}
		s.wantFenced(s.settlement(next, dispatch.OutcomeDelivered, dispatch.Sent))
		if a := s.balances(); a.Uncertain != 1 {
			t.Errorf("accounting %+v", a)
		}
	})
}

func (s *stage) wantFenced(e dispatch.Settlement) {
	s.t.Helper()
	if err := s.books.Settle(s.ctx, []dispatch.Settlement{e})[0]; !errors.Is(err, dispatch.ErrFenced) {
		s.t.Errorf("a settlement of %s, attempt %d, gave %v, want ErrFenced", e.DeliveryID, e.Attempt, err)
	}
}

// TestSettleMany: the results follow the order given, and none takes another along.
func TestSettleMany(t *testing.T) {
	eachEngine(t, func(t *testing.T, s *stage) {
		s.queue("a", "b", "c")
		claimed := s.claim(post, 3)
		all := []dispatch.Settlement{
			s.settlement(claimed[0], dispatch.OutcomeDelivered, dispatch.Sent),
			s.settlement(claimed[1], dispatch.OutcomeDelivered, "GONE"), // not in the table
			s.settlement(claimed[2], dispatch.OutcomeDelivered, dispatch.Sent),
			s.settlement(claimed[0], dispatch.OutcomeRefused, dispatch.Failed), // settled already
			{DeliveryID: "dlv_none", Attempt: 1, Status: dispatch.Sent, At: s.now},
		}
		errs := s.books.Settle(s.ctx, all)
		if errs[0] != nil || errs[2] != nil || errs[1] == nil || !errors.Is(errs[3], dispatch.ErrFenced) || !errors.Is(errs[4], dispatch.ErrFenced) {
			t.Errorf("errors %v", errs)
		}
		if d := s.delivery(claimed[1].Delivery.ID); d.Status != dispatch.Pending || d.LeasedUntil == nil {
			t.Errorf("the one with an impossible move is %+v, want it as it was", d)
		}
		if a := s.balances(); a.Delivered != 2 || a.Pending != 1 {
			t.Errorf("accounting %+v", a)
		}
	})
}

func TestFallback(t *testing.T) {
	eachEngine(t, func(t *testing.T, s *stage) {
		s.queue("a")
		c := s.claim(post, 1)[0]
		e := s.settlement(c, dispatch.OutcomeRefused, dispatch.Failed)
		next := c.Delivery
		next.ID, next.APIConfigID, next.FallbackOf, next.Attempt, next.LeasedUntil = dispatch.NewID(dispatch.PrefixDelivery), postText, &c.Delivery.ID, 0, nil
		e.Fallback = &next
		s.settle(e)
		claimed := s.claim(post, 10)
		if !slices.Equal(ids(claimed), []string{next.ID}) || *claimed[0].Delivery.FallbackOf != c.Delivery.ID {
			t.Errorf("claimed %+v, want the fallback", claimed)
		}
		if a := s.balances(); a.Promised != 2 || a.Failed != 1 || a.Pending != 1 {
			t.Errorf("accounting %+v, want two promises, one failed", a)
		}
		s.wantFenced(e) // and a repeat of the settlement promises nothing more
		if a := s.balances(); a.Promised != 2 {
			t.Errorf("a repeated settlement promised again: %+v", a)
		}
	})
}

func TestLinkIsToldOnce(t *testing.T) {
	eachEngine(t, func(t *testing.T, s *stage) {
		s.queue("a", "a")
		for range 2 {
			c := s.claim(post, 1)[0]
			e := s.settlement(c, dispatch.OutcomeDelivered, dispatch.Sent)
			url := "https://x.example/" + c.Delivery.ID
			e.Link = &dispatch.TicketLink{
				ID: dispatch.NewID(dispatch.PrefixTicketLink), TicketID: c.Ticket.ID, ActorID: post, ActorName: "Post", APIConfigID: postPage,
				APIConfigName: "Page", ExternalID: "INC-1",
			}
			e.TicketID = c.Ticket.ID
			e.Touch = func(l dispatch.TicketLink) dispatch.TicketLink {
				l.ExternalURL = &url
				return l.Write(dispatch.TicketOpen, e.At, false)
			}
			s.settle(e)
			s.pass(time.Minute)
			links, err := s.books.LinksOf(s.ctx, []string{c.Ticket.ID})
			s.must(err)
			if l := links[c.Ticket.ID]; len(l) != 1 || *l[0].ExternalURL != url || !l[0].LastSyncedAt.Equal(e.At) {
				t.Errorf("links %+v, want one, as it is now", l)
			}
		}
		s.wantEvents(dispatch.EventOpened, dispatch.EventAlertJoined, dispatch.EventLinked)
		e := s.events()[2]
		if e.By.Name != "Post" || *e.By.ActorID != post || e.LinkID == nil || e.DeliveryID == nil || e.Status != dispatch.TicketOpen {
			t.Errorf("the ledger says of the link %+v", e)
		}
		found, err := s.books.LinksByID(s.ctx, []string{*e.LinkID})
		if err != nil || found[*e.LinkID].ExternalID != "INC-1" {
			t.Errorf("by its id the link is %+v, %v", found, err)
		}
	})
}

func TestHealth(t *testing.T) {
	eachEngine(t, func(t *testing.T, s *stage) {
		s.queue("a", "b", "c", "d", "e", "f")
		reason := "401: the token is not valid"
		end := func(c dispatch.Claimed, health dispatch.HealthStatus) {
			t.Helper()
			e := s.settlement(c, dispatch.OutcomeDeferred, dispatch.Pending)
			later := s.now.Add(time.Hour)
			e.Health, e.NextAt, e.Reason = health, &later, &reason
			s.settle(e)
		}
		attempt := func(health dispatch.HealthStatus) {
			t.Helper()
			end(s.claim(post, 1)[0], health)
		}
		want := func(id string, status dispatch.HealthStatus, failures int) dispatch.Health {
			t.Helper()
			found, err := s.books.Healths(s.ctx, []string{id, "act_never"})
			s.must(err)
			h := found[id]
			if len(found) != 1 || h.Status != status || h.ConsecutiveFailures != failures || h.WaitingDeliveries != 6 {
				t.Fatalf("health %+v, want %s after %d failures, with 6 waiting", found, status, failures)
			}
			return h
		}
		want(post, dispatch.HealthUnknown, 0)
		attempt(dispatch.HealthFailing)
		s.pass(time.Second)
		attempt(dispatch.HealthFailing)
		if h := want(post, dispatch.HealthFailing, 2); *h.LastError != reason || !h.Since.Equal(noon) || h.LastSuccessAt != nil {
			t.Errorf("failing: %+v", h)
		}
		underWay := s.claim(post, 1)[0]
		attempt(dispatch.HealthPaused)
		want(post, dispatch.HealthPaused, 3)
		want(postPage, dispatch.HealthFailing, 3) // it is the actor that waits for a person
		claim := dispatch.Claim{ActorID: post, Now: s.now, Until: s.now.Add(time.Minute), Max: 1}
		if c, err := s.books.Claim(s.ctx, claim); !errors.Is(err, dispatch.ErrPaused) {
			t.Errorf("of a paused actor %d are claimed, %v", len(c), err)
		}
		claim.Paused = true
		c, err := s.books.Claim(s.ctx, claim)
		if s.must(err); len(c) != 1 {
			t.Errorf("in spite of the pause %d are claimed", len(c))
		}
		end(underWay, dispatch.HealthHealthy)
		if h := want(post, dispatch.HealthPaused, 0); !h.LastSuccessAt.Equal(s.now) {
			t.Errorf("paused, with a success after: %+v", h)
		}
		want(postPage, dispatch.HealthHealthy, 0)
		s.must(s.books.Resume(s.ctx, post, s.now))
		s.must(s.books.Resume(s.ctx, postPage, s.now)) // not paused: stays
		want(post, dispatch.HealthUnknown, 0)
		want(postPage, dispatch.HealthHealthy, 0)
		attempt(dispatch.HealthHealthy)
		if h := want(post, dispatch.HealthHealthy, 0); h.LastError != nil {
			t.Errorf("healthy: %+v", h)
		}
	})
}
