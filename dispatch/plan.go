package dispatch

import (
	"context"
	"fmt"
	"time"
)

// planIDs gives a plan's things the same ids each time it is made again.
type planIDs struct {
	ticket     string
	deliveries map[string]string // by action and API config
}

func newPlanIDs() *planIDs {
	return &planIDs{ticket: NewID(PrefixTicket), deliveries: map[string]string{}}
}

func (p *planIDs) delivery(action, config string) string {
	key := action + "/" + config
	if p.deliveries[key] == "" {
		p.deliveries[key] = NewID(PrefixDelivery)
	}
	return p.deliveries[key]
}

// nearMisses bounds how many decisions are kept of actions that do not apply
// but nearly do.
const nearMisses = 20

// planner works out what follows from one alert over one configuration. It
// asks nobody but the sandbox, and stores nothing.
type planner struct {
	cfg        *Configuration
	conditions Conditions
	sandbox    Sandbox
	alert      Alert
	now        time.Time
	ids        *planIDs
	ran        map[string]ran // by action: what its lambdas made of the alert
	closed     bool           // inside the books' transaction, where no lambda is run
}

// plan gives one decision for each action that applies to the alert's model, and
// for up to 20 that nearly do; the ticket; the deliveries. Made again for
// another ticket, it does not run lambdas that have run.
func (p *planner) plan(ctx context.Context, open *OpenTicket) Plan {
	model, _ := p.cfg.Model(p.alert.BehaviorModel)
	out := Plan{Ticket: NoTicket, NewTicket: openedBy(p.ids.ticket, p.alert)}
	misses := 0
	for _, action := range p.cfg.ordered {
		if !p.cfg.Covers(action, model) {
			if misses < nearMisses && nearlyCovers(p.cfg, action, model) {
				misses++
				out.Decisions = append(out.Decisions, p.decision(action, ModelNotCovered, fmt.Sprintf("the action does not apply to the behavior model %s", model.Name)))
			}
			continue
		}
		decided, change, ready := p.decide(ctx, action, model, open)
		out.Unready = out.Unready || !ready
		out.Decisions = append(out.Decisions, decided)
		switch decided.Verdict {
		case Fired:
			p.fire(&out, action, change)
		case HeldByRenotify:
			out.belong(action)
		default:
		}
	}
	return out
}

// nearlyCovers tells whether an action applies to a model of the same group.
func nearlyCovers(cfg *Configuration, action Action, model BehaviorModel) bool {
	if model.Group == nil {
		return false
	}
	for _, id := range action.BehaviorModelIDs {
		other := cfg.BehaviorModels[id]
		if other.Group != nil && fold(*other.Group) == fold(*model.Group) {
			return true
		}
	}
	return false
}

// decide says whether an action that applies fires, and what its lambdas changed
// of the alert. A condition that cannot be evaluated fails open: better one page
// too many than one that never came. It is not ready where a lambda must run first.
func (p *planner) decide(ctx context.Context, action Action, model BehaviorModel, open *OpenTicket) (d Decision, change JSON, ready bool) {
	if !model.Enabled {
		return p.decision(action, ModelDisabled, fmt.Sprintf("the behavior model %s is disabled", model.Name)), nil, true
	}
	if !action.Enabled {
		return p.decision(action, ActionDisabled, "the action is disabled"), nil, true
	}
	if action.TicketPolicy != PerDedupKey {
		open = nil
	}
	d = p.decision(action, Fired, fmt.Sprintf("the action applies to the behavior model %s", model.Name))
	if !p.holds(ctx, action, open, &d) {
		return d, nil, true
	}
	alert := p.alert
	if len(action.LambdaIDs) > 0 {
		r, ready := p.run(ctx, action, open)
		if !ready {
			return d, nil, false
		}
		d.Trace.Lambdas, d.Problems = r.traces, append(d.Problems, r.problems...)
		if r.verdict != "" {
			d.Verdict, d.Reason = r.verdict, r.reason
			return d, nil, true
		}
		alert, change = r.alert, r.change
	}
	if held := heldBack(alert, action, open, p.now); held != "" {
		d.Verdict, d.Reason = HeldByRenotify, held
	}
	return d, change, true
}

// holds evaluates an action's condition and notes on the decision what it found.
func (p *planner) holds(ctx context.Context, action Action, open *OpenTicket, d *Decision) bool {
	if action.Condition == nil {
		return true
	}
	holds, clauses, err := p.conditions.Evaluate(ctx, *action.Condition, p.alert, ticketOf(open), p.now)
	d.Trace.Condition = clauses
	switch {
	case err != nil:
		d.Problems = append(d.Problems, "the condition failed and was taken as true: "+err.Error())
	case !holds:
		d.Verdict, d.Reason = ConditionFalse, "the condition is false for this alert"
		return false
	default:
		d.Reason += " and its condition is true"
	}
	return true
}

func ticketOf(open *OpenTicket) *Ticket {
	if open == nil {
		return nil
	}
	return &open.Ticket
}

func (p *planner) decision(action Action, v Verdict, reason string) Decision {
	return Decision{AlertID: p.alert.ID, ActionID: action.ID, ActionName: action.Name, Verdict: v, Reason: reason, Problems: []string{}}
}

// heldBack says why an alert that joins a ticket does not go out again; "" when
// it does. An action that never fired for the ticket is not held back.
func heldBack(a Alert, action Action, open *OpenTicket, now time.Time) string {
	if open == nil {
		return ""
	}
	last, before := open.Fired[action.ID]
	if !before {
		return ""
	}
	switch action.Renotify {
	case RenotifyNever:
		return fmt.Sprintf("the alert joins T-%d and the action notifies once a ticket", open.Number)
	case RenotifyWhenMoreSevere:
		if a.Severity.Rank() <= open.Severity.Rank() {
			return fmt.Sprintf("the alert joins T-%d and is not more severe than it (%s)", open.Number, open.Severity)
		}
	case RenotifyAfterInterval:
		if action.RenotifyAfter != nil && now.Before(last.Add(*action.RenotifyAfter)) {
			return fmt.Sprintf("the alert joins T-%d and the action notified for it at %s, less than %s ago",
				open.Number, last.UTC().Format(time.RFC3339), action.RenotifyAfter)
		}
	case RenotifyAlways:
	}
	return ""
}

// fire adds what a fired action causes: its deliveries and its ticket policy.
func (p *planner) fire(out *Plan, action Action, change JSON) {
	out.Fired = append(out.Fired, action.ID)
	out.Promised += len(action.APIConfigIDs)
	out.belong(action)
	for _, id := range action.APIConfigIDs {
		out.Deliveries = append(out.Deliveries, promise(p.cfg, p.cfg.APIConfigs[id], Delivery{
			ID: p.ids.delivery(action.ID, id), Kind: Notify, ActionID: &action.ID, ActionName: &action.Name, AlertID: p.alert.ID,
			AlertChange: change,
		}, p.now))
	}
}

// belong gives the alert the ticket that the action's policy asks for; an alert
// that is held back joins its ticket all the same.
func (p *Plan) belong(action Action) {
	if action.TicketPolicy == PerAlert || (action.TicketPolicy == PerDedupKey && p.Ticket == NoTicket) {
		p.Ticket = action.TicketPolicy
	}
}

// promise fills in a delivery through an API config. One whose actor is
// disabled waits as any other: health says why. One whose actor was deleted is
// given to that actor's line all the same, where it fails with the reason.
func promise(cfg *Configuration, config APIConfig, d Delivery, now time.Time) Delivery {
	actor, ok := cfg.ActorOf(config)
	if !ok {
		actor = Actor{ID: config.actorID(), Name: "(deleted)"}
	}
	d.Status, d.CreatedAt, d.NextAttemptAt = Pending, now, &now
	d.APIConfigID, d.APIConfigName, d.APIConfigVersion = config.ID, config.Name, config.Version
	d.ActorID, d.ActorName, d.ActorKind = actor.ID, actor.Name, config.Kind
	return d
}
