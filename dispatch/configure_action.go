package dispatch

import (
	"context"
	"fmt"
	"slices"
	"strings"
	"time"
)

// maxReferences bounds how many things an action names of one sort.
const maxReferences = 1000

// maxAPIConfigs bounds the API configs of an action: each is a delivery an alert.
const maxAPIConfigs = 20

// CreateAction makes an action.
func (d *Desk) CreateAction(ctx context.Context, c Caller, in CreateActionInput) (Action, error) {
	id := NewID(PrefixAction)
	err := d.create(ctx, c, "createAction", in.IdempotencyKey, in, &id, func(e *edit) (ConfigurationChange, string) {
		a := Action{
			ID: id, Name: in.Name, Description: in.Description, Enabled: orDefault(in.Enabled, true),
			BehaviorModelIDs: in.BehaviorModelIDs, BehaviorGroups: in.BehaviorGroups, AllModels: orDefault(in.AllModels, false),
			Condition: in.Condition, LambdaIDs: in.LambdaIDs, APIConfigIDs: in.APIConfigIDs, TicketPolicy: orDefault(in.TicketPolicy, PerDedupKey),
			Renotify: orDefault(in.Renotify, RenotifyWhenMoreSevere), RenotifyAfter: in.RenotifyAfter,
			Version: 1, CreatedAt: e.now, UpdatedAt: e.now,
		}
		d.checkAction(e, &a)
		return ConfigurationChange{
			Put:    Nouns{Actions: []Action{a}},
			Events: []ConfigurationEvent{configured(Created, TypeAction, id, a.Name, 1, c.Origin(), e.now)},
		}, id
	})
	return answered(d.snapshot.Load().Actions, id, err)
}

// UpdateAction changes an action.
func (d *Desk) UpdateAction(ctx context.Context, c Caller, in UpdateActionInput) (Action, error) {
	err := d.update(ctx, c, func(e *edit) (ConfigurationChange, error) {
		a, ok := e.cfg.Actions[in.ID]
		if !ok {
			return ConfigurationChange{}, unknown("id", "action")
		}
		e.version(in.ExpectedVersion, a.Version)
		in.apply(e, &a)
		a.Version, a.UpdatedAt = a.Version+1, e.now
		d.checkAction(e, &a)
		return ConfigurationChange{
			Put:    Nouns{Actions: []Action{a}},
			Events: []ConfigurationEvent{configured(Updated, TypeAction, a.ID, a.Name, a.Version, c.Origin(), e.now)},
		}, nil
	})
	return answered(d.snapshot.Load().Actions, in.ID, err)
}

// apply lays a change over an action.
func (in UpdateActionInput) apply(e *edit, a *Action) {
	must(e, "name", in.Name, &a.Name)
	must(e, "enabled", in.Enabled, &a.Enabled)
	must(e, "allModels", in.AllModels, &a.AllModels)
	must(e, "ticketPolicy", in.TicketPolicy, &a.TicketPolicy)
	must(e, "renotify", in.Renotify, &a.Renotify)
	in.Description.apply(&a.Description)
	in.Condition.apply(&a.Condition)
	in.RenotifyAfter.apply(&a.RenotifyAfter)
	in.BehaviorModelIDs.apply(&a.BehaviorModelIDs)
	in.BehaviorGroups.apply(&a.BehaviorGroups)
	in.LambdaIDs.apply(&a.LambdaIDs)
	in.APIConfigIDs.apply(&a.APIConfigIDs)
}

// checkAction checks an action, and makes an empty condition an absent one.
func (d *Desk) checkAction(e *edit, a *Action) {
	if a.Condition != nil && strings.TrimSpace(*a.Condition) == "" {
		a.Condition = nil
	}
	e.name(a.Name, a.ID, func(folded string) string { return actionNamed(e.cfg, folded) })
	e.optional("description", a.Description, maxText)
	if !a.AllModels && len(a.BehaviorModelIDs) == 0 && len(a.BehaviorGroups) == 0 {
		e.add(CodeRequired, "behaviorModelIds", "is empty; name behavior models, or groups, or set allModels")
	}
	e.bounded("behaviorModelIds", len(a.BehaviorModelIDs), maxReferences)
	references(e, "behaviorModelIds", "behavior model", a.BehaviorModelIDs, e.cfg.BehaviorModels)
	e.bounded("behaviorGroups", len(a.BehaviorGroups), maxReferences)
	for _, g := range a.BehaviorGroups {
		e.text("behaviorGroups", g, maxName)
	}
	if len(a.APIConfigIDs) == 0 {
		e.add(CodeRequired, "apiConfigIds", "is empty; name at least one API config")
	}
	e.bounded("apiConfigIds", len(a.APIConfigIDs), maxAPIConfigs)
	references(e, "apiConfigIds", "API config", a.APIConfigIDs, e.cfg.APIConfigs)
	e.checkDeliverable(a.APIConfigIDs)
	e.bounded("lambdaIds", len(a.LambdaIDs), maxLambdas)
	references(e, "lambdaIds", "lambda", a.LambdaIDs, e.cfg.Lambdas)
	d.checkCondition(e, a.Condition)
	e.checkRenotify(a)
}

// checkDeliverable refuses API configs whose actor was deleted.
func (e *edit) checkDeliverable(apiConfigIDs []string) {
	for i, id := range apiConfigIDs {
		config, exists := e.cfg.APIConfigs[id]
		if _, works := e.cfg.ActorOf(config); exists && !works {
			e.add(CodeInvalidState, fmt.Sprintf("apiConfigIds.%d", i), "names "+config.Name+", whose actor was deleted; give it another actor first")
		}
	}
}

func (d *Desk) checkCondition(e *edit, condition *string) {
	if condition == nil {
		return
	}
	e.optional("condition", condition, maxText)
	if len(e.problems) > 0 {
		return
	}
	if err := d.conditions.Check(*condition); err != nil {
		e.add(CodeInvalid, "condition", "cannot be used: "+err.Error())
	}
}

func (e *edit) checkRenotify(a *Action) {
	if !slices.Contains([]TicketPolicy{PerDedupKey, PerAlert, NoTicket}, a.TicketPolicy) {
		e.add(CodeInvalid, "ticketPolicy", "is not one of PER_DEDUP_KEY, PER_ALERT, NEVER")
	}
	if !slices.Contains([]Renotify{RenotifyAlways, RenotifyWhenMoreSevere, RenotifyAfterInterval, RenotifyNever}, a.Renotify) {
		e.add(CodeInvalid, "renotify", "is not one of ALWAYS, WHEN_MORE_SEVERE, AFTER_INTERVAL, NEVER")
	}
	if a.Renotify == RenotifyAfterInterval && a.RenotifyAfter == nil {
		e.add(CodeRequired, "renotifyAfter", "is missing; AFTER_INTERVAL needs the time, such as PT1H")
	}
	if a.RenotifyAfter != nil && (*a.RenotifyAfter < time.Second || *a.RenotifyAfter > 366*24*time.Hour) {
		e.add(CodeInvalid, "renotifyAfter", "is outside PT1S to P366D; give a time within them")
	}
}

func (e *edit) bounded(field string, n, most int) {
	if n > most {
		e.add(CodeLimitExceeded, field, "has too many entries; give at most "+number(&most))
	}
}

func actionNamed(cfg *Configuration, folded string) string {
	for _, a := range cfg.ordered {
		if fold(a.Name) == folded {
			return a.ID
		}
	}
	return ""
}
