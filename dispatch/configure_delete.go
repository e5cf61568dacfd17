package dispatch

import (
	"context"
	"fmt"
	"slices"
	"strings"
	"time"
)

// DeleteBehaviorModel deletes a behavior model. Its alerts keep its name.
// When it is in use it returns the users' ids with a refusal IN_USE, unless
// forced: then actions lose it, and those left with none are disabled.
func (d *Desk) DeleteBehaviorModel(ctx context.Context, c Caller, in DeleteInput) (usedBy []string, err error) {
	return d.remove(ctx, c, in, func(cfg *Configuration) (thing, bool) {
		m, ok := cfg.BehaviorModels[in.ID]
		t := thing{TypeBehaviorModel, m.Name, m.Version, nil}
		for _, a := range cfg.ordered {
			if slices.Contains(a.BehaviorModelIDs, in.ID) {
				t.users = append(t.users, user{a.ID, a.Name, func(n *Nouns, now time.Time) {
					a.BehaviorModelIDs = without(a.BehaviorModelIDs, in.ID)
					a.Enabled = a.Enabled && (a.AllModels || len(a.BehaviorModelIDs) > 0 || len(a.BehaviorGroups) > 0)
					n.Actions = append(n.Actions, touched(a, now))
				}})
			}
		}
		return t, ok
	})
}

// DeleteAction deletes an action. What it has promised is still delivered.
func (d *Desk) DeleteAction(ctx context.Context, c Caller, in DeleteInput) (usedBy []string, err error) {
	return d.remove(ctx, c, in, func(cfg *Configuration) (thing, bool) {
		a, ok := cfg.Actions[in.ID]
		return thing{TypeAction, a.Name, a.Version, nil}, ok
	})
}

// DeleteAPIConfig deletes an API config. Forced, actions and fallbacks lose it,
// and actions left with none are disabled.
func (d *Desk) DeleteAPIConfig(ctx context.Context, c Caller, in DeleteInput) (usedBy []string, err error) {
	return d.remove(ctx, c, in, func(cfg *Configuration) (thing, bool) {
		config, ok := cfg.APIConfigs[in.ID]
		t := thing{TypeAPIConfig, config.Name, config.Version, nil}
		for _, a := range cfg.UsedBy(in.ID) {
			t.users = append(t.users, user{a.ID, a.Name, func(n *Nouns, now time.Time) {
				a.APIConfigIDs = without(a.APIConfigIDs, in.ID)
				a.Enabled = a.Enabled && len(a.APIConfigIDs) > 0
				n.Actions = append(n.Actions, touched(a, now))
			}})
		}
		for _, other := range cfg.APIConfigs {
			if other.FallbackID != nil && *other.FallbackID == in.ID {
				t.users = append(t.users, user{other.ID, other.Name, func(n *Nouns, now time.Time) {
					other.FallbackID = nil
					other.Version, other.UpdatedAt = other.Version+1, now
					n.APIConfigs = append(n.APIConfigs, other)
				}})
			}
		}
		return t, ok
	})
}

// DeleteActor deletes an actor that was added. Forced, the API configs that
// name it lose it; those of a kind that needs an actor cannot work without it,
// so the actions lose them too.
func (d *Desk) DeleteActor(ctx context.Context, c Caller, in DeleteInput) (usedBy []string, err error) {
	if a, ok := d.snapshot.Load().Actors[in.ID]; ok && a.BuiltIn {
		return nil, Refuse(CodeInvalidState, "id", a.Name+" is built in and cannot be deleted; disable it instead")
	}
	return d.remove(ctx, c, in, func(cfg *Configuration) (thing, bool) {
		actor, ok := cfg.Actors[in.ID]
		t := thing{TypeActor, actor.Name, actor.Version, nil}
		for _, config := range cfg.APIConfigs {
			if config.ActorID != nil && *config.ActorID == in.ID {
				t.users = append(t.users, user{config.ID, config.Name, func(n *Nouns, now time.Time) {
					config.ActorID = nil
					config.Version, config.UpdatedAt = config.Version+1, now
					n.APIConfigs = append(n.APIConfigs, config)
					d.disableUsers(cfg, config, n, now)
				}})
			}
		}
		return t, ok
	})
}

// disableUsers disables the actions that deliver only through API configs that
// cannot work any more.
func (d *Desk) disableUsers(cfg *Configuration, config APIConfig, n *Nouns, now time.Time) {
	if kind, ok := d.Kind(config.Kind); ok && !kind.NeedsActor() {
		return
	}
	for _, a := range cfg.UsedBy(config.ID) {
		if i := slices.IndexFunc(n.Actions, func(put Action) bool { return put.ID == a.ID }); i >= 0 {
			a = n.Actions[i]
			n.Actions = slices.Delete(n.Actions, i, i+1)
		} else {
			a = touched(a, now)
		}
		a.APIConfigIDs = without(a.APIConfigIDs, config.ID)
		a.Enabled = a.Enabled && len(a.APIConfigIDs) > 0
		n.Actions = append(n.Actions, a)
	}
}

// thing is what is to be deleted, with those who refer to it.
type thing struct {
	sort    ConfigurationType
	name    string
	version int
	users   []user
}

// user refers to a thing; release makes it do without.
type user struct {
	id, name string
	release  func(n *Nouns, now time.Time)
}

func (d *Desk) remove(ctx context.Context, c Caller, in DeleteInput, find func(cfg *Configuration) (thing, bool)) (usedBy []string, err error) {
	err = d.update(ctx, c, func(e *edit) (ConfigurationChange, error) {
		t, ok := find(e.cfg)
		if !ok {
			return ConfigurationChange{}, unknown("id", "such thing")
		}
		usedBy = nil
		e.version(in.ExpectedVersion, t.version)
		change := ConfigurationChange{
			Remove: []string{in.ID},
			Events: []ConfigurationEvent{configured(Deleted, t.sort, in.ID, t.name, t.version, c.Origin(), e.now)},
		}
		if len(t.users) > 0 && !orDefault(in.Force, false) {
			var names []string
			for _, u := range t.users {
				usedBy, names = append(usedBy, u.id), append(names, u.name)
			}
			e.add(CodeInUse, "id", fmt.Sprintf("is in use by %s; change them first, or force the deletion", strings.Join(names, ", ")))
			return change, nil
		}
		for _, u := range t.users {
			u.release(&change.Put, e.now)
		}
		for _, a := range change.Put.Actions {
			change.Events = append(change.Events, configured(Updated, TypeAction, a.ID, a.Name, a.Version, c.Origin(), e.now))
		}
		for _, a := range change.Put.APIConfigs {
			change.Events = append(change.Events, configured(Updated, TypeAPIConfig, a.ID, a.Name, a.Version, c.Origin(), e.now))
		}
		return change, nil
	})
	return usedBy, err
}

func touched(a Action, now time.Time) Action {
	a.Version, a.UpdatedAt = a.Version+1, now
	return a
}

func without(ids []string, id string) []string {
	return slices.DeleteFunc(slices.Clone(ids), func(other string) bool { return other == id })
}
