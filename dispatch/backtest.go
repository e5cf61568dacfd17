package dispatch

import (
	"bytes"
	"context"
	"fmt"
	"time"

	"golang.org/x/sync/errgroup"
)

// BacktestInput is a draft and the stored alerts to try it on.
type BacktestInput struct {
	Draft ActionDraft
	Since time.Time
	Until *time.Time
	Limit int // alerts, the newest first
	First int // cases listed of each sort
}

// Backtest is how a draft would have decided otherwise.
type Backtest struct {
	Considered    int
	Unchanged     int
	NewlyFiring   []BacktestCase
	NoLongerFires []BacktestCase
	Changed       []BacktestCase
}

// BacktestCase is an alert that was decided otherwise.
type BacktestCase struct {
	Alert         Alert
	Before, After Decision
}

// Bounds of a backtest.
const (
	maxBacktest      = 100_000
	maxBacktestCases = 1_000
	backtestTime     = 60 * time.Second
	backtestPage     = 500
)

// BacktestAction decides stored alerts of a period once by the stored action
// that a draft changes (a new one fired for none), and once by the draft. Each is
// taken as the first of its ticket: how tickets stood then is not kept. It stops
// when a minute is over, and then has considered fewer than were asked for.
func (d *Desk) BacktestAction(ctx context.Context, _ Caller, in BacktestInput) (Backtest, error) {
	cfg := d.snapshot.Load()
	var check checker
	if in.Limit < 1 || in.Limit > maxBacktest {
		check.add(CodeInvalid, "limit", fmt.Sprintf("is outside 1 to %d; give a number within them", maxBacktest))
	}
	if in.First < 0 || in.First > maxBacktestCases {
		check.add(CodeInvalid, "first", fmt.Sprintf("is outside 0 to %d; give a number within them", maxBacktestCases))
	}
	check.moment("since", &in.Since)
	check.moment("until", in.Until)
	if err := refused(check.problems); err != nil {
		return Backtest{}, err
	}
	after, draft, err := d.drafted(cfg, in.Draft)
	if err != nil {
		return Backtest{}, err
	}
	b := backtest{desk: d, before: cfg, after: after, action: draft.ID, first: in.First}
	bounded, cancel := context.WithTimeout(ctx, backtestTime)
	defer cancel()
	if err := b.run(bounded, in); err != nil && bounded.Err() == nil {
		return Backtest{}, err
	}
	return b.out, ctx.Err()
}

// backtest is one under way.
type backtest struct {
	desk          *Desk
	before, after *Configuration
	action        string
	first         int
	out           Backtest
}

// run goes through the alerts page by page, the newest first.
func (b *backtest) run(ctx context.Context, in BacktestInput) error {
	filter := AlertFilter{Since: &in.Since, Until: in.Until}
	page := Page{First: min(backtestPage, in.Limit)}
	for {
		found, err := b.desk.Alerts(ctx, filter, page)
		if err != nil {
			return fmt.Errorf("read the alerts: %w", err)
		}
		if err := b.decide(ctx, found.Items); err != nil {
			return err
		}
		left := in.Limit - b.out.Considered
		if !found.HasNext || left <= 0 {
			return nil
		}
		page.After, page.First = found.End, min(backtestPage, left)
	}
}

// decide decides a page of alerts, several at once: lambdas run elsewhere.
func (b *backtest) decide(ctx context.Context, alerts []Alert) error {
	cases := make([]BacktestCase, len(alerts))
	var plans errgroup.Group
	plans.SetLimit(atOnce)
	for i, a := range alerts {
		plans.Go(func() error {
			cases[i] = BacktestCase{Alert: a, Before: b.decision(ctx, b.before, a), After: b.decision(ctx, b.after, a)}
			return ctx.Err()
		})
	}
	if err := plans.Wait(); err != nil {
		return err
	}
	for _, c := range cases {
		b.count(c)
	}
	return nil
}

// decision is what the action decides of an alert under a configuration. One
// that does not exist there, or does not apply, says so.
func (b *backtest) decision(ctx context.Context, cfg *Configuration, a Alert) Decision {
	p := b.desk.planner(cfg, a, a.ReceivedAt)
	action, ok := cfg.Actions[b.action]
	if !ok {
		return Decision{AlertID: a.ID, ActionID: b.action, ActionName: "draft", Verdict: ModelNotCovered, Reason: "there is no such action yet", Problems: []string{}}
	}
	model, _ := cfg.Model(a.BehaviorModel)
	if !cfg.Covers(action, model) {
		return p.decision(action, ModelNotCovered, fmt.Sprintf("the action does not apply to the behavior model %s", a.BehaviorModel))
	}
	d, _, _ := p.decide(ctx, action, model, nil)
	return d
}

func (b *backtest) count(c BacktestCase) {
	b.out.Considered++
	add := func(to *[]BacktestCase) {
		if len(*to) < b.first {
			*to = append(*to, c)
		}
	}
	was, is := c.Before.Verdict == Fired, c.After.Verdict == Fired
	switch {
	case is && !was:
		add(&b.out.NewlyFiring)
	case was && !is:
		add(&b.out.NoLongerFires)
	case c.Before.sameAs(c.After):
		b.out.Unchanged++
	default:
		add(&b.out.Changed)
	}
}

// sameAs tells whether two decisions come to the same: the verdict, and what was
// made of the alert.
func (d Decision) sameAs(other Decision) bool {
	if d.Verdict != other.Verdict || len(d.Problems) != len(other.Problems) || len(d.Trace.Lambdas) != len(other.Trace.Lambdas) {
		return false
	}
	for i, l := range d.Trace.Lambdas {
		if !bytes.Equal(l.Difference, other.Trace.Lambdas[i].Difference) {
			return false
		}
	}
	return true
}
