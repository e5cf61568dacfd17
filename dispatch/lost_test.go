package dispatch_test

import (
	"context"
	"fmt"
	"strings"
	"testing"
	"time"

	"tocsin/dispatch"
)

// TestLostWhileBusy: an attempt that nobody settles is found however much else
// its actor has to carry.
func TestLostWhileBusy(t *testing.T) {
	onStage(t, func(s *stage) {
		s.post.then(dispatch.Deferred(errNo).After(10 * time.Second))
		s.action(nil, s.config("post", dispatch.CreateAPIConfigInput{}))
		id := s.raise("Sign-in", "bob").DeliveryIDs[0]
		s.after(time.Second)
		due := time.Now().UTC().Add(10 * time.Second)
		claimed, err := s.store.Claim(s.t.Context(), dispatch.Claim{
			ActorID: dispatch.BuiltInActorID("post"), Now: due, Until: due.Add(time.Minute), Max: 1,
		})
		if err != nil || len(claimed) != 1 {
			t.Fatalf("claimed %d, %v", len(claimed), err)
		}
		for i := range 120 {
			s.raise("Sign-in", fmt.Sprint(i))
			s.after(time.Second)
		}
		s.wantStatus(id, dispatch.Sent)
		s.balances()
	})
}

// TestNoActorLeft: what is promised through an API config that has lost its
// actor does not wait for ever, and no action may name such a one.
func TestNoActorLeft(t *testing.T) {
	onStage(t, func(s *stage) {
		s.post.then(dispatch.Refused(errNo))
		actor, err := s.desk.CreateActor(s.t.Context(), admin, dispatch.CreateActorInput{Type: "hire", Name: "Temp"})
		s.must(err)
		second := s.config("hire", dispatch.CreateAPIConfigInput{ActorID: &actor.ID})
		s.action(nil, s.config("post", dispatch.CreateAPIConfigInput{FallbackID: &second.ID}))
		force := true
		_, err = s.desk.DeleteActor(s.t.Context(), admin, dispatch.DeleteInput{ID: actor.ID, Force: &force})
		s.must(err)
		s.raise("Sign-in", "bob")
		s.after(time.Minute)
		if a := s.balances(); a.Promised != 2 || a.Failed != 2 {
			t.Errorf("accounting %+v, want the delivery and its fallback to have failed", a)
		}
		if notices := s.notices(); len(notices) != 2 || !strings.Contains(notices[0].Message, "deleted") {
			t.Errorf("notices %+v", notices)
		}
		all := true
		_, err = s.desk.CreateAction(s.t.Context(), admin, dispatch.CreateActionInput{Name: "New", AllModels: &all, APIConfigIDs: []string{second.ID}})
		if err == nil || !strings.Contains(err.Error(), "apiConfigIds.0") || !strings.Contains(err.Error(), "actor") {
			t.Errorf("an action through it: %v", err)
		}
	})
}

// TestOldActorHoldsBackNoNewOne: an API config that was moved away from an actor
// that does not work delivers at once, also for tickets that were open then.
func TestOldActorHoldsBackNoNewOne(t *testing.T) {
	onStage(t, func(s *stage) {
		s.post.then(dispatch.Misconfigured(errNo))
		config := s.config("post", dispatch.CreateAPIConfigInput{})
		always := dispatch.RenotifyAlways
		s.action(func(in *dispatch.CreateActionInput) { in.Renotify = &always }, config)
		old := s.raise("first", "bob").DeliveryIDs[0]
		s.after(time.Second)
		actor, err := s.desk.CreateActor(s.t.Context(), admin, dispatch.CreateActorInput{Type: "post", Name: "Second"})
		s.must(err)
		_, err = s.desk.UpdateAPIConfig(s.t.Context(), admin, dispatch.UpdateAPIConfigInput{ID: config.ID, ActorID: dispatch.Given(&actor.ID)})
		s.must(err)
		fresh := s.raise("second", "bob").DeliveryIDs[0]
		s.after(time.Second)
		s.wantStatus(old, dispatch.Pending)
		s.wantStatus(fresh, dispatch.Sent)
	})
}

// TestMendedMeanwhile: a call that began with the old settings does not pause
// the actor that has been mended since.
func TestMendedMeanwhile(t *testing.T) {
	onStage(t, func(s *stage) {
		s.post.do(func(dispatch.Parcel) dispatch.Outcome {
			<-time.After(5 * time.Second)
			return dispatch.Misconfigured(errNo)
		})
		s.action(nil, s.config("post", dispatch.CreateAPIConfigInput{}))
		id := s.raise("Sign-in", "bob").DeliveryIDs[0]
		s.after(time.Second)
		_, err := s.desk.UpdateActor(s.t.Context(), admin, dispatch.UpdateActorInput{
			ID: dispatch.BuiltInActorID("post"), Secrets: dispatch.Given(dispatch.JSON(`{"token": "new"}`)),
		})
		s.must(err)
		s.after(time.Minute)
		s.wantStatus(id, dispatch.Sent)
		if notices := s.notices(); len(notices) != 0 {
			t.Errorf("notices %+v, want none", notices)
		}
	})
}

// TestActorFallsWhenMade: a messenger that cannot even be made without a panic
// loses nothing and ends no process.
func TestActorFallsWhenMade(t *testing.T) {
	onStage(t, func(s *stage) {
		s.action(nil, s.config("post", dispatch.CreateAPIConfigInput{}))
		fallen := false
		s.post.opening = func() {
			if !fallen {
				fallen = true
				panic("nil map")
			}
		}
		id := s.raise("Sign-in", "bob").DeliveryIDs[0]
		s.after(time.Minute)
		s.wantStatus(id, dispatch.Sent)
		if first := s.attempts(id)[0]; *first.Outcome != dispatch.OutcomeUncertain {
			t.Errorf("the attempt that fell is on record as %s", *first.Outcome)
		}
	})
}

// hasty are books whose callers go away while a transaction is under way: what
// was asked is written, and they do not hear of it.
type hasty struct {
	dispatch.Store
	leave  func()
	replan *dispatch.Plan
}

// Raise stores the alerts while the caller leaves.
func (h *hasty) Raise(ctx context.Context, members []dispatch.Raising) []dispatch.Raised {
	if h.leave == nil {
		return h.Store.Raise(ctx, members)
	}
	h.leave()
	again := members[0].Replan(members[0].Open)
	h.replan = &again
	raised := h.Store.Raise(context.WithoutCancel(ctx), members)
	if ctx.Err() != nil {
		raised = []dispatch.Raised{{Err: dispatch.ErrOutcomeUnknown}}
	}
	return raised
}

// Configure changes the configuration while the caller leaves.
func (h *hasty) Configure(ctx context.Context, c dispatch.ConfigurationChange) (string, error) {
	if h.leave == nil {
		return h.Store.Configure(ctx, c)
	}
	h.leave()
	first, err := h.Store.Configure(context.WithoutCancel(ctx), c)
	if ctx.Err() != nil {
		return "", dispatch.ErrOutcomeUnknown
	}
	return first, err
}

// leaving are books whose caller leaves at the next write.
func (s *stage) leaving() (*hasty, context.Context) {
	ctx, leave := context.WithCancel(s.t.Context())
	s.t.Cleanup(leave)
	return &hasty{Store: s.store, leave: leave}, ctx
}

// TestCallerLeavesWhileRaising: the alert is in the books, so its couriers and
// its watchers hear of it at once, and its condition is not taken for broken.
func TestCallerLeavesWhileRaising(t *testing.T) {
	onStage(t, func(s *stage) {
		s.action(nil, s.config("post", dispatch.CreateAPIConfigInput{}))
		condition := `alert.risks.exists(r, r == "none of them")`
		s.action(func(in *dispatch.CreateActionInput) { in.Name, in.Condition = "Never", &condition }, s.config("talk", dispatch.CreateAPIConfigInput{}))
		s.raise("first", "eve")
		s.after(time.Second)
		s.rest()
		books, ctx := s.leaving()
		s.sit(books)
		s.work()
		w, err := s.desk.WatchTickets(s.t.Context(), "", nil, nil)
		s.must(err)
		var opened int
		go func() {
			for range w.C {
				opened++
			}
		}()
		_, _ = s.desk.Raise(ctx, admin, dispatch.RaiseAlertInput{BehaviorModel: "Model", Summary: "second", Risks: make100()})
		s.after(time.Second)
		if calls := s.post.seen(); len(calls) != 2 || opened == 0 {
			t.Errorf("%d calls, %d events a second later, want 2 and some", len(calls), opened)
		}
		for _, d := range books.replan.Decisions {
			if d.ActionName == "Never" && d.Verdict != dispatch.ConditionFalse {
				t.Errorf("planned again: %+v", d)
			}
		}
	})
}

func make100() []string {
	out := make([]string, 100)
	for i := range out {
		out[i] = fmt.Sprint("risk ", i)
	}
	return out
}

// TestCallerLeavesWhileConfiguring: what was written is what holds, and what is
// shown.
func TestCallerLeavesWhileConfiguring(t *testing.T) {
	onStage(t, func(s *stage) {
		s.rest()
		books, ctx := s.leaving()
		s.sit(books)
		s.work()
		disabled, id := false, dispatch.BuiltInActorID("post")
		_, _ = s.desk.UpdateActor(ctx, admin, dispatch.UpdateActorInput{ID: id, Enabled: dispatch.Given(&disabled)})
		cfg, err := s.desk.Configuration(s.t.Context())
		s.must(err)
		if cfg.Actors[id].Enabled {
			t.Error("the actor is disabled in the books and enabled in the hub")
		}
	})
}
