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

// plan works out what follows from an alert: one decision for each action that
// applies to its model, and for up to 20 that nearly do; the ticket; the
// deliveries. It asks nobody and stores nothing.
func plan(ctx context.Context, cfg *Configuration, conditions Conditions, a Alert, open *OpenTicket, now time.Time, ids *planIDs) Plan {
	model, _ := cfg.Model(a.BehaviorModel)
	p := Plan{Ticket: NoTicket, NewTicket: openedBy(ids.ticket, a)}
	misses := 0
	for _, action := range cfg.ordered {
		if !cfg.Covers(action, model) {
			if misses < nearMisses && nearlyCovers(cfg, action, model) {
				misses++
				p.Decisions = append(p.Decisions, decision(a, action, ModelNotCovered, fmt.Sprintf("the action does not apply to the behavior model %s", model.Name)))
			}
			continue
		}
		decided := decide(ctx, conditions, a, action, model, open, now)
		p.Decisions = append(p.Decisions, decided)
		switch decided.Verdict {
		case Fired:
			p.fire(cfg, a, action, now, ids)
		case HeldByRenotify:
			p.belong(action)
		default:
		}
	}
	return p
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

// decide says whether an action that applies fires. A condition that cannot be
// evaluated fails open: better one page too many than one that never came.
func decide(ctx context.Context, conditions Conditions, a Alert, action Action, model BehaviorModel, open *OpenTicket, now time.Time) Decision {
	if !model.Enabled {
		return decision(a, action, ModelDisabled, fmt.Sprintf("the behavior model %s is disabled", model.Name))
	}
	if !action.Enabled {
		return decision(a, action, ActionDisabled, "the action is disabled")
	}
	if action.TicketPolicy != PerDedupKey {
		open = nil
	}
	var problems []string
	if action.Condition != nil {
		var ticket *Ticket
		if open != nil {
			ticket = &open.Ticket
		}
		holds, _, err := conditions.Evaluate(ctx, *action.Condition, a, ticket, now)
		if err != nil {
			problems = append(problems, "the condition failed and was taken as true: "+err.Error())
		} else if !holds {
			return decision(a, action, ConditionFalse, "the condition is false for this alert")
		}
	}
	if held := heldBack(a, action, open, now); held != "" {
		return decision(a, action, HeldByRenotify, held)
	}
	d := decision(a, action, Fired, fmt.Sprintf("the action applies to the behavior model %s", model.Name))
	if action.Condition != nil && problems == nil {
		d.Reason += " and its condition is true"
	}
	d.Problems = append(d.Problems, problems...)
	return d
}

func decision(a Alert, action Action, v Verdict, reason string) Decision {
	return Decision{AlertID: a.ID, ActionID: action.ID, ActionName: action.Name, Verdict: v, Reason: reason, Problems: []string{}}
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
func (p *Plan) fire(cfg *Configuration, a Alert, action Action, now time.Time, ids *planIDs) {
	p.Fired = append(p.Fired, action.ID)
	p.Promised += len(action.APIConfigIDs)
	p.belong(action)
	for _, id := range action.APIConfigIDs {
		p.Deliveries = append(p.Deliveries, promise(cfg, cfg.APIConfigs[id], Delivery{
			ID: ids.delivery(action.ID, id), Kind: Notify, ActionID: &action.ID, ActionName: &action.Name, AlertID: a.ID,
		}, now))
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
