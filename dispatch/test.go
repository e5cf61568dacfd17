package dispatch

import (
	"context"
	"errors"
	"fmt"
	"time"
)

// TestActor logs in to an external system and says what is wrong, sending
// nothing. A stored actor that passes is resumed.
func (d *Desk) TestActor(ctx context.Context, _ Caller, in TestActorInput) (TestResult, error) {
	actor, kind, err := d.actorToTest(in)
	if err != nil {
		return TestResult{}, err
	}
	messenger, err := d.openMessenger(kind, actor)
	if err != nil {
		var refusal *Refusal
		if errors.As(err, &refusal) && in.ID == nil {
			return TestResult{}, refusal
		}
		return TestResult{Message: "The actor cannot be used: " + err.Error() + "."}, nil
	}
	tester, ok := messenger.(Tester)
	if !ok {
		return TestResult{OK: true, Message: "There is nothing to log in to: this actor type works by itself."}, d.resume(lasting(ctx), in.ID)
	}
	result := d.tested(ctx, func(ctx context.Context) Outcome { return tester.Test(ctx) }, "The login works.")
	if result.OK {
		err = d.resume(lasting(ctx), in.ID)
	}
	return result, err
}

func (d *Desk) actorToTest(in TestActorInput) (Actor, Kind, error) {
	e := &edit{cfg: d.snapshot.Load(), now: moment()}
	actor := Actor{}
	switch {
	case in.ID != nil:
		found, ok := e.cfg.Actors[*in.ID]
		if !ok {
			return actor, Kind{}, unknown("id", "actor")
		}
		actor = found
	case in.Type != nil:
		actor.Kind = *in.Type
	default:
		return actor, Kind{}, Refuse(CodeRequired, "id", "and type are both missing; name a stored actor, or give a draft")
	}
	kind, ok := d.Kind(actor.Kind)
	if !ok {
		return actor, kind, Refuse(CodeInvalid, "type", fmt.Sprintf("%q is not an actor type; see actorTypes", actor.Kind))
	}
	if in.ID == nil {
		actor.Settings = e.merge(Defaults(kind.Settings), in.Settings)
		e.takeSecrets(&actor, in.Secrets)
	}
	return actor, kind, refused(e.problems)
}

// resume ends the pause of a stored actor.
func (d *Desk) resume(ctx context.Context, id *string) error {
	if id == nil {
		return nil
	}
	if err := d.store.Resume(ctx, *id, moment()); err != nil {
		return fmt.Errorf("resume the actor: %w", err)
	}
	d.bell.Ring(ringActor(*id))
	d.bell.Ring(ringHealth)
	return nil
}

// tested runs a test within the time of a call and keeps what went over the wire.
func (d *Desk) tested(ctx context.Context, call func(ctx context.Context) Outcome, well string) TestResult {
	ctx, cancel := context.WithTimeout(ctx, callTimeout)
	defer cancel()
	l := line{desk: d, id: "under test"}
	e := ended{started: moment()}
	e.claimed.Delivery.Attempt = 1
	e.outcome = l.guarded(func() Outcome { return call(ctx) })
	e.now = moment()
	attempt := record(e)
	result := TestResult{OK: e.outcome.Kind() == OutcomeDelivered, Message: well, Attempt: &attempt}
	if err := e.outcome.Err(); err != nil {
		result.Message = "It did not work: " + Cut(err.Error(), maxErrorKept) + "."
	}
	return result
}

// TestAPIConfig sends one marked test message for real. Nothing is stored.
func (d *Desk) TestAPIConfig(ctx context.Context, c Caller, in TestAPIConfigInput) (TestResult, error) {
	cfg := d.snapshot.Load()
	config, ok := cfg.APIConfigs[in.ID]
	if !ok {
		return TestResult{}, unknown("id", "API config")
	}
	actor, ok := cfg.ActorOf(config)
	if !ok {
		return TestResult{}, Refuse(CodeInvalidState, "id", "has no actor any more; give it one")
	}
	alert, err := d.alertToTest(ctx, c, cfg, in.AlertID, in.Alert)
	if err != nil {
		return TestResult{}, err
	}
	kind, _ := d.Kind(config.Kind)
	messenger, err := d.openMessenger(kind, actor)
	if err != nil {
		return TestResult{Message: "The actor cannot be used: " + err.Error() + "."}, nil //nolint:nilerr // what is wrong is the result
	}
	rendered, _ := d.render(ctx, kind, config.Settings, alert, nil, "")
	settings, err := Unpack(kind.ConfigSettings, rendered)
	if err != nil {
		return TestResult{Message: err.Error()}, nil //nolint:nilerr // as above
	}
	parcel := Parcel{DeliveryID: NewID(PrefixDelivery), Attempt: 1, Alert: alert, Settings: settings, Test: true}
	return d.tested(ctx, func(ctx context.Context) Outcome { return messenger.Deliver(ctx, parcel) }, "The test message was delivered."), nil
}

// alertToTest is a stored alert, one that is given, or an invented one.
func (d *Desk) alertToTest(ctx context.Context, c Caller, cfg *Configuration, id *string, given *RaiseAlertInput) (Alert, error) {
	if id != nil && given != nil {
		return Alert{}, Refuse(CodeInvalid, "alert", "is given beside alertId; give one of them")
	}
	if id != nil {
		found, err := d.AlertsByID(ctx, []string{*id})
		if err != nil {
			return Alert{}, err
		}
		alert, ok := found[*id]
		if !ok {
			return alert, unknown("alertId", "alert")
		}
		return alert, nil
	}
	now := moment()
	input := invented(now)
	if given != nil {
		input = *given
	}
	if problems := input.Check(); len(problems) > 0 {
		for i := range problems {
			problems[i].Path = append([]string{"alert"}, problems[i].Path...)
		}
		return Alert{}, refused(problems)
	}
	model, ok := cfg.Model(input.BehaviorModel)
	if !ok {
		model = BehaviorModel{Name: input.BehaviorModel, Severity: Medium}
	}
	return input.alert(NewID(PrefixAlert), model, c.Origin(), now), nil
}

// invented is the alert of a test that names none.
func invented(now time.Time) RaiseAlertInput {
	key, keyType, low := "test@example.com", "username", Low
	return RaiseAlertInput{
		BehaviorModel: "Tocsin_Test", Summary: "A test message from Tocsin", Key: &key, KeyType: &keyType,
		Severity: &low, OccurredAt: &now,
	}
}
