package dispatch

import (
	"bytes"
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"maps"
	"slices"
	"time"
)

// CreateActor makes an actor.
func (d *Desk) CreateActor(ctx context.Context, c Caller, in CreateActorInput) (Actor, error) {
	id := NewID(PrefixActor)
	err := d.create(ctx, c, "createActor", in.IdempotencyKey, in, &id, func(e *edit) (ConfigurationChange, string) {
		kind, ok := d.Kind(in.Type)
		if !ok {
			e.add(CodeInvalid, "type", fmt.Sprintf("%q is not an actor type; see actorTypes", in.Type))
			return ConfigurationChange{}, id
		}
		a := Actor{
			ID: id, Name: in.Name, Kind: kind.Name, Enabled: orDefault(in.Enabled, true), Sync: orDefault(in.Sync, SyncBoth),
			Version: 1, CreatedAt: e.now, UpdatedAt: e.now,
		}
		a.Settings = e.merge(Defaults(kind.Settings), in.Settings)
		e.takeSecrets(&a, in.Secrets)
		d.checkActorItself(e, a, kind)
		return ConfigurationChange{
			Put:    Nouns{Actors: []Actor{a}},
			Events: []ConfigurationEvent{configured(Created, TypeActor, id, a.Name, 1, c.Origin(), e.now)},
		}, id
	})
	return answered(d.snapshot.Load().Actors, id, err)
}

// UpdateActor changes an actor and ends its pause: what waited is tried again.
// Changing where it talks to asks for its secrets again, so that nobody can
// have them sent elsewhere.
func (d *Desk) UpdateActor(ctx context.Context, c Caller, in UpdateActorInput) (Actor, error) {
	err := d.update(ctx, c, func(e *edit) (ConfigurationChange, error) {
		a, ok := e.cfg.Actors[in.ID]
		if !ok {
			return ConfigurationChange{}, unknown("id", "actor")
		}
		kind, ok := d.Kind(a.Kind)
		if !ok {
			return ConfigurationChange{}, unknown("id", "actor of an actor type of this build")
		}
		e.version(in.ExpectedVersion, a.Version)
		must(e, "name", in.Name, &a.Name)
		must(e, "enabled", in.Enabled, &a.Enabled)
		must(e, "sync", in.Sync, &a.Sync)
		before := a
		if in.Settings.Given {
			a.Settings = e.merge(a.Settings, in.Settings.Value)
		}
		if in.Secrets.Given {
			e.takeSecrets(&a, in.Secrets.Value)
		}
		e.guardSecrets(kind, before, a, in.Secrets.Value)
		a.Version, a.UpdatedAt = a.Version+1, e.now
		d.checkActorItself(e, a, kind)
		return ConfigurationChange{
			Put: Nouns{Actors: []Actor{a}}, Resume: []string{a.ID},
			Events: []ConfigurationEvent{configured(Updated, TypeActor, a.ID, a.Name, a.Version, c.Origin(), e.now)},
		}, nil
	})
	if err == nil {
		d.bell.Ring(ringActor(in.ID))
	}
	return answered(d.snapshot.Load().Actors, in.ID, err)
}

func (d *Desk) checkActorItself(e *edit, a Actor, kind Kind) {
	e.name(a.Name, a.ID, func(folded string) string { return actorNamed(e.cfg, folded) })
	filled, problems := Fill(kind.Settings, a.Settings, a.Secrets)
	if len(problems) == 0 && len(e.problems) == 0 {
		problems = d.problemsOf(kind, filled)
	}
	if a.BuiltIn {
		// a built-in actor exists before anybody has set it up
		problems = slices.DeleteFunc(problems, func(p UserError) bool { return p.Code == CodeRequired })
	}
	e.problems = append(e.problems, problems...)
}

// problemsOf is what the kind itself says of settings.
func (d *Desk) problemsOf(kind Kind, settings any) []UserError {
	_, err := kind.Open(settings, d.world)
	var refusal *Refusal
	switch {
	case err == nil:
		return nil
	case errors.As(err, &refusal):
		return refusal.Problems
	}
	return []UserError{{Code: CodeInvalid, Path: []string{"settings"}, Message: "settings cannot be used: " + err.Error()}}
}

// takeSecrets sets, keeps and clears secrets: a field left out is kept, null
// clears it.
func (e *edit) takeSecrets(a *Actor, given JSON) {
	fields := map[string]JSON{}
	if len(bytes.TrimSpace(given)) > 0 {
		if err := json.Unmarshal(given, &fields); err != nil {
			e.add(CodeInvalid, "secrets", `is not a JSON object; give one such as {"botToken": "…"}`)
			return
		}
	}
	secrets, since := maps.Clone(a.Secrets), maps.Clone(a.SecretAt)
	if secrets == nil {
		secrets, since = map[string]Secret{}, map[string]time.Time{}
	}
	for name, raw := range fields {
		if string(raw) == "null" {
			delete(secrets, name)
			delete(since, name)
			continue
		}
		secrets[name], since[name] = secretText(raw), e.now
		if secrets[name] == mask {
			e.add(CodeInvalid, "secrets."+name, "is the mask that stands for a secret; leave it out to keep the present one")
		}
	}
	a.Secrets, a.SecretAt = secrets, since
}

// secretText is a secret as it is kept: a text as it is, anything else as JSON.
func secretText(raw JSON) Secret {
	var text string
	if json.Unmarshal(raw, &text) == nil {
		return Secret(text)
	}
	return Secret(raw)
}

// guardSecrets asks for the secrets again when an address changes: settings of
// format uri or hostname say where the actor talks to.
func (e *edit) guardSecrets(kind Kind, before, after Actor, given JSON) {
	if len(before.Secrets) == 0 || !addressChanged(kind, before.Settings, after.Settings) {
		return
	}
	again := map[string]JSON{}
	if len(given) > 0 && json.Unmarshal(given, &again) != nil {
		return // takeSecrets has said so
	}
	for _, name := range slices.Sorted(maps.Keys(before.Secrets)) {
		if _, ok := again[name]; !ok {
			e.add(CodeRequired, "secrets."+name, "is missing; changing where the actor talks to asks for its secrets again")
		}
	}
}

func addressChanged(kind Kind, before, after JSON) bool {
	old, _ := Fill(kind.Settings, before, nil)
	changed, _ := Fill(kind.Settings, after, nil)
	is := fieldsOf(changed)
	for i, was := range fieldsOf(old) {
		if format := was.tag("format"); (format == "uri" || format == "hostname" || was.tag("address") == "true") && !was.value.Equal(is[i].value) {
			return true
		}
	}
	return false
}

func actorNamed(cfg *Configuration, folded string) string {
	for _, a := range cfg.Actors {
		if fold(a.Name) == folded {
			return a.ID
		}
	}
	return ""
}
