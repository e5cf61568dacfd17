package dispatch

import "context"

// TestLambdaInput names a lambda, stored or a draft, and the alert to run it on.
type TestLambdaInput struct {
	ID      *string
	Source  *string
	Config  JSON // of a draft
	AlertID *string
	Alert   *RaiseAlertInput
}

// LambdaTried is what a lambda made of an alert.
type LambdaTried struct {
	Output  JSON // the alert that came out; nil when it was dropped, or the lambda failed
	Dropped bool
	Trace   LambdaTrace
}

// TestLambda runs a lambda once; nothing is stored.
func (d *Desk) TestLambda(ctx context.Context, c Caller, in TestLambdaInput) (LambdaTried, error) {
	cfg := d.snapshot.Load()
	l := Lambda{Name: "draft", Config: in.Config, OnError: PassUnchanged}
	switch {
	case in.ID != nil && in.Source != nil:
		return LambdaTried{}, Refuse(CodeInvalid, "source", "is given beside id; name a lambda by one of them")
	case in.ID != nil:
		stored, ok := cfg.Lambdas[*in.ID]
		if !ok {
			return LambdaTried{}, unknown("id", "lambda")
		}
		l = stored
	case in.Source != nil:
		l.Source = *in.Source
	default:
		return LambdaTried{}, Refuse(CodeRequired, "id", "and source are both missing; name a lambda by one of them")
	}
	var check checker
	l.check(&check)
	if err := refused(check.problems); err != nil {
		return LambdaTried{}, err
	}
	a, err := d.alertToTest(ctx, c, cfg, in.AlertID, in.Alert)
	if err != nil {
		return LambdaTried{}, err
	}
	got := runLambda(ctx, d.options.Sandbox, l, a, nil, nil, a.ReceivedAt)
	out := LambdaTried{Dropped: got.dropped, Trace: got.trace}
	if got.err == nil && !got.dropped {
		out.Output = got.alert.shown()
	}
	return out, nil
}
