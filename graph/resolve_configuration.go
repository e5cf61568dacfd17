package graph

import (
	"context"
	"time"

	"tocsin/dispatch"
	"tocsin/graph/internal/gen"
	"tocsin/graph/internal/page"
)

func (r behaviorModels) Actions(ctx context.Context, m *dispatch.BehaviorModel) ([]dispatch.Action, error) {
	cfg, err := r.desk.Configuration(ctx)
	if err != nil {
		return nil, err
	}
	return cfg.ActionsOf(*m), nil
}

func (r behaviorModels) Alerts(ctx context.Context, m *dispatch.BehaviorModel, first *int, after *string) (page.AlertConnection, error) {
	f := dispatch.AlertFilter{BehaviorModels: []string{m.Name}}
	return connection(ctx, first, after, f, r.desk.Alerts, r.desk.CountAlerts)
}

func (r actions) BehaviorModels(ctx context.Context, a *dispatch.Action) ([]dispatch.BehaviorModel, error) {
	cfg, err := r.desk.Configuration(ctx)
	return among(orZero(cfg).BehaviorModels, a.BehaviorModelIDs), err
}

func (r actions) APIConfigs(ctx context.Context, a *dispatch.Action) ([]dispatch.APIConfig, error) {
	cfg, err := r.desk.Configuration(ctx)
	return among(orZero(cfg).APIConfigs, a.APIConfigIDs), err
}

func (r actions) LastFiredAt(ctx context.Context, a *dispatch.Action) (*time.Time, error) {
	stats, _, err := loadersOf(ctx).stats.load(ctx, a.ID)
	return stats.LastFiredAt, err
}

func (r actions) FailedDeliveries(ctx context.Context, a *dispatch.Action) (int, error) {
	stats, _, err := loadersOf(ctx).stats.load(ctx, a.ID)
	return stats.FailedDeliveries, err
}

func (r actions) Deliveries(ctx context.Context, a *dispatch.Action, first *int, after *string, filter *dispatch.DeliveryFilter) (page.DeliveryConnection, error) {
	f := orZero(filter)
	if elsewhere(f.ActionID, a.ID) {
		return page.DeliveryConnection{}, refuse(gen.ErrorCodeBadRequest, "filter.actionId is another action's; leave it out")
	}
	f.ActionID = &a.ID
	return connection(ctx, first, after, f, r.desk.Deliveries, r.desk.CountDeliveries)
}

func (r apiConfigs) ActorType(_ context.Context, a *dispatch.APIConfig) (dispatch.Kind, error) {
	return r.kind(a.Kind), nil
}

func (r apiConfigs) Actor(ctx context.Context, a *dispatch.APIConfig) (*dispatch.Actor, error) {
	cfg, err := r.desk.Configuration(ctx)
	return find(orZero(cfg).Actors, a.ActorID), err
}

func (r apiConfigs) Fallback(ctx context.Context, a *dispatch.APIConfig) (*dispatch.APIConfig, error) {
	cfg, err := r.desk.Configuration(ctx)
	return find(orZero(cfg).APIConfigs, a.FallbackID), err
}

func (r apiConfigs) UsedBy(ctx context.Context, a *dispatch.APIConfig) ([]dispatch.Action, error) {
	cfg, err := r.desk.Configuration(ctx)
	if err != nil {
		return nil, err
	}
	return cfg.UsedBy(a.ID), nil
}

func (r apiConfigs) Health(ctx context.Context, a *dispatch.APIConfig) (dispatch.Health, error) {
	return health(ctx, a.ID)
}

func (r apiConfigs) Deliveries(ctx context.Context, a *dispatch.APIConfig, first *int, after *string, filter *dispatch.DeliveryFilter) (page.DeliveryConnection, error) {
	f := orZero(filter)
	if elsewhere(f.APIConfigID, a.ID) {
		return page.DeliveryConnection{}, refuse(gen.ErrorCodeBadRequest, "filter.apiConfigId is another API config's; leave it out")
	}
	f.APIConfigID = &a.ID
	return connection(ctx, first, after, f, r.desk.Deliveries, r.desk.CountDeliveries)
}

func (r actors) Type(_ context.Context, a *dispatch.Actor) (dispatch.Kind, error) {
	return r.kind(a.Kind), nil
}

func (r actors) Secrets(_ context.Context, a *dispatch.Actor) ([]dispatch.SecretState, error) {
	fields := dispatch.SecretFields(r.kind(a.Kind).Settings)
	out := make([]dispatch.SecretState, len(fields))
	for i, field := range fields {
		out[i].Field = field
		if at, ok := a.SecretAt[field]; ok {
			out[i].IsSet, out[i].ChangedAt = true, &at
		}
	}
	return out, nil
}

func (r actors) InboundURL(_ context.Context, a *dispatch.Actor) (*string, error) {
	if url := r.desk.InboundURL(*a); url != "" {
		return &url, nil
	}
	return nil, nil //nolint:nilnil // null is the answer
}

func (r actors) Health(ctx context.Context, a *dispatch.Actor) (dispatch.Health, error) {
	return health(ctx, a.ID)
}

func (r actors) APIConfigs(ctx context.Context, a *dispatch.Actor) ([]dispatch.APIConfig, error) {
	cfg, err := r.desk.Configuration(ctx)
	if err != nil {
		return nil, err
	}
	return cfg.APIConfigsOf(a.ID), nil
}

func (actorTypes) ActorSchema(_ context.Context, k *dispatch.Kind) (dispatch.JSON, error) {
	return dispatch.Schema(k.Settings), nil
}

func (actorTypes) APIConfigSchema(_ context.Context, k *dispatch.Kind) (dispatch.JSON, error) {
	return dispatch.Schema(k.ConfigSettings), nil
}

func (actorTypes) DefaultSettings(_ context.Context, k *dispatch.Kind) (dispatch.JSON, error) {
	return dispatch.Defaults(k.ConfigSettings), nil
}

func (r configEvents) Node(ctx context.Context, e *dispatch.ConfigurationEvent) (page.Node, error) {
	return r.configured(ctx, e.TargetID)
}

func (r origins) Actor(ctx context.Context, o *dispatch.Origin) (*dispatch.Actor, error) {
	cfg, err := r.desk.Configuration(ctx)
	return find(orZero(cfg).Actors, o.ActorID), err
}

// noSettings are the settings of a kind that this build does not know.
type noSettings struct{}

// kind is the actor type of that name. Of one that an older build knew, its
// name is left.
func (r resolver) kind(name string) dispatch.Kind {
	if k, ok := r.desk.Kind(name); ok {
		return k
	}
	return dispatch.Kind{
		Name: name, Title: name, Description: "This build does not know this actor type.",
		Settings: &noSettings{}, ConfigSettings: &noSettings{}, DefaultName: name,
	}
}

func health(ctx context.Context, id string) (dispatch.Health, error) {
	h, ok, err := loadersOf(ctx).healths.load(ctx, id)
	if !ok {
		h.Status = dispatch.HealthUnknown
	}
	return h, err
}

// elsewhere tells whether a filter names another thing than the one it hangs below.
func elsewhere(filter *string, id string) bool { return filter != nil && *filter != id }
