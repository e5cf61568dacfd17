package dispatch

import (
	"context"
	"fmt"
	"slices"
	"strconv"
	"time"
)

// configured is the ledger's line of a change.
func configured(kind ChangeKind, sort ConfigurationType, id, name string, version int, by Origin, now time.Time) ConfigurationEvent {
	return ConfigurationEvent{At: now, By: by, Kind: kind, Type: sort, TargetID: id, TargetName: name, Version: version}
}

// edit is what all creations and updates share: the checks of a name and of a
// version, and the writing of one thing.
type edit struct {
	checker
	cfg *Configuration
	now time.Time
}

// version refuses an update of a thing that moved since the caller looked.
func (e *edit) version(expected *int, have int) {
	if expected != nil && *expected != have {
		e.add(CodeConflict, "expectedVersion", fmt.Sprintf("is %d, but the present version is %d; read it again and repeat the change on top", *expected, have))
	}
}

// name checks that a name is a text and free. Names are unique by kind,
// whatever the case; id is who may keep it.
func (e *edit) name(name, id string, taken func(folded string) string) {
	e.text("name", name, maxName)
	if owner := taken(fold(name)); owner != "" && owner != id {
		e.add(CodeAlreadyExists, "name", fmt.Sprintf("%q is taken by %s; choose another", name, owner))
	}
}

// must is the value of a field that cannot be cleared.
func must[T any](e *edit, field string, m Maybe[*T], target *T) {
	if !m.Given {
		return
	}
	if m.Value == nil {
		e.add(CodeInvalid, field, "is null, but must have a value; leave it out to keep it")
		return
	}
	*target = *m.Value
}

func orDefault[T any](v *T, otherwise T) T {
	if v == nil {
		return otherwise
	}
	return *v
}

// CreateBehaviorModel makes a behavior model.
func (d *Desk) CreateBehaviorModel(ctx context.Context, c Caller, in CreateBehaviorModelInput) (BehaviorModel, error) {
	id := NewID(PrefixBehaviorModel)
	err := d.create(ctx, c, "createBehaviorModel", in.IdempotencyKey, in, &id, func(e *edit) (ConfigurationChange, string) {
		m := BehaviorModel{
			ID: id, Name: in.Name, Group: in.Group, Description: in.Description, Enabled: orDefault(in.Enabled, true),
			Severity: orDefault(in.Severity, Medium), Version: 1, CreatedAt: e.now, UpdatedAt: e.now,
		}
		e.checkModel(m)
		return ConfigurationChange{
			Put:    Nouns{BehaviorModels: []BehaviorModel{m}},
			Events: []ConfigurationEvent{configured(Created, TypeBehaviorModel, id, m.Name, 1, c.Origin(), e.now)},
		}, id
	})
	return answered(d.snapshot.Load().BehaviorModels, id, err)
}

// UpdateBehaviorModel changes a behavior model.
func (d *Desk) UpdateBehaviorModel(ctx context.Context, c Caller, in UpdateBehaviorModelInput) (BehaviorModel, error) {
	err := d.update(ctx, c, func(e *edit) (ConfigurationChange, error) {
		m, ok := e.cfg.BehaviorModels[in.ID]
		if !ok {
			return ConfigurationChange{}, unknown("id", "behavior model")
		}
		e.version(in.ExpectedVersion, m.Version)
		must(e, "name", in.Name, &m.Name)
		must(e, "enabled", in.Enabled, &m.Enabled)
		must(e, "severity", in.Severity, &m.Severity)
		in.Group.apply(&m.Group)
		in.Description.apply(&m.Description)
		m.Version, m.UpdatedAt = m.Version+1, e.now
		e.checkModel(m)
		return ConfigurationChange{
			Put:    Nouns{BehaviorModels: []BehaviorModel{m}},
			Events: []ConfigurationEvent{configured(Updated, TypeBehaviorModel, m.ID, m.Name, m.Version, c.Origin(), e.now)},
		}, nil
	})
	return answered(d.snapshot.Load().BehaviorModels, in.ID, err)
}

func (e *edit) checkModel(m BehaviorModel) {
	e.name(m.Name, m.ID, func(folded string) string { return e.cfg.models[folded] })
	e.optional("group", m.Group, maxName)
	e.optional("description", m.Description, maxText)
	if m.Severity.Rank() < 0 {
		e.add(CodeInvalid, "severity", "is not a severity; give one of INFO, LOW, MEDIUM, HIGH, CRITICAL")
	}
}

// create runs a creation; on a repeat it sets id to the first answer's.
func (d *Desk) create(ctx context.Context, c Caller, mutation string, key *string, input any, id *string, work func(e *edit) (ConfigurationChange, string)) error {
	r, err := repeat(c, mutation, key, input, moment())
	if err != nil {
		return err
	}
	first, err := d.change(ctx, c.Origin(), r, func(cfg *Configuration, now time.Time) (ConfigurationChange, error) {
		e := &edit{cfg: cfg, now: now}
		e.optional("idempotencyKey", key, maxIdempotency)
		change, made := work(e)
		change.ID = made
		return change, refused(e.problems)
	})
	if first != "" {
		*id = first
	}
	return err
}

// update runs a change of things that exist.
func (d *Desk) update(ctx context.Context, c Caller, work func(e *edit) (ConfigurationChange, error)) error {
	_, err := d.change(ctx, c.Origin(), nil, func(cfg *Configuration, now time.Time) (ConfigurationChange, error) {
		e := &edit{cfg: cfg, now: now}
		change, err := work(e)
		if err != nil {
			return change, err
		}
		return change, refused(e.problems)
	})
	return err
}

// answered is the thing as it is after a change that went well.
func answered[T any](all map[string]T, id string, err error) (T, error) {
	var none T
	if err != nil {
		return none, err
	}
	thing, ok := all[id]
	if !ok {
		return none, Refuse(CodeNotFound, "idempotencyKey", "belongs to a thing that has been deleted since; use a new key")
	}
	return thing, nil
}

func unknown(field, noun string) error {
	return Refuse(CodeNotFound, field, "names no "+noun+"; it may have been deleted")
}

// references checks that each id names something, once.
func references[T any](e *edit, field, noun string, ids []string, all map[string]T) {
	for i, id := range ids {
		path := field + "." + strconv.Itoa(i)
		if _, ok := all[id]; !ok {
			e.add(CodeNotFound, path, "names no "+noun+"; it may have been deleted")
		}
		if slices.Index(ids, id) < i {
			e.add(CodeInvalid, path, "is there twice; name each once")
		}
	}
}
