package db

import (
	"context"
	"fmt"
	"strings"
	"time"

	"tocsin/db/internal/sqlc"
	"tocsin/dispatch"
)

const (
	configurationCounter = "configuration"
	ticketCounter        = "tickets"
)

// folded is a name as it is compared: names are unique whatever their case.
func folded(name string) string { return strings.ToLower(strings.TrimSpace(name)) }

// ConfigurationVersion implements dispatch.ConfigurationStore.
func (b *books) ConfigurationVersion(ctx context.Context) (int64, error) {
	return b.reads.Counter(ctx, configurationCounter)
}

// Configuration implements dispatch.ConfigurationStore.
func (b *books) Configuration(ctx context.Context) (c *dispatch.Configuration, err error) {
	err = b.snapshot(ctx, func(q *sqlc.Queries, _ sqlc.DBTX) error {
		version, err := q.Counter(ctx, configurationCounter)
		if err != nil {
			return fmt.Errorf("configuration version: %w", err)
		}
		nouns, err := b.nouns(ctx, q)
		c = dispatch.NewConfiguration(version, nouns)
		return err
	})
	return c, err
}

func (b *books) nouns(ctx context.Context, q *sqlc.Queries) (n dispatch.Nouns, err error) {
	if n.BehaviorModels, err = all(ctx, q.BehaviorModels, behaviorModelOf); err != nil {
		return n, fmt.Errorf("behavior models: %w", err)
	}
	if n.Actions, err = all(ctx, q.Actions, actionOf); err != nil {
		return n, fmt.Errorf("actions: %w", err)
	}
	if n.APIConfigs, err = all(ctx, q.APIConfigs, apiConfigOf); err != nil {
		return n, fmt.Errorf("API configs: %w", err)
	}
	if n.Actors, err = all(ctx, q.Actors, b.actorOf); err != nil {
		return n, fmt.Errorf("actors: %w", err)
	}
	if n.Lambdas, err = all(ctx, q.Lambdas, lambdaOf); err != nil {
		return n, fmt.Errorf("lambdas: %w", err)
	}
	return n, nil
}

// all runs a query and converts its rows.
func all[R, N any](ctx context.Context, query func(context.Context) ([]R, error), convert func(R) (N, error)) ([]N, error) {
	rows, err := query(ctx)
	if err != nil {
		return nil, err
	}
	return each(rows, convert)
}

// APIConfigAt implements dispatch.ConfigurationStore.
func (b *books) APIConfigAt(ctx context.Context, id string, version int) (dispatch.APIConfig, error) {
	r, err := b.reads.APIConfigVersion(ctx, sqlc.APIConfigVersionParams{ID: id, Version: wide(version)})
	if isNone(err) {
		return dispatch.APIConfig{}, fmt.Errorf("API config %s at version %d: %w", id, version, dispatch.ErrNotFound)
	}
	if err != nil {
		return dispatch.APIConfig{}, err
	}
	return apiConfigOf(sqlc.APIConfig{
		ID: r.ID, Name: r.Name, Kind: r.Kind, ActorID: r.ActorID, Settings: r.Settings, FallbackID: r.FallbackID,
		Version: r.Version, CreatedAt: r.CreatedAt, UpdatedAt: r.UpdatedAt,
	})
}

// Configure implements dispatch.ConfigurationStore.
func (b *books) Configure(ctx context.Context, c dispatch.ConfigurationChange) (string, error) {
	var names []string
	if c.Repeat != nil {
		names = append(names, repeatLock(*c.Repeat))
	}
	var firstID string
	err := b.writer.write(ctx, names, func(ctx context.Context, t *tx) error {
		answer, err := t.repeated(ctx, c.Repeat, c.At)
		if err != nil {
			return err
		}
		if answer != nil {
			firstID = *answer
			return nil
		}
		firstID = c.ID
		return b.configure(ctx, t, c)
	})
	if err != nil {
		return "", err
	}
	return firstID, nil
}

func (b *books) configure(ctx context.Context, t *tx, c dispatch.ConfigurationChange) error {
	moved, err := t.BumpConfiguration(ctx, c.Base)
	if err != nil {
		return fmt.Errorf("configuration version: %w", err)
	}
	if moved == 0 {
		return dispatch.ErrStale
	}
	for _, id := range c.Remove {
		if err := t.remove(ctx, id); err != nil {
			return fmt.Errorf("remove %s: %w", id, err)
		}
	}
	if err := b.put(ctx, t, c.Put); err != nil {
		return err
	}
	for _, id := range c.Resume {
		if err := t.EndPause(ctx, sqlc.EndPauseParams{ID: id, Since: ms(c.At)}); err != nil {
			return fmt.Errorf("resume %s: %w", id, err)
		}
	}
	for _, e := range c.Events {
		t.noteConfiguration(e)
	}
	return t.remember(ctx, c.Repeat, c.ID, c.At)
}

func (t *tx) noteConfiguration(e dispatch.ConfigurationEvent) {
	t.ledger = append(t.ledger, entry{configuration: &sqlc.ConfigurationEvent{
		HappenedAt: ms(e.At), Origin: encodeOrigin(e.By), ChangeKind: text(e.Kind), TargetType: text(e.Type),
		TargetID: e.TargetID, TargetName: e.TargetName, Version: wide(e.Version),
	}})
}

// remove deletes a configured thing; the id's prefix says of which sort.
func (t *tx) remove(ctx context.Context, id string) error {
	switch dispatch.IDPrefix(id) {
	case dispatch.PrefixBehaviorModel:
		return t.RemoveBehaviorModel(ctx, id)
	case dispatch.PrefixAction:
		return t.RemoveAction(ctx, id)
	case dispatch.PrefixLambda:
		return t.RemoveLambda(ctx, id)
	case dispatch.PrefixAPIConfig:
		if err := t.RemoveHealth(ctx, id); err != nil {
			return err
		}
		return t.RemoveAPIConfig(ctx, id)
	case dispatch.PrefixActor:
		if err := t.RemoveHealth(ctx, id); err != nil {
			return err
		}
		return t.RemoveActor(ctx, id)
	default:
		return fmt.Errorf("the id %s is not one of a configured thing", id)
	}
}

func (b *books) put(ctx context.Context, t *tx, n dispatch.Nouns) error {
	for _, m := range n.BehaviorModels {
		if err := t.PutBehaviorModel(ctx, behaviorModelRow(m)); err != nil {
			return fmt.Errorf("behavior model %s: %w", m.Name, err)
		}
	}
	for _, a := range n.Actions {
		if err := t.PutAction(ctx, actionRow(a)); err != nil {
			return fmt.Errorf("action %s: %w", a.Name, err)
		}
	}
	for _, a := range n.APIConfigs {
		if err := t.putAPIConfig(ctx, a); err != nil {
			return fmt.Errorf("API config %s: %w", a.Name, err)
		}
	}
	for _, l := range n.Lambdas {
		if err := t.putLambda(ctx, l); err != nil {
			return fmt.Errorf("lambda %s: %w", l.Name, err)
		}
	}
	for _, a := range n.Actors {
		if err := t.PutActor(ctx, b.actorRow(a)); err != nil {
			return fmt.Errorf("actor %s: %w", a.Name, err)
		}
	}
	return nil
}

func (t *tx) putAPIConfig(ctx context.Context, a dispatch.APIConfig) error {
	row := apiConfigRow(a)
	if err := t.PutAPIConfig(ctx, row); err != nil {
		return err
	}
	return t.KeepAPIConfigVersion(ctx, sqlc.KeepAPIConfigVersionParams{
		ID: row.ID, Version: row.Version, Name: row.Name, Kind: row.Kind, ActorID: row.ActorID, Settings: row.Settings,
		FallbackID: row.FallbackID, CreatedAt: row.CreatedAt, UpdatedAt: row.UpdatedAt,
	})
}

func behaviorModelRow(m dispatch.BehaviorModel) sqlc.PutBehaviorModelParams {
	return sqlc.PutBehaviorModelParams{
		ID: m.ID, Name: m.Name, FoldedName: folded(m.Name), ModelGroup: m.Group, Description: m.Description, Enabled: m.Enabled,
		Severity: rank(m.Severity), Version: wide(m.Version), CreatedAt: ms(m.CreatedAt), UpdatedAt: ms(m.UpdatedAt),
	}
}

func behaviorModelOf(r sqlc.BehaviorModel) (dispatch.BehaviorModel, error) {
	return dispatch.BehaviorModel{
		ID: r.ID, Name: r.Name, Group: r.ModelGroup, Description: r.Description, Enabled: r.Enabled, Severity: severity(r.Severity),
		Version: narrow(r.Version), CreatedAt: moment(r.CreatedAt), UpdatedAt: moment(r.UpdatedAt),
	}, nil
}

func actionRow(a dispatch.Action) sqlc.PutActionParams {
	return sqlc.PutActionParams{
		ID: a.ID, Name: a.Name, FoldedName: folded(a.Name), Description: a.Description, Enabled: a.Enabled,
		BehaviorModelIds: encode(a.BehaviorModelIDs), BehaviorGroups: encode(a.BehaviorGroups), AllModels: a.AllModels,
		Condition: a.Condition, LambdaIds: encode(noNil(a.LambdaIDs)), APIConfigIds: encode(a.APIConfigIDs), TicketPolicy: text(a.TicketPolicy), Renotify: text(a.Renotify),
		RenotifyAfter: maybe(a.RenotifyAfter, time.Duration.Milliseconds), Version: wide(a.Version),
		CreatedAt: ms(a.CreatedAt), UpdatedAt: ms(a.UpdatedAt),
	}
}

func actionOf(r sqlc.Action) (dispatch.Action, error) {
	a := dispatch.Action{
		ID: r.ID, Name: r.Name, Description: r.Description, Enabled: r.Enabled, AllModels: r.AllModels, Condition: r.Condition,
		TicketPolicy: dispatch.TicketPolicy(r.TicketPolicy), Renotify: dispatch.Renotify(r.Renotify),
		RenotifyAfter: maybe(r.RenotifyAfter, func(ms int64) time.Duration { return time.Duration(ms) * time.Millisecond }),
		Version:       narrow(r.Version), CreatedAt: moment(r.CreatedAt), UpdatedAt: moment(r.UpdatedAt),
	}
	var err error
	if a.BehaviorModelIDs, err = decode[[]string]("behavior models", r.BehaviorModelIds); err != nil {
		return a, err
	}
	if a.BehaviorGroups, err = decode[[]string]("behavior groups", r.BehaviorGroups); err != nil {
		return a, err
	}
	if a.APIConfigIDs, err = decode[[]string]("API configs", r.APIConfigIds); err != nil {
		return a, err
	}
	a.LambdaIDs, err = decode[[]string]("lambdas", r.LambdaIds)
	return a, err
}

func apiConfigRow(a dispatch.APIConfig) sqlc.PutAPIConfigParams {
	return sqlc.PutAPIConfigParams{
		ID: a.ID, Name: a.Name, FoldedName: folded(a.Name), Kind: a.Kind, ActorID: a.ActorID, Settings: string(a.Settings),
		FallbackID: a.FallbackID, Version: wide(a.Version), CreatedAt: ms(a.CreatedAt), UpdatedAt: ms(a.UpdatedAt),
	}
}

func apiConfigOf(r sqlc.APIConfig) (dispatch.APIConfig, error) {
	return dispatch.APIConfig{
		ID: r.ID, Name: r.Name, Kind: r.Kind, ActorID: r.ActorID, Settings: dispatch.JSON(r.Settings), FallbackID: r.FallbackID,
		Version: narrow(r.Version), CreatedAt: moment(r.CreatedAt), UpdatedAt: moment(r.UpdatedAt),
	}, nil
}

func (b *books) actorRow(a dispatch.Actor) sqlc.PutActorParams {
	changed := make(map[string]int64, len(a.SecretAt))
	for field, at := range a.SecretAt {
		changed[field] = ms(at)
	}
	return sqlc.PutActorParams{
		ID: a.ID, Name: a.Name, FoldedName: folded(a.Name), Kind: a.Kind, BuiltIn: a.BuiltIn, Enabled: a.Enabled,
		Settings: string(a.Settings), Secrets: b.keyring.sealSecrets(a), SecretAt: encode(changed), Version: wide(a.Version),
		CreatedAt: ms(a.CreatedAt), UpdatedAt: ms(a.UpdatedAt), Sync: text(a.Sync),
	}
}

func (b *books) actorOf(r sqlc.Actor) (dispatch.Actor, error) {
	secrets, err := b.keyring.unsealSecrets(r.ID, r.Secrets)
	if err != nil {
		return dispatch.Actor{}, err
	}
	changed, err := decode[map[string]int64]("secret times", r.SecretAt)
	at := make(map[string]time.Time, len(changed))
	for field, ms := range changed {
		at[field] = moment(ms)
	}
	return dispatch.Actor{
		ID: r.ID, Name: r.Name, Kind: r.Kind, BuiltIn: r.BuiltIn, Enabled: r.Enabled, Settings: dispatch.JSON(r.Settings), Sync: dispatch.SyncDirection(r.Sync),
		Secrets: secrets, SecretAt: at, Version: narrow(r.Version), CreatedAt: moment(r.CreatedAt), UpdatedAt: moment(r.UpdatedAt),
	}, err
}
