package dispatch

import (
	"context"
	"errors"
	"fmt"
	"strings"
	"time"

	"golang.org/x/sync/errgroup"

	"tocsin/dispatch/crash"
)

// maxAlerts is how many alerts one call may raise.
const maxAlerts = 500

// maxRaising is how many alerts may be on their way into the books at once, about
// what the books take in a second or two. Further ones are refused at once: better
// than that all of them wait until their callers have given up.
const maxRaising = 4096

// maxPlans bounds how often a raise is planned again because the configuration
// moved meanwhile; after quickPlans the raise makes this process's changes wait.
const (
	maxPlans   = 5
	quickPlans = 2
)

// Raise takes one alert in: check, plan, store, ring. What it returns without
// an error survives a crash. A *Refusal says what the caller can correct.
func (d *Desk) Raise(ctx context.Context, c Caller, in RaiseAlertInput) (Raised, error) {
	out, err := d.RaiseAll(ctx, c, []RaiseAlertInput{in})
	if err != nil {
		return Raised{}, err
	}
	return out[0], out[0].Err
}

// RaiseAll takes alerts in, each standing or falling alone: Raised.Err says why
// one fell. The error is about the call as a whole.
func (d *Desk) RaiseAll(ctx context.Context, c Caller, in []RaiseAlertInput) ([]Raised, error) {
	if len(in) == 0 {
		return nil, Refuse(CodeRequired, "alerts", "is empty; give at least one alert")
	}
	if len(in) > maxAlerts {
		return nil, Refuse(CodeLimitExceeded, "alerts", fmt.Sprintf("has %d entries; give at most %d", len(in), maxAlerts))
	}
	out := make([]Raised, len(in))
	open := make([]int, 0, len(in)) // those that are not settled yet
	for i := range in {
		if err := refused(in[i].Check()); err != nil {
			out[i].Err = err
			continue
		}
		open = append(open, i)
	}
	n := int64(len(open))
	defer d.raising.Add(-n)
	if others := d.raising.Add(n) - n; others > 0 && others+n > maxRaising {
		return nil, ErrOverloaded
	}
	for try := 0; len(open) > 0; try++ {
		if try == maxPlans {
			return nil, ErrStale
		}
		if err := ctx.Err(); err != nil {
			return nil, err
		}
		stale, err := d.raiseOnce(ctx, c, in, open, out, try >= quickPlans)
		if err != nil {
			return nil, err
		}
		open = stale
	}
	return out, nil
}

// raiseOnce plans and stores those members, and returns those whose
// configuration moved meanwhile.
func (d *Desk) raiseOnce(ctx context.Context, c Caller, in []RaiseAlertInput, open []int, out []Raised, still bool) (stale []int, err error) {
	now := moment()
	if err := d.knowModels(ctx, c, in, open, out); err != nil {
		return nil, err
	}
	if still {
		d.still.RLock()
		defer d.still.RUnlock()
	}
	members, places, err := d.members(ctx, c, in, open, out, now)
	if err != nil || len(members) == 0 {
		return nil, err
	}
	begin := d.beginner(now)
	for i := range members {
		members[i].Begin = begin.begin
	}
	results := d.store.Raise(lasting(ctx), members)
	crash.Point(crash.BeforeAnswer)
	begin.end(results)
	for i, raised := range results {
		place := places[i]
		if errors.Is(raised.Err, ErrStale) {
			stale = append(stale, place)
			continue
		}
		raised.Err = keyRefusal(raised.Err)
		out[place] = raised
		d.ringFor(raised)
	}
	if len(stale) > 0 {
		err = d.reload(ctx)
	}
	return stale, err
}

// members plans each alert over one snapshot of the configuration and of the
// open tickets.
func (d *Desk) members(ctx context.Context, c Caller, in []RaiseAlertInput, open []int, out []Raised, now time.Time) ([]Raising, []int, error) {
	cfg := d.snapshot.Load()
	var members []Raising
	var places []int
	var keys []string
	for _, i := range open {
		if out[i].Err != nil {
			continue // refused by knowModels
		}
		model, ok := cfg.Model(in[i].BehaviorModel)
		if !ok {
			out[i].Err = ErrStale // deleted at this moment
			continue
		}
		r, err := repeat(c, "raiseAlert", in[i].IdempotencyKey, in[i], now)
		if err != nil {
			return nil, nil, err
		}
		alert := in[i].alert(NewID(PrefixAlert), model, c.Origin(), now)
		members = append(members, Raising{Alert: alert, Repeat: r, ConfigurationVersion: cfg.Version})
		places = append(places, i)
		keys = append(keys, alert.DedupKey)
	}
	tickets, err := d.store.OpenTickets(ctx, keys)
	if err != nil {
		return nil, nil, fmt.Errorf("read the open tickets: %w", err)
	}
	// A condition that is cut short counts as true, so that a caller who goes
	// away must not cut it.
	crash.Point(crash.BeforePlan)
	d.planAll(lasting(ctx), cfg, members, tickets, now)
	return members, places, nil
}

// atOnce is how many alerts of one call are planned at the same time where
// lambdas run, which are other processes.
const atOnce = 4

func (d *Desk) planAll(ctx context.Context, cfg *Configuration, members []Raising, tickets map[string]OpenTicket, now time.Time) {
	var plans errgroup.Group
	plans.SetLimit(atOnce)
	for i := range members {
		if len(cfg.Lambdas) == 0 || len(members) == 1 {
			d.planMember(ctx, cfg, &members[i], tickets, now)
			continue
		}
		plans.Go(func() error {
			d.planMember(ctx, cfg, &members[i], tickets, now)
			return nil
		})
	}
	_ = plans.Wait() // no plan fails
}

func (d *Desk) planMember(ctx context.Context, cfg *Configuration, m *Raising, tickets map[string]OpenTicket, now time.Time) {
	if t, ok := tickets[m.Alert.DedupKey]; ok {
		m.Open = &t
	}
	p := d.planner(cfg, m.Alert, now)
	m.Plan = p.plan(ctx, m.Open)
	p.closed = true
	m.Replan = func(open *OpenTicket) Plan { return p.plan(ctx, open) }
}

func (d *Desk) planner(cfg *Configuration, a Alert, now time.Time) *planner {
	return &planner{cfg: cfg, conditions: d.conditions, sandbox: d.options.Sandbox, alert: a, now: now, ids: newPlanIDs()}
}

// knowModels registers the models that nobody knows yet, or refuses their alerts.
func (d *Desk) knowModels(ctx context.Context, c Caller, in []RaiseAlertInput, open []int, out []Raised) error {
	cfg := d.snapshot.Load()
	var unknown []string
	for _, i := range open {
		if _, ok := cfg.Model(in[i].BehaviorModel); ok {
			continue
		}
		if d.options.RejectUnknownModels {
			out[i].Err = Refuse(CodeNotFound, "behaviorModel", "is not registered; create it, or let the server register unknown models (TOCSIN_UNKNOWN_MODELS=register)")
			continue
		}
		unknown = append(unknown, in[i].BehaviorModel)
	}
	if len(unknown) == 0 {
		return nil
	}
	_, err := d.change(ctx, c.Origin(), nil, func(cfg *Configuration, now time.Time) (ConfigurationChange, error) {
		return registerModels(cfg, unknown, c.Origin(), now), nil
	})
	return err
}

func registerModels(cfg *Configuration, names []string, by Origin, now time.Time) ConfigurationChange {
	var change ConfigurationChange
	seen := map[string]bool{}
	for _, name := range names {
		if _, ok := cfg.Model(name); ok || seen[fold(name)] {
			continue
		}
		seen[fold(name)] = true
		m := BehaviorModel{
			ID: NewID(PrefixBehaviorModel), Name: strings.TrimSpace(name), Enabled: true, Severity: Medium,
			Version: 1, CreatedAt: now, UpdatedAt: now,
		}
		change.Put.BehaviorModels = append(change.Put.BehaviorModels, m)
		change.Events = append(change.Events, configured(Created, TypeBehaviorModel, m.ID, m.Name, 1, by, now))
	}
	return change
}

// ringFor wakes the couriers and the watchers of what was raised.
func (d *Desk) ringFor(r Raised) {
	if r.Err != nil || r.IsRepeat {
		return
	}
	for _, id := range r.ActorIDs {
		d.bell.Ring(ringActor(id))
	}
	d.ringLedger()
}
