package dispatch

import (
	"bytes"
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"maps"
	"slices"
	"strconv"
	"strings"
	"time"
)

// Limits of a lambda.
const (
	maxLambdaSource = 64 << 10 // characters
	maxLambdaTests  = 50
	maxLambdas      = 10 // of an action
)

// CreateLambdaInput asks for a new lambda.
type CreateLambdaInput struct {
	Name           string
	Description    *string
	Source         string
	Config         JSON
	Tests          []LambdaTest
	OnError        *LambdaFailurePolicy
	IdempotencyKey *string
}

// UpdateLambdaInput changes a lambda.
type UpdateLambdaInput struct {
	ID              string
	ExpectedVersion *int
	Name            Maybe[*string]
	Description     Maybe[*string]
	Source          Maybe[*string]
	Config          Maybe[JSON]
	Tests           Maybe[[]LambdaTest]
	OnError         Maybe[*LambdaFailurePolicy]
}

// CreateLambda makes a lambda that compiles and passes its tests.
func (d *Desk) CreateLambda(ctx context.Context, c Caller, in CreateLambdaInput) (Lambda, error) {
	id := NewID(PrefixLambda)
	l := Lambda{
		ID: id, Name: in.Name, Description: in.Description, Source: in.Source, Config: in.Config, Tests: in.Tests,
		OnError: orDefault(in.OnError, PassUnchanged), Version: 1,
	}
	if err := d.tryLambda(ctx, &l); err != nil {
		return Lambda{}, err
	}
	err := d.create(ctx, c, "createLambda", in.IdempotencyKey, in, &id, func(e *edit) (ConfigurationChange, string) {
		l.CreatedAt, l.UpdatedAt = e.now, e.now
		e.name(l.Name, l.ID, func(folded string) string { return lambdaNamed(e.cfg, folded) })
		return ConfigurationChange{
			Put:    Nouns{Lambdas: []Lambda{l}},
			Events: []ConfigurationEvent{configured(Created, TypeLambda, id, l.Name, 1, c.Origin(), e.now)},
		}, id
	})
	return answered(d.snapshot.Load().Lambdas, id, err)
}

// UpdateLambda changes a lambda to one that compiles and passes its tests. It is
// tried before the configuration is held still: what another caller changed
// meanwhile is tried again.
func (d *Desk) UpdateLambda(ctx context.Context, c Caller, in UpdateLambdaInput) (Lambda, error) {
	for range maxChanges {
		l, err := d.editedLambda(in)
		if err != nil {
			return Lambda{}, err
		}
		tried := l.Version
		if err := d.tryLambda(ctx, &l); err != nil {
			return Lambda{}, err
		}
		err = d.update(ctx, c, func(e *edit) (ConfigurationChange, error) {
			if now, ok := e.cfg.Lambdas[in.ID]; !ok || now.Version != tried {
				return ConfigurationChange{}, errMoved
			}
			l.Version, l.UpdatedAt = tried+1, e.now
			e.name(l.Name, l.ID, func(folded string) string { return lambdaNamed(e.cfg, folded) })
			return ConfigurationChange{
				Put:    Nouns{Lambdas: []Lambda{l}},
				Events: []ConfigurationEvent{configured(Updated, TypeLambda, l.ID, l.Name, l.Version, c.Origin(), e.now)},
			}, nil
		})
		if !errors.Is(err, errMoved) {
			return answered(d.snapshot.Load().Lambdas, in.ID, err)
		}
	}
	return Lambda{}, ErrStale
}

// errMoved: another caller was quicker.
var errMoved = errors.New("changed meanwhile")

// editedLambda is the present lambda with a change.
func (d *Desk) editedLambda(in UpdateLambdaInput) (Lambda, error) {
	e := &edit{cfg: d.snapshot.Load()}
	l, ok := e.cfg.Lambdas[in.ID]
	if !ok {
		return l, unknown("id", "lambda")
	}
	e.version(in.ExpectedVersion, l.Version)
	must(e, "name", in.Name, &l.Name)
	must(e, "source", in.Source, &l.Source)
	must(e, "onError", in.OnError, &l.OnError)
	in.Description.apply(&l.Description)
	in.Config.apply(&l.Config)
	in.Tests.apply(&l.Tests)
	return l, refused(e.problems)
}

// DeleteLambda deletes a lambda. Forced, the actions that run it lose it and are
// disabled: without it they would send what it held back.
func (d *Desk) DeleteLambda(ctx context.Context, c Caller, in DeleteInput) (usedBy []string, err error) {
	return d.remove(ctx, c, in, func(cfg *Configuration) (thing, bool) {
		l, ok := cfg.Lambdas[in.ID]
		t := thing{TypeLambda, l.Name, l.Version, nil}
		for _, a := range cfg.Running(in.ID) {
			t.users = append(t.users, user{a.ID, a.Name, func(n *Nouns, now time.Time) {
				a.LambdaIDs, a.Enabled = without(a.LambdaIDs, in.ID), false
				n.Actions = append(n.Actions, touched(a, now))
			}})
		}
		return t, ok
	})
}

// tryLambda checks a lambda whole: its texts, whether it compiles, its tests.
func (d *Desk) tryLambda(ctx context.Context, l *Lambda) error {
	var c checker
	l.check(&c)
	if err := refused(c.problems); err != nil {
		return err
	}
	if err := d.options.Sandbox.CheckLambda(ctx, l.Source); err != nil {
		return Refuse(CodeInvalid, "source", "cannot be used: "+err.Error())
	}
	for i, test := range l.Tests {
		if wrong := test.try(ctx, d.options.Sandbox, LambdaTrial{Lambda: *l}); wrong != "" {
			c.add(CodeInvalid, "tests."+strconv.Itoa(i), fmt.Sprintf("%q does not pass: %s", test.Name, wrong))
		}
	}
	return refused(c.problems)
}

func (l *Lambda) check(c *checker) {
	c.text("name", l.Name, maxName)
	c.optional("description", l.Description, maxText)
	c.text("source", l.Source, maxLambdaSource)
	c.object("config", l.Config)
	if len(bytes.TrimSpace(l.Config)) == 0 || string(l.Config) == "null" {
		l.Config = JSON("{}")
	}
	if l.OnError != PassUnchanged && l.OnError != StopOnError {
		c.add(CodeInvalid, "onError", "is not one of PASS_UNCHANGED, STOP")
	}
	if len(l.Tests) > maxLambdaTests {
		c.add(CodeLimitExceeded, "tests", fmt.Sprintf("has %d entries; give at most %d", len(l.Tests), maxLambdaTests))
	}
	for i, test := range l.Tests {
		field := "tests." + strconv.Itoa(i)
		c.text(field+".name", test.Name, maxName)
		c.object(field+".alert", test.Alert)
		c.object(field+".expect", test.Expect)
		if string(test.Expect) == "null" {
			l.Tests[i].Expect = nil
		}
	}
}

// sampleAlert is the alert of a test: the fields that are given over those of an
// alert of no special kind.
func sampleAlert(given JSON) (Alert, error) {
	at := time.Date(2026, 1, 2, 3, 4, 5, 0, time.UTC)
	a := Alert{
		ID: PrefixAlert + "_00000000-0000-7000-8000-000000000000", BehaviorModel: "Sample", Severity: Medium, Risks: []string{},
		Summary: "A sample", Attributes: JSON("{}"), OccurredAt: at, ReceivedAt: at, RaisedBy: System,
	}
	fields := map[string]JSON{}
	if len(given) > 0 {
		if err := json.Unmarshal(given, &fields); err != nil {
			return a, fmt.Errorf("its alert is not an object: %w", err)
		}
	}
	fixed := map[string]any{
		"id": &a.ID, "behaviorModel": &a.BehaviorModel, "dedupKey": &a.DedupKey, "occurredAt": &a.OccurredAt, "receivedAt": &a.ReceivedAt,
		"raisedBy": &a.RaisedBy.Name,
	}
	for name, target := range fixed {
		if raw, ok := fields[name]; ok {
			if err := json.Unmarshal(raw, target); err != nil {
				return a, fmt.Errorf("its alert.%s cannot be %s", name, Cut(string(raw), 60))
			}
			delete(fields, name)
		}
	}
	changed, _, err := a.changed(written(fields))
	if err != nil {
		return a, fmt.Errorf("its %w", err)
	}
	return changed, nil
}

// unlike tells where an alert is not as expected, by the fields that are named.
func unlike(expect, got JSON) string {
	want, have := map[string]JSON{}, map[string]JSON{}
	if json.Unmarshal(expect, &want) != nil || json.Unmarshal(got, &have) != nil {
		return "its expect is not an object"
	}
	var wrong []string
	for _, name := range slices.Sorted(maps.Keys(want)) {
		if !alike(want[name], orNull(have[name])) {
			wrong = append(wrong, fmt.Sprintf("alert.%s is %s, not %s", name, Cut(string(orNull(have[name])), 200), Cut(string(want[name]), 200)))
		}
	}
	return strings.Join(wrong, "; ")
}

func orNull(raw JSON) JSON {
	if raw == nil {
		return JSON("null")
	}
	return raw
}

func lambdaNamed(cfg *Configuration, folded string) string {
	for _, l := range cfg.Lambdas {
		if fold(l.Name) == folded {
			return l.ID
		}
	}
	return ""
}
