package dispatch

import (
	"context"
	"fmt"
	"maps"
)

// DryRunInput names the alert, stored or given, and may bring a draft.
type DryRunInput struct {
	AlertID *string
	Alert   *RaiseAlertInput
	Draft   *ActionDraft // tried beside the stored actions, in place of the one it changes
}

// ActionDraft is an action that is not saved: a change of a stored one, or a new
// one where ID is "".
type ActionDraft struct{ UpdateActionInput }

// DryRun is what would follow from an alert.
type DryRun struct {
	Decisions       []Decision // with the requests that would be sent
	WouldOpenTicket bool
	WouldJoinTicket *Ticket
}

// DryRun works out what would follow from an alert, on the path that raising
// takes; it stores and sends nothing.
func (d *Desk) DryRun(ctx context.Context, c Caller, in DryRunInput) (DryRun, error) {
	cfg := d.snapshot.Load()
	if in.AlertID == nil && in.Alert == nil {
		return DryRun{}, Refuse(CodeRequired, "alertId", "and alert are both missing; name a stored alert, or give one")
	}
	if in.Draft != nil {
		var err error
		if cfg, _, err = d.drafted(cfg, *in.Draft); err != nil {
			return DryRun{}, err
		}
	}
	alert, err := d.alertToTest(ctx, c, cfg, in.AlertID, in.Alert)
	if err != nil {
		return DryRun{}, err
	}
	if cfg, err = d.knowing(cfg, alert); err != nil {
		return DryRun{}, err
	}
	tickets, err := d.store.OpenTickets(ctx, []string{alert.DedupKey})
	if err != nil {
		return DryRun{}, fmt.Errorf("read the open ticket: %w", err)
	}
	var open *OpenTicket
	if t, ok := tickets[alert.DedupKey]; ok {
		open = &t
	}
	plan := d.planner(cfg, alert, alert.ReceivedAt).plan(ctx, open)
	out := DryRun{Decisions: plan.Decisions}
	ticket := ticketOf(open)
	switch {
	case plan.Ticket == NoTicket:
		ticket = nil
	case plan.Ticket == PerAlert || ticket == nil:
		out.WouldOpenTicket, ticket = true, &plan.NewTicket
	default:
		joined := ticket.Join(alert)
		out.WouldJoinTicket, ticket = ticket, &joined
	}
	return out, d.sketchAll(ctx, c, cfg, alert, ticket, plan, out.Decisions)
}

// sketchAll adds to each decision what it would send.
func (d *Desk) sketchAll(ctx context.Context, c Caller, cfg *Configuration, a Alert, t *Ticket, plan Plan, decisions []Decision) error {
	for _, promised := range plan.Deliveries {
		if err := ctx.Err(); err != nil {
			return err
		}
		alert, err := a.With(promised.AlertChange)
		if err != nil {
			return err
		}
		config := cfg.APIConfigs[promised.APIConfigID]
		actor, ok := cfg.ActorOf(config)
		request := RenderedRequest{APIConfigID: config.ID, APIConfigName: config.Name, Request: JSON("{}")}
		if ok {
			request = d.sketch(ctx, c, config, actor, alert, t)
		} else {
			request.trouble(errGone.Error())
		}
		for i := range decisions {
			if decisions[i].ActionID == *promised.ActionID {
				decisions[i].Requests = append(decisions[i].Requests, request)
			}
		}
	}
	return nil
}

// knowing is the configuration as it would be once the alert's model was
// registered.
func (d *Desk) knowing(cfg *Configuration, a Alert) (*Configuration, error) {
	if _, ok := cfg.Model(a.BehaviorModel); ok {
		return cfg, nil
	}
	if d.options.RejectUnknownModels {
		return nil, Refuse(CodeNotFound, "alert.behaviorModel", "is not registered; create it, or let the server register unknown models (TOCSIN_UNKNOWN_MODELS=register)")
	}
	return cfg.with(registerModels(cfg, []string{a.BehaviorModel}, System, a.ReceivedAt)), nil
}

// drafted is the configuration with a draft in it.
func (d *Desk) drafted(cfg *Configuration, draft ActionDraft) (*Configuration, Action, error) {
	e := &edit{cfg: cfg, now: moment()}
	a, ok := cfg.Actions[draft.ID]
	if !ok && draft.ID != "" {
		return nil, a, unknown("draft.id", "action")
	}
	if !ok {
		a = Action{ID: NewID(PrefixAction), Name: "draft", Enabled: true, TicketPolicy: PerDedupKey, Renotify: RenotifyWhenMoreSevere, CreatedAt: e.now}
	}
	draft.apply(e, &a)
	a.Version, a.UpdatedAt = a.Version+1, e.now
	d.checkAction(e, &a)
	var problems []UserError
	for _, p := range e.problems {
		// A draft is looked at before it is whole, and beside the one it may become.
		if p.Code != CodeRequired && p.Code != CodeAlreadyExists {
			p.Path = append([]string{"draft"}, p.Path...)
			problems = append(problems, p)
		}
	}
	return cfg.with(ConfigurationChange{Put: Nouns{Actions: []Action{a}}}), a, refused(problems)
}

// PreviewInput is an API config, stored or a draft, and an alert.
type PreviewInput struct {
	ID        *string
	ActorType *string
	Settings  JSON // of a draft, or over the stored ones
	AlertID   *string
	Alert     *RaiseAlertInput
}

// PreviewAPIConfig tells what an API config would send for an alert; without
// one, for an invented one.
func (d *Desk) PreviewAPIConfig(ctx context.Context, c Caller, in PreviewInput) (RenderedRequest, error) {
	cfg := d.snapshot.Load()
	config, actor, err := d.previewed(ctx, cfg, in)
	if err != nil {
		return RenderedRequest{}, err
	}
	alert, err := d.alertToTest(ctx, c, cfg, in.AlertID, in.Alert)
	if err != nil {
		return RenderedRequest{}, err
	}
	ticket := openedBy(NewID(PrefixTicket), alert)
	return d.sketch(ctx, c, config, actor, alert, &ticket), nil
}

func (d *Desk) previewed(ctx context.Context, cfg *Configuration, in PreviewInput) (APIConfig, Actor, error) {
	e := &edit{cfg: cfg, now: moment()}
	config := APIConfig{Name: "draft"}
	switch {
	case in.ID != nil:
		stored, ok := cfg.APIConfigs[*in.ID]
		if !ok {
			return config, Actor{}, unknown("id", "API config")
		}
		config = stored
	case in.ActorType != nil:
		config.Kind = *in.ActorType
	default:
		return config, Actor{}, Refuse(CodeRequired, "id", "and actorType are both missing; name an API config, or the actor type of a draft")
	}
	kind, ok := d.Kind(config.Kind)
	if !ok {
		return config, Actor{}, Refuse(CodeInvalid, "actorType", fmt.Sprintf("%q is not an actor type; see actorTypes", config.Kind))
	}
	if in.ID == nil {
		config.Settings = Defaults(kind.ConfigSettings)
	}
	config.Settings = e.merge(config.Settings, in.Settings)
	_, problems := Fill(kind.ConfigSettings, config.Settings, nil)
	if err := refused(append(e.problems, problems...)); err != nil {
		return config, Actor{}, err
	}
	if err := d.checkLogic(ctx, kind, config.Settings); err != nil {
		return config, Actor{}, err
	}
	actor, ok := cfg.ActorOf(config)
	if !ok { // a draft has no actor yet: any of its type tells what would be sent
		actor = anyOf(cfg, kind)
	}
	return config, actor, nil
}

// anyOf is the first actor of a kind by name, or one with default settings.
func anyOf(cfg *Configuration, kind Kind) Actor {
	found := Actor{Kind: kind.Name, Settings: Defaults(kind.Settings)}
	for a := range maps.Values(cfg.Actors) {
		if a.Kind == kind.Name && (found.ID == "" || fold(a.Name) < fold(found.Name)) {
			found = a
		}
	}
	return found
}
