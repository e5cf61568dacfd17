package dispatch

import (
	"context"
	"encoding/json"
	"fmt"
)

// CreateAPIConfig makes an API config: the kind's defaults with the given
// settings over them.
func (d *Desk) CreateAPIConfig(ctx context.Context, c Caller, in CreateAPIConfigInput) (APIConfig, error) {
	id := NewID(PrefixAPIConfig)
	if kind, ok := d.Kind(in.ActorType); ok {
		if err := d.checkLogic(ctx, kind, in.Settings); err != nil {
			return APIConfig{}, err
		}
	}
	err := d.create(ctx, c, "createApiConfig", in.IdempotencyKey, in, &id, func(e *edit) (ConfigurationChange, string) {
		a := APIConfig{
			ID: id, Kind: in.ActorType, ActorID: in.ActorID, FallbackID: in.FallbackID,
			Version: 1, CreatedAt: e.now, UpdatedAt: e.now,
		}
		kind, ok := d.Kind(in.ActorType)
		if !ok {
			e.add(CodeInvalid, "actorType", fmt.Sprintf("%q is not an actor type; see actorTypes", in.ActorType))
			return ConfigurationChange{}, id
		}
		a.Name = orDefault(in.Name, freeName(e.cfg, kind.DefaultName))
		a.Settings = e.merge(Defaults(kind.ConfigSettings), in.Settings)
		d.checkAPIConfig(e, &a, kind)
		return ConfigurationChange{
			Put:    Nouns{APIConfigs: []APIConfig{a}},
			Events: []ConfigurationEvent{configured(Created, TypeAPIConfig, id, a.Name, 1, c.Origin(), e.now)},
		}, id
	})
	return answered(d.snapshot.Load().APIConfigs, id, err)
}

// UpdateAPIConfig changes an API config. What was promised before is still
// sent as it was promised.
func (d *Desk) UpdateAPIConfig(ctx context.Context, c Caller, in UpdateAPIConfigInput) (APIConfig, error) {
	if kind, ok := d.Kind(d.snapshot.Load().APIConfigs[in.ID].Kind); ok && in.Settings.Given {
		if err := d.checkLogic(ctx, kind, in.Settings.Value); err != nil {
			return APIConfig{}, err
		}
	}
	err := d.update(ctx, c, func(e *edit) (ConfigurationChange, error) {
		a, ok := e.cfg.APIConfigs[in.ID]
		if !ok {
			return ConfigurationChange{}, unknown("id", "API config")
		}
		kind, ok := d.Kind(a.Kind)
		if !ok {
			return ConfigurationChange{}, unknown("id", "API config of an actor type of this build")
		}
		e.version(in.ExpectedVersion, a.Version)
		must(e, "name", in.Name, &a.Name)
		in.ActorID.apply(&a.ActorID)
		in.FallbackID.apply(&a.FallbackID)
		if in.Settings.Given {
			a.Settings = e.merge(a.Settings, in.Settings.Value)
		}
		a.Version, a.UpdatedAt = a.Version+1, e.now
		d.checkAPIConfig(e, &a, kind)
		return ConfigurationChange{
			Put:    Nouns{APIConfigs: []APIConfig{a}},
			Events: []ConfigurationEvent{configured(Updated, TypeAPIConfig, a.ID, a.Name, a.Version, c.Origin(), e.now)},
		}, nil
	})
	return answered(d.snapshot.Load().APIConfigs, in.ID, err)
}

func (d *Desk) checkAPIConfig(e *edit, a *APIConfig, kind Kind) {
	e.name(a.Name, a.ID, func(folded string) string { return configNamed(e.cfg, folded) })
	_, problems := Fill(kind.ConfigSettings, a.Settings, nil)
	e.problems = append(e.problems, problems...)
	e.checkActor(a, kind)
	if a.FallbackID != nil {
		e.checkFallback(a)
	}
}

func (e *edit) checkActor(a *APIConfig, kind Kind) {
	if a.ActorID == nil {
		if kind.NeedsActor() {
			e.add(CodeRequired, "actorId", fmt.Sprintf("is missing; an API config of type %s must name an actor of that type", kind.Name))
		}
		return
	}
	actor, ok := e.cfg.Actors[*a.ActorID]
	if !ok {
		e.add(CodeNotFound, "actorId", "names no actor; it may have been deleted")
		return
	}
	if actor.Kind != kind.Name {
		e.add(CodeInvalid, "actorId", fmt.Sprintf("names %s, which is of type %s; name one of type %s", actor.Name, actor.Kind, kind.Name))
	}
}

// checkFallback refuses a fallback that leads back to the API config itself.
func (e *edit) checkFallback(a *APIConfig) {
	seen := map[string]bool{a.ID: true}
	for next := a.FallbackID; next != nil; {
		if seen[*next] {
			e.add(CodeInvalid, "fallbackId", "leads back to this API config; choose one that does not")
			return
		}
		seen[*next] = true
		config, ok := e.cfg.APIConfigs[*next]
		if !ok {
			e.add(CodeNotFound, "fallbackId", "names no API config; it may have been deleted")
			return
		}
		next = config.FallbackID
	}
}

// merge lays the fields of settings over those of others; null takes a field out.
func (e *edit) merge(base, over JSON) JSON {
	out := map[string]JSON{}
	if len(base) > 0 && json.Unmarshal(base, &out) != nil {
		out = map[string]JSON{}
	}
	given := map[string]JSON{}
	if len(over) > 0 {
		if err := json.Unmarshal(over, &given); err != nil {
			e.add(CodeInvalid, "settings", `is not a JSON object; give one such as {"channel": "#soc"}`)
			return base
		}
	}
	for name, v := range given {
		if string(v) == "null" {
			delete(out, name)
			continue
		}
		out[name] = v
	}
	text, err := json.Marshal(out)
	if err != nil {
		e.add(CodeInvalid, "settings", "is not JSON: "+err.Error())
		return base
	}
	return text
}

// freeName is a name that nobody has: the wanted one, or that with a number.
func freeName(cfg *Configuration, wanted string) string {
	name := wanted
	for n := 2; configNamed(cfg, fold(name)) != ""; n++ {
		name = fmt.Sprintf("%s-%d", wanted, n)
	}
	return name
}

func configNamed(cfg *Configuration, folded string) string {
	for _, a := range cfg.APIConfigs {
		if fold(a.Name) == folded {
			return a.ID
		}
	}
	return ""
}
